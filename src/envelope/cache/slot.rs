//! The data-encryption key (DEK) that encrypts now, and the next one.

use std::{sync::Arc, time::Duration};

use super::{
    budget::{Budget, Taken},
    flight::{Flight, Joinable},
    sync::{ArcSwapOption, AtomicBool, Mutex, Ordering, lock},
};
use crate::{error::KmsError, remote::BoxFuture};

/// A DEK in use. It is wiped when the last message that it encrypts is done.
pub(super) struct Active<D> {
    /// Tells it from every other key of the cache.
    pub(super) id: u64,
    pub(super) dek: D,
    pub(super) budget: Budget,
    pub(super) born: Duration,
    pub(super) expires: Duration,
    /// When the next one is fetched, unless the budget runs low before.
    pub(super) prefetch_at: Duration,
    pub(super) is_prefetched: AtomicBool,
}

impl<D> Active<D> {
    pub(super) fn new(id: u64, dek: D, budget: Budget, born: Duration) -> Self {
        Self {
            id,
            dek,
            budget,
            born,
            expires: Duration::MAX,
            prefetch_at: Duration::MAX,
            is_prefetched: AtomicBool::new(false),
        }
    }

    /// Returns whether the next key is to be fetched now. Yes only once.
    pub(super) fn claims_prefetch(&self, is_low: bool, now: Duration) -> bool {
        (is_low || now >= self.prefetch_at)
            && !self.is_prefetched.load(Ordering::Relaxed)
            && !self.is_prefetched.swap(true, Ordering::Relaxed)
    }

    /// Allows the next key to be fetched again: it did not come.
    pub(super) fn unclaim_prefetch(&self) {
        self.is_prefetched.store(false, Ordering::Relaxed);
    }
}

/// The DEK of one partition.
pub(super) struct Slot<D> {
    current: ArcSwapOption<Active<D>>,
    state: Mutex<State<D>>,
}

struct State<D> {
    next: Option<Arc<Active<D>>>,
    flight: Joinable<()>,
    /// Since the last success.
    failures: u32,
    failed_at: Duration,
}

/// The step after a DEK that does not take a message.
pub(super) enum Turn {
    /// Another one is there.
    Retry,
    /// Another one is on its way.
    Wait(Flight<()>),
}

/// The failures since the last success, for the back-off.
#[derive(Clone, Copy)]
pub(super) struct Failures {
    pub(super) count: u32,
    pub(super) last: Duration,
}

impl<D: Send + Sync + 'static> Slot<D> {
    pub(super) fn new() -> Self {
        Self {
            current: ArcSwapOption::from(None),
            state: Mutex::new(State {
                next: None,
                flight: Joinable::default(),
                failures: 0,
                failed_at: Duration::ZERO,
            }),
        }
    }

    /// Takes a message of `bytes` bytes out of the current DEK's budget, and uses the DEK. Otherwise
    /// returns the id of the DEK that cannot take it, if there is one.
    #[inline]
    pub(super) fn take<R>(
        &self,
        bytes: u64,
        thread: usize,
        now: Duration,
        seal: impl FnOnce(&Arc<Active<D>>, Taken) -> R,
    ) -> Result<R, Option<u64>> {
        let current = self.current.load();
        let active = current.as_ref().ok_or(None)?;
        if now >= active.expires {
            return Err(Some(active.id));
        }
        match active.budget.take(bytes, thread) {
            Some(taken) => Ok(seal(active, taken)),
            None => Err(Some(active.id)),
        }
    }

    /// Retires the DEK that a caller has seen, and brings the next one: at once, or by a flight that
    /// the caller joins or starts. The first return value is the retired DEK.
    pub(super) fn turn_over(
        &self,
        seen: Option<u64>,
        now: Duration,
        fetch: impl FnOnce(Failures) -> BoxFuture<'static, Result<(), KmsError>>,
    ) -> (Option<Arc<Active<D>>>, Turn) {
        let mut state = lock(&self.state);
        let current = self.current.load_full();
        let current_id = current.as_ref().map(|active| active.id);
        if current_id.is_some() && current_id != seen {
            return (None, Turn::Retry);
        }
        let next = state.next.take().filter(|next| now < next.expires);
        if next.is_some() {
            self.current.store(next);
            return (current, Turn::Retry);
        }
        self.current.store(None);
        // Joined or started under the lock: there is never a second flight beside the first.
        let flight = state.join_or_start(fetch);
        (current, Turn::Wait(flight))
    }

    /// Starts to fetch the DEK after the current one, unless it is there or on its way.
    pub(super) fn prefetch(
        &self,
        fetch: impl FnOnce(Failures) -> BoxFuture<'static, Result<(), KmsError>>,
    ) -> Option<Flight<()>> {
        let mut state = lock(&self.state);
        if state.next.is_some() {
            return None;
        }
        Some(state.join_or_start(fetch))
    }

    /// Takes in a DEK that was fetched.
    pub(super) fn install(&self, active: Arc<Active<D>>) {
        let mut state = lock(&self.state);
        state.failures = 0;
        if self.current.load().is_none() {
            self.current.store(Some(active));
        } else {
            state.next = Some(active);
        }
    }

    /// Notes that no DEK could be fetched.
    pub(super) fn failed(&self, now: Duration) {
        let mut state = lock(&self.state);
        state.failures = state.failures.saturating_add(1);
        state.failed_at = now;
    }

    /// Retires the current DEK if it has this id. Returns it.
    pub(super) fn retire(&self, id: u64, now: Duration) -> Option<Arc<Active<D>>> {
        self.retire_if(now, |active| active.id == id)
    }

    /// Retires DEKs past their age. Returns the current one, if it was.
    pub(super) fn purge(&self, now: Duration) -> Option<Arc<Active<D>>> {
        let retired = self.retire_if(now, |active| now >= active.expires);
        let mut state = lock(&self.state);
        state.next.take_if(|next| now >= next.expires);
        retired
    }

    /// Retires all DEKs. Returns the current one.
    pub(super) fn close(&self) -> Option<Arc<Active<D>>> {
        let mut state = lock(&self.state);
        state.next = None;
        self.current.swap(None)
    }

    fn retire_if(
        &self,
        now: Duration,
        is_due: impl FnOnce(&Active<D>) -> bool,
    ) -> Option<Arc<Active<D>>> {
        let mut state = lock(&self.state);
        if !self
            .current
            .load()
            .as_ref()
            .is_some_and(|active| is_due(active))
        {
            return None;
        }
        let next = state.next.take().filter(|next| now < next.expires);
        self.current.swap(next)
    }

    pub(super) fn current(&self) -> Option<Arc<Active<D>>> {
        self.current.load_full()
    }

    /// Returns when the first of its DEKs expires.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        let state = lock(&self.state);
        let next = state.next.as_ref().map(|next| next.expires);
        let current = self.current.load().as_ref().map(|active| active.expires);
        next.into_iter().chain(current).min()
    }
}

impl<D> State<D> {
    fn join_or_start(
        &mut self,
        fetch: impl FnOnce(Failures) -> BoxFuture<'static, Result<(), KmsError>>,
    ) -> Flight<()> {
        match self.flight.join() {
            // One that has ended has told its outcome to those who waited.
            Some(flight) if flight.peek().is_none() => flight,
            _ => {
                let failures = Failures {
                    count: self.failures,
                    last: self.failed_at,
                };
                self.flight.start(fetch(failures))
            }
        }
    }
}
