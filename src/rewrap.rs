//! Re-wrapping: another key-encryption key for the same data, or the newest version of the same
//! key.
//!
//! An envelope and a sealed stream start with a key that a key-encryption key (KEK) has wrapped; an
//! encrypted keyset is itself such a key. [`Rewrap`] replaces only the wrapped key: the payload is
//! neither decrypted nor read.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use zeroize::Zeroizing;

use crate::{
    envelope::Envelope,
    error::{DecryptError, EncryptError, KeysetError, KmsError, KmsErrorKind},
    keyset::{Format, KeysetFile, KeysetHandle, Protection},
    remote::{BoxFuture, Decrypted, Freshness, RemoteAead},
    sealed_stream::SealedStreamHeader,
};

/// Something that starts with a wrapped key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Wrapped<'w> {
    /// An envelope. The payload need not be complete.
    Envelope(Envelope<'w>),
    /// An encrypted keyset, JSON or binary, as a whole.
    Keyset(&'w [u8]),
    /// The header of a sealed stream.
    SealedStream(SealedStreamHeader),
}

impl<'w> Wrapped<'w> {
    /// Recognises the first bytes of a file that is `size` bytes long, or returns `None`. The first
    /// 65,548 bytes are enough, except that a keyset must be complete.
    ///
    /// An envelope cannot be distinguished from arbitrary bytes that happen to start with a small
    /// number.
    #[must_use]
    pub fn detect(start: &'w [u8], size: u64) -> Option<Self> {
        if SealedStreamHeader::detect(start) {
            let (header, _) = SealedStreamHeader::parse(start).ok()?;
            return Some(Self::SealedStream(header));
        }
        if let Ok(envelope) = Envelope::parse_start(start, size) {
            return Some(Self::Envelope(envelope));
        }
        let keyset = KeysetFile::detect(start).ok()?;
        (keyset.protection() == Protection::Encrypted).then_some(Self::Keyset(start))
    }

    /// Returns how many bytes at the start a new head replaces. For a keyset, these are all of its
    /// bytes.
    #[must_use]
    pub fn head_size(&self) -> usize {
        match self {
            Self::Envelope(envelope) => envelope.head().len(),
            Self::Keyset(bytes) => bytes.len(),
            Self::SealedStream(header) => header.as_bytes().len(),
        }
    }
}

/// Re-wraps keys under another KEK, or under the newest version of the same one.
///
/// It decrypts once, and encrypts once unless the answer already holds the newer wrapping (Scaleway
/// Key Manager sends it along when the key was rotated). A key that is already under the newest
/// version, or under the new KEK after an earlier run, is left alone, so you can run it again to
/// resume. It is cheap to clone, and you can make many calls at the same time.
///
/// # Example
/// ```
/// use keyseal::{
///     KeysetHandle, KmsEnvelopeAead, RemoteAead,
///     kms::LocalKek,
///     rewrap::{Rewrap, Wrapped},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let old_kek = LocalKek::new(&KeysetHandle::generate("AES256_GCM")?)?;
/// # let new_kek = LocalKek::new(&KeysetHandle::generate("AES256_GCM")?)?;
/// let message = KmsEnvelopeAead::new(old_kek.clone(), "AES256_GCM")?.encrypt(b"text", b"").await?;
///
/// let rewrap = Rewrap::between(old_kek, new_kek.clone());
/// let wrapped = Wrapped::detect(&message, message.len() as u64).ok_or("not wrapped")?;
/// if let Some(head) = rewrap.head(&wrapped).await? {
///     let payload = &message[wrapped.head_size()..];
///     let message = [&head[..], payload].concat();
///     let aead = KmsEnvelopeAead::new(new_kek, "AES256_GCM")?;
///     assert_eq!(aead.decrypt(&message, b"").await?, b"text");
/// #   let again = Wrapped::detect(&message, message.len() as u64).unwrap();
/// #   assert_eq!(rewrap.head(&again).await?, None);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Rewrap {
    from: Arc<dyn RemoteAead>,
    to: Option<Arc<dyn RemoteAead>>,
    keyset_associated_data: Vec<u8>,
}

