//! Messages that are too long for one poll: a blocking thread of the runtime encrypts them.

use std::{cell::Cell, panic::resume_unwind, sync::Arc};

use tokio::{runtime::Handle, task};

use crate::{
    error::{KmsError, KmsErrorKind},
    key::PrefixedAead,
    primitive::Aead as _,
    secret::Wiped,
};

/// Bytes that every cipher gets through in a few milliseconds, and the fastest in less time than
/// it takes to hand them to another thread.
const IN_POLL: usize = 256 << 10;

/// Bytes that are copied in one poll.
const SLICE: usize = 1 << 20;

thread_local! {
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Polls what may take long, on a thread that waits for nothing else.
#[cfg(feature = "blocking")]
pub(crate) fn on_blocking_thread<T>(poll: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            MAY_BLOCK.set(self.0);
        }
    }
    let _restore = Restore(MAY_BLOCK.replace(true));
    poll()
}

/// Returns the runtime whose blocking threads take a message of this size, or `None` if the message
/// is short, there is no runtime, or this thread may block.
pub(super) fn runtime_for(size: usize) -> Option<Handle> {
    if size <= IN_POLL || MAY_BLOCK.get() {
        return None;
    }
    Handle::try_current().ok()
}

/// Encrypts, and appends to `head`.
pub(super) async fn encrypt(
    runtime: Handle,
    aead: Arc<PrefixedAead>,
    head: Vec<u8>,
    plaintext: &[u8],
    associated_data: &[u8],
) -> Result<Vec<u8>, KmsError> {
    let size = (head.len() + aead.overhead()).saturating_add(plaintext.len());
    let mut message = copy(plaintext, size).await;
    let associated_data = copy(associated_data, associated_data.len()).await;
    on_thread(runtime, move || {
        let buffer = message.as_mut_vec();
        aead.encrypt_in_place(buffer, &associated_data)?;
        let payload = buffer.len();
        buffer.resize(payload + head.len(), 0);
        buffer.copy_within(..payload, head.len());
        buffer.split_at_mut(head.len()).0.copy_from_slice(&head);
        Ok(message)
    })
    .await
}

pub(super) async fn decrypt(
    runtime: Handle,
    aead: Arc<PrefixedAead>,
    ciphertext: &[u8],
    associated_data: &[u8],
) -> Result<Vec<u8>, KmsError> {
    let mut message = copy(ciphertext, ciphertext.len()).await;
    let associated_data = copy(associated_data, associated_data.len()).await;
    on_thread(runtime, move || {
        aead.decrypt_in_place(message.as_mut_vec(), &associated_data)?;
        Ok(message)
    })
    .await
}

/// Copies bytes into memory for `capacity` of them, and lets other tasks run meanwhile.
async fn copy(bytes: &[u8], capacity: usize) -> Wiped {
    let mut copied = Wiped::with_capacity(capacity);
    for slice in bytes.chunks(SLICE) {
        copied.as_mut_vec().extend_from_slice(slice);
        if bytes.len() > SLICE {
            task::yield_now().await;
        }
    }
    copied
}

async fn on_thread(
    runtime: Handle,
    work: impl FnOnce() -> Result<Wiped, KmsError> + Send + 'static,
) -> Result<Vec<u8>, KmsError> {
    // Where the caller has given up meanwhile, the result is dropped there, and so wiped.
    let done = runtime.spawn_blocking(work).await;
    let stopped = || KmsError::new(KmsErrorKind::Local).with_message("the runtime was shut down");
    match done {
        Ok(done) => Ok(done?.into_vec()),
        // A panic of the cipher is the caller's, as it would be on the caller's thread.
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => Err(stopped()),
    }
}
