//! [`PerKey`]: something made from each key of a keyset, the primary key's apart.

use super::KeyId;

/// One value for each enabled key of a keyset, in the order of the keyset.
pub(crate) struct PerKey<T> {
    before: Vec<(KeyId, T)>,
    primary: (KeyId, T),
    after: Vec<(KeyId, T)>,
}

impl<T> PerKey<T> {
    /// Takes all keys in the order of the keyset. `None` if the primary key is not among them.
    pub(crate) fn new(mut keys: Vec<(KeyId, T)>, primary_id: KeyId) -> Option<Self> {
        let at = keys.iter().position(|(id, _)| *id == primary_id)?;
        let after = keys.split_off(at + 1);
        let primary = keys.pop()?;
        Some(Self {
            before: keys,
            primary,
            after,
        })
    }

    pub(crate) const fn primary_id(&self) -> KeyId {
        self.primary.0
    }

    pub(crate) const fn primary(&self) -> &T {
        &self.primary.1
    }

    pub(crate) const fn len(&self) -> usize {
        self.before.len() + 1 + self.after.len()
    }

    /// Returns all of them, in the order of the keyset.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(KeyId, T)> {
        let before = self.before.iter();
        before.chain([&self.primary]).chain(&self.after)
    }

    /// Returns all of them, the primary key's first.
    pub(crate) fn primary_first(&self) -> impl Iterator<Item = &(KeyId, T)> {
        let others = self.before.iter().chain(&self.after);
        [&self.primary].into_iter().chain(others)
    }

    /// Makes something else from each.
    pub(crate) fn map<U>(self, mut make: impl FnMut(T) -> U) -> PerKey<U> {
        let mut each = |(id, one)| (id, make(one));
        PerKey {
            before: self.before.into_iter().map(&mut each).collect(),
            primary: each(self.primary),
            after: self.after.into_iter().map(each).collect(),
        }
    }
}
