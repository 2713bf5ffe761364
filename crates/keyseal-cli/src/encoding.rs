//! Bytes as text: the one reader of hexadecimal and base64 for all input from a user, and their
//! writers. All buffers are wiped.

use data_encoding::{
    BASE64, BASE64_NOPAD, BASE64URL_NOPAD, DecodeKind, DecodePartial, Encoding, HEXLOWER,
    HEXLOWER_PERMISSIVE,
};
use zeroize::Zeroizing;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The reason why a text does not have the stated encoding.
pub(crate) type Reason = &'static str;

/// Reads hexadecimal digits of either case, as `openssl`, `xxd -p` and `od -An -tx1` print them:
/// with white space anywhere, or with colons between the bytes.
pub(crate) fn from_hex(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Reason> {
    let text = without_mark(text)?;
    // An address has digits too, which would be taken for bytes of the key.
    let mut words = text.split(u8::is_ascii_whitespace);
    if words.next() == Some(b"0000000") && words.next().is_some() {
        return Err("it has the addresses that od prints: leave them out with od -An -tx1");
    }
    let mut digits = without_space(text);
    if digits.contains(&b':') {
        digits = without_colons(&digits)?;
    }
    decode(&HEXLOWER_PERMISSIVE, &digits).map_err(|kind| match kind {
        DecodeKind::Length => "it has an odd number of hexadecimal digits",
        _ => "it has a character that is not a hexadecimal digit",
    })
}

pub(crate) fn to_hex(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    encode(&HEXLOWER, bytes)
}

/// Reads base64 of either alphabet, with or without padding, with white space anywhere.
pub(crate) fn from_base64(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Reason> {
    const NOT_BASE64: Reason = "it is not base64";
    let text = without_space(without_mark(text)?);
    let symbols = match text.as_slice() {
        [symbols @ .., b'=', b'='] | [symbols @ .., b'='] if text.len().is_multiple_of(4) => {
            symbols
        }
        symbols => symbols,
    };
    let alphabet = match symbols.iter().any(|symbol| b"-_".contains(symbol)) {
        true => &BASE64URL_NOPAD,
        false => &BASE64_NOPAD,
    };
    decode(alphabet, symbols).map_err(|_| NOT_BASE64)
}

pub(crate) fn to_base64(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    encode(&BASE64, bytes)
}

/// Skips the byte order mark that editors and PowerShell write, and names UTF-16.
fn without_mark(text: &[u8]) -> Result<&[u8], Reason> {
    match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err("it is UTF-16: save it as UTF-8"),
        text => Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)),
    }
}

fn without_space(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut left = Zeroizing::new(Vec::with_capacity(text.len()));
    left.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
    left
}

/// Accepts colons only between bytes, because `xxd` writes one after an address.
fn without_colons(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Reason> {
    let mut left = Zeroizing::new(Vec::with_capacity(text.len()));
    for byte in text
        .strip_suffix(b":")
        .unwrap_or(text)
        .split(|byte| *byte == b':')
    {
        if byte.len() != 2 {
            return Err("it has colons that are not between two bytes: print it with xxd -p");
        }
        left.extend_from_slice(byte);
    }
    Ok(left)
}

fn decode(encoding: &Encoding, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecodeKind> {
    let size = encoding
        .decode_len(text.len())
        .map_err(|error| error.kind)?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    let size = encoding
        .decode_mut(text, &mut bytes)
        .map_err(|DecodePartial { error, .. }| error.kind)?;
    bytes.truncate(size);
    Ok(bytes)
}

fn encode(encoding: &Encoding, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(vec![0; encoding.encode_len(bytes.len())]);
    encoding.encode_mut(bytes, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_as_tools_print_it() {
        for text in [
            "00fFa0",
            "00 ff a0\n",
            " 00 ff\n a0\n",
            "00f\r\nfa0\r\n",
            "0 0 f f\ta 0",
            "\u{feff}00ffa0\r\n",
            "00:FF:A0",
            "    00:ff:\n    a0",
        ] {
            let read = from_hex(text.as_bytes());
            assert_eq!(read.unwrap().as_slice(), [0, 0xff, 0xa0], "{text:?}");
        }
        assert_eq!(to_hex(&[0, 0xff, 0xa0]).as_slice(), b"00ffa0");
        assert_eq!(from_hex(b"").unwrap().len(), 0);
        assert_eq!(from_hex(b" \n").unwrap().len(), 0);
    }

    #[test]
    fn no_other_text_is_read_as_hexadecimal() {
        for (text, reason) in [
            (&b"0"[..], "odd number"),
            (b"00 f", "odd number"),
            (b"0g", "not a hexadecimal digit"),
            (b"+1", "not a hexadecimal digit"),
            (b"0x11", "not a hexadecimal digit"),
            (b"0\x0011", "not a hexadecimal digit"),
            (b"00\xc2\xa0ff", "not a hexadecimal digit"),
            (b"00000000: 79a6 f0e3", "colons"),
            (b"0:0", "colons"),
            (b"0000000 79 a6\n0000002\n", "od -An"),
            (
                b"0000000 79 a6\n0000010 79\n0000020 79\n0000021 79\n",
                "od -An",
            ),
            (b"\xff\xfe0\x000\x00", "UTF-16"),
            (b"\xfe\xff\x000\x000", "UTF-16"),
        ] {
            let said = from_hex(text).unwrap_err();
            assert!(said.contains(reason), "{}: {said}", text.escape_ascii());
        }
    }

    #[test]
    fn base64_is_read_and_written() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff, 0xbf], "+/+/"),
        ] {
            assert_eq!(to_base64(bytes).as_slice(), text.as_bytes());
            let url_safe = text.replace('+', "-").replace('/', "_");
            let wrapped: String = text.chars().flat_map(|one| [one, '\r', '\n']).collect();
            let marked = format!("\u{feff}{text}\n");
            for spelling in [
                text,
                text.trim_end_matches('='),
                &url_safe,
                &wrapped,
                &marked,
            ] {
                let read = from_base64(spelling.as_bytes());
                assert_eq!(read.unwrap().as_slice(), bytes, "{spelling:?}");
            }
        }
        for bad in [
            "Z", "Z===", "Zg=", "Zm9v=", "Zm9v==", "====", "Zg==Zg==", "Zh==", "Zm9!", "+/-_",
        ] {
            assert!(from_base64(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(
            from_base64(b"\xff\xfeZ\x00")
                .unwrap_err()
                .contains("UTF-16")
        );
    }
}
