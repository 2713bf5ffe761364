//! [`EncryptedStoreBuilder`]: the settings of a store.

use std::{fmt, sync::Arc};

use keyseal::{
    KeysetAead, RemoteAead, SealedStreamHeader,
    key::aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters, kms::LocalAead,
};
use object_store::{ObjectStore, Result};

use crate::{
    cache::HeaderCache,
    error::{StoreError, StoreErrorKind},
    kek::Kek,
    settings::{Binding, CacheLimits, ListSizes, Unsealed},
    stats::Counters,
    store::{EncryptedStore, Shared},
};

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
    inner: Arc<dyn ObjectStore>,
    kek: Option<Kek>,
    context: Option<Vec<u8>>,
    binding: Binding,
    segment_size: usize,
    header_size: usize,
    part_size: usize,
    list_sizes: ListSizes,
    unsealed: Unsealed,
    cache: CacheLimits,
}

const MIB: usize = 1 << 20;

impl EncryptedStore {
    /// Starts to build a store that keeps its objects in `inner`.
    #[must_use]
    pub fn builder(inner: Arc<dyn ObjectStore>) -> EncryptedStoreBuilder {
        EncryptedStoreBuilder::new(inner)
    }
}

impl EncryptedStoreBuilder {
    fn new(inner: Arc<dyn ObjectStore>) -> Self {
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
        store.new_header().await.map_err(StoreError::new)?;
        Ok(store)
    }

    /// Builds the store without using the KEK: for readers whose credentials only decrypt, and for
    /// code that cannot wait.
    ///
    /// # Errors
    /// [`StoreErrorKind::Configuration`] for settings that are missing or out of range.
    pub fn build_untried(self) -> Result<EncryptedStore> {
        let shared = self.shared().map_err(StoreError::new)?;
        Ok(EncryptedStore {
            shared: Arc::new(shared),
        })
    }

    /// Checks the settings.
    fn shared(self) -> Result<Shared, StoreErrorKind> {
        let require = |holds: bool, reason| {
            holds
                .then_some(())
                .ok_or(StoreErrorKind::Configuration(reason))
        };
        let kek = self.kek.ok_or(StoreErrorKind::Configuration(
            "the store has no key-encryption key: call kek or kek_keyset",
        ))?;
        let context = self.context.ok_or(StoreErrorKind::Configuration(
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
        Ok(Shared {
            inner: self.inner,
            kek,
            context,
            binding: self.binding,
            parameters,
            header_size: self.header_size,
            part_size: self.part_size,
            list_sizes: self.list_sizes,
            unsealed: self.unsealed,
            cache: HeaderCache::new(self.cache),
            counters: Counters::default(),
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