impl Rewrap {
    /// Re-wraps to the newest version of the same KEK.
    pub fn to_newest(kek: impl RemoteAead + 'static) -> Self {
        Self {
            from: Arc::new(kek),
            to: None,
            keyset_associated_data: Vec::new(),
        }
    }

    /// Re-wraps to another KEK: another key, region or provider.
    pub fn between(from: impl RemoteAead + 'static, to: impl RemoteAead + 'static) -> Self {
        Self {
            to: Some(Arc::new(to)),
            ..Self::to_newest(from)
        }
    }

    /// Sets the associated data of encrypted keysets. It stays the same.
    #[must_use]
    pub fn keyset_associated_data(self, associated_data: impl Into<Vec<u8>>) -> Self {
        Self {
            keyset_associated_data: associated_data.into(),
            ..self
        }
    }

    /// Returns the head that replaces the first [`Wrapped::head_size`] bytes, or `None` if nothing
    /// needs to be done.
    ///
    /// # Errors
    /// [`KeysetError::Decrypt`] with [`DecryptError::FAILED`] if neither KEK decrypts it;
    /// [`KeysetError::Decrypt`] and [`KeysetError::Encrypt`] with the error of a service; or
    /// another [`KeysetError`] if the wrapped keyset is invalid.
    pub async fn head(&self, wrapped: &Wrapped<'_>) -> Result<Option<Vec<u8>>, KeysetError> {
        match self.open(wrapped).await? {
            None => Ok(None),
            Some((key, kek)) => self.wrap(wrapped, &key, &kek).await.map(Some),
        }
    }

    /// Returns whether [`head`](Self::head) would return a new head. It decrypts, and never
    /// encrypts.
    ///
    /// # Errors
    /// The errors of [`head`](Self::head) when it decrypts.
    pub async fn is_due(&self, wrapped: &Wrapped<'_>) -> Result<bool, KeysetError> {
        Ok(self.open(wrapped).await?.is_some())
    }

    /// Unwraps the key, and finds the KEK to wrap it with: `None` if nothing is to be done.
    async fn open(
        &self,
        wrapped: &Wrapped<'_>,
    ) -> Result<Option<(UnwrappedKey, Witness)>, KeysetError> {
        let from = Witness::new(self.from.clone());
        if let Some(key) = self.unwrap(wrapped, &from).await? {
            return Ok(match &self.to {
                None if from.freshness() == Freshness::Newest => None,
                None => Some((key, from)),
                Some(to) => Some((key, Witness::new(to.clone()))),
            });
        }
        // After an earlier run it is under the new KEK.
        let not_unwrapped = KeysetError::Decrypt(DecryptError::FAILED);
        let Some(to) = &self.to else {
            return Err(not_unwrapped);
        };
        let to = Witness::new(to.clone());
        let key = self.unwrap(wrapped, &to).await?.ok_or(not_unwrapped)?;
        Ok((to.freshness() == Freshness::Older).then_some((key, to)))
    }

    /// Unwraps the key: `None` if it is not under this KEK.
    async fn unwrap(
        &self,
        wrapped: &Wrapped<'_>,
        kek: &Witness,
    ) -> Result<Option<UnwrappedKey>, KeysetError> {
        let unwrapped = match wrapped {
            Wrapped::Envelope(envelope) => kek
                .decrypt(envelope.wrapped_key(), b"")
                .await
                .map(|dek| UnwrappedKey::Dek(Zeroizing::new(dek)))
                .map_err(|error| KeysetError::Decrypt(error.into())),
            Wrapped::Keyset(bytes) => {
                let associated_data = &self.keyset_associated_data;
                KeysetHandle::read_encrypted_remote(
                    bytes,
                    Format::detect(bytes),
                    kek,
                    associated_data,
                )
                .await
                .map(UnwrappedKey::Keyset)
            }
            Wrapped::SealedStream(header) => {
                header.keyset_remote(kek).await.map(UnwrappedKey::Keyset)
            }
        };
        match unwrapped {
            Ok(key) => Ok(Some(key)),
            Err(KeysetError::Decrypt(DecryptError::FAILED)) => Ok(None),
            Err(error) => match error.kms_error().map(KmsError::kind) {
                // The lengths are within any service's limits, so the fault is in the content.
                Some(KmsErrorKind::DecryptionFailed | KmsErrorKind::InvalidInput) => Ok(None),
                _ => Err(error),
            },
        }
    }

