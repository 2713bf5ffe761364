//! The header cache: objects that were opened, by path and version.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use keyseal::KeysetStreamingAead;
use moka::future::Cache;
use object_store::{Result, path::Path};
use tokio::runtime::Handle;

use crate::{
    error::{StoreErrorKind, shared},
    object::StoredObject,
    settings::CacheLimits,
};

type Key = (Path, Option<String>);

/// Its entries hold keys, which are wiped with the last reader of an entry that was evicted.
pub(crate) struct HeaderCache(Arc<Entries>);

struct Entries {
    objects: Cache<Key, Arc<StoredObject>>,
    /// By header. It makes one call of several that open the same header at once. Unlike loading an
    /// object, that takes no request: a reader whose answer is under way already may wait for it, and
    /// cannot wait for somebody who waits for its connection.
    keysets: Cache<Bytes, KeysetStreamingAead>,
    /// The time between two searches for entries past their time.
    sweep_every: Duration,
    /// Whether there is a task.
    is_swept: AtomicBool,
}

/// How long a keyset is kept, besides in the entry of its object.
const KEYSET_TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// The bounds of the time between two searches for entries past their time.
const LEAST_SWEEP: Duration = Duration::from_millis(100);
const MOST_SWEEP: Duration = Duration::from_secs(1);

impl HeaderCache {
    pub(crate) fn new(limits: CacheLimits) -> Self {
        Self(Arc::new(Entries {
            objects: Cache::builder()
                .max_capacity(limits.entries())
                .time_to_live(limits.time_to_live())
                .build(),
            keysets: Cache::builder()
                .max_capacity(limits.entries())
                .time_to_live(limits.time_to_live().min(KEYSET_TIME_TO_LIVE))
                .build(),
            sweep_every: limits.time_to_live().clamp(LEAST_SWEEP, MOST_SWEEP),
            is_swept: AtomicBool::new(false),
        }))
    }

    /// Returns the keyset of a header, or unwraps it: of several callers at once, one unwraps.
    pub(crate) async fn keyset(
        &self,
        header: Bytes,
        unwrap: impl Future<Output = Result<KeysetStreamingAead, StoreErrorKind>>,
    ) -> Result<KeysetStreamingAead, StoreErrorKind> {
        let _swept = SweptLater(&self.0);
        let keyset = self.0.keysets.try_get_with(header, unwrap).await;
        keyset.map_err(|kind| StoreErrorKind::clone(&kind))
    }

    pub(crate) async fn get(
        &self,
        location: &Path,
        version: Option<&String>,
    ) -> Option<Arc<StoredObject>> {
        self.0
            .objects
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
        let _swept = SweptLater(&self.0);
        self.0.objects.insert(key, object).await;
    }

    /// Drops the entry of the current version.
    pub(crate) async fn forget(&self, location: &Path) {
        self.0.objects.invalidate(&(location.clone(), None)).await;
    }

    /// Returns the entry, or loads it: of several callers at once, one loads and all get the result.
    /// An error is not kept.
    pub(crate) async fn get_or_load(
        &self,
        location: &Path,
        version: Option<&String>,
        load: impl Future<Output = Result<StoredObject>>,
    ) -> Result<Loaded> {
        let _swept = SweptLater(&self.0);
        let entry = self
            .0
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

impl Entries {
    /// Drops the entries past their time. Returns whether others are left.
    async fn purge(&self) -> bool {
        self.objects.run_pending_tasks().await;
        self.keysets.run_pending_tasks().await;
        self.objects.entry_count() > 0 || self.keysets.entry_count() > 0
    }
}

/// Sees to it that a task drops the entries when their time is over: on its own, a cache does it only
/// when it is used next, and until then the keys would stay in memory. Without a runtime they do.
fn sweep_later(entries: &Arc<Entries>) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    if !entries.is_swept.swap(true, Ordering::AcqRel) {
        let sweeper = Sweeper(Arc::downgrade(entries));
        drop(runtime.spawn(sweep(sweeper, entries.sweep_every)));
    }
}

/// Starts the task when an entry has come in, also if the caller gives up while it does.
struct SweptLater<'e>(&'e Arc<Entries>);

impl Drop for SweptLater<'_> {
    fn drop(&mut self) {
        sweep_later(self.0);
    }
}

/// The one task of a cache. It does not keep the cache.
struct Sweeper(Weak<Entries>);

impl Drop for Sweeper {
    /// The task may end with its runtime: the next entry takes another. It panics on a runtime without
    /// a timer, where the next one would do no better.
    fn drop(&mut self) {
        if let Some(entries) = self.0.upgrade()
            && !std::thread::panicking()
        {
            // A swap, as in `sweep_later`: of the two, the later one sees what the other has done. So
            // an entry has this task, which looks once more, or gets the next one.
            entries.is_swept.swap(false, Ordering::AcqRel);
        }
    }
}

/// Drops entries past their time, until the cache is empty.
async fn sweep(sweeper: Sweeper, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(entries) = sweeper.0.upgrade() else {
            return;
        };
        if !entries.purge().await {
            drop(sweeper);
            // One that came in before the task let go has no other.
            if entries.purge().await {
                sweep_later(&entries);
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::{Attributes, ObjectMeta};

    use super::*;

    fn object(location: &Path) -> Arc<StoredObject> {
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
            size: 0,
            e_tag: None,
            version: None,
        };
        Arc::new(StoredObject {
            meta,
            attributes: Attributes::new(),
            sealed: None,
        })
    }

    async fn is_gone(object: &Weak<StoredObject>) -> bool {
        for _ in 0..100 {
            if object.strong_count() == 0 {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    #[tokio::test]
    async fn an_entry_past_its_time_leaves_memory_though_nobody_uses_the_cache() {
        let cache = HeaderCache::new(CacheLimits::new(10, Duration::from_millis(200)));
        let location = Path::from("object");
        // Twice: the first task ends when there is nothing left to do.
        for _ in 0..2 {
            let object = object(&location);
            let seen = Arc::downgrade(&object);
            cache.insert(&location, None, object).await;
            assert!(cache.get(&location, None).await.is_some());
            assert!(is_gone(&seen).await, "it stays in memory");
            while cache.0.is_swept.load(Ordering::Acquire) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    #[tokio::test]
    async fn a_cache_that_is_dropped_leaves_nothing_in_memory() {
        let cache = HeaderCache::new(CacheLimits::new(10, Duration::from_secs(3600)));
        let location = Path::from("object");
        let object = object(&location);
        let seen = Arc::downgrade(&object);
        cache.insert(&location, None, object).await;
        drop(cache);
        assert!(is_gone(&seen).await, "the task keeps it");
    }

    #[test]
    fn a_runtime_without_a_timer_has_a_cache_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let cache = HeaderCache::new(CacheLimits::new(10, Duration::from_secs(60)));
            let location = Path::from("object");
            for _ in 0..3 {
                cache.insert(&location, None, object(&location)).await;
                tokio::task::yield_now().await;
                assert!(cache.get(&location, None).await.is_some());
            }
            let tried = cache.0.is_swept.load(Ordering::Acquire);
            assert!(tried, "no second task panics");
        });
    }
}
