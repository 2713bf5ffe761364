//! A cache of data-encryption keys (DEKs) around an envelope AEAD.

mod budget;
mod counters;
mod export;
mod flight;
mod opening;
mod outage;
mod policy;
mod sealing;
mod slot;
mod store;
mod sync;

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::runtime::Handle;

pub use counters::{CacheStats, DekUsage};
pub use policy::{CachePolicy, CachePolicyError, DecryptCache, EncryptCache};

use self::{
    counters::Counters,
    opening::Opening,
    sealing::{DekSlot, Sealing},
    sync::{AtomicBool, AtomicU64, Ordering},
};
use super::aead::{DekWrapper, KmsEnvelopeAead, Refresh};
use crate::{
    error::KmsError,
    remote::{BoxFuture, Decrypted, RemoteAead},
    rng,
    timer::{Timer, TokioTimer},
};

/// The least time between two searches for keys past their age.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// A [`KmsEnvelopeAead`] that reuses data-encryption keys (DEKs) within limits, so that most messages
/// cost no call to the service. Cheap to clone, and safe to share between threads.
///
/// Nothing changes in the messages: each is an ordinary envelope, which every Tink decrypts, and
/// several start with the same wrapped DEK.
///
/// * *Encrypting*: one DEK encrypts messages until it reaches a limit of [`EncryptCache`]. Any
///   number of callers without a DEK share one call to the service. If it fails, each of them gets
///   the error, nothing is cached, and the next caller tries again, after a short wait that grows to
///   5 seconds with the failures in a row.
/// * *Decrypting*: DEKs that were unwrapped are kept within the limits of [`DecryptCache`]. Callers
///   that need the same DEK share one call.
///
/// A caller who gives up does not cancel the call for the others. A cache belongs to one
/// key-encryption key.
///
/// # Security
/// A DEK that is evicted, or reaches a limit, is wiped at once; when a message is still being
/// processed with it in another thread, right after that. DEKs past their age are wiped by a task on
/// the tokio runtime, within about 100 ms, or without a runtime by
/// [`purge_expired`](Self::purge_expired). What reuse trades away is written at [`EncryptCache`] and
/// [`DecryptCache`].
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
    cache: Arc<Cache>,
    /// The DEK to encrypt with. Not used if only decryption is cached.
    slot: Arc<DekSlot>,
}

/// The cache of one key-encryption key.
struct Cache {
    wrapper: Arc<DekWrapper>,
    sealing: Option<Sealing>,
    opening: Option<Arc<Opening>>,
    timer: Arc<dyn Timer>,
    counters: Counters,
    ids: AtomicU64,
    is_swept: AtomicBool,
}

impl KmsEnvelopeAead {
    /// Adds a cache of data-encryption keys: with an [`EncryptCache`], a [`DecryptCache`], or a
    /// [`CachePolicy`] with both.
    ///
    /// # Errors
    /// [`CachePolicyError`] for a limit above its ceiling.
    pub fn cached(
        &self,
        policy: impl Into<CachePolicy>,
    ) -> Result<CachedEnvelopeAead, CachePolicyError> {
        let policy = policy.into();
        policy.check()?;
        let sealing = policy.encrypt.map(Sealing::new);
        let unnamed = sealing.as_ref().map(|sealing| sealing.unnamed.clone());
        let timer = policy.timer;
        Ok(CachedEnvelopeAead {
            slot: unnamed.unwrap_or_else(|| Arc::new(DekSlot::new())),
            cache: Arc::new(Cache {
                wrapper: self.wrapper(),
                sealing,
                opening: policy.decrypt.map(|policy| Arc::new(Opening::new(policy))),
                timer: timer.unwrap_or_else(|| Arc::new(TokioTimer::new())),
                counters: Counters::new(policy.name.as_deref().unwrap_or("default")),
                ids: AtomicU64::new(0),
                is_swept: AtomicBool::new(false),
            }),
        })
    }
}

