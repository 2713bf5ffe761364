//! Keys that wrap other keys, and say which of their versions wrapped one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyseal::{BoxFuture, KmsError, RemoteAead};
use zeroize::Zeroizing;

/// A plaintext, and the version that its ciphertext is under.
pub(crate) struct Unwrapped {
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    pub(crate) age: Age,
}

/// The version of a key that a ciphertext is under.
pub(crate) enum Age {
    /// The version that encrypts now.
    Newest,
    /// An older version. The service encrypted the plaintext again; this is the new ciphertext.
    Refreshed(Vec<u8>),
    /// An older version.
    Older,
}

/// A key that can tell which of its versions made a ciphertext.
pub(crate) trait WrappingKey: RemoteAead {
    fn unwrap<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Unwrapped, KmsError>>;
}

/// Remembers the last decryption of a key. A service then need not re-encrypt a data key that is
/// already under its newest version.
pub(crate) struct Witness {
    key: Arc<dyn WrappingKey>,
    last: Mutex<Option<Unwrapped>>,
}

impl Witness {
    pub(crate) fn of(key: Arc<dyn WrappingKey>) -> Self {
        Self {
            key,
            last: Mutex::default(),
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Unwrapped>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the last ciphertext was under the version that encrypts now.
    pub(crate) fn saw_newest(&self) -> bool {
        matches!(
            &*self.last(),
            Some(Unwrapped {
                age: Age::Newest,
                ..
            })
        )
    }
}

impl RemoteAead for Witness {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        if let Some(Unwrapped {
            plaintext: known,
            age: Age::Refreshed(ciphertext),
        }) = &*self.last()
            && **known == plaintext
        {
            let ciphertext = ciphertext.clone();
            return Box::pin(async move { Ok(ciphertext) });
        }
        self.key.encrypt(plaintext, associated_data)
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            *self.last() = None;
            let unwrapped = self.key.unwrap(ciphertext, associated_data).await?;
            let plaintext = unwrapped.plaintext.to_vec();
            *self.last() = Some(unwrapped);
            Ok(plaintext)
        })
    }
}
