//! Keys as text: hexadecimal and base64, in buffers that are wiped.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Reads hexadecimal digits, without white space.
pub(crate) fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for &[high, low] in pairs {
        let byte = char::from(high).to_digit(16)? << 4 | char::from(low).to_digit(16)?;
        bytes.push(u8::try_from(byte).ok()?);
    }
    Some(bytes)
}

pub(crate) fn to_hex(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() * 2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(DIGITS.get(usize::from(digit)));
        }
    }
    text
}

/// Reads base64 of either alphabet, with or without padding, without white space.
pub(crate) fn from_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let alphabet = match text.iter().any(|symbol| b"-_".contains(symbol)) {
        true => &URL_SAFE,
        false => &STANDARD,
    };
    let mut bytes = Zeroizing::new(vec![0; text.len().div_ceil(4) * 3]);
    let len = GeneralPurpose::new(alphabet, CONFIG)
        .decode_slice(text, &mut bytes)
        .ok()?;
    bytes.truncate(len);
    Some(bytes)
}

pub(crate) fn to_base64(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(vec![0; bytes.len().div_ceil(3) * 4]);
    // The buffer has the size of the text, so nothing is cut off.
    let len = GeneralPurpose::new(&STANDARD, CONFIG)
        .encode_slice(bytes, &mut text)
        .unwrap_or_default();
    text.truncate(len);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_and_written() {
        assert_eq!(from_hex(b"00fFa0").unwrap().as_slice(), [0, 0xff, 0xa0]);
        assert_eq!(to_hex(&[0, 0xff, 0xa0]).as_slice(), b"00ffa0");
        assert_eq!(from_hex(b"").unwrap().len(), 0);
        for bad in [&b"0"[..], b"0g", b"0 ", b"+1", b"0x11"] {
            assert!(from_hex(bad).is_none(), "{}", bad.escape_ascii());
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
            for spelling in [text, text.trim_end_matches('='), &url_safe] {
                assert_eq!(from_base64(spelling.as_bytes()).unwrap().as_slice(), bytes);
            }
        }
        for bad in ["Z", "Z===", "Zm 9v", "Zm9v\n", "====", "Zg==Zg=="] {
            assert!(from_base64(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
