//! [`CachePolicy`]: the limits of a cache.

use std::{fmt, sync::Arc, time::Duration};

use crate::{any_error::Error, timer::Timer};

/// The contents of a [`CachedEnvelopeAead`](super::CachedEnvelopeAead): keys to encrypt with, keys
/// to decrypt with, or both.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use keyseal::envelope::{CachePolicy, DecryptCache, EncryptCache};
///
/// let policy = CachePolicy::new()
///     .encrypt(EncryptCache::new().max_age(Duration::from_secs(60)).prefetch(true))
///     .decrypt(DecryptCache::new().max_entries(10_000));
/// ```
#[derive(Clone, Default)]
pub struct CachePolicy {
    pub(super) encrypt: Option<EncryptCache>,
    pub(super) decrypt: Option<DecryptCache>,
    pub(super) timer: Option<Arc<dyn Timer>>,
    pub(super) name: Option<String>,
}

impl CachePolicy {
    /// Caches nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Encrypts several messages with one data-encryption key (DEK).
    #[must_use]
    pub fn encrypt(self, encrypt: EncryptCache) -> Self {
        Self {
            encrypt: Some(encrypt),
            ..self
        }
    }

    /// Keeps DEKs that were unwrapped, to decrypt further messages with them.
    #[must_use]
    pub fn decrypt(self, decrypt: DecryptCache) -> Self {
        Self {
            decrypt: Some(decrypt),
            ..self
        }
    }

    /// Sets the name of the cache, for the label `cache` of its metrics: `default` unless you set
    /// another.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// Replaces the clock, in tests and on runtimes other than tokio.
    #[must_use]
    pub fn timer(self, timer: Arc<dyn Timer>) -> Self {
        Self {
            timer: Some(timer),
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<(), CachePolicyError> {
        self.encrypt.iter().try_for_each(EncryptCache::check)?;
        self.decrypt.iter().try_for_each(DecryptCache::check)
    }
}

impl From<EncryptCache> for CachePolicy {
    fn from(encrypt: EncryptCache) -> Self {
        Self::new().encrypt(encrypt)
    }
}

impl From<DecryptCache> for CachePolicy {
    fn from(decrypt: DecryptCache) -> Self {
        Self::new().decrypt(decrypt)
    }
}

impl fmt::Debug for CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachePolicy")
            .field("encrypt", &self.encrypt)
            .field("decrypt", &self.decrypt)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The limits of one DEK that encrypts several messages. When the DEK reaches one of them, the cache
/// wipes it and takes another.
///
/// # Security
/// Anyone who gets hold of a DEK can read everything that it encrypted. Once the cache has wiped
/// it, its wrapped form, which each message contains, is the only way to it. The ceilings keep the
/// cipher's own bounds with a wide margin; your limits decide how much one leaked DEK exposes. A
/// message that is longer than `max_bytes` gets its own DEK.
#[derive(Clone, Debug)]
pub struct EncryptCache {
    pub(super) max_age: Duration,
    pub(super) max_messages: u64,
    pub(super) max_bytes: u64,
    pub(super) jitter: f64,
    pub(super) prefetch: bool,
    pub(super) max_partitions: usize,
}

impl EncryptCache {
    /// The ceiling of [`max_messages`](Self::max_messages): 2³².
    ///
    /// With random nonces of 96 bits, two of 2³² messages have the same nonce with a probability of
    /// less than 2⁻³². A repeated nonce breaks AES-GCM and ChaCha20-Poly1305. We keep this bound
    /// for every cipher, even for those that could encrypt more.
    ///
    /// # Source
    /// NIST SP 800-38D, section 8.3.
    pub const MESSAGES_CEILING: u64 = 1 << 32;

    /// The ceiling of [`max_bytes`](Self::max_bytes): 2⁵² bytes, which are 2⁴⁸ AES blocks.
    ///
    /// By then an attacker can distinguish the ciphertexts from random bytes with a probability of
    /// about 2⁻³³.
    ///
    /// # Source
    /// CFRG, Usage Limits on AEAD Algorithms, section 5.1.1: (s + q + 1)² / 2¹²⁹.
    pub const BYTES_CEILING: u64 = 1 << 52;

    /// The ceiling of [`max_age`](Self::max_age): 24 hours.
    ///
    /// That is the longest that a process goes on encrypting after the key-encryption key was
    /// disabled.
    pub const AGE_CEILING: Duration = Duration::from_secs(24 * 60 * 60);

    /// Allows 5 minutes, 2²⁰ messages and 64 GiB for each DEK, with 10 % of jitter, no prefetch and
    /// 1,024 partitions.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_age: Duration::from_secs(300),
            max_messages: 1 << 20,
            max_bytes: 1 << 36,
            jitter: 0.1,
            prefetch: false,
            max_partitions: 1024,
        }
    }

