//! [`StoreKek`]: the key-encryption key of a store, found when it is first needed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keyseal::{
    Aead as _, BoxFuture, KeysetAead, KeysetHandle, KmsError, KmsErrorKind, RemoteAead,
    keyset::Format, kms::KmsClients,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::place::KeysetPlace;

/// How long new objects are wrapped with a keyset that was rotated meanwhile.
const REREAD_AFTER: Duration = Duration::from_secs(5 * 60);
/// How often a keyset is read again at most, if headers do not open under it.
const REREAD_AT_MOST: Duration = Duration::from_secs(1);
/// How long a refusal of the key service is remembered: the tasks of one query ask it once.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// A key of a service that wraps the keys of objects: each is a call.
pub(crate) struct DirectKek {
    pub(crate) kms: KmsClients,
    pub(crate) uri: String,
}

/// A keyset that wraps the keys of objects, itself encrypted under a key of a service.
///
/// It is unwrapped once, by the first object. A header that does not open under it may be of a
/// process that has a newer keyset: then it is read again.
pub(crate) struct KeysetKek {
    kek: DirectKek,
    place: KeysetPlace,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keyset: Option<Current>,
    refused: Option<(Instant, KmsError)>,
}

struct Current {
    encrypted: Vec<u8>,
    keys: Arc<KeysetAead>,
    read_at: Instant,
}

impl KeysetKek {
    pub(crate) fn new(kek: DirectKek, place: KeysetPlace) -> Self {
        Self {
            kek,
            place,
            state: Mutex::default(),
        }
    }

    /// Returns the keyset, as it was at most `age` ago. All who wait for it make one call.
    async fn keys(&self, age: Duration) -> Result<Arc<KeysetAead>, KmsError> {
        let mut state = self.state.lock().await;
        if let Some((at, error)) = &state.refused
            && at.elapsed() < REFUSED_FOR
        {
            return Err(error.clone());
        }
        if let Some(current) = &state.keyset
            && current.read_at.elapsed() < age
        {
            return Ok(Arc::clone(&current.keys));
        }
        match (self.read(&mut state).await, &mut state.keyset) {
            (Ok(keys), _) => Ok(keys),
            // The old keyset opens what it opened.
            (Err(_), Some(current)) => {
                current.read_at = Instant::now();
                Ok(Arc::clone(&current.keys))
            }
            (Err(error), None) => {
                if !error.is_retryable() {
                    state.refused = Some((Instant::now(), error.clone()));
                }
                Err(error)
            }
        }
    }

    async fn read(&self, state: &mut MutexGuard<'_, State>) -> Result<Arc<KeysetAead>, KmsError> {
        let encrypted = self.place.read().await?;
        let read_at = Instant::now();
        if let Some(current) = &mut state.keyset
            && current.encrypted == encrypted
        {
            current.read_at = read_at;
            return Ok(Arc::clone(&current.keys));
        }
        let kek = self.kek.find()?;
        let format = Format::detect(&encrypted);
        let keyset = KeysetHandle::read_encrypted_remote(&encrypted, format, &*kek, b"");
        let keys = match keyset.await.and_then(|keyset| keyset.primitive()) {
            Ok(keys) => Arc::new(keys),
            Err(error) => return Err(self.unopened(error)),
        };
        state.keyset = Some(Current {
            encrypted,
            keys: Arc::clone(&keys),
            read_at,
        });
        Ok(keys)
    }

    fn unopened(&self, error: keyseal::KeysetError) -> KmsError {
        let source: Option<&KmsError> =
            std::error::Error::source(&error).and_then(|source| source.downcast_ref());
        let kind = source.map_or(KmsErrorKind::Configuration, KmsError::kind);
        KmsError::new(kind)
            .with_context(format!("the store's keyset, under {}", self.kek.uri))
            .with_source(error)
    }
}

impl DirectKek {
    fn find(&self) -> Result<Arc<dyn RemoteAead>, KmsError> {
        self.kms.find(&self.uri)
    }
}

impl RemoteAead for DirectKek {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move { self.find()?.encrypt(plaintext, associated_data).await })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move { self.find()?.decrypt(ciphertext, associated_data).await })
    }
}

impl RemoteAead for KeysetKek {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            let keys = self.keys(REREAD_AFTER).await?;
            keys.encrypt(plaintext, associated_data)
                .map_err(|error| KmsError::new(KmsErrorKind::Local).with_source(error))
        })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            let keys = self.keys(REREAD_AFTER).await?;
            if let Ok(plaintext) = keys.decrypt(ciphertext, associated_data) {
                return Ok(plaintext);
            }
            let newer = self.keys(REREAD_AT_MOST).await?;
            newer
                .decrypt(ciphertext, associated_data)
                .map_err(|_| KmsErrorKind::DecryptionFailed.into())
        })
    }
}
