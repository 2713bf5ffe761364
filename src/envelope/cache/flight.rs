//! Single flight: callers that need the same key share one call.

use futures_util::future::{FutureExt as _, Shared, WeakShared};

use crate::{error::KmsError, remote::BoxFuture};

/// A call that any number of callers wait for. When some are cancelled, the rest go on with it; when
/// all are, it is cancelled too.
pub(super) type Flight<T> = Shared<BoxFuture<'static, Result<T, KmsError>>>;

/// A flight that others may join. It does not keep the call alive.
pub(super) struct Joinable<T>(Option<WeakShared<BoxFuture<'static, Result<T, KmsError>>>>)
where
    T: Clone;

impl<T: Clone> Default for Joinable<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Clone> Joinable<T> {
    /// Returns the flight if it is on its way.
    ///
    /// Do not drop it under a lock that the call takes: it may be the last reference.
    pub(super) fn join(&self) -> Option<Flight<T>> {
        self.0.as_ref()?.upgrade()
    }

    /// Starts a flight, in place of one that ended.
    pub(super) fn start(&mut self, call: BoxFuture<'static, Result<T, KmsError>>) -> Flight<T> {
        let flight = call.shared();
        self.0 = flight.downgrade();
        flight
    }
}
