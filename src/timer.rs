//! [`Timer`]: a clock and an alarm that can be replaced.

use std::time::Duration;
#[cfg(any(feature = "cache", feature = "kms-client"))]
use std::time::Instant;

use crate::remote::BoxFuture;

/// A clock and an alarm. You can replace it in tests and on runtimes other than tokio.
pub trait Timer: Send + Sync {
    /// Returns the time since some fixed point. Never goes back.
    fn now(&self) -> Duration;

    /// Waits for `duration`, counted from the first poll.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The timer of tokio. Calls must be awaited in a tokio runtime.
#[cfg(any(feature = "cache", feature = "kms-client"))]
#[derive(Clone, Debug)]
pub struct TokioTimer(Instant);

#[cfg(any(feature = "cache", feature = "kms-client"))]
impl TokioTimer {
    /// Starts the clock.
    #[must_use]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

#[cfg(any(feature = "cache", feature = "kms-client"))]
impl Default for TokioTimer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(any(feature = "cache", feature = "kms-client"))]
impl Timer for TokioTimer {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // Not before the first poll: without a runtime it panics, and the transport has not yet had
        // a chance to report why it cannot work.
        Box::pin(async move { tokio::time::sleep(duration).await })
    }
}
