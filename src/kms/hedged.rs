//! [`HedgedDecrypt`]: a second call when the first takes long.

use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    error::KmsError,
    remote::{BoxFuture, Decrypted, RemoteAead},
    timer::Timer,
};

/// A second call costs this many tenths of one, and each call earns one.
const COST: u32 = 10;
/// The second calls that may be saved up, in tenths.
const MOST_SAVED: u32 = 100;

/// A [`RemoteAead`] that makes a second call if a decryption takes longer than `delay`, and uses
/// the answer that comes first. It avoids the slowest answers at the cost of a few more calls.
///
/// In the long run, at most one in ten calls is repeated; the first ten repetitions are free. So a
/// service that has become slow is not called twice as often. Encryption is never repeated. The
/// second call may go to a key with the same material in another region.
///
/// # Example
/// ```
/// use std::{sync::Arc, time::Duration};
/// use keyseal::{KmsEnvelopeAead, kms::{HedgedDecrypt, LocalKek, Timer}};
///
/// # fn example(kek: LocalKek, timer: Arc<dyn Timer>) -> Result<(), keyseal::KeyError> {
/// // Choose the 95th percentile of the time that the service takes.
/// let kek = HedgedDecrypt::new(kek.clone(), kek, Duration::from_millis(120), timer);
/// let aead = KmsEnvelopeAead::new(kek, "AES256_GCM")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HedgedDecrypt<A, B> {
    first: A,
    second: B,
    delay: Duration,
    timer: Arc<dyn Timer>,
    saved: Arc<AtomicU32>,
}

impl<A, B> HedgedDecrypt<A, B> {
    /// Calls `first`, and after `delay` also `second`. Both may be the same key.
    pub fn new(first: A, second: B, delay: Duration, timer: Arc<dyn Timer>) -> Self {
        Self {
            first,
            second,
            delay,
            timer,
            saved: Arc::new(AtomicU32::new(MOST_SAVED)),
        }
    }

    fn earn(&self) {
        let earned = |saved: u32| (saved < MOST_SAVED).then_some(saved + 1);
        let _ = self
            .saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, earned);
    }

    fn spend(&self) -> bool {
        let spent = |saved: u32| saved.checked_sub(COST);
        self.saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent)
            .is_ok()
    }
}

impl<A: RemoteAead, B: RemoteAead> HedgedDecrypt<A, B> {
    async fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Decrypted, KmsError> {
        self.earn();
        let mut first = Some(self.first.decrypt_with_refresh(ciphertext, associated_data));
        let mut second = None;
        let mut alarm = Some(self.timer.sleep(self.delay));
        let mut failure = None;
        poll_fn(|context| {
            if let Some(sleep) = &mut alarm
                && sleep.as_mut().poll(context).is_ready()
            {
                alarm = None;
                second = self.spend().then(|| {
                    self.second
                        .decrypt_with_refresh(ciphertext, associated_data)
                });
            }
            if let Some(outcome) = poll(&mut first, context) {
                match outcome {
                    // An outage of the first call says nothing about the second.
                    Err(error) if error.kind().is_outage() => failure = Some(error),
                    outcome => return Poll::Ready(outcome),
                }
            }
            match poll(&mut second, context) {
                Some(Ok(decrypted)) => return Poll::Ready(Ok(decrypted)),
                Some(Err(error)) => {
                    failure.get_or_insert(error);
                }
                None => {}
            }
            match failure.take_if(|_| first.is_none() && second.is_none()) {
                Some(error) => Poll::Ready(Err(error)),
                None => Poll::Pending,
            }
        })
        .await
    }
}

/// Polls a call, and forgets it when it is done.
fn poll<T>(call: &mut Option<BoxFuture<'_, T>>, context: &mut Context<'_>) -> Option<T> {
    match call.as_mut()?.as_mut().poll(context) {
        Poll::Ready(outcome) => {
            *call = None;
            Some(outcome)
        }
        Poll::Pending => None,
    }
}

impl<A: RemoteAead, B: RemoteAead> RemoteAead for HedgedDecrypt<A, B> {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.first.encrypt(plaintext, associated_data)
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            let decrypted = self.open(ciphertext, associated_data).await?;
            Ok(decrypted.into_plaintext())
        })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        Box::pin(self.open(ciphertext, associated_data))
    }
}

impl<A: fmt::Debug, B> fmt::Debug for HedgedDecrypt<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgedDecrypt")
            .field("first", &self.first)
            .field("delay", &self.delay)
            .finish_non_exhaustive()
    }
}
