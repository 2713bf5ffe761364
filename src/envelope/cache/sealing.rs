//! The side that encrypts: one data-encryption key (DEK) for several messages.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::{
    budget::{Amount, Budget, Taken},
    core::{Core, jittered},
    counters::{Counter, stripes, thread_number},
    export,
    policy::EncryptCache,
    slot::{Active, Failures, Slot, Turn},
    store::Store,
    sweeper::{Aging, sweep_later},
    sync::AtomicBool,
};
use crate::{
    envelope::{aead::SealingDek, long_message},
    error::KmsError,
    remote::BoxFuture,
};

/// The wait before the second call after a failed one; it doubles with each further failure.
const BACK_OFF_BASE: Duration = Duration::from_millis(100);
const BACK_OFF_CAP: Duration = Duration::from_secs(5);
/// Partitions are limited in number, not in bytes.
const PARTITION_SIZE: usize = 0;

pub(super) type DekSlot = Slot<SealingDek>;

/// The DEKs that encrypt.
pub(super) struct Sealing {
    core: Arc<Core>,
    policy: EncryptCache,
    /// For messages of no partition.
    pub(super) unnamed: Arc<DekSlot>,
    pub(super) partitions: Store<Arc<DekSlot>>,
    is_swept: AtomicBool,
}

/// The outcome of an attempt to encrypt with the DEK that is there.
enum Attempt {
    Done(Result<Vec<u8>, KmsError>),
    /// The message is too long for this thread.
    Long(Handle, Arc<Active<SealingDek>>),
}

impl Sealing {
    pub(super) fn new(core: Arc<Core>, policy: EncryptCache) -> Self {
        Self {
            core,
            unnamed: Arc::new(Slot::new()),
            partitions: Store::new(policy.max_partitions, usize::MAX),
            policy,
            is_swept: AtomicBool::new(false),
        }
    }

    /// Returns the slot of a partition. The least recently used one makes room for a new one.
    pub(super) fn partition(&self, name: &[u8]) -> Arc<DekSlot> {
        let now = self.core.now();
        let known = self.partitions.with(name, now, |entry| entry.value.clone());
        known.unwrap_or_else(|| {
            let slot = Arc::new(Slot::new());
            let inserted = self
                .partitions
                .get_or_insert(name, slot, PARTITION_SIZE, now);
            for evicted in inserted.evicted {
                self.core.counters.add(Counter::Evictions, 1);
                self.retired(evicted.value.close(), "evicted");
            }
            inserted.entry.value.clone()
        })
    }

    fn slots(&self) -> Vec<Arc<DekSlot>> {
        let mut slots = vec![self.unnamed.clone()];
        self.partitions
            .for_each(|entry| slots.push(entry.value.clone()));
        slots
    }

    /// Wipes all DEKs, and that of `slot`, which may have been evicted.
    pub(super) fn clear(&self, slot: &DekSlot) {
        for known in self.slots() {
            self.retired(known.close(), "cleared");
        }
        self.retired(slot.close(), "cleared");
    }

    /// Encrypts with the DEK of `slot`.
    pub(super) async fn seal(
        self: &Arc<Self>,
        slot: &Arc<DekSlot>,
        plaintext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let bytes = plaintext.len() as u64;
        if bytes > self.policy.max_bytes {
            self.core.counters.add(Counter::EncryptBypasses, 1);
            let dek = self.generate(plaintext.len()).await?;
            return dek.seal(plaintext, associated_data).await;
        }
        let mut has_waited = false;
        loop {
            let now = self.core.now();
            let attempt = slot.take(bytes, thread_number(), now, |active, taken| {
                self.prefetch(slot, active, taken, now);
                let last = taken.last.then_some(active.id);
                let size = plaintext.len().max(associated_data.len());
                let attempt = match long_message::runtime_for(size) {
                    Some(runtime) => Attempt::Long(runtime, active.clone()),
                    None => Attempt::Done(active.dek.seal_here(plaintext, associated_data)),
                };
                (attempt, last)
            });
            let seen = match attempt {
                Ok((attempt, last)) => {
                    if !has_waited {
                        self.core.counters.add(Counter::EncryptHits, 1);
                    }
                    self.core.counters.add(Counter::EncryptedBytes, bytes);
                    if let Some(id) = last {
                        self.retired(slot.retire(id, now), "messages");
                    }
                    return match attempt {
                        Attempt::Done(sealed) => sealed,
                        Attempt::Long(runtime, active) => {
                            let dek = &active.dek;
                            dek.seal_there(runtime, plaintext, associated_data).await
                        }
                    };
                }
                Err(seen) => seen,
            };
            let (retired, turn) = slot.turn_over(seen, now, |failures| self.fetch(slot, failures));
            self.retired(retired, "limit");
            if let Turn::Wait(flight) = turn {
                if !has_waited {
                    self.core.counters.add(Counter::EncryptMisses, 1);
                    has_waited = true;
                }
                flight.await?;
            }
        }
    }

