//! [`UsageStore`]: keeps the usage of keys across restarts.

use std::{io, sync::Arc};

use crate::{key::KeyId, keyset::KeysetHandle};

/// Messages and bytes of plaintext that a key has encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "stores of others make it")]
pub struct Usage {
    /// The number of messages.
    pub messages: u64,
    /// The number of bytes of plaintext.
    pub bytes: u64,
}

impl Usage {
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(super) fn least(self, other: Self) -> Self {
        Self {
            messages: self.messages.min(other.messages),
            bytes: self.bytes.min(other.bytes),
        }
    }

    pub(super) const fn is_within(self, limit: Self) -> bool {
        self.messages <= limit.messages && self.bytes <= limit.bytes
    }
}

/// How much a key may encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageLimits {
    pub(super) soft: Usage,
    pub(super) hard: Usage,
}

impl UsageLimits {
    /// 2⁵² bytes, which are 2⁴⁸ AES blocks: by then an attacker can distinguish ciphertexts from
    /// random bytes with a probability of about 2⁻³³.
    ///
    /// # Source
    /// CFRG, Usage Limits on AEAD Algorithms, section 5.1.1: (s + q + 1)² / 2¹²⁹.
    pub const MAX_BYTES: u64 = 1 << 52;

    /// Refuses messages above `hard`, and asks for a rotation at half of it.
    #[must_use]
    pub const fn new(hard: Usage) -> Self {
        let soft = Usage {
            messages: hard.messages / 2,
            bytes: hard.bytes / 2,
        };
        Self { soft, hard }
    }

    /// Takes the bounds of a keyset's primary key: its type's
    /// [number of messages](crate::key::KeyProperties::messages_log2), such as 2³² for AES-GCM with
    /// random nonces (NIST SP 800-38D, section 8.3), and [`MAX_BYTES`](Self::MAX_BYTES).
    #[must_use]
    pub fn of_keyset(keyset: &KeysetHandle) -> Self {
        let properties = keyset.primary().key().and_then(crate::key::Key::properties);
        let messages_log2 = properties.map_or(32, |properties| properties.messages_log2);
        Self::new(Usage {
            messages: 1_u64.checked_shl(messages_log2).unwrap_or(u64::MAX),
            bytes: Self::MAX_BYTES,
        })
    }

    /// Sets when the hook asks for a rotation.
    #[must_use]
    pub const fn soft(self, soft: Usage) -> Self {
        Self { soft, ..self }
    }
}

/// Keeps the usage of keys across restarts. You can implement it, for example for a database.
pub trait UsageStore: Send + Sync {
    /// Returns the stored usage of a key, or zero.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be read.
    fn load(&self, key_id: KeyId) -> io::Result<Usage>;

    /// Stores the usage of a key in place of the old one. When it returns, the new value survives a
    /// crash.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be stored. The key then refuses to encrypt.
    fn store(&self, key_id: KeyId, usage: Usage) -> io::Result<()>;
}

impl<S: UsageStore + ?Sized> UsageStore for Arc<S> {
    fn load(&self, key_id: KeyId) -> io::Result<Usage> {
        (**self).load(key_id)
    }

    fn store(&self, key_id: KeyId, usage: Usage) -> io::Result<()> {
        (**self).store(key_id, usage)
    }
}

/// Keeps nothing: the counts start with the process.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no fields")]
pub struct Forgetful;

impl UsageStore for Forgetful {
    fn load(&self, _key_id: KeyId) -> io::Result<Usage> {
        Ok(Usage::default())
    }

    fn store(&self, _key_id: KeyId, _usage: Usage) -> io::Result<()> {
        Ok(())
    }
}