    /// Sets how long a DEK encrypts, counted from the service's answer.
    #[must_use]
    pub const fn max_age(self, max_age: Duration) -> Self {
        Self { max_age, ..self }
    }

    /// Sets how many messages a DEK encrypts.
    #[must_use]
    pub const fn max_messages(self, max_messages: u64) -> Self {
        Self {
            max_messages,
            ..self
        }
    }

    /// Sets how many bytes of plaintext a DEK encrypts.
    #[must_use]
    pub const fn max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sets the fraction of its age, 0 to 1, by which a DEK may expire early. Each DEK gets a
    /// random part of it, so that processes that started together do not call the service together.
    #[must_use]
    pub const fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// Fetches the next DEK in the background: after half of the messages or bytes, or nine tenths
    /// of the age. Then no message waits for the service while the DEK turns over.
    ///
    /// The task runs on the tokio runtime that the call is made in. Without a runtime, nothing is
    /// fetched in advance.
    #[must_use]
    pub const fn prefetch(self, prefetch: bool) -> Self {
        Self { prefetch, ..self }
    }

    /// Sets for how many [partitions](super::CachedEnvelopeAead::partition) DEKs are kept. If there
    /// are more, the least recently used one is wiped.
    #[must_use]
    pub const fn max_partitions(self, max_partitions: usize) -> Self {
        Self {
            max_partitions,
            ..self
        }
    }

    fn check(&self) -> Result<(), CachePolicyError> {
        if self.max_messages == 0 || self.max_messages > Self::MESSAGES_CEILING {
            return Err(CachePolicyError::MaxMessages {
                found: self.max_messages,
            });
        }
        if self.max_bytes == 0 || self.max_bytes > Self::BYTES_CEILING {
            return Err(CachePolicyError::MaxBytes {
                found: self.max_bytes,
            });
        }
        check_age(self.max_age)?;
        if self.max_partitions == 0 {
            return Err(CachePolicyError::NoRoom);
        }
        match (0.0..=1.0).contains(&self.jitter) {
            true => Ok(()),
            false => Err(CachePolicyError::Jitter { found: self.jitter }),
        }
    }
}

impl Default for EncryptCache {
    fn default() -> Self {
        Self::new()
    }
}

/// The limits of a cache that finds unwrapped DEKs by their wrapped form. If there are too many,
/// the least recently used one is wiped. Errors are never cached.
///
/// # Security
/// A cached DEK decrypts without asking the service. Until its age is over, this process can
/// decrypt messages under the DEKs that it has, even if you disable the key-encryption key or take
/// away a permission.
#[derive(Clone, Debug)]
pub struct DecryptCache {
    pub(super) max_entries: usize,
    pub(super) max_bytes: usize,
    pub(super) max_age: Duration,
    pub(super) jitter: f64,
    pub(super) stale: Duration,
    pub(super) stale_wait: Duration,
}

impl DecryptCache {
    /// The ceiling of [`max_age`](Self::max_age), and that of [`stale`](Self::stale): 24 hours.
    pub const AGE_CEILING: Duration = EncryptCache::AGE_CEILING;

