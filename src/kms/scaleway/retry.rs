//! [`Retrying`]: time-outs, and what is sent again when it fails.

use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use super::{
    api::error::is_transient,
    trace,
    transport::{Request, Response, Transport},
};
use crate::{
    error::{KmsError, KmsErrorKind},
    remote::BoxFuture,
    rng,
};

/// How long a call may take and how often it is tried.
///
/// Sent again are requests that are safe to repeat, when there was no connection, it broke, the
/// answer came late, or it has the status 429, 500, 502, 503 or 504; a request that is not safe to
/// repeat only when nothing of it has left. The wait before is random, up to
/// `base · 2ⁿ` and never above `cap`, or what the service asks for in `Retry-After`.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use keyseal::kms::scaleway::RetryPolicy;
///
/// let interactive = RetryPolicy::new()
///     .attempt_timeout(Duration::from_secs(5))
///     .total_timeout(Duration::from_secs(10));
/// let once = RetryPolicy::new().max_attempts(1);
/// # let _ = (interactive, once);
/// ```
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    max_attempts: u32,
    base: Duration,
    cap: Duration,
    attempt_timeout: Duration,
    total_timeout: Duration,
    budget: u32,
    permission_denied: bool,
}

impl RetryPolicy {
    /// Tries 4 times within 60 seconds, each for 30 seconds at most, waiting up to 100 ms at first
    /// and 5 seconds at last, with a budget of 100 repetitions.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_attempts: 4,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(60),
            budget: 100,
            permission_denied: false,
        }
    }

    /// Sets how often a request is sent, the first time included. 0 counts as 1.
    #[must_use]
    pub const fn max_attempts(self, max_attempts: u32) -> Self {
        Self {
            max_attempts,
            ..self
        }
    }

    /// Sets the longest wait before the first repetition, and before any.
    #[must_use]
    pub const fn backoff(self, base: Duration, cap: Duration) -> Self {
        Self { base, cap, ..self }
    }

    /// Sets how long one attempt may take, from the connection to the last byte of the answer.
    #[must_use]
    pub const fn attempt_timeout(self, attempt_timeout: Duration) -> Self {
        Self {
            attempt_timeout,
            ..self
        }
    }

    /// Sets how long a call may take with all its attempts and waits.
    #[must_use]
    pub const fn total_timeout(self, total_timeout: Duration) -> Self {
        Self {
            total_timeout,
            ..self
        }
    }

    /// Sets how many repetitions all calls of a client share.
    ///
    /// Each takes one out of the budget; each call that succeeds at its first attempt puts a tenth
    /// of one back. So a service that is down does not get its load multiplied.
    #[must_use]
    pub const fn budget(self, budget: u32) -> Self {
        Self { budget, ..self }
    }

    /// Repeats a call that was denied (403), too.
    ///
    /// A permission that was just granted takes effect after up to two minutes: allow for more
    /// attempts, longer waits and a longer time in all, too.
    #[must_use]
    pub const fn retry_permission_denied(self) -> Self {
        Self {
            permission_denied: true,
            ..self
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// A clock and an alarm, so that time can be replaced in tests and on runtimes other than tokio.
pub trait Timer: Send + Sync {
    /// Returns the time since some fixed point. Never goes back.
    fn now(&self) -> Duration;

    /// Waits for `duration`, counted from the first poll.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The timer of tokio, which must run where the call is awaited.
#[derive(Clone, Debug)]
pub struct TokioTimer(Instant);

impl TokioTimer {
    /// Starts the clock.
    #[must_use]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for TokioTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer for TokioTimer {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // Not before the first poll: without a runtime it panics, and the transport has not yet
        // said why it cannot do anything here.
        Box::pin(async move { tokio::time::sleep(duration).await })
    }
}

/// A [`Transport`] that bounds the time of requests and repeats them.
pub struct Retrying<T> {
    inner: T,
    policy: RetryPolicy,
    timer: Arc<dyn Timer>,
    budget: Budget,
}

impl<T: Transport> Retrying<T> {
    /// Puts `policy` before `inner`.
    pub fn new(inner: T, policy: RetryPolicy, timer: Arc<dyn Timer>) -> Self {
        let budget = Budget::new(policy.budget);
        Self {
            inner,
            policy,
            timer,
            budget,
        }
    }

    async fn send_within(&self, request: &Request) -> Result<Response, KmsError> {
        let deadline = self.timer.now().saturating_add(self.policy.total_timeout);
        let mut attempt = 1;
        loop {
            let outcome = self.attempt(request, attempt, deadline).await;
            let again = self.may_repeat(request, &outcome) && attempt < self.policy.max_attempts;
            if !again {
                if attempt == 1 && outcome.as_ref().is_ok_and(|answer| answer.status() < 300) {
                    self.budget.put_back();
                }
                return with_attempts(outcome, attempt);
            }
            let wait = self.wait(attempt, &outcome);
            let left = deadline.saturating_sub(self.timer.now());
            // Without time for another attempt the last outcome says more than a time-out.
            if wait >= left || !self.budget.take() {
                return with_attempts(outcome, attempt);
            }
            trace::repeats(attempt, wait);
            drop(outcome);
            self.timer.sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        request: &Request,
        attempt: u32,
        deadline: Duration,
    ) -> Result<Response, KmsError> {
        let start = self.timer.now();
        let time = self
            .policy
            .attempt_timeout
            .min(deadline.saturating_sub(start));
        let outcome = self.bounded(self.inner.send(request), time).await;
        trace::attempted(attempt, self.timer.now().saturating_sub(start), &outcome);
        outcome
    }

    /// Polls the request before the alarm: an answer that is there is taken, however late.
    async fn bounded(
        &self,
        mut request: BoxFuture<'_, Result<Response, KmsError>>,
        time: Duration,
    ) -> Result<Response, KmsError> {
        let mut alarm = self.timer.sleep(time);
        poll_fn(|context| {
            if let Poll::Ready(outcome) = request.as_mut().poll(context) {
                return Poll::Ready(outcome);
            }
            alarm.as_mut().poll(context).map(|()| {
                let text = format!("no answer within {} ms", time.as_millis());
                Err(KmsError::new(KmsErrorKind::TimedOut).with_message(text))
            })
        })
        .await
    }

    fn may_repeat(&self, request: &Request, outcome: &Result<Response, KmsError>) -> bool {
        let safe = request.operation().is_repeatable();
        match outcome {
            // Refused for want of a permission: nothing was done.
            Ok(answer) if answer.status() == 403 => self.policy.permission_denied,
            Ok(answer) => safe && is_transient(answer.status()),
            Err(error) if error.kind() == KmsErrorKind::Unreachable => true,
            Err(error) => safe && error.is_retryable(),
        }
    }

    fn wait(&self, attempt: u32, outcome: &Result<Response, KmsError>) -> Duration {
        let factor = 2_u32.saturating_pow(attempt - 1);
        let longest = self.policy.base.saturating_mul(factor).min(self.policy.cap);
        let jitter = longest.mul_f64(random_fraction());
        let asked = outcome
            .as_ref()
            .ok()
            .and_then(Response::retry_after)
            .unwrap_or_default();
        asked.saturating_add(jitter)
    }
}

impl<T: Transport> Transport for Retrying<T> {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, KmsError>> {
        Box::pin(trace::in_span(request, self.send_within(request)))
    }
}

impl<T: fmt::Debug> fmt::Debug for Retrying<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrying")
            .field("inner", &self.inner)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

fn with_attempts(outcome: Result<Response, KmsError>, attempts: u32) -> Result<Response, KmsError> {
    match outcome {
        Ok(answer) => Ok(answer.with_attempts(attempts)),
        Err(error) => Err(error.with_attempts(attempts)),
    }
}

/// Draws from 0 to 1. Without randomness all wait equally long, which is no reason to fail.
fn random_fraction() -> f64 {
    let mut bytes = [0xff; 4];
    let _ = rng::fill_nonce(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

/// Repetitions that are left, in tenths.
struct Budget {
    tenths: Mutex<u32>,
    capacity: u32,
}

impl Budget {
    const ONE: u32 = 10;

    fn new(repetitions: u32) -> Self {
        let capacity = repetitions.saturating_mul(Self::ONE);
        Self {
            tenths: Mutex::new(capacity),
            capacity,
        }
    }

    fn take(&self) -> bool {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        let left = tenths.checked_sub(Self::ONE);
        *tenths = left.unwrap_or(*tenths);
        left.is_some()
    }

    fn put_back(&self) {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        *tenths = tenths.saturating_add(1).min(self.capacity);
    }
}
