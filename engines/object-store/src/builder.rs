//! [`EncryptedStoreBuilder`]: the settings of a store.

use std::{fmt, sync::Arc, time::Duration};

use keyseal::{
    KeysetAead, RemoteAead, SealedStreamHeader, SecretAccess,
    key::aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters, kms::LocalAead,
};
use object_store::{ObjectStore, Result};

use crate::{
    error::{StoreError, StoreErrorKind},
    kek::Kek,
    store::EncryptedStore,
};

/// The place that an object is bound to: it decrypts nowhere else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binding {
    /// To the context and the path, as the store is called with it. Copying and renaming re-encrypt.
    #[default]
    Path,
    /// To the context. Copying and renaming happen on the server, and anyone who can write the bucket
    /// can exchange two objects of the context.
    Context,
}

/// How listings find the size of a plaintext.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListSizes {
    /// From the stored size, without a request: right for objects that a store of the same segment
    /// size and header size wrote. For others the listing is wrong; reading never relies on it.
    #[default]
    Derived,
    /// From the header of each object that is not in the cache, 16 at once: one request and one unwrap
    /// per object. Choose it after you changed a size, until the old objects are rewritten.
    Exact,
}

/// What to do with an object that is not a sealed stream.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum Unsealed {
    /// Refuse it.
    #[default]
    Refuse,
    /// Return it as it is, while you migrate a bucket. Anyone who can write the bucket can then put a
    /// plaintext where you expect a sealed object: hence the token.
    PassThrough(SecretAccess),
}

/// The limits of the header cache, which keeps the keys of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    entries: u64,
    time_to_live: Duration,
}

impl CacheLimits {
    /// Takes the number of objects, and how long each is kept.
    #[must_use]
    pub const fn new(entries: u64, time_to_live: Duration) -> Self {
        Self {
            entries,
            time_to_live,
        }
    }

    pub(crate) const fn entries(&self) -> u64 {
        self.entries
    }

    pub(crate) const fn time_to_live(&self) -> Duration {
        self.time_to_live
    }
}

/// 10,000 objects, 5 minutes each.
impl Default for CacheLimits {
    fn default() -> Self {
        Self::new(10_000, Duration::from_secs(5 * 60))
    }
}

/// Builds an [`EncryptedStore`]. The KEK and the context are required.
///
/// # Example
/// ```
/// use std::sync::Arc;
///
/// use keyseal::{KeysetAead, KeysetHandle};
/// use keyseal_object_store::{Binding, EncryptedStore, ListSizes};
/// use object_store::memory::InMemory;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
/// let store = EncryptedStore::builder(Arc::new(InMemory::new()))
///     .kek_keyset(kek)
///     .context("lake/orders")
///     .binding(Binding::Context)
///     .list_sizes(ListSizes::Exact)
///     .build()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EncryptedStoreBuilder {
    pub(crate) inner: Arc<dyn ObjectStore>,
    kek: Option<Kek>,
    context: Option<Vec<u8>>,
    pub(crate) binding: Binding,
    segment_size: usize,
    pub(crate) header_size: usize,
    pub(crate) part_size: usize,
    pub(crate) list_sizes: ListSizes,
    pub(crate) unsealed: Unsealed,
    pub(crate) cache: CacheLimits,
}

/// The settings that [`EncryptedStoreBuilder::checked`] has checked.
pub(crate) struct Checked {
    pub(crate) kek: Kek,
    pub(crate) context: Vec<u8>,
    pub(crate) parameters: AesGcmHkdfStreamingParameters,
}

const MIB: usize = 1 << 20;

