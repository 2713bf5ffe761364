//! The side that decrypts: unwrapped data-encryption keys (DEKs), by their wrapped form.

use std::{collections::HashMap, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use tokio::runtime::Handle;

use super::{
    core::{Core, jittered},
    counters::Counter,
    export,
    flight::{Flight, Joinable},
    outage::Outage,
    policy::DecryptCache,
    store::{Entry, Store},
    sweeper::{Aging, sweep_later},
    sync::{AtomicBool, Mutex, lock},
};
use crate::{
    envelope::{
        Envelope,
        aead::{OpeningDek, Refresh},
        long_message,
    },
    error::KmsError,
    remote::{BoxFuture, Decrypted},
};

/// Memory of a DEK beside its wrapped form, in bytes: more than the key schedule of any cipher.
const DEK_SIZE: usize = 2048;

type Kept = Arc<Entry<OpenedDek>>;

/// The calls that are running, with their ids, by wrapped DEK.
type Flights = HashMap<Box<[u8]>, (u64, Joinable<Kept>)>;

/// An unwrapped DEK.
pub(super) struct OpenedDek {
    dek: OpeningDek,
    expires: Duration,
    /// The last moment of stale use.
    stale_until: Duration,
}

/// The DEKs that decrypt.
pub(super) struct Opening {
    core: Arc<Core>,
    policy: DecryptCache,
    pub(super) store: Store<OpenedDek>,
    flights: Mutex<Flights>,
    outage: Outage,
    is_swept: AtomicBool,
}

/// The state of a message's DEK in the cache.
enum Seen {
    Fresh(Result<Decrypted, KmsError>),
    /// The message is too long for this thread.
    FreshLong(Handle, Kept),
    Stale(Kept),
    Missing,
}

impl Opening {
    pub(super) fn new(core: Arc<Core>, policy: DecryptCache) -> Self {
        Self {
            core,
            store: Store::new(policy.max_entries, policy.max_bytes),
            flights: Mutex::default(),
            outage: Outage::new(),
            policy,
            is_swept: AtomicBool::new(false),
        }
    }

    /// Wipes all DEKs.
    pub(super) fn clear(&self) {
        self.store.retain(|_| false);
    }

    /// Decrypts with a DEK of the cache, or asks the service for it.
    pub(super) async fn open(
        self: &Arc<Self>,
        ciphertext: &[u8],
        associated_data: &[u8],
        refresh: Refresh,
    ) -> Result<Decrypted, KmsError> {
        let envelope = self.core.wrapper.parse(ciphertext)?;
        let now = self.core.now();
        let seen = self.store.with(envelope.wrapped_key(), now, |entry| {
            if now >= entry.value.stale_until {
                return Seen::Missing;
            }
            if now >= entry.value.expires {
                return Seen::Stale(entry.clone());
            }
            let size = envelope.payload().len().max(associated_data.len());
            match long_message::runtime_for(size) {
                Some(runtime) => Seen::FreshLong(runtime, entry.clone()),
                None => {
                    let dek = &entry.value.dek;
                    Seen::Fresh(dek.open_here(&envelope, associated_data, refresh))
                }
            }
        });
        match seen.unwrap_or(Seen::Missing) {
            Seen::Fresh(opened) => {
                self.core.counters.add(Counter::DecryptHits, 1);
                opened
            }
            Seen::FreshLong(runtime, entry) => {
                self.core.counters.add(Counter::DecryptHits, 1);
                let dek = &entry.value.dek;
                dek.open_there(runtime, &envelope, associated_data, refresh)
                    .await
            }
            Seen::Stale(entry) => {
                let (entry, is_stale) = self.refreshed(&envelope, entry).await?;
                let dek = &entry.value.dek;
                let opened = dek.open(&envelope, associated_data, refresh).await?;
                Ok(opened.with_stale(is_stale))
            }
            Seen::Missing => {
                self.core.counters.add(Counter::DecryptMisses, 1);
                let entry = self.unwrap(envelope.wrapped_key()).await?;
                let dek = &entry.value.dek;
                dek.open(&envelope, associated_data, refresh).await
            }
        }
    }

    /// Asks for a DEK past its age, and returns the old one if the service cannot be asked.
    async fn refreshed(
        self: &Arc<Self>,
        envelope: &Envelope<'_>,
        entry: Kept,
    ) -> Result<(Kept, bool), KmsError> {
        let mut failure = None;
        if self.outage.may_ask(self.core.now()) {
            let flight = self.unwrap(envelope.wrapped_key());
            match self.within(flight.clone(), self.policy.stale_wait).await {
                Some(Ok(fresh)) => {
                    self.core.counters.add(Counter::DecryptMisses, 1);
                    return Ok((fresh, false));
                }
                Some(Err(error)) if error.kind().is_outage() => failure = Some(error),
                // The service was asked, and refuses: the key is not to be used any more.
                Some(Err(error)) => {
                    if self.store.remove(&entry) {
                        self.core.counters.add(Counter::Expirations, 1);
                    }
                    self.core.counters.add(Counter::DecryptMisses, 1);
                    return Err(error);
                }
                None => {
                    self.outage.notice(self.core.now());
                    // The call goes on for those who come next.
                    if let Ok(runtime) = Handle::try_current() {
                        drop(runtime.spawn(async move { drop(flight.await) }));
                    }
                }
            }
        }
        // The cap holds at the moment of use, however long the service took not to answer.
        if self.core.now() < entry.value.stale_until {
            self.core.counters.add(Counter::StaleUses, 1);
            export::stale_use();
            return Ok((entry, true));
        }
        self.core.counters.add(Counter::DecryptMisses, 1);
        match failure {
            Some(error) => Err(error),
            None => Ok((self.unwrap(envelope.wrapped_key()).await?, false)),
        }
    }

    /// Joins or starts the call that unwraps a DEK.
    fn unwrap(self: &Arc<Self>, wrapped: &[u8]) -> Flight<Kept> {
        let mut flights = lock(&self.flights);
        let known = flights.get(wrapped).and_then(|(_, flight)| flight.join());
        known.unwrap_or_else(|| {
            let id = self.core.next_id();
            let mut joinable = Joinable::default();
            let flight = joinable.start(self.unwrap_call(id, wrapped));
            flights.insert(wrapped.into(), (id, joinable));
            flight
        })
    }

    fn unwrap_call(
        self: &Arc<Self>,
        id: u64,
        wrapped: &[u8],
    ) -> BoxFuture<'static, Result<Kept, KmsError>> {
        let landing = Landing {
            opening: self.clone(),
            id,
            wrapped: wrapped.into(),
        };
        Box::pin(async move {
            let Landing {
                opening, wrapped, ..
            } = &landing;
            let start = opening.core.now();
            let unwrapped = opening.core.wrapper.unwrap(wrapped).await;
            let now = opening.core.now();
            opening.core.counters.add(Counter::Unwraps, 1);
            let time = now.saturating_sub(start);
            export::called(
                &opening.core.counters,
                "unwrap",
                time,
                unwrapped.as_ref().err(),
            );
            match unwrapped {
                Ok(dek) => Ok(opening.keep(dek, wrapped, now)),
                Err(error) => {
                    opening.core.counters.add(Counter::UnwrapFailures, 1);
                    if error.kind().is_outage() {
                        opening.outage.notice(now);
                    }
                    Err(error)
                }
            }
        })
    }

    /// Takes in a DEK that was unwrapped.
    fn keep(self: &Arc<Self>, dek: OpeningDek, wrapped: &[u8], now: Duration) -> Kept {
        let policy = &self.policy;
        let expires = now.saturating_add(jittered(policy.max_age, policy.jitter));
        let opened = OpenedDek {
            dek,
            expires,
            stale_until: expires.saturating_add(policy.stale),
        };
        self.outage.is_over();
        let size = wrapped.len() + DEK_SIZE;
        let inserted = self.store.insert(wrapped, opened, size, now);
        let evicted = inserted.evicted.len() as u64;
        self.core.counters.add(Counter::Evictions, evicted);
        sweep_later(self, &self.core.timer);
        inserted.entry
    }

    /// Waits for a call, but not longer than `time`.
    async fn within<F: Future>(&self, call: F, time: Duration) -> Option<F::Output> {
        let mut call = pin!(call);
        let mut alarm = self.core.timer.sleep(time);
        poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => alarm.as_mut().poll(context).map(|()| None),
        })
        .await
    }
}

impl Aging for Opening {
    fn purge(&self) {
        let now = self.core.now();
        let expired = self.store.retain(|entry| now < entry.value.stale_until);
        let expired = expired.len() as u64;
        self.core.counters.add(Counter::Expirations, expired);
    }

    fn next_expiry(&self) -> Option<Duration> {
        let mut first = None;
        self.store.for_each(|entry| {
            let expires = entry.value.stale_until;
            first = Some(first.unwrap_or(expires).min(expires));
        });
        first
    }

    fn is_swept(&self) -> &AtomicBool {
        &self.is_swept
    }
}

/// Removes a flight from the list when it ends, in whatever way.
struct Landing {
    opening: Arc<Opening>,
    id: u64,
    wrapped: Box<[u8]>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = lock(&self.opening.flights);
        // Another one may have started since this one was given up.
        if flights
            .get(&self.wrapped)
            .is_some_and(|(id, _)| *id == self.id)
        {
            flights.remove(&self.wrapped);
        }
    }
}
