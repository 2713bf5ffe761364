//! Remote calls for programs without an asynchronous runtime.
//!
//! # Example
//! ```no_run
//! use keyseal::{Aead, kms::{blocking::{BlockingAead, Worker}, scaleway::ScalewayClient}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let worker = Worker::new()?;
//! let client = ScalewayClient::from_env()?;
//! let uri = "scw-kms://regions/fr-par/keys/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10".parse()?;
//! let key = client.key(&uri)?;
//! println!("{}", worker.run(key.get())?.name());
//!
//! let kek = BlockingAead::new(&worker, key);
//! let ciphertext = kek.encrypt(b"attack at dawn", b"letter 7")?;
//! assert_eq!(kek.decrypt(&ciphertext, b"letter 7")?, b"attack at dawn");
//! # Ok(())
//! # }
//! ```

use std::{
    convert::Infallible,
    fmt, io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};
use zeroize::Zeroizing;

use crate::{
    envelope::on_blocking_thread,
    error::{DecryptError, EncryptError},
    primitive::Aead,
    remote::RemoteAead,
};

/// A thread that waits for sockets and timers, for futures.
///
/// The future itself is polled by the thread that calls [`run`](Self::run), so it may borrow. You
/// can call it anywhere, even inside a runtime: it neither panics nor deadlocks there, though it
/// blocks the current thread like every blocking call.
///
/// The thread ends when the last clone is dropped. A client keeps its connections on the worker
/// that it was first used with, so always use it with the same one.
#[derive(Clone)]
pub struct Worker(Arc<Running>);

struct Running {
    handle: Handle,
    /// Nothing is ever sent: dropping it ends the thread.
    _stop: oneshot::Sender<Infallible>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`io::Error`] if the system has no threads or descriptors left.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("keyseal-kms".to_owned())
            .spawn(move || {
                // Drives the I/O and timers that `run` waits for, until the sender is dropped.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self(Arc::new(Running {
            handle,
            _stop: stop,
        })))
    }

    /// Waits until `future` is done.
    ///
    /// # Example
    /// ```
    /// use keyseal::kms::blocking::Worker;
    ///
    /// let text = String::from("borrowed");
    /// let size = Worker::new()?.run(async { text.len() });
    /// assert_eq!(size, 8);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let _context = self.0.handle.enter();
        let wakeup = Arc::new(Wakeup {
            thread: thread::current(),
            due: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&wakeup));
        // Inside a task of another runtime, that task's cooperative budget would run out and stop
        // everything that this future waits for.
        let mut future = pin!(tokio::task::unconstrained(future));
        loop {
            let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(output) = on_blocking_thread(poll) {
                return output;
            }
            wakeup.wait();
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}

/// Wakes one thread. The flag tells its wake-up from that of others who unpark the same thread.
struct Wakeup {
    thread: Thread,
    due: AtomicBool,
}

impl Wakeup {
    fn wait(&self) {
        while !self.due.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.due.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Makes an ordinary [`Aead`] from a [`RemoteAead`]: each call blocks until its answer arrives.
///
/// The line that encrypts is then the same for a local key, for a service's key, for an envelope
/// and for a whole keyset of them. If a service fails to answer, [`EncryptError::Kms`] and
/// [`DecryptError::kms_error`] give the reason.
///
/// # Example
/// ```
/// use keyseal::{
///     Aead, KeysetAead, KeysetHandle, KmsEnvelopeAead,
///     kms::{LocalAead, blocking::{BlockingAead, Worker}},
/// };
///
/// # let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
/// // In production: ScalewayClient::from_env()?.key(&uri)?
/// let kek = LocalAead::new(kek);
/// let aead = BlockingAead::new(&Worker::new()?, KmsEnvelopeAead::new(kek, "AES256_GCM")?);
/// let ciphertext = aead.encrypt(b"attack at dawn", b"letter 7")?;
/// assert_eq!(aead.decrypt(&ciphertext, b"letter 7")?, b"attack at dawn");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BlockingAead {
    worker: Worker,
    remote: Arc<dyn RemoteAead>,
}

impl BlockingAead {
    /// Makes `worker` wait for `remote`.
    pub fn new(worker: &Worker, remote: impl RemoteAead + 'static) -> Self {
        Self {
            worker: worker.clone(),
            remote: Arc::new(remote),
        }
    }
}

impl Aead for BlockingAead {
    fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError> {
        self.worker
            .run(self.remote.encrypt(plaintext, associated_data))
            .map_err(EncryptError::Kms)
    }

    fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError> {
        Ok(self
            .worker
            .run(self.remote.decrypt(ciphertext, associated_data))?)
    }

    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        out.append(&mut self.encrypt(plaintext, associated_data)?);
        Ok(())
    }

    fn decrypt_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        let plaintext = Zeroizing::new(self.decrypt(ciphertext, associated_data)?);
        out.extend_from_slice(&plaintext);
        Ok(())
    }
}

impl fmt::Debug for BlockingAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingAead")
    }
}
