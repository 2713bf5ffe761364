//! The text forms of a keyset that no Tink reads.

use std::fmt;

/// A text form of a keyset that no Tink reads, and that other programs write or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TextForm {
    /// JSON, or another text, in UTF-16.
    Utf16,
    /// The bytes of a keyset file in hexadecimal, as Tink for Android stores them.
    Hexadecimal,
    /// The bytes of a keyset file in base64.
    Base64,
    /// A JSON list.
    JsonList,
    /// A JSON string.
    JsonString,
    /// The text format of protobuf.
    TextProto,
}

impl TextForm {
    /// Returns what to do, as one clause.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Utf16 => "convert it to UTF-8: `iconv -f UTF-16 -t UTF-8`",
            Self::Hexadecimal => "decode it first: `xxd -r -p`",
            Self::Base64 => "decode it first: `base64 -d`",
            Self::JsonList => "take the keyset, which is an object, out of the list",
            Self::JsonString => "take the text out of the string: `jq -r .`",
            Self::TextProto => {
                "encode it first: `protoc --encode=google.crypto.tink.Keyset` with Tink's tink.proto"
            }
        }
    }
}

impl fmt::Display for TextForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf16 => "the text is UTF-16, but a JSON keyset is UTF-8",
            Self::Hexadecimal => "this is the hexadecimal text of a keyset, not the keyset",
            Self::Base64 => "this is the base64 text of a keyset, not the keyset",
            Self::JsonList => "this is a JSON list, but a keyset is a JSON object",
            Self::JsonString => "this is a JSON string, but a keyset is a JSON object",
            Self::TextProto => {
                "this is the text format of protobuf, but a keyset is JSON or binary"
            }
        })
    }
}
