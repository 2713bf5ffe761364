//! [`KeyUse`]: encryption or decryption.

use std::fmt;

/// Something that functions do with a keyset, for [`KeyRing::allow`](crate::KeyRing::allow).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyUse {
    /// `AEAD.ENCRYPT`, `DETERMINISTIC_ENCRYPT`.
    Encrypt,
    /// `AEAD.DECRYPT_*`, `DETERMINISTIC_DECRYPT_*`, and their `SAFE.` forms.
    Decrypt,
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
        })
    }
}