    async fn wrap(
        &self,
        wrapped: &Wrapped<'_>,
        key: &UnwrappedKey,
        kek: &Witness,
    ) -> Result<Vec<u8>, KeysetError> {
        match (key, wrapped) {
            (UnwrappedKey::Dek(dek), _) => {
                let wrapped = kek.encrypt(dek, b"").await.map_err(not_encrypted)?;
                Envelope::head_of(&wrapped).map_err(|error| {
                    let kind = KmsErrorKind::InvalidReply;
                    not_encrypted(KmsError::new(kind).with_source(error))
                })
            }
            (UnwrappedKey::Keyset(keyset), Wrapped::Keyset(bytes)) => {
                let (format, associated_data) =
                    (Format::detect(bytes), &self.keyset_associated_data);
                keyset
                    .write_encrypted_remote(format, kek, associated_data)
                    .await
            }
            (UnwrappedKey::Keyset(keyset), _) => {
                let header = SealedStreamHeader::wrap_remote(keyset, kek).await?;
                Ok(header.as_bytes().to_vec())
            }
        }
    }
}

impl fmt::Debug for Rewrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewrap")
            .field("to_another_kek", &self.to.is_some())
            .finish_non_exhaustive()
    }
}

enum UnwrappedKey {
    Dek(Zeroizing<Vec<u8>>),
    Keyset(KeysetHandle),
}

/// A KEK that remembers its last decryption: how fresh the ciphertext was, and the service's own
/// re-wrapping, which then costs no second call. For one decryption at a time.
///
/// # Example
/// ```
/// use keyseal::{Freshness, KeysetHandle, kms::LocalKek, rewrap::Witness, SealedStreamHeader};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let kek = Witness::new(LocalKek::new(&KeysetHandle::generate("AES256_GCM")?)?);
/// let template = SealedStreamHeader::TEMPLATE;
/// let (header, _) = SealedStreamHeader::generate_remote(template, &kek).await?;
/// let aead = header.open_remote(&kek).await?;
/// assert_eq!(kek.freshness(), Freshness::Newest);
/// # Ok(())
/// # }
/// ```
pub struct Witness {
    kek: Arc<dyn RemoteAead>,
    last: Mutex<Option<Decrypted>>,
}

impl Witness {
    /// Watches `kek`.
    pub fn new(kek: impl RemoteAead + 'static) -> Self {
        Self {
            kek: Arc::new(kek),
            last: Mutex::default(),
        }
    }

    /// Returns the freshness of the last ciphertext that was decrypted.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.last()
            .as_ref()
            .map_or(Freshness::Unknown, Decrypted::freshness)
    }

    fn last(&self) -> MutexGuard<'_, Option<Decrypted>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the service's own wrapping of this plaintext, if it sent one.
    fn rewrapped(&self, plaintext: &[u8]) -> Option<Vec<u8>> {
        let last = self.last();
        let last = last.as_ref().filter(|last| last.plaintext() == plaintext)?;
        last.rewrapped().map(<[u8]>::to_vec)
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness")
            .field("freshness", &self.freshness())
            .finish_non_exhaustive()
    }
}

impl RemoteAead for Witness {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        match self.rewrapped(plaintext) {
            Some(rewrapped) => Box::pin(async { Ok(rewrapped) }),
            None => self.kek.encrypt(plaintext, associated_data),
        }
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            *self.last() = None;
            let decrypted = self
                .kek
                .decrypt_with_refresh(ciphertext, associated_data)
                .await?;
            let plaintext = decrypted.plaintext().to_vec();
            *self.last() = Some(decrypted);
            Ok(plaintext)
        })
    }
}

fn not_encrypted(error: KmsError) -> KeysetError {
    KeysetError::Encrypt(EncryptError::Kms(error))
}
