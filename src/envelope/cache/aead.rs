//! [`CachedEnvelopeAead`]: an envelope AEAD with a cache.

use std::{fmt, sync::Arc};

use super::{
    core::Core,
    counters::{CacheStats, DekUsage},
    opening::Opening,
    policy::{CachePolicy, CachePolicyError},
    sealing::{DekSlot, Sealing},
    sweeper::Aging as _,
};
use crate::{
    envelope::aead::{KmsEnvelopeAead, Refresh},
    error::KmsError,
    remote::{BoxFuture, Decrypted, RemoteAead},
    timer::TokioTimer,
};

/// A [`KmsEnvelopeAead`] that reuses data-encryption keys (DEKs) within limits, so that most
/// messages cost no call to the service. Cheap to clone, and safe to share between threads.
///
/// The format of the messages does not change: each is an ordinary envelope, which every Tink
/// decrypts. Several start with the same wrapped DEK.
///
/// * *Encrypting*: one DEK encrypts messages until it reaches a limit of [`EncryptCache`](super::EncryptCache). Any
///   number of callers without a DEK share one call to the service. If it fails, each of them gets
///   the error, nothing is cached, and the next caller tries again, after a short wait that grows to
///   5 seconds with the failures in a row.
/// * *Decrypting*: DEKs that were unwrapped are kept within the limits of [`DecryptCache`](super::DecryptCache). Callers
///   that need the same DEK share one call.
///
/// A caller who gives up does not cancel the call for the others. A cache belongs to one
/// key-encryption key.
///
/// # Security
/// A DEK that is evicted, or reaches a limit, is wiped at once, or as soon as another thread has
/// finished the message that it is processing with it. DEKs past their age are wiped by a task on
/// the tokio runtime, within about 100 ms, or without a runtime by
/// [`purge_expired`](Self::purge_expired). [`EncryptCache`](super::EncryptCache) and
/// [`DecryptCache`](super::DecryptCache) say what reuse trades away.
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, KmsEnvelopeAead, RemoteAead, envelope::EncryptCache, kms::LocalKek};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A key of a file stands for `ScalewayClient::from_env()?.key(&uri)?`.
/// let kek = LocalKek::new(&KeysetHandle::generate("AES256_GCM")?)?;
/// let aead = KmsEnvelopeAead::new(kek, "AES256_GCM")?.cached(EncryptCache::new())?;
///
/// for number in 0..1000_u32 {
///     aead.encrypt(&number.to_be_bytes(), b"counter").await?;
/// }
/// assert_eq!(aead.stats().wraps, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CachedEnvelopeAead {
    core: Arc<Core>,
    sealing: Option<Arc<Sealing>>,
    opening: Option<Arc<Opening>>,
    /// The DEK to encrypt with. Not used if only decryption is cached.
    slot: Arc<DekSlot>,
}

impl KmsEnvelopeAead {
    /// Adds a cache of data-encryption keys: with an [`EncryptCache`](super::EncryptCache), a
    /// [`DecryptCache`](super::DecryptCache), or a [`CachePolicy`] with both.
    ///
    /// # Errors
    /// [`CachePolicyError`] for a limit above its ceiling.
    pub fn cached(
        &self,
        policy: impl Into<CachePolicy>,
    ) -> Result<CachedEnvelopeAead, CachePolicyError> {
        let policy = policy.into();
        policy.check()?;
        let timer = policy.timer.unwrap_or_else(|| Arc::new(TokioTimer::new()));
        let name = policy.name.as_deref().unwrap_or("default");
        let core = Arc::new(Core::new(self.wrapper(), timer, name));
        let sealing = policy
            .encrypt
            .map(|policy| Sealing::new(core.clone(), policy));
        let sealing = sealing.map(Arc::new);
        let unnamed = sealing.as_ref().map(|sealing| sealing.unnamed.clone());
        let opening = policy
            .decrypt
            .map(|policy| Opening::new(core.clone(), policy));
        Ok(CachedEnvelopeAead {
            slot: unnamed.unwrap_or_else(|| Arc::new(DekSlot::new())),
            core,
            sealing,
            opening: opening.map(Arc::new),
        })
    }
}

