//! The hash functions that keys name.

use std::fmt;

use crate::{error::KeyError, wire::proto::HashType};

/// A hash function in a key's parameters.
///
/// # Source
/// FIPS 180-4; Tink's `HashType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "Tink's list, complete")]
pub enum Hash {
    /// SHA-1, 20 bytes. Still sound inside HMAC and HKDF; for old keys only.
    Sha1,
    /// SHA-224, 28 bytes.
    Sha224,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Hash {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// Returns the size of the digest in bytes.
    #[must_use]
    pub const fn digest_size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Reads a number of the wire.
    pub(crate) fn read(hash: i32) -> Result<Self, KeyError> {
        Self::ALL
            .into_iter()
            .find(|known| i32::from(known.to_proto()) == hash)
            .ok_or_else(|| {
                let allowed = "1 (SHA1), 2 (SHA384), 3 (SHA256), 4 (SHA512) or 5 (SHA224)";
                // A number from the wire is negative only in a malicious file.
                KeyError::Parameter {
                    name: "hash type",
                    found: hash.unsigned_abs().into(),
                    allowed,
                }
            })
    }

    pub(crate) const fn to_proto(self) -> HashType {
        match self {
            Self::Sha1 => HashType::Sha1,
            Self::Sha224 => HashType::Sha224,
            Self::Sha256 => HashType::Sha256,
            Self::Sha384 => HashType::Sha384,
            Self::Sha512 => HashType::Sha512,
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA1",
            Self::Sha224 => "SHA224",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        })
    }
}