impl EncryptedStoreBuilder {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            kek: None,
            context: None,
            binding: Binding::default(),
            segment_size: 64 << 10,
            header_size: 1024,
            part_size: 8 * MIB,
            list_sizes: ListSizes::default(),
            unsealed: Unsealed::default(),
            cache: CacheLimits::default(),
        }
    }

    /// Wraps each object's key with a key that a service holds: one call per object written, and one
    /// per object that is read and not in the cache.
    #[must_use]
    pub fn kek(mut self, kek: impl RemoteAead + 'static) -> Self {
        self.kek = Some(Kek::Remote(Arc::new(kek)));
        self
    }

    /// Wraps each object's key with a keyset in this process: recommended.
    ///
    /// Keep the keyset encrypted under a key of your KMS, and read it with
    /// [`KeysetHandle::read_encrypted_remote`](keyseal::KeysetHandle::read_encrypted_remote): one call
    /// per process. To rotate, rotate the keyset.
    #[must_use]
    pub fn kek_keyset(mut self, kek: KeysetAead) -> Self {
        self.kek = Some(Kek::Keyset(LocalAead::new(kek)));
        self
    }

    /// Names the data set that objects are bound to, such as `lake/orders`: an object of another
    /// context does not decrypt. It may be empty, but then nothing keeps data sets under one KEK
    /// apart.
    #[must_use]
    pub fn context(mut self, context: impl Into<Vec<u8>>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Sets the place that objects are bound to. Default: [`Binding::Path`].
    #[must_use]
    pub const fn binding(mut self, binding: Binding) -> Self {
        self.binding = binding;
        self
    }

    /// Sets the size of a stored segment in bytes, tag included: a power of two from 128 to 4 MiB.
    /// Default: 64 KiB. Sizes below 4 KiB are for tests.
    ///
    /// A read fetches whole segments, and each takes 16 bytes more than its plaintext.
    #[must_use]
    pub const fn segment_size(mut self, size: usize) -> Self {
        self.segment_size = size;
        self
    }

    /// Sets the size of every header in bytes, 256 to 65,548. Default: 1,024.
    ///
    /// All headers have one size, so that the size of an object gives that of its plaintext.
    #[must_use]
    pub const fn header_size(mut self, size: usize) -> Self {
        self.header_size = size;
        self
    }

    /// Sets the size of the parts of multipart uploads in bytes, 5 MiB to 5 GiB. Default: 8 MiB.
    #[must_use]
    pub const fn part_size(mut self, size: usize) -> Self {
        self.part_size = size;
        self
    }

    /// Sets how listings find the sizes of plaintexts. Default: [`ListSizes::Derived`].
    #[must_use]
    pub const fn list_sizes(mut self, list_sizes: ListSizes) -> Self {
        self.list_sizes = list_sizes;
        self
    }

    /// Sets what to do with objects that are not sealed. Default: [`Unsealed::Refuse`].
    #[must_use]
    pub const fn unsealed(mut self, unsealed: Unsealed) -> Self {
        self.unsealed = unsealed;
        self
    }

    /// Sets the limits of the header cache.
    #[must_use]
    pub const fn cache(mut self, limits: CacheLimits) -> Self {
        self.cache = limits;
        self
    }

    /// Builds the store, after it wrapped a key to see that the KEK works and the header is large
    /// enough.
    ///
    /// # Errors
    /// [`StoreErrorKind::Configuration`] for settings that are missing or out of range;
    /// [`StoreErrorKind::HeaderTooSmall`]; [`StoreErrorKind::Kms`] if the KEK cannot encrypt.
    pub async fn build(self) -> Result<EncryptedStore> {
        let store = self.build_untried()?;
        store.try_kek().await?;
        Ok(store)
    }

    /// Builds the store without using the KEK: for readers whose credentials only decrypt, and for
    /// code that cannot wait.
    ///
    /// # Errors
    /// [`StoreErrorKind::Configuration`] for settings that are missing or out of range.
    pub fn build_untried(self) -> Result<EncryptedStore> {
        let checked = self.checked().map_err(StoreError::new)?;
        Ok(EncryptedStore::new(self, checked))
    }

    fn checked(&self) -> Result<Checked, StoreErrorKind> {
        let require = |holds: bool, reason| {
            holds
                .then_some(())
                .ok_or(StoreErrorKind::Configuration(reason))
        };
        let kek = self.kek.clone().ok_or(StoreErrorKind::Configuration(
            "the store has no key-encryption key: call kek or kek_keyset",
        ))?;
        let context = self.context.clone().ok_or(StoreErrorKind::Configuration(
            "the store has no context: call context with the name of the data set, or with an \
             empty one",
        ))?;
        require(
            u32::try_from(context.len()).is_ok(),
            "the context is longer than 4 GiB",
        )?;
        require(
            self.segment_size.is_power_of_two() && (128..=4 * MIB).contains(&self.segment_size),
            "the segment size must be a power of two from 128 bytes to 4 MiB",
        )?;
        require(
            (256..=SealedStreamHeader::MAX_SIZE).contains(&self.header_size),
            "the header size must be 256 to 65548 bytes",
        )?;
        require(
            (5 * MIB as u64..=5 << 30).contains(&(self.part_size as u64)),
            "the part size must be 5 MiB to 5 GiB",
        )?;
        let parameters = AesGcmHkdfStreamingParameters::new(32, self.segment_size)
            .map_err(|error| StoreErrorKind::Encrypt(Arc::new(error)))?;
        Ok(Checked {
            kek,
            context,
            parameters,
        })
    }
}

impl fmt::Debug for EncryptedStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedStoreBuilder")
            .field("inner", &self.inner)
            .field("binding", &self.binding)
            .field("segment_size", &self.segment_size)
            .field("header_size", &self.header_size)
            .field("part_size", &self.part_size)
            .field("list_sizes", &self.list_sizes)
            .finish_non_exhaustive()
    }
}
