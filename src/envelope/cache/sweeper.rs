//! A task that wipes keys when their age is over, also without traffic.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::runtime::Handle;

use super::sync::{AtomicBool, Ordering};
use crate::timer::Timer;

/// The least time between two searches for keys past their age.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// Keys with an age.
pub(super) trait Aging: Send + Sync + 'static {
    /// Wipes the keys that are past their age.
    fn purge(&self);

    /// Returns when the first key expires.
    fn next_expiry(&self) -> Option<Duration>;

    /// Whether a task is there.
    fn is_swept(&self) -> &AtomicBool;
}

/// Sees to it that a task wipes the keys that are there when their age is over.
pub(super) fn sweep_later<A: Aging>(keys: &Arc<A>, timer: &Arc<dyn Timer>) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    if !keys.is_swept().swap(true, Ordering::AcqRel) {
        let sweeper = Sweeper(Arc::downgrade(keys));
        drop(runtime.spawn(sweep(sweeper, timer.clone())));
    }
}

/// The one task of some keys. It does not keep them.
struct Sweeper<A: Aging>(Weak<A>);

impl<A: Aging> Drop for Sweeper<A> {
    /// The task may end with its runtime: the next one takes another.
    fn drop(&mut self) {
        if let Some(keys) = self.0.upgrade() {
            // A swap, as in `sweep_later`: of the two, the later one sees what the other has done. So
            // a key has this task, which looks once more, or gets the next one.
            keys.is_swept().swap(false, Ordering::AcqRel);
        }
    }
}

/// Wipes keys past their age, until there are no keys.
async fn sweep<A: Aging>(sweeper: Sweeper<A>, timer: Arc<dyn Timer>) {
    loop {
        let Some(keys) = sweeper.0.upgrade() else {
            return;
        };
        let Some(expiry) = keys.next_expiry() else {
            drop(sweeper);
            // One that came in before the task let go has no other.
            if keys.next_expiry().is_some() {
                sweep_later(&keys, &timer);
            }
            return;
        };
        drop(keys);
        let rest = expiry.saturating_sub(timer.now());
        timer.sleep(rest.max(SWEEP_EVERY)).await;
        if let Some(keys) = sweeper.0.upgrade() {
            keys.purge();
        }
    }
}
