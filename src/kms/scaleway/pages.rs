//! [`Pages`]: a list that the service returns page by page.

use std::{collections::HashSet, hash::Hash};

use crate::error::{KmsError, KmsErrorKind};

/// Collects the items of all pages, each once.
pub(super) struct Pages<T, K> {
    name: &'static str,
    id: fn(&T) -> K,
    items: Vec<T>,
    seen: HashSet<K>,
    listed: u64,
    page: u32,
    is_due: bool,
}

impl<T, K: Eq + Hash> Pages<T, K> {
    /// Starts with the first page. `id` tells the items apart.
    pub(super) fn new(name: &'static str, id: fn(&T) -> K) -> Self {
        Self {
            name,
            id,
            items: Vec::new(),
            seen: HashSet::new(),
            listed: 0,
            page: 1,
            is_due: true,
        }
    }

    /// Returns the number of the next page, or `None` after the last.
    pub(super) fn due(&self) -> Option<u32> {
        self.is_due.then_some(self.page)
    }

    /// Adds one page of a list of `total_count` items.
    ///
    /// Fails if it repeats only items of earlier pages though more are due: such a list might never
    /// end.
    pub(super) fn add(&mut self, found: Vec<T>, total_count: u64) -> Result<(), KmsError> {
        self.listed += found.len() as u64;
        let found_none = found.is_empty();
        let known = self.items.len();
        // An item that is created in the meantime moves another from one page to the next.
        let new = found
            .into_iter()
            .filter(|item| self.seen.insert((self.id)(item)));
        self.items.extend(new);
        if !found_none && self.items.len() == known && (known as u64) < total_count {
            return Err(
                KmsError::new(KmsErrorKind::InvalidReply).with_message(format!(
                    "page {} has only {} of earlier pages, and {known} of {total_count} are known",
                    self.page, self.name
                )),
            );
        }
        self.is_due = !found_none && self.listed < total_count;
        self.page += 1;
        Ok(())
    }

    pub(super) fn into_items(self) -> Vec<T> {
        self.items
    }
}