impl CachedEnvelopeAead {
    /// Returns the same AEAD for one partition, such as a tenant: messages of different partitions
    /// never share a DEK. Decryption is the same for all of them.
    ///
    /// Keep the value if you encrypt many messages of one partition, because each call costs a
    /// look-up.
    ///
    /// # Example
    /// ```
    /// use keyseal::{
    ///     Envelope, KeysetHandle, KmsEnvelopeAead, RemoteAead, envelope::EncryptCache, kms::LocalKek,
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let kek = LocalKek::new(&KeysetHandle::generate("AES256_GCM")?)?;
    /// let aead = KmsEnvelopeAead::new(kek, "AES256_GCM")?.cached(EncryptCache::new())?;
    /// let theirs = aead.partition("tenant 7").encrypt(b"text", b"").await?;
    /// let others = aead.partition("tenant 8").encrypt(b"text", b"").await?;
    /// let head = |message| Envelope::parse(message).map(|envelope| envelope.head());
    /// assert_ne!(head(&theirs)?, head(&others)?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn partition(&self, name: impl AsRef<[u8]>) -> Self {
        let sealing = self.sealing.as_ref();
        let slot = sealing.map(|sealing| sealing.partition(name.as_ref()));
        Self {
            slot: slot.unwrap_or_else(|| self.slot.clone()),
            ..self.clone()
        }
    }

    /// Returns the counters of the whole cache.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let opening = self.opening.as_ref();
        let (decrypt_entries, decrypt_bytes) =
            opening.map_or((0, 0), |opening| opening.store.size());
        let sealing = self.sealing.as_ref();
        CacheStats {
            decrypt_entries,
            decrypt_bytes,
            partitions: sealing.map_or(0, |sealing| sealing.partitions.size().0),
            ..self.core.counters.read()
        }
    }

    /// Returns the use of the DEK that encrypts now, in this partition; or `None` before the first.
    #[must_use]
    pub fn dek_usage(&self) -> Option<DekUsage> {
        let active = self.slot.current()?;
        let used = active.budget.used();
        Some(DekUsage {
            messages: used.messages,
            bytes: used.bytes,
            age: self.core.now().saturating_sub(active.born),
        })
    }

    /// Wipes the DEKs that are past their age. If you make the calls in a tokio runtime, a task
    /// also does this.
    pub fn purge_expired(&self) {
        if let Some(sealing) = &self.sealing {
            sealing.purge();
        }
        if let Some(opening) = &self.opening {
            opening.purge();
        }
    }

    /// Wipes all DEKs, for example after the revocation of a key-encryption key. The next message
    /// for each of them needs the service.
    pub fn clear(&self) {
        if let Some(sealing) = &self.sealing {
            sealing.clear(&self.slot);
        }
        if let Some(opening) = &self.opening {
            opening.clear();
        }
    }

    async fn seal(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KmsError> {
        match &self.sealing {
            Some(sealing) => sealing.seal(&self.slot, plaintext, associated_data).await,
            None => {
                let dek = self.core.wrapper.generate(plaintext.len()).await?;
                dek.seal(plaintext, associated_data).await
            }
        }
    }

    async fn open(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        refresh: Refresh,
    ) -> Result<Decrypted, KmsError> {
        match &self.opening {
            Some(opening) => opening.open(ciphertext, associated_data, refresh).await,
            None => {
                let envelope = self.core.wrapper.parse(ciphertext)?;
                let dek = self.core.wrapper.unwrap(envelope.wrapped_key()).await?;
                dek.open(&envelope, associated_data, refresh).await
            }
        }
    }
}

impl RemoteAead for CachedEnvelopeAead {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(self.seal(plaintext, associated_data))
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            let opened = self.open(ciphertext, associated_data, Refresh::Unwanted);
            opened.await.map(Decrypted::into_plaintext)
        })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        Box::pin(self.open(ciphertext, associated_data, Refresh::Wanted))
    }
}

impl fmt::Debug for CachedEnvelopeAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedEnvelopeAead")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
