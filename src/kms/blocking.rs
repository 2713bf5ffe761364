//! Remote calls for programs without an asynchronous runtime.
//!
//! # Example
//! ```no_run
//! use keyseal::kms::{blocking::{BlockingAead, Worker}, scaleway::ScalewayClient};
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

use crate::{error::KmsError, remote::RemoteAead};

/// A thread that does the waiting of futures: for sockets and for time.
///
/// The future itself is polled by the thread that calls [`run`](Self::run), so it may borrow. Safe
/// to call anywhere, from inside a runtime too: that neither panics nor deadlocks, though it holds
/// up the thread it is called on, as every blocking call does.
///
/// The thread ends when the last clone is dropped. A client that was used with one worker keeps
/// its connections there: use it with that one.
#[derive(Clone)]
pub struct Worker(Arc<Running>);

struct Running {
    handle: Handle,
    /// Nothing is ever sent: that it is dropped ends the thread.
    _stop: oneshot::Sender<Infallible>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`io::Error`] when the system has no thread or no descriptors left.
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
                // Drives what `run` waits for, until the sender is gone.
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
        // Inside a task of another runtime, that task's share of polls would run out, and with it
        // everything this future waits for.
        let mut future = pin!(tokio::task::unconstrained(future));
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
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

/// Wakes one thread. The flag tells its wake-up from those of others that park the same thread.
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

/// A [`RemoteAead`] whose calls wait for their answers.
#[derive(Clone)]
pub struct BlockingAead {
    worker: Worker,
    remote: Arc<dyn RemoteAead>,
}

impl BlockingAead {
    /// Has `worker` wait for `remote`.
    pub fn new(worker: &Worker, remote: impl RemoteAead + 'static) -> Self {
        Self {
            worker: worker.clone(),
            remote: Arc::new(remote),
        }
    }

    /// Encrypts `plaintext`.
    ///
    /// # Errors
    /// [`KmsError`]: as [`RemoteAead::encrypt`].
    pub fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KmsError> {
        self.worker
            .run(self.remote.encrypt(plaintext, associated_data))
    }

    /// Decrypts `ciphertext`.
    ///
    /// # Errors
    /// [`KmsError`]: as [`RemoteAead::decrypt`].
    pub fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KmsError> {
        self.worker
            .run(self.remote.decrypt(ciphertext, associated_data))
    }
}

impl fmt::Debug for BlockingAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingAead")
    }
}
