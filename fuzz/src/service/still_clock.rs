//! A clock that stands still: nothing times out, and nothing is tried again.

use std::{future, time::Duration};

use keyseal::{BoxFuture, kms::Timer};

pub struct StillClock;

impl Timer for StillClock {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(future::pending())
    }
}