    /// Keeps 1,000 DEKs, in 4 MiB, for 5 minutes minus a jitter of up to 10 %, and none past its
    /// age.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_entries: 1000,
            max_bytes: 4 << 20,
            max_age: Duration::from_secs(300),
            jitter: 0.1,
            stale: Duration::ZERO,
            stale_wait: Duration::from_millis(500),
        }
    }

    /// Sets how many DEKs are kept.
    #[must_use]
    pub const fn max_entries(self, max_entries: usize) -> Self {
        Self {
            max_entries,
            ..self
        }
    }

    /// Sets how many bytes of memory the DEKs may take. Each counts as the length of its wrapped
    /// form plus 2 KiB, which covers the key schedule of every cipher.
    #[must_use]
    pub const fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sets how long a DEK is kept, counted from the service's answer.
    #[must_use]
    pub const fn max_age(self, max_age: Duration) -> Self {
        Self { max_age, ..self }
    }

    /// Sets the fraction of its age, 0 to 1, by which a DEK may expire early. Each DEK gets a
    /// random part of it.
    #[must_use]
    pub const fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// Allows the use of a DEK for this long past its age while the service is down: it cannot be
    /// reached, does not answer, or limits the rate of calls. If it answers with a refusal, the DEK
    /// is wiped at once.
    ///
    /// Each such use shows in [`Decrypted::is_stale`](crate::Decrypted::is_stale) and in
    /// [`CacheStats::stale_uses`](super::CacheStats::stale_uses).
    ///
    /// # Security
    /// This trades revocation for availability: someone who can block the way to the service can
    /// put off the effect of a revocation for this long.
    #[must_use]
    pub const fn stale(self, stale: Duration) -> Self {
        Self { stale, ..self }
    }

    /// Sets how long a caller waits for the service before it uses a stale DEK: 500 ms unless you
    /// set another time. While the service is known to be down, callers do not wait.
    #[must_use]
    pub const fn stale_wait(self, stale_wait: Duration) -> Self {
        Self { stale_wait, ..self }
    }

    fn check(&self) -> Result<(), CachePolicyError> {
        check_age(self.max_age)?;
        if self.stale > Self::AGE_CEILING {
            return Err(CachePolicyError::Stale { found: self.stale });
        }
        if self.max_entries == 0 || self.max_bytes == 0 {
            return Err(CachePolicyError::NoRoom);
        }
        match (0.0..=1.0).contains(&self.jitter) {
            true => Ok(()),
            false => Err(CachePolicyError::Jitter { found: self.jitter }),
        }
    }
}

impl Default for DecryptCache {
    fn default() -> Self {
        Self::new()
    }
}

fn check_age(max_age: Duration) -> Result<(), CachePolicyError> {
    match max_age.is_zero() || max_age > EncryptCache::AGE_CEILING {
        true => Err(CachePolicyError::MaxAge { found: max_age }),
        false => Ok(()),
    }
}

impl From<CachePolicyError> for Error {
    fn from(error: CachePolicyError) -> Self {
        Self::Setting(Arc::new(error))
    }
}

/// A limit of a [`CachePolicy`] is not allowed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CachePolicyError {
    /// The number of messages is 0 or above [`EncryptCache::MESSAGES_CEILING`].
    #[error(
        "{found} messages under one key are not allowed, only 1 to 4294967296: beyond 2^32, random \
         96-bit nonces may repeat, which breaks the cipher (NIST SP 800-38D, section 8.3)"
    )]
    MaxMessages {
        /// The number of messages.
        found: u64,
    },
    /// The number of bytes is 0 or above [`EncryptCache::BYTES_CEILING`].
    #[error(
        "{found} bytes under one key are not allowed, only 1 to 4503599627370496: beyond 2^48 AES blocks, \
         ciphertexts can be distinguished from random bytes (CFRG, Usage Limits on AEAD Algorithms)"
    )]
    MaxBytes {
        /// The number of bytes.
        found: u64,
    },
    /// The age is 0 or above 24 hours.
    #[error(
        "an age of {found:?} is not allowed, only up to 24 hours: that is how long a key stays in use after \
         its key-encryption key is disabled"
    )]
    MaxAge {
        /// The age.
        found: Duration,
    },
    /// The time past the age is above 24 hours.
    #[error(
        "use for {found:?} past the age is not allowed, only up to 24 hours: that is how long a revocation \
         may have no effect"
    )]
    Stale {
        /// The time past the age.
        found: Duration,
    },
    /// The jitter is not from 0 to 1.
    #[error("a jitter of {found} is not allowed, only 0 to 1")]
    Jitter {
        /// The jitter.
        found: f64,
    },
    /// There is no room for a single key.
    #[error("the cache has no room for a single key: its maximum of entries or bytes is 0")]
    NoRoom,
}
