//! Keysets in a text form that Tink does not read: recognised, to be named.

use zeroize::Zeroizing;

use super::{Format, notation::without_mark};
use crate::{
    text_form::TextForm,
    wire::{self, json, proto},
};

impl TextForm {
    /// Recognises the text form of a file that is neither a JSON object nor a binary keyset.
    ///
    /// Hexadecimal and base64 are recognised only where a keyset file is inside.
    ///
    /// # Example
    /// ```
    /// use keyseal::keyset::TextForm;
    ///
    /// assert_eq!(TextForm::of(b"[]"), Some(TextForm::JsonList));
    /// assert_eq!(TextForm::of(b"{}"), None);
    /// ```
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if is_utf_16(bytes) {
            return Some(Self::Utf16);
        }
        let text = str::from_utf8(without_mark(bytes)).ok()?.trim();
        match text.as_bytes() {
            [] | [b'{', ..] => None,
            [b'[', .., b']'] => Some(Self::JsonList),
            [b'"', .., b'"'] => Some(Self::JsonString),
            _ if is_text_proto(text) => Some(Self::TextProto),
            _ if hexadecimal(text).is_some_and(|bytes| is_keyset(&bytes)) => {
                Some(Self::Hexadecimal)
            }
            _ if base64(text).is_some_and(|bytes| is_keyset(&bytes)) => Some(Self::Base64),
            _ => None,
        }
    }

    /// Returns the name of the lint's finding.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Utf16 => "text-utf-16",
            Self::Hexadecimal => "text-hexadecimal",
            Self::Base64 => "text-base64",
            Self::JsonList => "json-list",
            Self::JsonString => "json-string",
            Self::TextProto => "text-proto",
        }
    }
}

/// Returns whether bytes, such as those that an encrypted keyset has for its ciphertext, are a
/// keyset in cleartext after all, in any form.
pub(super) fn holds_cleartext(bytes: &[u8]) -> bool {
    if wire::looks_like_keyset(bytes) || wire::names_a_type(bytes) {
        return true;
    }
    match Format::detect(bytes) {
        Format::Json => is_cleartext_json(bytes),
        Format::Binary => {
            let Some(text) = str::from_utf8(bytes).ok().map(str::trim) else {
                return is_utf_16(bytes);
            };
            let inside = hexadecimal(text).or_else(|| base64(text));
            is_text_proto(text)
                || inside.is_some_and(|inside| {
                    wire::looks_like_keyset(&inside)
                        || wire::names_a_type(&inside)
                        || is_cleartext_json(&inside)
                })
        }
    }
}

fn is_cleartext_json(bytes: &[u8]) -> bool {
    let file = json::read(without_mark(bytes));
    matches!(file, Ok(json::File::Cleartext(keyset)) if !keyset.key.is_empty())
}

/// Returns whether bytes are a keyset file of either format and kind.
fn is_keyset(bytes: &[u8]) -> bool {
    match Format::detect(bytes) {
        Format::Json => json::read(without_mark(bytes)).is_ok_and(|file| match file {
            json::File::Cleartext(keyset) => !keyset.key.is_empty(),
            json::File::Encrypted(keyset) => !keyset.encrypted_keyset.is_empty(),
        }),
        Format::Binary => wire::looks_like_keyset(bytes) || is_encrypted_keyset(bytes),
    }
}

/// Returns whether bytes are a ciphertext as long as its field says, and perhaps a description.
fn is_encrypted_keyset(bytes: &[u8]) -> bool {
    let copy = wire::secret(Zeroizing::new(bytes.to_vec()));
    bytes.first() == Some(&0x12)
        && wire::decode::<proto::EncryptedKeyset>(copy)
            .is_ok_and(|keyset| keyset.encrypted_keyset.len() >= 16)
}

/// Returns whether bytes are text in units of two bytes, by a mark or by the zero beside each of the
/// first characters.
fn is_utf_16(bytes: &[u8]) -> bool {
    let units = |little: bool, bytes: &[u8]| {
        let (pairs, _) = bytes.as_chunks::<2>();
        let units = pairs.iter().take(32).map(move |pair| match little {
            true => u16::from_le_bytes(*pair),
            false => u16::from_be_bytes(*pair),
        });
        let text = |unit: u16| matches!(unit, 0x09 | 0x0a | 0x0d | 0x20..=0x7e);
        bytes.len() >= 4 && units.into_iter().all(text)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => units(true, rest),
        [0xfe, 0xff, rest @ ..] => units(false, rest),
        [_, 0, ..] => units(true, bytes),
        [0, ..] => units(false, bytes),
        _ => false,
    }
}

/// Returns whether a text starts with a member of a keyset as protobuf's text format has it.
fn is_text_proto(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    let members = ["primary_key_id", "key", "encrypted_keyset", "keyset_info"];
    first.is_some_and(|line| {
        members.iter().any(|member| {
            line.strip_prefix(member)
                .is_some_and(|rest| rest.trim_start().starts_with([':', '{', '<']))
        })
    })
}

/// Decodes hexadecimal, with white space anywhere.
fn hexadecimal(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    let mut high = None;
    for c in text.chars().filter(|c| !c.is_ascii_whitespace()) {
        let digit = u8::try_from(c.to_digit(16)?).ok()?;
        match high.take() {
            None => high = Some(digit << 4),
            Some(high) => bytes.push(high | digit),
        }
    }
    high.is_none().then_some(bytes)
}

/// Decodes base64 of either alphabet, with white space anywhere.
fn base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut symbols = Zeroizing::new(String::with_capacity(text.len()));
    symbols.extend(text.chars().filter(|c| !c.is_ascii_whitespace()));
    json::decode_base64(&symbols)
}
