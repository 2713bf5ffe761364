//! The header cache: objects that were opened, by path and version.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use keyseal::KeysetStreamingAead;
use moka::future::Cache;
use object_store::{GetOptions, Result, path::Path};

use crate::{
    builder::CacheLimits,
    error::{StoreErrorKind, shared},
    object::StoredObject,
    read::Start,
    store::EncryptedStore,
};

type Key = (Path, Option<String>);

/// Its entries hold keys, which are wiped with the last reader of an entry that was evicted.
pub(crate) struct HeaderCache {
    objects: Cache<Key, Arc<StoredObject>>,
    /// By header. It makes one call of several that open the same header at once. Unlike loading an
    /// object, that takes no request: a reader whose answer is under way already may wait for it, and
    /// cannot wait for somebody who waits for its connection.
    keysets: Cache<Bytes, KeysetStreamingAead>,
}

/// How long a keyset is kept, besides in the entry of its object.
const KEYSET_TIME_TO_LIVE: Duration = Duration::from_secs(1);

impl HeaderCache {
    pub(crate) fn new(limits: CacheLimits) -> Self {
        Self {
            objects: Cache::builder()
                .max_capacity(limits.entries())
                .time_to_live(limits.time_to_live())
                .build(),
            keysets: Cache::builder()
                .max_capacity(limits.entries())
                .time_to_live(limits.time_to_live().min(KEYSET_TIME_TO_LIVE))
                .build(),
        }
    }

    /// Returns the keyset of a header, or unwraps it: of several callers at once, one unwraps.
    pub(crate) async fn keyset(
        &self,
        header: Bytes,
        unwrap: impl Future<Output = Result<KeysetStreamingAead, StoreErrorKind>>,
    ) -> Result<KeysetStreamingAead, StoreErrorKind> {
        let keyset = self.keysets.try_get_with(header, unwrap).await;
        keyset.map_err(|kind| StoreErrorKind::clone(&kind))
    }

    pub(crate) async fn get(
        &self,
        location: &Path,
        version: Option<&String>,
    ) -> Option<Arc<StoredObject>> {
        self.objects
            .get(&(location.clone(), version.cloned()))
            .await
    }

    pub(crate) async fn insert(
        &self,
        location: &Path,
        version: Option<&String>,
        object: Arc<StoredObject>,
    ) {
        let key = (location.clone(), version.cloned());
        self.objects.insert(key, object).await;
    }

    /// Drops the entry of the current version.
    pub(crate) async fn forget(&self, location: &Path) {
        self.objects.invalidate(&(location.clone(), None)).await;
    }

    /// Returns the entry, or loads it: of several callers at once, one loads and all get the result.
    /// An error is not kept.
    async fn get_or_load(
        &self,
        location: &Path,
        version: Option<&String>,
        load: impl Future<Output = Result<StoredObject>>,
    ) -> Result<Loaded> {
        let entry = self
            .objects
            .entry((location.clone(), version.cloned()))
            .or_try_insert_with(async { load.await.map(Arc::new) })
            .await
            .map_err(shared)?;
        Ok(Loaded {
            is_fresh: entry.is_fresh(),
            object: entry.into_value(),
        })
    }
}

/// An object, and whether this call read its header.
pub(crate) struct Loaded {
    pub(crate) object: Arc<StoredObject>,
    pub(crate) is_fresh: bool,
}

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
}

fn is_conditional(options: &GetOptions) -> bool {
    options.if_match.is_some()
        || options.if_none_match.is_some()
        || options.if_modified_since.is_some()
        || options.if_unmodified_since.is_some()
}
