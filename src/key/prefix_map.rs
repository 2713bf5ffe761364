//! The keys of one keyset, found by the prefix of what they wrote.

use std::{iter, ops::Range, sync::Arc};

use super::{OutputPrefix, PerKey};

/// Anything made from one key, with that key's prefix.
pub(crate) trait Prefixed {
    fn prefix(&self) -> OutputPrefix;
}

/// The keys of a keyset: the primary one, and all by their prefix.
pub(crate) struct PrefixMap<T> {
    primary: Arc<T>,
    /// Sorted by the number of the prefix, which differs for each key: ids are unique.
    prefixed: Vec<(u64, Arc<T>)>,
    index: Index,
    raw: Vec<Arc<T>>,
}

/// Where in a sorted list of numbers to look for one: ids are random, so their first bits say
/// about where. A binary search among ten thousand keys would take a tenth of a short message.
struct Index {
    /// Bits of a number that come after those that choose a range.
    shift: u32,
    /// Where each range starts, and where the last one ends. Empty for a few keys.
    starts: Vec<usize>,
    len: usize,
}

impl Index {
    /// Up to here a search is as fast.
    const FEW: usize = 8;

    fn new<T>(sorted: &[(u64, T)]) -> Self {
        let len = sorted.len();
        let bits = len.next_power_of_two().ilog2() + 1;
        let shift = OutputPrefix::NUMBER_BITS.saturating_sub(bits);
        if len <= Self::FEW {
            let starts = Vec::new();
            return Self { shift, starts, len };
        }
        let mut starts = vec![0; 1 + (1 << bits)];
        for (number, _) in sorted {
            let range = usize::try_from(number >> shift).ok();
            if let Some(count) = range.and_then(|range| starts.get_mut(range + 1)) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Self { shift, starts, len }
    }

    /// Returns the range in which `number` is, if it is in the list.
    #[inline]
    fn range(&self, number: u64) -> Range<usize> {
        if self.starts.is_empty() {
            return 0..self.len;
        }
        let at = usize::try_from(number >> self.shift).ok();
        match at.and_then(|at| self.starts.get(at..=at + 1)) {
            Some(&[start, end]) => start..end,
            _ => 0..0,
        }
    }
}

impl<T: Prefixed> PrefixMap<T> {
    /// Takes the keys of a keyset.
    pub(crate) fn new(keys: PerKey<T>) -> Self {
        let keys = keys.map(Arc::new);
        let mut prefixed = Vec::new();
        let mut raw = Vec::new();
        for (_, key) in keys.iter() {
            match key.prefix().number() {
                Some(number) => prefixed.push((number, Arc::clone(key))),
                None => raw.push(Arc::clone(key)),
            }
        }
        prefixed.sort_by_key(|(number, _)| *number);
        Self {
            primary: Arc::clone(keys.primary()),
            index: Index::new(&prefixed),
            prefixed,
            raw,
        }
    }

    /// Returns the key that writes.
    #[inline]
    pub(crate) fn primary(&self) -> &T {
        &self.primary
    }

    /// Returns the keys that may have written `output`, in the order in which to try them: first
    /// the one whose prefix it has, then every raw one.
    #[inline]
    pub(crate) fn candidates<'k>(
        &'k self,
        output: &[u8],
    ) -> impl Iterator<Item = &'k T> + use<'k, T> {
        let named = self.named(output).into_iter();
        named.chain(&self.raw).map(Arc::as_ref)
    }

    /// Returns the key whose prefix `output` has.
    #[inline]
    fn named(&self, output: &[u8]) -> Option<&Arc<T>> {
        let number = OutputPrefix::read(output).number()?;
        let near = self.prefixed.get(self.index.range(number))?;
        let at = near.binary_search_by_key(&number, |(known, _)| *known);
        near.get(at.ok()?).map(|(_, key)| key)
    }

    /// Returns the result of the first key that `attempt` succeeds with, in the same order.
    #[inline]
    pub(crate) fn first<R>(
        &self,
        output: &[u8],
        mut attempt: impl FnMut(&T) -> Option<R>,
    ) -> Option<R> {
        let prefix = self.primary.prefix();
        let is_primary = prefix.number().is_some() && prefix.strip(output).is_some();
        // Usually the primary key wrote it, so its prefix is compared first.
        let named = match is_primary {
            true => Some(&self.primary),
            false => self.named(output),
        };
        let opened = named.and_then(|key| attempt(key));
        opened.or_else(|| self.raw.iter().find_map(|key| attempt(key)))
    }

    /// Returns all keys, the primary one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let prefixed = self.prefixed.iter().map(|(_, key)| key);
        let others = prefixed.chain(&self.raw);
        let others = others.filter(|key| !Arc::ptr_eq(key, &self.primary));
        iter::once(&self.primary).chain(others).map(Arc::as_ref)
    }

    /// Returns the number of keys.
    pub(crate) const fn len(&self) -> usize {
        self.prefixed.len() + self.raw.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::{KeyId, Variant};

    struct Known(OutputPrefix);

    impl Prefixed for Known {
        fn prefix(&self) -> OutputPrefix {
            self.0
        }
    }

    /// Ids that are spread, and ids that all begin with the same bits.
    fn ids() -> impl Strategy<Value = Vec<u32>> {
        let close = prop::collection::btree_set(0..300_u32, 0..200);
        let ids = prop_oneof![prop::collection::btree_set(any::<u32>(), 0..200), close];
        ids.prop_map(Vec::from_iter).prop_shuffle()
    }

    proptest! {
        #[test]
        fn the_keys_of_a_prefix_are_found_among_any_others(ids in ids(), other: u32) {
            let variants = [Variant::Tink, Variant::Crunchy, Variant::Raw];
            let keys = ids.iter().zip(variants.iter().cycle());
            let prefixes: Vec<_> = keys.map(|(id, variant)| variant.prefix(KeyId::new(*id))).collect();
            let keys = prefixes.iter().map(|prefix| (KeyId::new(7), Known(*prefix))).collect();
            let Some(keys) = PerKey::new(keys, KeyId::new(7)) else {
                prop_assert!(ids.is_empty());
                return Ok(());
            };
            let map = PrefixMap::new(keys);
            prop_assert_eq!(map.len(), ids.len());
            let raw = prefixes.iter().filter(|prefix| prefix.as_bytes().is_empty()).count();
            for id in ids.iter().chain([&other]) {
                for start in [0, 1, 2, 255] {
                    let output = [&[start], &id.to_be_bytes()[..], b"more"].concat();
                    let same = prefixes.iter().filter(|prefix| prefix.as_bytes() == &output[..5]);
                    let found: Vec<_> = map.candidates(&output).map(|key| key.0).collect();
                    prop_assert_eq!(found.len(), same.count() + raw);
                    let known = |prefix: &OutputPrefix| prefix.strip(&output).is_some();
                    prop_assert!(found.iter().all(known));
                    let mut tried = Vec::new();
                    let none = map.first(&output, |key| {
                        tried.push(key.0);
                        None::<()>
                    });
                    prop_assert_eq!((none, tried), (None, found));
                }
            }
            prop_assert_eq!(map.candidates(b"1234").count(), raw);
        }
    }
}
