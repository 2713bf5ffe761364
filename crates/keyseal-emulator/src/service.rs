//! The emulated service: its state, settings, API keys, faults and the log of requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use keyseal::kms::scaleway::{Seconds, Timestamp};

use super::{
    auth::{self, Identity},
    clock::Clock,
    errors::ApiError,
    exchange::Exchange,
    fault::Faults,
    http::Request,
    keys::Key,
    lock::lock,
    settings::Settings,
    state::State,
    state_file::{AddError, StateFile},
};

/// How many exchanges are remembered.
const MAX_EXCHANGES: usize = 10_000;
/// How far the clock can be moved forward: a century. A key that rotates daily then has 36,500
/// rotations, which is enough for any test.
const MAX_OFFSET: Duration = Duration::from_secs(876_000 * 3_600);

/// The part that all clones of an emulator share.
pub(super) struct Service {
    pub(super) clock: Box<dyn Clock>,
    pub(super) settings: Settings,
    pub(super) first_identity: Identity,
    pub(super) identities: Mutex<Vec<Arc<Identity>>>,
    pub(super) state: Mutex<State>,
    pub(super) file: Option<StateFile>,
    pub(super) faults: Mutex<Faults>,
    pub(super) exchanges: Mutex<VecDeque<Exchange>>,
}

impl Service {
    /// Finds who sent `request`.
    pub(super) fn authenticate(&self, request: &Request) -> Result<Arc<Identity>, ApiError> {
        let anonymous = self.settings.anonymous;
        auth::authenticate(&self.identities(), anonymous, request, self.now())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now_in(&lock(&self.state))
    }

    /// Reads the current state.
    pub(super) fn read<T>(
        &self,
        look: impl FnOnce(&State) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut state = lock(&self.state);
        let now = self.now_in(&state);
        if state.is_behind(now) {
            let mut next = state.clone();
            next.catch_up(now)?;
            self.save(&state, &next)?;
            *state = next;
        }
        look(&state)
    }

    /// Changes the state completely, on disk too, or not at all.
    pub(super) fn transact<T>(
        &self,
        change: impl FnOnce(&mut State, Timestamp) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut state = lock(&self.state);
        let now = self.now_in(&state);
        let mut next = state.clone();
        if next.is_behind(now) {
            next.catch_up(now)?;
        }
        let value = change(&mut next, now)?;
        self.save(&state, &next)?;
        *state = next;
        Ok(value)
    }

    pub(super) fn advance_clock(&self, step: Duration) -> Result<(), ApiError> {
        self.transact(|state, _| {
            let offset = state.clock_offset.duration().saturating_add(step);
            state.clock_offset = Seconds::from(offset.min(MAX_OFFSET));
            Ok(())
        })
    }

    pub(super) fn set_locked(&self, key_id: &str, locked: bool) -> Result<Arc<Key>, ApiError> {
        let id = key_id
            .parse()
            .map_err(|_| ApiError::key_not_found(key_id))?;
        self.transact(|state, now| {
            state.change(id, |key| {
                key.locked = locked;
                key.updated_at = now.to_microseconds();
                Ok(())
            })
        })
    }

    pub(super) fn add_identity(&self, identity: Identity) {
        lock(&self.identities).push(Arc::new(identity));
    }

    pub(super) fn identities(&self) -> Vec<Arc<Identity>> {
        lock(&self.identities).clone()
    }

    pub(super) fn log(&self, exchange: Exchange) {
        let mut exchanges = self.exchanges();
        if exchanges.len() == MAX_EXCHANGES {
            exchanges.pop_front();
        }
        exchanges.push_back(exchange);
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(super) fn exchanges(&self) -> MutexGuard<'_, VecDeque<Exchange>> {
        lock(&self.exchanges)
    }

    fn now_in(&self, state: &State) -> Timestamp {
        Timestamp::from(self.clock.now()).saturating_add(state.clock_offset.duration())
    }

    fn save(&self, before: &State, after: &State) -> Result<(), ApiError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let change = after.changes_since(before)?;
        file.add(&change, || after.to_bytes())
            .map_err(|error| match error {
                AddError::State(error) => error,
                AddError::NotSaved => ApiError::Internal("the state file cannot be written"),
            })
    }
}
