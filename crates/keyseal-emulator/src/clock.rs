//! The clock of an emulator: the system's, or one that a test sets.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use crate::lock::lock;

/// Tells the emulator what time it is.
///
/// Rotation dates, the days before a deleted key is gone, the expiry of API keys and every time
/// stamp follow it. [`SystemClock`] is the default; [`ManualClock`] moves only when a test sets
/// it.
pub trait Clock: Send + Sync {
    /// Returns the time. A time before the year 1 or after 9999 counts as the nearest of the two.
    fn now(&self) -> SystemTime;
}

/// Tells the operating system's time.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Tells the time that you set. Clones are the same clock.
///
/// # Example
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use keyseal_emulator::{Clock, ManualClock};
///
/// let clock = ManualClock::new(UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), UNIX_EPOCH + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<SystemTime>>);

impl ManualClock {
    /// Makes a clock that shows `start`.
    #[must_use]
    pub fn new(start: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Moves the clock forward by `step`, up to the last time that it can hold.
    pub fn advance(&self, step: Duration) {
        let mut now = lock(&self.0);
        *now = now.checked_add(step).unwrap_or(*now);
    }

    /// Sets the clock.
    pub fn set(&self, now: SystemTime) {
        *lock(&self.0) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *lock(&self.0)
    }
}
