//! [`Retrying`]: time-outs and retries.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{request::HttpRequest, response::HttpResponse, trace, transport::Transport};
use crate::{
    error::{KmsError, KmsErrorKind},
    remote::BoxFuture,
    rng,
    timer::Timer,
};

/// The default number of concurrent requests.
const MAX_IN_FLIGHT: usize = 64;
/// The base of the wait after 429: rate limits are counted by the second or longer.
const RATE_LIMITED_BASE: Duration = Duration::from_secs(1);

/// How long a call may take, and how often we try it.
///
/// A request that is safe to repeat is retried if the connection failed or broke, if the answer was
/// late, or if its status is 429, 500, 502, 503 or 504. Other requests are retried only if no part
/// of them was sent.
///
/// The wait before retry *n* is random, between half and all of `base · 2ⁿ⁻¹`, and never longer
/// than `cap`. After 429 the base is at least a second. The time that the service asks for in
/// `Retry-After` is added.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use keyseal::kms::client::RetryPolicy;
///
/// let interactive = RetryPolicy::new()
///     .attempt_timeout(Duration::from_secs(5))
///     .total_timeout(Duration::from_secs(10));
/// let once = RetryPolicy::new().max_attempts(1);
/// let thousands_of_files = RetryPolicy::patient();
/// # let _ = (interactive, once, thousands_of_files);
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
    outlasts_rate_limits: bool,
}