impl CachedEnvelopeAead {
    /// Returns the same AEAD for one partition, such as a tenant: messages of different partitions
    /// never share a DEK. Decryption is the same for all of them.
    ///
    /// Keep the value if you encrypt many messages of one partition; it costs a look-up.
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
        let sealing = self.cache.sealing.as_ref();
        let slot = sealing.map(|sealing| sealing.partition(name.as_ref(), &self.cache));
        Self {
            cache: self.cache.clone(),
            slot: slot.unwrap_or_else(|| self.slot.clone()),
        }
    }

    /// Returns the counters of the whole cache.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let opening = self.cache.opening.as_ref();
        let (decrypt_entries, decrypt_bytes) =
            opening.map_or((0, 0), |opening| opening.store.size());
        let sealing = self.cache.sealing.as_ref();
        CacheStats {
            decrypt_entries,
            decrypt_bytes,
            partitions: sealing.map_or(0, |sealing| sealing.partitions.size().0),
            ..self.cache.counters.read()
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
            age: self.cache.timer.now().saturating_sub(active.born),
        })
    }

    /// Wipes the DEKs that are past their age. A task does so too if the calls are made in a tokio
    /// runtime.
    pub fn purge_expired(&self) {
        self.cache.purge();
    }

    /// Wipes all DEKs, such as after the revocation of a key-encryption key. The next message of each
    /// needs the service.
    pub fn clear(&self) {
        if let Some(sealing) = &self.cache.sealing {
            sealing.clear(&self.cache);
        }
        if let Some(opening) = &self.cache.opening {
            opening.clear();
        }
        // The partition may have been evicted, and this value the last that knows it.
        self.cache.retired(self.slot.close(), "cleared");
    }

    async fn seal(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KmsError> {
        match &self.cache.sealing {
            Some(sealing) => {
                self.cache
                    .seal(sealing, &self.slot, plaintext, associated_data)
                    .await
            }
            None => {
                let dek = self.cache.wrapper.generate(plaintext.len()).await?;
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
        match &self.cache.opening {
            Some(opening) => {
                self.cache
                    .open(opening, ciphertext, associated_data, refresh)
                    .await
            }
            None => {
                let envelope = self.cache.wrapper.parse(ciphertext)?;
                let dek = self.cache.wrapper.unwrap(envelope.wrapped_key()).await?;
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

impl Cache {
    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn purge(&self) {
        let now = self.timer.now();
        if let Some(sealing) = &self.sealing {
            sealing.purge(self, now);
        }
        if let Some(opening) = &self.opening {
            opening.purge(self, now);
        }
    }

    fn next_expiry(&self) -> Option<Duration> {
        let sealing = self.sealing.as_ref().and_then(Sealing::next_expiry);
        let opening = self
            .opening
            .as_ref()
            .and_then(|opening| opening.next_expiry());
        sealing.into_iter().chain(opening).min()
    }

    /// Sees to it that a task wipes the keys that are there when their age is over.
    fn sweep_later(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !self.is_swept.swap(true, Ordering::AcqRel) {
            drop(runtime.spawn(sweep(Sweeper(Arc::downgrade(self)), self.timer.clone())));
        }
    }
}

/// Shortens `time` by a random part of up to `jitter`.
fn jittered(time: Duration, jitter: f64) -> Duration {
    time.mul_f64(1.0 - jitter * rng::fraction())
}

/// The one task of a cache that wipes its keys. It does not keep the cache.
struct Sweeper(Weak<Cache>);

impl Drop for Sweeper {
    /// The task may end with its runtime: the next one takes another.
    fn drop(&mut self) {
        if let Some(cache) = self.0.upgrade() {
            cache.is_swept.store(false, Ordering::Release);
        }
    }
}

/// Wipes keys past their age, until there are no keys.
async fn sweep(sweeper: Sweeper, timer: Arc<dyn Timer>) {
    loop {
        let Some(cache) = sweeper.0.upgrade() else {
            return;
        };
        let Some(expiry) = cache.next_expiry() else {
            drop(sweeper);
            // One that came in before the task let go has no other.
            if cache.next_expiry().is_some() {
                cache.sweep_later();
            }
            return;
        };
        drop(cache);
        let rest = expiry.saturating_sub(timer.now());
        timer.sleep(rest.max(SWEEP_EVERY)).await;
        if let Some(cache) = sweeper.0.upgrade() {
            cache.purge();
        }
    }
}
