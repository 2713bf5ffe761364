//! What keys are for.

use std::fmt;

/// The purpose of a key: each key type serves one primitive.
///
/// # Example
/// ```
/// use keyseal::{Key, key::KeyKind};
///
/// assert_eq!(Key::generate("HMAC_SHA256_128BITTAG")?.kind(), Some(KeyKind::Mac));
/// assert_eq!(KeyKind::Mac.to_string(), "MAC");
/// # Ok::<(), keyseal::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// Authenticated encryption: [`KeysetAead`](crate::KeysetAead).
    Aead,
    /// Deterministic encryption: [`KeysetDeterministicAead`](crate::KeysetDeterministicAead).
    DeterministicAead,
    /// Keyset derivation: [`KeysetDeriver`](crate::KeysetDeriver).
    KeysetDeriver,
    /// Message authentication: [`KeysetMac`](crate::KeysetMac).
    Mac,
    /// Pseudorandom functions: [`KeysetPrfSet`](crate::KeysetPrfSet).
    Prf,
    /// Authenticated encryption of streams.
    StreamingAead,
}

impl KeyKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Aead,
        Self::DeterministicAead,
        Self::KeysetDeriver,
        Self::Mac,
        Self::Prf,
        Self::StreamingAead,
    ];

    /// Returns the name, such as `deterministic AEAD`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aead => "AEAD",
            Self::DeterministicAead => "deterministic AEAD",
            Self::KeysetDeriver => "keyset deriver",
            Self::Mac => "MAC",
            Self::Prf => "PRF",
            Self::StreamingAead => "streaming AEAD",
        }
    }

    /// Returns the name with its article, such as `an AEAD`.
    #[must_use]
    pub const fn with_article(self) -> &'static str {
        match self {
            Self::Aead => "an AEAD",
            Self::DeterministicAead => "a deterministic AEAD",
            Self::KeysetDeriver => "a keyset deriver",
            Self::Mac => "a MAC",
            Self::Prf => "a PRF",
            Self::StreamingAead => "a streaming AEAD",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