    /// Fetches the next DEK in the background, if it is time.
    #[inline]
    fn prefetch(
        self: &Arc<Self>,
        slot: &Arc<DekSlot>,
        active: &Active<SealingDek>,
        taken: Taken,
        now: Duration,
    ) {
        if !self.policy.prefetch || !active.claims_prefetch(taken.low, now) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let flight = slot.prefetch(|failures| self.fetch(slot, failures));
        if let Some(flight) = flight {
            // An error comes back to the caller who needs the key, if it is still missing then.
            drop(runtime.spawn(async move { drop(flight.await) }));
        }
    }

    /// Generates a DEK and has it wrapped, for `slot`.
    fn fetch(
        self: &Arc<Self>,
        slot: &Arc<DekSlot>,
        failures: Failures,
    ) -> BoxFuture<'static, Result<(), KmsError>> {
        let (this, slot) = (self.clone(), slot.clone());
        Box::pin(async move {
            this.back_off(failures).await;
            match this.generate(0).await {
                Ok(dek) => {
                    slot.install(Arc::new(this.activate(dek)));
                    sweep_later(&this, &this.core.timer);
                    Ok(())
                }
                Err(error) => {
                    slot.failed(this.core.now());
                    if let Some(active) = slot.current() {
                        active.unclaim_prefetch();
                    }
                    Err(error)
                }
            }
        })
    }

    async fn generate(&self, plaintext_len: usize) -> Result<SealingDek, KmsError> {
        let start = self.core.now();
        let dek = self.core.wrapper.generate(plaintext_len).await;
        self.core.counters.add(Counter::Wraps, 1);
        if dek.is_err() {
            self.core.counters.add(Counter::WrapFailures, 1);
        }
        let time = self.core.now().saturating_sub(start);
        export::called(&self.core.counters, "wrap", time, dek.as_ref().err());
        dek
    }

    fn activate(&self, dek: SealingDek) -> Active<SealingDek> {
        let policy = &self.policy;
        let total = Amount {
            messages: policy.max_messages,
            bytes: policy.max_bytes,
        };
        let born = self.core.now();
        let age = jittered(policy.max_age, policy.jitter);
        Active {
            expires: born.saturating_add(age),
            prefetch_at: born.saturating_add(age.mul_f64(0.9)),
            ..Active::new(
                self.core.next_id(),
                dek,
                Budget::new(total, stripes()),
                born,
            )
        }
    }

    /// Waits until the time has come for another call after failed ones.
    async fn back_off(&self, failures: Failures) {
        let Some(doublings) = failures.count.checked_sub(1) else {
            return;
        };
        let longest = BACK_OFF_BASE.saturating_mul(2_u32.saturating_pow(doublings));
        let delay = jittered(longest.min(BACK_OFF_CAP), 0.5);
        let since = self.core.now().saturating_sub(failures.last);
        if let Some(rest) = delay.checked_sub(since) {
            self.core.timer.sleep(rest).await;
        }
    }

    /// Counts a DEK that is no longer used, which wipes it.
    fn retired(&self, active: Option<Arc<Active<SealingDek>>>, reason: &'static str) {
        if let Some(active) = active {
            self.core.counters.add(Counter::RetiredDeks, 1);
            let age = self.core.now().saturating_sub(active.born);
            export::retired(&self.core.counters, active.budget.used(), age, reason);
        }
    }
}

impl Aging for Sealing {
    fn purge(&self) {
        let now = self.core.now();
        for slot in self.slots() {
            self.retired(slot.purge(now), "age");
        }
    }

    fn next_expiry(&self) -> Option<Duration> {
        let slots = self.slots();
        slots.iter().filter_map(|slot| slot.next_expiry()).min()
    }

    fn is_swept(&self) -> &AtomicBool {
        &self.is_swept
    }
}
