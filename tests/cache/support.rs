//! A clock that the test moves, and a key-encryption key that counts and fails on demand.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use keyseal::{
    BoxFuture, Decrypted, KeysetHandle, KmsError, KmsErrorKind, RemoteAead,
    kms::{LocalKek, Timer},
};
use tokio::sync::Semaphore;

/// A clock that stands still until the test moves it.
#[derive(Clone, Default)]
pub(crate) struct ManualTimer(Arc<Mutex<Clock>>);

#[derive(Default)]
struct Clock {
    now: Duration,
    sleepers: Vec<(Duration, Waker)>,
}

impl ManualTimer {
    pub(crate) fn shared() -> Arc<Self> {
        let timer = Self::default();
        // A time of zero would hide mistakes.
        timer.advance(Duration::from_secs(1000));
        Arc::new(timer)
    }

    pub(crate) fn advance(&self, time: Duration) {
        let mut clock = self.0.lock().unwrap();
        clock.now += time;
        let now = clock.now;
        let (due, rest) = clock.sleepers.drain(..).partition(|(at, _)| *at <= now);
        clock.sleepers = rest;
        drop(clock);
        let due: Vec<(Duration, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// The number of tasks that sleep.
    pub(crate) fn sleepers(&self) -> usize {
        self.0.lock().unwrap().sleepers.len()
    }
}

impl Timer for ManualTimer {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.0.clone();
        let mut until = None;
        Box::pin(poll_fn(move |context| {
            let mut clock = clock.lock().unwrap();
            let until = *until.get_or_insert(clock.now + duration);
            if clock.now >= until {
                return Poll::Ready(());
            }
            clock.sleepers.push((until, context.waker().clone()));
            Poll::Pending
        }))
    }
}

/// A key-encryption key that counts its calls, fails and waits on demand.
#[derive(Clone)]
pub(crate) struct Kek {
    key: LocalKek,
    pub(crate) state: Arc<State>,
}

pub(crate) struct State {
    encryptions: AtomicUsize,
    decryptions: AtomicUsize,
    fails: Mutex<Option<KmsErrorKind>>,
    /// Calls that may go on, if they are held.
    gate: Mutex<Option<Arc<Semaphore>>>,
}

impl Kek {
    pub(crate) fn new() -> Self {
        Self::of(&KeysetHandle::generate("AES256_GCM").unwrap())
    }

    pub(crate) fn of(keyset: &KeysetHandle) -> Self {
        Self {
            key: LocalKek::new(keyset).unwrap(),
            state: Arc::new(State {
                encryptions: AtomicUsize::new(0),
                decryptions: AtomicUsize::new(0),
                fails: Mutex::default(),
                gate: Mutex::default(),
            }),
        }
    }

    pub(crate) fn fail(&self, kind: impl Into<Option<KmsErrorKind>>) {
        *self.state.fails.lock().unwrap() = kind.into();
    }

    /// Holds every call until a permit is added.
    pub(crate) fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.state.gate.lock().unwrap() = Some(gate.clone());
        gate
    }

    pub(crate) fn encryptions(&self) -> usize {
        self.state.encryptions.load(Ordering::Relaxed)
    }

    pub(crate) fn decryptions(&self) -> usize {
        self.state.decryptions.load(Ordering::Relaxed)
    }

    async fn pass(&self) -> Result<(), KmsError> {
        let gate = self.state.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        let fails = *self.state.fails.lock().unwrap();
        fails.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl RemoteAead for Kek {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            self.state.encryptions.fetch_add(1, Ordering::Relaxed);
            self.pass().await?;
            self.key.encrypt(plaintext, associated_data).await
        })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            let decrypted = self.decrypt_with_refresh(ciphertext, associated_data);
            Ok(decrypted.await?.into_plaintext())
        })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        Box::pin(async move {
            self.state.decryptions.fetch_add(1, Ordering::Relaxed);
            self.pass().await?;
            self.key
                .decrypt_with_refresh(ciphertext, associated_data)
                .await
        })
    }
}

/// Polls once, and expects the end.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Lets all other tasks of a current-thread runtime go on.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