impl RetryPolicy {
    /// For an interactive caller: 4 attempts within 60 seconds, each for 30 seconds at most, with
    /// waits of up to 200 ms at first and 5 seconds at last, and a budget of 100 retries.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_attempts: 4,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(60),
            budget: 100,
            permission_denied: false,
            outlasts_rate_limits: false,
        }
    }

    /// For a run over many files, where a failure costs more than a wait: 8 attempts within 10
    /// minutes, and no budget.
    ///
    /// An answer of 429 does not count as an attempt. The service accepts calls again once its rate
    /// limit allows, so the call waits for its turn until the 10 minutes are over.
    #[must_use]
    pub const fn patient() -> Self {
        Self {
            max_attempts: 8,
            total_timeout: Duration::from_secs(600),
            budget: u32::MAX,
            outlasts_rate_limits: true,
            ..Self::new()
        }
    }

    /// Sets how often a request is sent, including the first time. 0 counts as 1.
    ///
    /// This also applies to answers of 429, whatever the policy said about them before.
    #[must_use]
    pub const fn max_attempts(self, max_attempts: u32) -> Self {
        Self {
            max_attempts,
            outlasts_rate_limits: false,
            ..self
        }
    }

    /// Sets the longest wait before the first retry, and the longest before any.
    #[must_use]
    pub const fn backoff(self, base: Duration, cap: Duration) -> Self {
        Self { base, cap, ..self }
    }

    /// Sets how long one attempt may take, from the connection to the last byte of the answer.
    ///
    /// Time in the queue of [`max_in_flight`](Retrying::max_in_flight) does not
    /// count.
    #[must_use]
    pub const fn attempt_timeout(self, attempt_timeout: Duration) -> Self {
        Self {
            attempt_timeout,
            ..self
        }
    }

    /// Sets how long a call may take in total: all attempts, waits and time in the queue.
    ///
    /// For a list this covers all pages together.
    #[must_use]
    pub const fn total_timeout(self, total_timeout: Duration) -> Self {
        Self {
            total_timeout,
            ..self
        }
    }

    /// Sets how many retries all calls of a client share.
    ///
    /// Each retry takes one from the budget, and each call that succeeds at its first attempt adds
    /// a tenth. So we do not multiply the load on a service that is down.
    #[must_use]
    pub const fn budget(self, budget: u32) -> Self {
        Self { budget, ..self }
    }

    /// Also retries a call that was denied (403).
    ///
    /// A new permission can take up to two minutes to take effect: also allow more attempts, longer
    /// waits and a longer total time.
    #[must_use]
    pub const fn retry_permission_denied(self) -> Self {
        Self {
            permission_denied: true,
            ..self
        }
    }

    /// Returns the wait before retry number `repetition`, which starts at 1.
    fn wait(&self, repetition: u32, rate_limited: bool, asked: Duration) -> Duration {
        let base = match rate_limited {
            true => self.base.max(RATE_LIMITED_BASE),
            false => self.base,
        };
        let factor = 2_u32.saturating_pow(repetition.saturating_sub(1));
        let longest = base.saturating_mul(factor).min(self.cap);
        asked.saturating_add(longest.mul_f64(0.5 + rng::fraction() / 2.0))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Transport`] that limits time and concurrency, and retries requests.
pub struct Retrying<T> {
    inner: T,
    policy: RetryPolicy,
    timer: Arc<dyn Timer>,
    budget: Budget,
    in_flight: Semaphore,
}

impl<T: Transport> Retrying<T> {
    /// Applies `policy` to `inner`, with 64 concurrent requests.
    pub fn new(inner: T, policy: RetryPolicy, timer: Arc<dyn Timer>) -> Self {
        let budget = Budget::new(policy.budget);
        Self {
            inner,
            policy,
            timer,
            budget,
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
        }
    }

    /// Sets how many requests may run at a time: at least 1. Others wait. Time in this queue counts
    /// towards the call, not the attempt.
    #[must_use]
    pub fn max_in_flight(self, max_in_flight: usize) -> Self {
        let permits = max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            in_flight: Semaphore::new(permits),
            ..self
        }
    }

    /// Returns when a call that starts now must have ended, by the timer's clock.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline_in(self.policy.total_timeout)
    }

    pub(crate) fn deadline_in(&self, time: Duration) -> Duration {
        self.timer.now().saturating_add(time)
    }

    async fn send_within(&self, request: &HttpRequest) -> Result<HttpResponse, KmsError> {
        let deadline = self
            .deadline()
            .min(request.deadline().unwrap_or(Duration::MAX));
        let mut last = None;
        let (mut sent, mut counted) = (0_u32, 0);
        loop {
            // Hold a place in the queue only during an attempt, never while waiting for the next
            // one.
            let Some(place) = self.place(deadline).await else {
                return last.unwrap_or_else(|| Err(not_sent()));
            };
            sent += 1;
            let outcome = self.attempt(request, sent, deadline).await;
            drop(place);
            let rate_limited = matches!(&outcome, Ok(answer) if answer.status() == 429);
            if !(rate_limited && self.policy.outlasts_rate_limits) {
                counted += 1;
            }
            let again = self.may_repeat(request, &outcome) && counted < self.policy.max_attempts;
            if !again {
                if sent == 1 && outcome.as_ref().is_ok_and(|answer| answer.status() < 300) {
                    self.budget.put_back();
                }
                return with_attempts(outcome, sent);
            }
            let asked = outcome.as_ref().ok().and_then(HttpResponse::retry_after);
            let wait = self
                .policy
                .wait(sent, rate_limited, asked.unwrap_or_default());
            let left = deadline.saturating_sub(self.timer.now());
            // If there is no time for another attempt, the last outcome says more than a time-out.
            if wait >= left || !self.budget.take() {
                return with_attempts(outcome, sent);
            }
            trace::repeats(sent, wait);
            last = Some(with_attempts(outcome, sent));
            self.timer.sleep(wait).await;
        }
    }

    /// Waits for a place among the running requests. `None` if the time runs out first.
    async fn place(&self, deadline: Duration) -> Option<SemaphorePermit<'_>> {
        let left = deadline.saturating_sub(self.timer.now());
        if left.is_zero() {
            return None;
        }
        match self.in_flight.try_acquire() {
            Ok(place) => Some(place),
            Err(_) => self.bounded(self.in_flight.acquire(), left).await?.ok(),
        }
    }

    async fn attempt(
        &self,
        request: &HttpRequest,
        attempt: u32,
        deadline: Duration,
    ) -> Result<HttpResponse, KmsError> {
        let start = self.timer.now();
        let time = self
            .policy
            .attempt_timeout
            .min(deadline.saturating_sub(start));
        let outcome = self.bounded(self.inner.send(request), time).await;
        let outcome = outcome.unwrap_or_else(|| {
            let text = format!("no answer within {} ms", time.as_millis());
            Err(KmsError::new(KmsErrorKind::TimedOut).with_message(text))
        });
        trace::attempted(attempt, self.timer.now().saturating_sub(start), &outcome);
        outcome
    }

    /// Polls the future before the alarm: a finished outcome is returned, however late.
    async fn bounded<F: Future>(&self, future: F, time: Duration) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut alarm = self.timer.sleep(time);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => alarm.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    fn may_repeat(&self, request: &HttpRequest, outcome: &Result<HttpResponse, KmsError>) -> bool {
        let safe = request.is_repeatable();
        match outcome {
            // It was refused for lack of a permission: it had no effect.
            Ok(answer) if answer.status() == 403 => self.policy.permission_denied,
            Ok(answer) => safe && is_transient(answer.status()),
            Err(error) if error.kind() == KmsErrorKind::Unreachable => true,
            Err(error) => safe && error.is_retryable(),
        }
    }
}

impl<T: Transport> Transport for Retrying<T> {
    fn send<'a>(
        &'a self,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
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

fn with_attempts(
    outcome: Result<HttpResponse, KmsError>,
    attempts: u32,
) -> Result<HttpResponse, KmsError> {
    match outcome {
        Ok(answer) => Ok(answer.with_attempts(attempts)),
        Err(error) => Err(error.with_attempts(attempts)),
    }
}

fn not_sent() -> KmsError {
    KmsError::new(KmsErrorKind::NotSent).with_attempts(0)
}

/// Returns whether the same request may get a different answer a little later.
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// The remaining retries, in tenths.
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
