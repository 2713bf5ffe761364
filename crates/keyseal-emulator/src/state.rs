//! The emulator's state in memory. [`state_file`](crate::state_file) keeps it on the disk.

use std::{collections::BTreeMap, sync::Arc};

use keyseal::kms::scaleway::{Seconds, Timestamp, Uuid};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{auth::Identity, errors::ApiError, keys::Key, reply};

/// Keys, and how far the clock was moved forward. It is cheap to clone: a change is made on a copy,
/// and counts only once it is on disk.
#[derive(Clone, Default)]
pub(super) struct State {
    keys: BTreeMap<Uuid, Arc<Key>>,
    /// The time to add to the clock.
    pub(super) clock_offset: Seconds,
    /// The API key that was generated because none was given.
    pub(super) identity: Option<Identity>,
    /// When the next key rotates or is gone by itself.
    next_event: Option<Timestamp>,
}

impl State {
    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values()
    }

    pub(super) fn key(&self, id: Uuid) -> Option<&Arc<Key>> {
        self.keys.get(&id)
    }

    pub(super) fn insert(&mut self, key: Key) {
        self.keys.insert(key.id, Arc::new(key));
        self.find_next_event();
    }

    /// Changes one key.
    pub(super) fn change(
        &mut self,
        id: Uuid,
        change: impl FnOnce(&mut Key) -> Result<(), ApiError>,
    ) -> Result<Arc<Key>, ApiError> {
        let shared = self
            .keys
            .get_mut(&id)
            .ok_or_else(|| ApiError::key_not_found(id))?;
        change(Arc::make_mut(shared))?;
        let changed = Arc::clone(shared);
        self.find_next_event();
        Ok(changed)
    }

    /// Tells whether [`catch_up`](Self::catch_up) has anything to do.
    pub(super) fn is_behind(&self, now: Timestamp) -> bool {
        self.next_event.is_some_and(|event| event <= now)
    }

    /// Applies the passage of time: rotates keys whose date has come, and removes deleted keys.
    pub(super) fn catch_up(&mut self, now: Timestamp) -> Result<(), ApiError> {
        self.keys
            .retain(|_, key| key.gone_at().is_none_or(|gone| gone > now));
        for key in self.keys.values_mut() {
            if key
                .rotation_policy
                .is_some_and(|policy| policy.next_rotation_at <= now)
            {
                Arc::make_mut(key).catch_up(now)?;
            }
        }
        self.find_next_event();
        Ok(())
    }

    /// Writes everything, as a change of an empty state, into a buffer that is wiped.
    pub(super) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, ApiError> {
        self.changes_since(&Self::default())
    }

    /// Writes the differences from `before` into a buffer that is wiped.
    pub(super) fn changes_since(&self, before: &Self) -> Result<Zeroizing<Vec<u8>>, ApiError> {
        // An unchanged key is still the same allocation.
        let is_new = |id: &Uuid, key: &Arc<Key>| {
            let known = before.keys.get(id);
            known.is_none_or(|known| !Arc::ptr_eq(known, key))
        };
        let changed = self.keys.iter().filter(|(id, key)| is_new(id, key));
        let gone = before.keys.keys().filter(|id| !self.keys.contains_key(id));
        reply::json(&Written {
            clock_offset: self.clock_offset,
            identity: self.identity.as_ref(),
            keys: changed.map(|(_, key)| &**key).collect(),
            gone: gone.copied().collect(),
        })
    }

    /// Applies all changes in order; `None` if one of them is malformed.
    pub(super) fn of_changes(changes: &[Zeroizing<Vec<u8>>]) -> Option<Self> {
        let mut state = Self::default();
        for change in changes {
            let read: Read = serde_json::from_slice(change).ok()?;
            state.clock_offset = read.clock_offset;
            state.identity = read.identity;
            for key in read.keys {
                state.keys.insert(key.id, Arc::new(key));
            }
            for id in read.gone {
                state.keys.remove(&id);
            }
        }
        state.find_next_event();
        Some(state)
    }

    fn find_next_event(&mut self) {
        let rotations = self.keys.values().filter_map(|key| key.rotation_policy);
        let rotations = rotations.map(|policy| policy.next_rotation_at);
        let deletions = self.keys.values().filter_map(|key| key.gone_at());
        self.next_event = rotations.chain(deletions).min();
    }
}

#[derive(Serialize)]
struct Written<'a> {
    clock_offset: Seconds,
    identity: Option<&'a Identity>,
    keys: Vec<&'a Key>,
    gone: Vec<Uuid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    clock_offset: Seconds,
    identity: Option<Identity>,
    keys: Vec<Key>,
    #[serde(default)]
    gone: Vec<Uuid>,
}
