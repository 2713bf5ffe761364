//! The parts of a cache that both its sides use.

use std::{sync::Arc, time::Duration};

use super::{
    counters::Counters,
    sync::{AtomicU64, Ordering},
};
use crate::{envelope::aead::DekWrapper, rng, timer::Timer};

/// The key-encryption key, the clock and the counters of a cache.
pub(super) struct Core {
    pub(super) wrapper: Arc<DekWrapper>,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) counters: Counters,
    ids: AtomicU64,
}

impl Core {
    pub(super) fn new(wrapper: Arc<DekWrapper>, timer: Arc<dyn Timer>, name: &str) -> Self {
        Self {
            wrapper,
            timer,
            counters: Counters::new(name),
            ids: AtomicU64::new(0),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.timer.now()
    }

    pub(super) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}

/// Shortens `time` by a random part of up to `jitter`.
pub(super) fn jittered(time: Duration, jitter: f64) -> Duration {
    time.mul_f64(1.0 - jitter * rng::fraction())
}
