//! [`CircuitBreaker`]: no calls to a service that does not answer.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    error::{KmsError, KmsErrorKind},
    remote::{BoxFuture, Decrypted, RemoteAead},
    rng,
    timer::Timer,
};

/// When a [`CircuitBreaker`] opens, and for how long.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use keyseal::kms::BreakerPolicy;
///
/// let policy = BreakerPolicy::new().failures(10).open_for(Duration::from_secs(1), Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct BreakerPolicy {
    failures: u32,
    open_for: Duration,
    longest: Duration,
}

impl BreakerPolicy {
    /// Opens after 5 failures in a row: for 2 seconds, doubled with each trial that fails, up to 30
    /// seconds. Up to half of each pause is left out at random, so that processes do not try at the
    /// same time.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            failures: 5,
            open_for: Duration::from_secs(2),
            longest: Duration::from_secs(30),
        }
    }

    /// Sets after how many failures in a row it opens. 0 counts as 1.
    #[must_use]
    pub const fn failures(self, failures: u32) -> Self {
        Self { failures, ..self }
    }

    /// Sets for how long it opens at first, and at most.
    #[must_use]
    pub const fn open_for(self, open_for: Duration, longest: Duration) -> Self {
        Self {
            open_for,
            longest,
            ..self
        }
    }

    fn time_open(&self, openings: u32) -> Duration {
        let doubled = self.open_for.saturating_mul(2_u32.saturating_pow(openings));
        doubled
            .min(self.longest)
            .mul_f64(0.5 + rng::fraction() / 2.0)
    }
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// The state of a [`CircuitBreaker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go to the service.
    Closed,
    /// Calls fail at once.
    Open,
    /// The next call, or one in progress, tries the service again. The others fail at once.
    HalfOpen,
}

/// A [`RemoteAead`] that makes no calls while the service is down: they fail at once with
/// [`KmsErrorKind::Unavailable`], instead of each waiting until it times out.
///
/// Only outages count as failures ([`KmsErrorKind::is_outage`]): a refusal is an answer. After a
/// while one call tries the service again, and its success lets the others through. Put it around
/// the key-encryption key, inside an envelope and its cache. Clones share their state.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use keyseal::{KeysetHandle, KmsEnvelopeAead, kms::{BreakerPolicy, CircuitBreaker, LocalKek, Timer}};
///
/// # fn example(timer: Arc<dyn Timer>) -> Result<(), Box<dyn std::error::Error>> {
/// // In production: ScalewayClient::from_env()?.key(&uri)?, and a TokioTimer.
/// let kek = LocalKek::new(&KeysetHandle::generate("AES256_GCM")?)?;
/// let kek = CircuitBreaker::new(kek, BreakerPolicy::new(), timer);
/// let aead = KmsEnvelopeAead::new(kek, "AES256_GCM")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CircuitBreaker<R>(Arc<Inner<R>>);

struct Inner<R> {
    aead: R,
    policy: BreakerPolicy,
    timer: Arc<dyn Timer>,
    circuit: Mutex<Circuit>,
}

#[derive(Default)]
struct Circuit {
    /// In a row.
    failures: u32,
    /// Since the last success.
    openings: u32,
    open_until: Option<Duration>,
    is_tried: bool,
    last: Option<KmsError>,
}

/// The right to make one call. When it is dropped without an outcome, another may try.
struct Permit<'c, R> {
    breaker: &'c Inner<R>,
    is_trial: bool,
}

impl<R> CircuitBreaker<R> {
    /// Watches the calls of `aead`.
    pub fn new(aead: R, policy: BreakerPolicy, timer: Arc<dyn Timer>) -> Self {
        Self(Arc::new(Inner {
            aead,
            policy,
            timer,
            circuit: Mutex::default(),
        }))
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        let now = self.0.timer.now();
        match self.0.circuit().open_until {
            None => BreakerState::Closed,
            Some(until) if now < until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }
}

impl<R> Inner<R> {
    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permit(&self) -> Result<Permit<'_, R>, KmsError> {
        let mut circuit = self.circuit();
        let is_trial = match circuit.open_until {
            None => false,
            Some(until) if self.timer.now() >= until && !circuit.is_tried => {
                circuit.is_tried = true;
                true
            }
            Some(_) => {
                let error = KmsError::new(KmsErrorKind::Unavailable)
                    .with_attempts(0)
                    .with_message("it did not answer the last calls, and is tried again soon");
                return Err(match circuit.last.clone() {
                    Some(last) => error.with_source(last),
                    None => error,
                });
            }
        };
        Ok(Permit {
            breaker: self,
            is_trial,
        })
    }

    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, KmsError>> + Send,
    ) -> Result<T, KmsError>
    where
        R: Sync,
    {
        let permit = self.permit()?;
        let outcome = call.await;
        let mut circuit = self.circuit();
        match &outcome {
            Err(error) if error.kind().is_outage() => {
                circuit.failures = circuit.failures.saturating_add(1);
                circuit.last = Some(error.clone());
                // Calls that started before it opened do not prolong it.
                let opens =
                    circuit.open_until.is_none() && circuit.failures >= self.policy.failures.max(1);
                if opens || permit.is_trial {
                    let time = self.policy.time_open(circuit.openings);
                    circuit.openings = circuit.openings.saturating_add(1);
                    circuit.open_until = Some(self.timer.now().saturating_add(time));
                }
            }
            // Any answer will do.
            _ if permit.is_trial || circuit.open_until.is_none() => *circuit = Circuit::default(),
            _ => {}
        }
        drop(circuit);
        drop(permit);
        outcome
    }
}

impl<R> Drop for Permit<'_, R> {
    fn drop(&mut self) {
        if self.is_trial {
            self.breaker.circuit().is_tried = false;
        }
    }
}

impl<R: RemoteAead> RemoteAead for CircuitBreaker<R> {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(
            self.0
                .call(async { self.0.aead.encrypt(plaintext, associated_data).await }),
        )
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(
            self.0
                .call(async { self.0.aead.decrypt(ciphertext, associated_data).await }),
        )
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        Box::pin(self.0.call(async {
            let decrypted = self
                .0
                .aead
                .decrypt_with_refresh(ciphertext, associated_data);
            decrypted.await
        }))
    }
}

impl<R> fmt::Debug for CircuitBreaker<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("state", &self.state())
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}
