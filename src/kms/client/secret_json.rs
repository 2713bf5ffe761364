//! JSON whose strings are base64 of secrets, without copies that are not wiped.
//!
//! A JSON library copies a string with an escape into its own buffer, and repeats unexpected input
//! in its errors. We therefore write bodies with secrets here, into one buffer of the right size,
//! and read secrets here, from the raw text of their field.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// Writes an object of base64 strings. The names must not need escapes.
pub(crate) fn write(fields: &[(&str, &[u8])]) -> Zeroizing<Vec<u8>> {
    let encoded = |value: &[u8]| value.len().div_ceil(3) * 4;
    // For each field: quotes around the name, a colon, quotes, and a comma or the last brace.
    let size = fields
        .iter()
        .map(|(name, value)| name.len() + encoded(value) + 6)
        .sum::<usize>();
    let mut json = Zeroizing::new(Vec::with_capacity(size + 2));
    json.push(b'{');
    for (at, (name, value)) in fields.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        json.push(b'"');
        json.extend_from_slice(name.as_bytes());
        json.extend_from_slice(b"\":\"");
        let start = json.len();
        json.resize(start + encoded(value), 0);
        let written = STANDARD.encode_slice(value, json.split_at_mut(start).1);
        debug_assert_eq!(written, Ok(encoded(value)));
        json.push(b'"');
    }
    json.push(b'}');
    json
}

/// Reads one base64 string, in the standard alphabet and with padding, as the service writes it.
pub(crate) fn read(value: &RawValue) -> Option<Zeroizing<Vec<u8>>> {
    let text = value.get().strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    if text.contains(&b'\\') {
        decode(&unescape(text)?)
    } else {
        decode(text)
    }
}

fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let size = (text.len() / 4 * 3).checked_sub(padding)?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    let written = STANDARD.decode_slice(text, &mut bytes).ok()?;
    (written == size).then_some(bytes)
}

/// Resolves the escapes that base64 text can contain: some JSON writers escape a slash.
fn unescape(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [b'/', after @ ..]) => {
                plain.push(b'/');
                after
            }
            (b'\\', [b'u', b'0', b'0', high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                plain.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
                after
            }
            (b'\\', _) => return None,
            _ => {
                plain.push(*first);
                after
            }
        };
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(json: &str) -> Option<Vec<u8>> {
        read(serde_json::from_str(json).expect("it is JSON")).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn objects_are_written_without_reallocation() {
        for size in [0_usize, 1, 2, 3, 4, 57, 65_535] {
            let value = vec![0xfb; size];
            let json = write(&[("plaintext", &value), ("associated_data", b"ctx")]);
            assert!(json.capacity() <= json.len() + 2, "{size}");
            let parsed: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
            assert_eq!(parsed["plaintext"], STANDARD.encode(&value));
            assert_eq!(parsed["associated_data"], "Y3R4");
        }
        assert_eq!(*write(&[]), *b"{}");
    }

    #[test]
    fn base64_is_read_with_and_without_escapes_into_a_buffer_of_its_size() {
        assert_eq!(read_text(r#""+/8=""#).as_deref(), Some(&[0xfb, 0xff][..]));
        assert_eq!(
            read_text(r#""+\/8\u003d""#).as_deref(),
            Some(&[0xfb, 0xff][..])
        );
        assert_eq!(
            read_text(r#""\u002B\u002f8=""#).as_deref(),
            Some(&[0xfb, 0xff][..])
        );
        assert_eq!(read_text(r#""""#).as_deref(), Some(&[][..]));
        let raw: &RawValue = serde_json::from_str(r#""aGVsbG8=""#).expect("it is JSON");
        let bytes = read(raw).expect("it is base64");
        assert_eq!(bytes.capacity(), bytes.len());
    }

    #[test]
    fn other_alphabets_paddings_and_types_are_refused() {
        for bad in [
            r#""-_8=""#,
            r#""+/8""#,
            r#""+/8==""#,
            r#""+/9=""#,
            r#""+/8=\n""#,
            r#""+/8= ""#,
            "7",
            r#"["+/8="]"#,
            r#""=""#,
            r#""====""#,
            r#""\u01008=""#,
            "true",
        ] {
            assert_eq!(read_text(bad), None, "{bad}");
        }
    }
}
