//! [`Format`]: the notation of a keyset file.

/// How a keyset is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "Tink's list, complete")]
pub enum Format {
    /// The serialized message.
    Binary,
    /// proto3 JSON.
    Json,
}

impl Format {
    /// Recognises the format of a keyset file by its first byte, after any white space and byte
    /// order mark.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Self {
        match without_mark(bytes).trim_ascii_start().first() {
            Some(b'{') => Self::Json,
            _ => Self::Binary,
        }
    }
}

/// Returns a text without its byte order mark.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}
