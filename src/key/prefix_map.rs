//! The keys of one keyset, found by the prefix of what they wrote.

use std::sync::Arc;

use super::{KeyId, OutputPrefix};
use crate::secret::wipe_stack;

/// What one key is made into, with the prefix of that key.
pub(crate) trait Prefixed {
    fn prefix(&self) -> OutputPrefix;
}

/// The keys of a keyset: the primary one, and all by their prefix.
pub(crate) struct PrefixMap<T> {
    primary: Arc<T>,
    /// Sorted by prefix; those of one prefix in the order of the keyset.
    prefixed: Vec<(OutputPrefix, Arc<T>)>,
    raw: Vec<Arc<T>>,
}

impl<T> Drop for PrefixMap<T> {
    /// The portable ciphers leave parts of a key on the stack with every message. Wiping them each
    /// time would cost more than a short message does.
    fn drop(&mut self) {
        wipe_stack();
    }
}

impl<T: Prefixed> PrefixMap<T> {
    /// Takes keys in the order of their keyset; none comes out when the primary one is missing.
    pub(crate) fn new(keys: Vec<(KeyId, T)>, primary_id: KeyId) -> Option<Self> {
        let mut primary = None;
        let mut prefixed = Vec::new();
        let mut raw = Vec::new();
        for (id, key) in keys {
            let key = Arc::new(key);
            if id == primary_id {
                primary = Some(Arc::clone(&key));
            }
            if key.prefix().as_bytes().is_empty() {
                raw.push(key);
            } else {
                prefixed.push((key.prefix(), key));
            }
        }
        prefixed.sort_by_key(|(prefix, _)| *prefix);
        Some(Self {
            primary: primary?,
            prefixed,
            raw,
        })
    }

    /// Returns the key that writes.
    #[inline]
    pub(crate) fn primary(&self) -> &T {
        &self.primary
    }

    /// Returns the keys that may have written `output`, in the order in which to try them: first
    /// those whose prefix it has, then every raw one.
    #[inline]
    pub(crate) fn candidates<'k>(
        &'k self,
        output: &[u8],
    ) -> impl Iterator<Item = &'k T> + use<'k, T> {
        let start = OutputPrefix::read(output);
        let first = self.prefixed.partition_point(|(prefix, _)| *prefix < start);
        self.prefixed
            .iter()
            .skip(first)
            .take_while(move |(prefix, _)| *prefix == start)
            .map(|(_, key)| key.as_ref())
            .chain(self.raw.iter().map(Arc::as_ref))
    }

    /// Returns what the first key makes of `output` that can, in the same order.
    #[inline]
    pub(crate) fn first<R>(
        &self,
        output: &[u8],
        mut attempt: impl FnMut(&T) -> Option<R>,
    ) -> Option<R> {
        let prefix = self.primary.prefix();
        if prefix.as_bytes().is_empty() || prefix.strip(output).is_none() {
            return self.candidates(output).find_map(attempt);
        }
        // Mostly so. Ids are unique, so no other key has that prefix.
        attempt(&self.primary).or_else(|| self.raw.iter().find_map(|key| attempt(key)))
    }

    /// Returns the number of keys.
    pub(crate) const fn len(&self) -> usize {
        self.prefixed.len() + self.raw.len()
    }
}
