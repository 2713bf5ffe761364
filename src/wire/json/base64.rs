//! Base64 as used in JSON keysets: either alphabet and optional padding on reading, the standard
//! alphabet with padding on writing.

use base64::{
    Engine as _,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use super::Fault;

const STANDARD_ENGINE: GeneralPurpose = engine(&STANDARD);
const URL_SAFE_ENGINE: GeneralPurpose = engine(&URL_SAFE);

const fn engine(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

/// Decodes `text`, which is of one alphabet, and has either all of its padding or none.
pub(crate) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let symbols = match text.len() % 4 {
        0 => text
            .strip_suffix("==")
            .or_else(|| text.strip_suffix('='))
            .unwrap_or(text),
        _ => text,
    };
    let engine = if symbols.contains(['-', '_']) {
        URL_SAFE_ENGINE
    } else {
        STANDARD_ENGINE
    };
    // Every four symbols are three bytes, and the rest of one to three is zero to two.
    let mut bytes = Zeroizing::new(vec![0; symbols.len() / 4 * 3 + symbols.len() % 4 * 3 / 4]);
    let len = engine.decode_slice(symbols, &mut bytes).ok()?;
    bytes.truncate(len);
    Some(bytes)
}

/// Returns what some releases of Tink do not read of a text that [`decode`] takes.
pub(super) fn oddities(text: &str) -> impl Iterator<Item = Fault> {
    let url_safe = text.contains(['-', '_']).then_some(Fault::UrlSafe);
    let unpadded = (!text.len().is_multiple_of(4)).then_some(Fault::Unpadded);
    url_safe.into_iter().chain(unpadded)
}

/// Decodes the symbols of a text that [`decode`] refuses; nothing where they do not make bytes.
pub(super) fn guess(text: &str) -> Zeroizing<Vec<u8>> {
    let mut symbols = Zeroizing::new(String::with_capacity(text.len()));
    symbols.extend(text.chars().filter_map(|symbol| match symbol {
        '-' => Some('+'),
        '_' => Some('/'),
        '+' | '/' | 'A'..='Z' | 'a'..='z' | '0'..='9' => Some(symbol),
        _ => None,
    }));
    decode(&symbols).unwrap_or_default()
}

/// Returns the length in bytes of what [`encode`] writes for `len` bytes.
pub(super) const fn encoded_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

/// Appends the base64 of `bytes` to `out`, which has room for it.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + encoded_len(bytes.len()), 0);
    STANDARD_ENGINE
        .encode_slice(bytes, out.split_at_mut(start).1)
        .expect("the slice is as long as the text");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decode_takes_one_alphabet_and_all_or_no_padding() {
        let cases: &[(&str, Option<&[u8]>)] = &[
            ("", Some(b"")),
            ("QQ==", Some(b"A")),
            ("QQ", Some(b"A")),
            ("QUI=", Some(b"AB")),
            ("QUI", Some(b"AB")),
            ("QUJD", Some(b"ABC")),
            ("QUJDRA==", Some(b"ABCD")),
            ("+/+/", Some(&[0xfb, 0xff, 0xbf])),
            ("-_-_", Some(&[0xfb, 0xff, 0xbf])),
            ("-w==", Some(&[0xfb])),
            ("-w", Some(&[0xfb])),
            // Bits that belong to no byte.
            ("QR==", Some(b"A")),
            ("QR", Some(b"A")),
            ("QUJ", Some(b"AB")),
            // Two alphabets.
            ("+_+_", None),
            ("-/-/", None),
            // Lengths and padding.
            ("Q", None),
            ("QUJDR", None),
            ("QQ=", None),
            ("QQ===", None),
            ("Q===", None),
            ("QUI==", None),
            ("QUJD=", None),
            ("QUJD====", None),
            ("QUJDR===", None),
            ("=", None),
            ("==", None),
            ("====", None),
            ("Q=Q=", None),
            ("QQ==QQ==", None),
            ("=QQ=", None),
            // Other characters.
            ("QU D", None),
            ("QUJD ", None),
            (" QUJ", None),
            ("QUJ!", None),
            ("QU\nD", None),
            ("QUJD\r\n", None),
            ("QUJ\0", None),
            ("QUé", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(
                decode(text).as_ref().map(|bytes| &bytes[..]),
                *bytes,
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(bytes: Vec<u8>) {
            let mut text = Vec::with_capacity(encoded_len(bytes.len()));
            encode(&bytes, &mut text);
            prop_assert_eq!(text.len(), encoded_len(bytes.len()));
            let text = String::from_utf8(text).unwrap();
            let decoded = decode(&text).unwrap();
            prop_assert_eq!(decoded.capacity(), bytes.len());
            prop_assert_eq!(&**decoded, &*bytes);
            prop_assert_eq!(&**decode(text.trim_end_matches('=')).unwrap(), &*bytes);
            let url_safe = text.replace('+', "-").replace('/', "_");
            prop_assert_eq!(&**decode(&url_safe).unwrap(), &*bytes);
        }
    }
}
