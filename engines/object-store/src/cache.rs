//! The header cache: objects that were opened, by path and version.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use keyseal::KeysetStreamingAead;
use moka::future::Cache;
use object_store::{Result, path::Path};

use crate::{
    error::{StoreErrorKind, shared},
    object::StoredObject,
    settings::CacheLimits,
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
    pub(crate) async fn get_or_load(
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
