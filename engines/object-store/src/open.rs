//! Opens an object: from the cache, or from the first bytes of it.

use std::sync::Arc;

use bytes::Bytes;
use keyseal::{SealedStreamHeader, StreamingAead as _};
use object_store::{
    Attributes, Error, GetOptions, GetRange, ObjectMeta, ObjectStore as _, Result, path::Path,
};

use crate::{
    cache::Loaded,
    error::StoreErrorKind,
    object::{Sealed, Start, StoredObject},
    settings::Unsealed,
    store::EncryptedStore,
};

/// The longest header of a stream: that of AES-256 keys.
const STREAM_HEADER_SIZE: u64 = 40;

impl EncryptedStore {
    /// Returns the object from the cache, or reads its header.
    pub(crate) async fn object(&self, location: &Path, options: &GetOptions) -> Result<Loaded> {
        match self.cached(location, options).await {
            Some(cached) => Ok(cached),
            None => self.load(location, options).await,
        }
    }

    pub(crate) async fn cached(&self, location: &Path, options: &GetOptions) -> Option<Loaded> {
        let version = options.version.as_ref();
        let object = self.shared.cache.get(location, version).await?;
        self.shared.counters.cache_hits.add(1);
        Some(Loaded {
            object,
            is_fresh: false,
        })
    }

    pub(crate) async fn load(&self, location: &Path, options: &GetOptions) -> Result<Loaded> {
        let (cache, version) = (&self.shared.cache, options.version.as_ref());
        self.shared.counters.cache_misses.add(1);
        if !is_conditional(options) {
            let load = self.read_start(location, options);
            return cache.get_or_load(location, version, load).await;
        }
        // The answer to one caller's conditions is not the answer to another's.
        let object = Arc::new(self.read_start(location, options).await?);
        cache.insert(location, version, Arc::clone(&object)).await;
        Ok(Loaded {
            object,
            is_fresh: true,
        })
    }

    /// Opens an object whose first bytes are here already.
    pub(crate) async fn object_from_start(
        &self,
        location: &Path,
        options: &GetOptions,
        start: Start,
    ) -> Result<Arc<StoredObject>> {
        let Start {
            meta,
            attributes,
            bytes,
        } = start;
        let object = self
            .open(location, options, meta, attributes, bytes)
            .await?;
        let (object, version) = (Arc::new(object), options.version.as_ref());
        let cache = &self.shared.cache;
        cache.insert(location, version, Arc::clone(&object)).await;
        Ok(object)
    }

    /// How many bytes at the start of an object of this store open it.
    pub(crate) fn start_size(&self) -> u64 {
        self.shared.header_size as u64 + STREAM_HEADER_SIZE
    }

    /// Reads the start of an object, and opens its keyset.
    pub(crate) async fn read_start(
        &self,
        location: &Path,
        options: &GetOptions,
    ) -> Result<StoredObject> {
        let (meta, attributes, start) = self.start(location, options, self.start_size()).await?;
        self.open(location, options, meta, attributes, start).await
    }

    /// Reads the first bytes of an object, `size` of them if it has as many.
    pub(crate) async fn start(
        &self,
        location: &Path,
        options: &GetOptions,
        size: u64,
    ) -> Result<(ObjectMeta, Attributes, Bytes)> {
        let ranged = GetOptions {
            range: Some(GetRange::Bounded(0..size)),
            head: false,
            ..options.clone()
        };
        match self.shared.inner.get_opts(location, ranged).await {
            Ok(result) => {
                let (meta, attributes) = (result.meta.clone(), result.attributes.clone());
                Ok((meta, attributes, result.bytes().await?))
            }
            // No range of an empty object is satisfiable.
            Err(error @ Error::Generic { .. }) => {
                let head = GetOptions {
                    range: None,
                    head: true,
                    ..options.clone()
                };
                match self.shared.inner.get_opts(location, head).await {
                    Ok(result) if result.meta.size == 0 => {
                        Ok((result.meta, result.attributes, Bytes::new()))
                    }
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the keyset of an object, of which `start` is the first bytes.
    pub(crate) async fn open(
        &self,
        location: &Path,
        options: &GetOptions,
        meta: ObjectMeta,
        attributes: Attributes,
        start: Bytes,
    ) -> Result<StoredObject> {
        if !SealedStreamHeader::detect(&start) {
            return match self.shared.unsealed {
                Unsealed::Refuse => Err(StoreErrorKind::NotSealed.of(location)),
                Unsealed::PassThrough(_) => Ok(StoredObject {
                    meta,
                    attributes,
                    sealed: None,
                }),
            };
        }
        let failed = |kind: StoreErrorKind| kind.of(location);
        let header_size = SealedStreamHeader::size_of(&start)
            .map_err(|error| failed(StoreErrorKind::Header(error)))?
            as u64;
        let start = self
            .at_least(
                location,
                options,
                &meta,
                start,
                header_size + STREAM_HEADER_SIZE,
            )
            .await?;
        let (header, _) = SealedStreamHeader::parse(&start)
            .map_err(|error| failed(StoreErrorKind::Header(error)))?;
        let unwrap = async {
            let aead = header.open_remote(&self.kek()).await;
            aead.map_err(StoreErrorKind::from_keyset)
        };
        let key = start.slice(..header.as_bytes().len());
        let aead = self
            .shared
            .cache
            .keyset(key, unwrap)
            .await
            .map_err(failed)?;
        let opener = aead.opener(&self.associated_data(location));
        // A keyset of several keys shows by its first segment which key the stream is of.
        let needed = header_size + opener.start_size() as u64;
        let start = self
            .at_least(location, options, &meta, start, needed)
            .await?;
        let stream = start.get(header.as_bytes().len()..).unwrap_or_default();
        let opener = opener
            .at(stream, meta.size.saturating_sub(header_size))
            .map_err(|_| failed(StoreErrorKind::Decrypt))?;
        Ok(StoredObject {
            meta,
            attributes,
            sealed: Some(Sealed {
                header_size,
                opener,
            }),
        })
    }

    /// Returns `start` if it is long enough or the whole object, otherwise reads more of the same
    /// version.
    async fn at_least(
        &self,
        location: &Path,
        options: &GetOptions,
        meta: &ObjectMeta,
        start: Bytes,
        size: u64,
    ) -> Result<Bytes> {
        if start.len() as u64 >= size.min(meta.size) {
            return Ok(start);
        }
        let (found, _, start) = self.start(location, options, size).await?;
        if found.e_tag != meta.e_tag || found.size != meta.size {
            return Err(StoreErrorKind::Changed.of(location));
        }
        Ok(start)
    }
}

fn is_conditional(options: &GetOptions) -> bool {
    options.if_match.is_some()
        || options.if_none_match.is_some()
        || options.if_modified_since.is_some()
        || options.if_unmodified_since.is_some()
}
