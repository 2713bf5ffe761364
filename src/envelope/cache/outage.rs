//! Whether the service can be asked, and when it is tried again.

use std::time::Duration;

use super::sync::{AtomicU64, Ordering};

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Remembers that the service does not answer. One caller at a time tries it again.
pub(super) struct Outage {
    /// In nanoseconds; 0 while the service answers.
    ask_again: AtomicU64,
    failures: AtomicU64,
}

impl Outage {
    pub(super) const fn new() -> Self {
        Self {
            ask_again: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// Returns whether this caller asks the service. When it comes back, the callers are not all let
    /// through together: one is, and its success lets the others.
    pub(super) fn may_ask(&self, now: Duration) -> bool {
        let ask_again = self.ask_again.load(Ordering::Relaxed);
        if ask_again == 0 {
            return true;
        }
        nanos(now) >= ask_again
            && self
                .ask_again
                .compare_exchange(
                    ask_again,
                    self.next(now),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// Notices that the service did not answer.
    pub(super) fn notice(&self, now: Duration) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.ask_again.store(self.next(now), Ordering::Relaxed);
    }

    /// Notices an answer.
    pub(super) fn is_over(&self) {
        if self.ask_again.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.ask_again.store(0, Ordering::Relaxed);
        }
    }

    fn next(&self, now: Duration) -> u64 {
        let failures = self.failures.load(Ordering::Relaxed).saturating_sub(1);
        let doublings = u32::try_from(failures).unwrap_or(u32::MAX);
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(doublings));
        nanos(now.saturating_add(wait.min(LONGEST_WAIT))).max(1)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
