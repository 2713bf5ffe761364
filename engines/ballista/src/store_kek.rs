//! [`StoreKek`]: the key-encryption key of a store, found when it is first needed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keyseal::{
    Aead as _, BoxFuture, KeysetAead, KeysetError, KeysetHandle, KmsError, KmsErrorKind,
    RemoteAead, keyset::Format, kms::KmsClients,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::place::KeysetPlace;

/// How long new objects are wrapped with a keyset that was rotated meanwhile.
const REREAD_AFTER: Duration = Duration::from_secs(5 * 60);
/// The least time between two reads, if headers name keys that nobody has.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long a refusal of the key service is remembered: the tasks of one query ask it once.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// A key of a service that wraps the keys of objects: each is a call.
pub(crate) struct DirectKek {
    pub(crate) kms: KmsClients,
    pub(crate) uri: String,
}

/// A keyset that wraps the keys of objects, itself encrypted under a key of a service.
///
/// It is unwrapped once, by the first object. A header that names a key that it lacks may be of a
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
    /// Why the last attempt to read the keyset again has failed.
    unread: Option<KmsError>,
}

struct Current {
    encrypted: Vec<u8>,
    keys: Arc<StoreKeys>,
    read_at: Instant,
}

struct StoreKeys {
    ids: Vec<u32>,
    aead: KeysetAead,
}

impl StoreKeys {
    fn new(keyset: &KeysetHandle) -> Result<Self, KeysetError> {
        Ok(Self {
            ids: keyset.entries().map(|entry| entry.id().value()).collect(),
            aead: keyset.primitive()?,
        })
    }

    /// Returns whether a wrapped key names a key that is not here. RAW keys are not named.
    fn lacks_key_of(&self, wrapped: &[u8]) -> bool {
        let named = match wrapped.split_first() {
            Some((0 | 1, rest)) => rest.first_chunk::<4>(),
            _ => None,
        };
        named.is_some_and(|id| !self.ids.contains(&u32::from_be_bytes(*id)))
    }
}

impl KeysetKek {
    pub(crate) fn new(kek: DirectKek, place: KeysetPlace) -> Self {
        Self {
            kek,
            place,
            state: Mutex::default(),
        }
    }

    /// Returns a keyset that was read at `since` or later; or the last one, and why there is no newer
    /// one. All callers that wait for it share one call, so the lock is held meanwhile.
    async fn keys(&self, since: Instant) -> Result<(Arc<StoreKeys>, Option<KmsError>), KmsError> {
        let mut state = self.state.lock().await;
        if let Some((at, error)) = &state.refused
            && at.elapsed() < REFUSED_FOR
        {
            return Err(error.clone());
        }
        if let Some(current) = &state.keyset {
            if current.read_at >= since {
                return Ok((Arc::clone(&current.keys), state.unread.clone()));
            }
            tokio::time::sleep(INTERVAL.saturating_sub(current.read_at.elapsed())).await;
        }
        let read = self.read(&mut state).await;
        state.unread = read.as_ref().err().cloned();
        match (read, &mut state.keyset) {
            (Ok(keys), _) => Ok((keys, None)),
            // The old keyset still opens old objects.
            (Err(error), Some(current)) => {
                current.read_at = Instant::now();
                Ok((Arc::clone(&current.keys), Some(error)))
            }
            (Err(error), None) => {
                if !error.is_retryable() {
                    state.refused = Some((Instant::now(), error.clone()));
                }
                Err(error)
            }
        }
    }

    async fn read(&self, state: &mut MutexGuard<'_, State>) -> Result<Arc<StoreKeys>, KmsError> {
        let read_at = Instant::now();
        let encrypted = self.place.read().await?;
        if let Some(current) = &mut state.keyset
            && current.encrypted == encrypted
        {
            current.read_at = read_at;
            return Ok(Arc::clone(&current.keys));
        }
        let kek = self.kek.find()?;
        let format = Format::detect(&encrypted);
        let keyset = KeysetHandle::read_encrypted_remote(&encrypted, format, &*kek, b"");
        let keys = match keyset.await.and_then(|keyset| StoreKeys::new(&keyset)) {
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

    /// Turns an error of the keyset into one of the key service, which says whose keyset it is.
    fn unopened(&self, error: KeysetError) -> KmsError {
        let context = format!("the store's keyset, under {}", self.kek.uri);
        if let Some(kms) = error.kms_error() {
            return kms.clone().with_context(context);
        }
        KmsError::new(KmsErrorKind::Configuration)
            .with_context(context)
            .with_message(error.to_string())
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
            let (keys, _) = self.keys(long_ago()).await?;
            Ok(keys.aead.encrypt(plaintext, associated_data)?)
        })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            let asked = Instant::now();
            let (mut keys, _) = self.keys(long_ago()).await?;
            if keys.lacks_key_of(ciphertext) {
                let (newest, unread) = self.keys(asked).await?;
                keys = newest;
                // Without the newer keyset, it is not known whether the ciphertext is good.
                if keys.lacks_key_of(ciphertext)
                    && let Some(error) = unread
                {
                    return Err(error);
                }
            }
            Ok(keys.aead.decrypt(ciphertext, associated_data)?)
        })
    }
}

fn long_ago() -> Instant {
    let now = Instant::now();
    now.checked_sub(REREAD_AFTER).unwrap_or(now)
}
