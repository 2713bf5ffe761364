//! A bounded map for many readers and few writers.
//!
//! A reader takes no lock and writes to no shared memory: it looks at a table that never changes. A
//! writer copies the table of a shard, which costs microseconds, and is only called after an answer
//! from a service, which takes milliseconds. An entry that is missing in the new table is dropped
//! with the old one: at once, or when the last reader of the old one is done.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use hashbrown::HashTable;

use super::sync::{AtomicU64, Mutex, Ordering, lock};

/// Smaller maps have one shard, and so evict exactly the least recently used entry.
const ENTRIES_OF_ONE_SHARD: usize = 1024;
const SHARDS: usize = 16;

pub(super) struct Store<V> {
    shards: Box<[Shard<V>]>,
    /// With a random key: the keys come from outside.
    hasher: RandomState,
    /// Of one shard.
    max_entries: usize,
    /// Of one shard.
    max_bytes: usize,
    inserted: AtomicU64,
}

struct Shard<V> {
    table: ArcSwap<Table<V>>,
    /// One writer at a time.
    writer: Mutex<()>,
}

struct Table<V> {
    entries: HashTable<Arc<Entry<V>>>,
    bytes: usize,
}

pub(super) struct Entry<V> {
    key: Box<[u8]>,
    hash: u64,
    size: usize,
    /// Tells the older of two that were last used in the same millisecond.
    number: u64,
    /// In milliseconds.
    last_used: AtomicU64,
    pub(super) value: V,
}

/// What becomes of an entry of the same key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Replaced,
    Returned,
}

/// The outcome of an insertion.
pub(super) struct Inserted<V> {
    pub(super) entry: Arc<Entry<V>>,
    pub(super) evicted: Vec<Arc<Entry<V>>>,
}

impl<V> Store<V> {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        let shards = match max_entries {
            0..=ENTRIES_OF_ONE_SHARD => 1,
            _ => SHARDS,
        };
        Self {
            shards: (0..shards).map(|_| Shard::new()).collect(),
            hasher: RandomState::new(),
            max_entries: max_entries / shards,
            max_bytes: max_bytes / shards,
            inserted: AtomicU64::new(0),
        }
    }

    /// Looks at the entry of a key, and marks it as used.
    #[inline]
    pub(super) fn with<R>(
        &self,
        key: &[u8],
        now: Duration,
        look: impl FnOnce(&Arc<Entry<V>>) -> R,
    ) -> Option<R> {
        let hash = self.hasher.hash_one(key);
        let table = self.shard(hash)?.table.load();
        let entry = table.find(hash, key)?;
        entry.touch(now);
        Some(look(entry))
    }

    /// Adds an entry, in place of another of the same key, and evicts the least recently used ones
    /// while there are too many.
    pub(super) fn insert(&self, key: &[u8], value: V, size: usize, now: Duration) -> Inserted<V> {
        self.put(key, value, size, now, Known::Replaced)
    }

    /// Like [`insert`](Self::insert), but returns an entry of the same key if there is one.
    pub(super) fn get_or_insert(
        &self,
        key: &[u8],
        value: V,
        size: usize,
        now: Duration,
    ) -> Inserted<V> {
        self.put(key, value, size, now, Known::Returned)
    }

    fn put(&self, key: &[u8], value: V, size: usize, now: Duration, known: Known) -> Inserted<V> {
        let hash = self.hasher.hash_one(key);
        let mut entry = Arc::new(Entry {
            key: key.into(),
            hash,
            size,
            number: self.inserted.fetch_add(1, Ordering::Relaxed),
            last_used: AtomicU64::new(millis(now)),
            value,
        });
        let mut evicted = Vec::new();
        // One that does not fit even alone is used once, and not kept.
        if size <= self.max_bytes
            && self.max_entries > 0
            && let Some(shard) = self.shard(hash)
        {
            shard.change(|table| {
                if known == Known::Returned
                    && let Some(found) = table.find(hash, key)
                {
                    entry = found.clone();
                    return;
                }
                table.remove(hash, key);
                while table.entries.len() >= self.max_entries || table.bytes + size > self.max_bytes
                {
                    let oldest = table
                        .entries
                        .iter()
                        .min_by_key(|entry| entry.age())
                        .cloned();
                    let Some(oldest) = oldest else { break };
                    table.remove(oldest.hash, &oldest.key);
                    evicted.push(oldest);
                }
                table.bytes += size;
                table
                    .entries
                    .insert_unique(hash, entry.clone(), |entry| entry.hash);
            });
        }
        Inserted { entry, evicted }
    }

    /// Removes an entry, if it is still there.
    pub(super) fn remove(&self, entry: &Arc<Entry<V>>) -> bool {
        let Some(shard) = self.shard(entry.hash) else {
            return false;
        };
        shard.change(|table| {
            let found = table.find(entry.hash, &entry.key);
            let is_there = found.is_some_and(|found| Arc::ptr_eq(found, entry));
            if is_there {
                table.remove(entry.hash, &entry.key);
            }
            is_there
        })
    }

    /// Keeps only some entries. Returns the others.
    pub(super) fn retain(&self, keep: impl Fn(&Entry<V>) -> bool) -> Vec<Arc<Entry<V>>> {
        let mut removed = Vec::new();
        for shard in &self.shards {
            if shard.table.load().entries.iter().all(|entry| keep(entry)) {
                continue;
            }
            shard.change(|table| {
                let gone = table.entries.extract_if(|entry| !keep(entry));
                removed.extend(gone);
                table.bytes = table.entries.iter().map(|entry| entry.size).sum();
            });
        }
        removed
    }

    /// Visits all entries.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Entry<V>)) {
        for shard in &self.shards {
            shard
                .table
                .load()
                .entries
                .iter()
                .for_each(|entry| visit(entry));
        }
    }

    /// Returns the numbers of entries and bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(entries, bytes), shard| {
            let table = shard.table.load();
            (entries + table.entries.len(), bytes + table.bytes)
        })
    }

    fn shard(&self, hash: u64) -> Option<&Shard<V>> {
        // The table uses the low and the highest bits.
        let at = (hash >> 32) as usize % self.shards.len();
        self.shards.get(at)
    }
}

impl<V> Shard<V> {
    fn new() -> Self {
        Self {
            table: ArcSwap::from_pointee(Table {
                entries: HashTable::new(),
                bytes: 0,
            }),
            writer: Mutex::new(()),
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut Table<V>) -> R) -> R {
        let _writer = lock(&self.writer);
        let mut table = self.table.load().copy();
        let result = change(&mut table);
        self.table.store(Arc::new(table));
        result
    }
}

impl<V> Table<V> {
    fn copy(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            bytes: self.bytes,
        }
    }

    #[inline]
    fn find(&self, hash: u64, key: &[u8]) -> Option<&Arc<Entry<V>>> {
        // Wrapped keys are no secrets: the comparison may end early.
        self.entries.find(hash, |entry| *entry.key == *key)
    }

    fn remove(&mut self, hash: u64, key: &[u8]) {
        if let Ok(found) = self.entries.find_entry(hash, |entry| *entry.key == *key) {
            let (entry, _) = found.remove();
            self.bytes -= entry.size;
        }
    }
}

impl<V> Entry<V> {
    /// Marks the entry as used. Threads that share it write at most once in a millisecond.
    #[inline]
    pub(super) fn touch(&self, now: Duration) {
        let now = millis(now);
        if self.last_used.load(Ordering::Relaxed) < now {
            self.last_used.store(now, Ordering::Relaxed);
        }
    }

    fn age(&self) -> (u64, u64) {
        (self.last_used.load(Ordering::Relaxed), self.number)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
