//! [`KmsEnvelopeAead`]: a fresh key for each message, wrapped by a key that a service holds.

use std::{fmt, sync::Arc};

#[cfg(any(feature = "blocking", feature = "cache", feature = "scaleway"))]
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::Envelope;
#[cfg(any(feature = "blocking", feature = "cache", feature = "scaleway"))]
use super::long_message;
use crate::{
    cipher::Provider,
    error::{KeyError, KmsError, KmsErrorKind},
    key::{DekTemplate, KeyTemplate, KeyTypes, PrefixedAead},
    primitive::Aead as _,
    remote::{BoxFuture, Decrypted, Freshness, RemoteAead},
    wire,
};

/// Envelope encryption, compatible with every Tink. Cheap to clone, and safe to share between
/// threads.
///
/// Every message gets its own data-encryption key (DEK), wrapped by the key-encryption key (KEK).
/// Only DEKs are sent to the KEK's service: one call for each message, whatever its size.
///
/// A ciphertext is `length(4, big-endian) ‖ wrapped DEK(1..=4096) ‖ payload`. With a key of
/// Scaleway Key Manager and `AES256_GCM` it is 4 + 34 + the service's overhead + 28 bytes longer
/// than the plaintext.
///
/// Plaintext and ciphertext are held in memory as a whole. Above 16 MiB, use a sealed stream (see
/// [`SealedStreamHeader`](crate::SealedStreamHeader)), which holds only a few segments.
///
/// Messages of up to 256 KiB are encrypted and decrypted on the thread that polls the future, in a
/// few milliseconds at most. Longer ones are copied and handed to a blocking thread of tokio, so
/// that they do not hold up other tasks. This requires a tokio runtime and the feature `scaleway`
/// or `blocking`. Otherwise the message is processed in one poll, which takes about a second for
/// each gigabyte.
///
/// It is itself a [`RemoteAead`], since every call waits for the KEK. To get an ordinary
/// [`Aead`](crate::Aead), wrap it in a [`BlockingAead`](crate::kms::blocking::BlockingAead)
/// (feature `blocking`).
///
/// # Security
/// The KEK is called with empty associated data, as Tink prescribes. Your associated data is
/// authenticated with the payload. A DEK is in memory only during a call and is wiped at its end.
/// It is neither stored nor used for a second message. Decryption gives the same error whichever
/// part of a ciphertext is wrong.
///
/// # Example
/// ```
/// use keyseal::{KeysetAead, KeysetHandle, KmsEnvelopeAead, RemoteAead, kms::LocalAead};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A key of a file stands for `ScalewayClient::from_env()?.key(&uri)?`.
/// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
/// let aead = KmsEnvelopeAead::new(LocalAead::new(kek), "AES256_GCM")?;
///
/// let ciphertext = aead.encrypt(b"attack at dawn", b"letter 7").await?;
/// assert_eq!(aead.decrypt(&ciphertext, b"letter 7").await?, b"attack at dawn");
/// assert!(aead.decrypt(&ciphertext, b"letter 8").await.is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Source
/// Tink's `KmsEnvelopeAead`.
#[derive(Clone)]
pub struct KmsEnvelopeAead(Arc<DekWrapper>);

impl KmsEnvelopeAead {
    /// Wraps DEKs with `kek`. `dek_template` is the name of their template, such as `AES256_GCM`.
    ///
    /// A DEK is of type AES-GCM, AES-GCM-SIV, AES-CTR-HMAC, AES-EAX, ChaCha20-Poly1305 or
    /// XChaCha20-Poly1305. Tink for C++ and Python does not accept ChaCha20-Poly1305 in an
    /// envelope, and Tink for Go does not accept AES-EAX. A template whose name ends in `_RAW`
    /// gives the same result.
    ///
    /// # Errors
    /// [`KeyError::UnknownTemplate`]; [`KeyError::DekType`] for a template of another type.
    pub fn new(kek: impl RemoteAead + 'static, dek_template: &str) -> Result<Self, KeyError> {
        let template = KeyTypes::default().template(dek_template)?;
        Self::with_template(kek, template.key_template())
    }

    /// Wraps DEKs of any parameters with `kek`.
    ///
    /// # Errors
    /// [`KeyError::DekType`] for a template of another type; another [`KeyError`] if it is invalid.
    pub fn with_template(
        kek: impl RemoteAead + 'static,
        dek_template: &KeyTemplate,
    ) -> Result<Self, KeyError> {
        Self::with_provider(kek, dek_template, Provider::FASTEST)
    }

    /// Wraps DEKs of any parameters with `kek`, and encrypts with a provider of your choice.
    ///
    /// # Errors
    /// [`KeyError::DekType`] for a template of another type; another [`KeyError`] if it is invalid.
    pub fn with_provider(
        kek: impl RemoteAead + 'static,
        dek_template: &KeyTemplate,
        provider: Provider,
    ) -> Result<Self, KeyError> {
        let dek = DekTemplate::new(dek_template)?;
        Ok(Self::of(Arc::new(kek), dek, provider))
    }

    pub(crate) fn of(kek: Arc<dyn RemoteAead>, template: DekTemplate, provider: Provider) -> Self {
        Self(Arc::new(DekWrapper {
            kek,
            template,
            provider,
        }))
    }

    #[cfg(feature = "cache")]
    pub(super) fn wrapper(&self) -> Arc<DekWrapper> {
        self.0.clone()
    }

    async fn seal(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KmsError> {
        let dek = self.0.generate(plaintext.len()).await?;
        dek.seal(plaintext, associated_data).await
    }

    /// Every ciphertext that does not open gives one error: whether the wrapped key, the key in it
    /// or the payload was wrong is not told.
    async fn open(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        refresh: Refresh,
    ) -> Result<Decrypted, KmsError> {
        let envelope = self.0.parse(ciphertext)?;
        let dek = self.0.unwrap(envelope.wrapped_key()).await?;
        dek.open(&envelope, associated_data, refresh).await
    }
}

/// Whether the caller wants the re-wrapped ciphertext, which takes a copy of the payload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    Wanted,
    Unwanted,
}

/// Generates data-encryption keys, and wraps and unwraps them with a key-encryption key.
pub(super) struct DekWrapper {
    kek: Arc<dyn RemoteAead>,
    template: DekTemplate,
    provider: Provider,
}

/// A data-encryption key to encrypt with, and the head of its envelopes.
pub(super) struct SealingDek {
    aead: Arc<PrefixedAead>,
    head: Vec<u8>,
}

/// A data-encryption key to decrypt with.
pub(super) struct OpeningDek {
    aead: Arc<PrefixedAead>,
    freshness: Freshness,
    /// The same key under the newest version of the key-encryption key.
    rewrapped: Option<Vec<u8>>,
}

impl DekWrapper {
    /// Generates a key for messages of this size, and wraps it.
    pub(super) async fn generate(&self, plaintext_len: usize) -> Result<SealingDek, KmsError> {
        let dek = self.template.generate().map_err(local)?;
        let aead = Arc::new(self.template.aead(&dek, self.provider).map_err(local)?);
        // Before the service is troubled, and paid.
        if plaintext_len as u64 > aead.max_plaintext() {
            return Err(KmsError::new(KmsErrorKind::InvalidInput)
                .with_message("the plaintext is longer than the data-encryption key takes"));
        }
        let wrapped = self.kek.encrypt(&dek.serialized(), b"").await?;
        let head = Envelope::head_of(&wrapped).map_err(|_| {
            KmsError::new(KmsErrorKind::InvalidReply).with_message(format!(
                "the wrapped key has {} bytes, and an envelope takes 1 to {}",
                wrapped.len(),
                Envelope::MAX_WRAPPED_KEY_SIZE
            ))
        })?;
        Ok(SealingDek { aead, head })
    }

    pub(super) async fn unwrap(&self, wrapped: &[u8]) -> Result<OpeningDek, KmsError> {
        let unwrapped = self.kek.decrypt_with_refresh(wrapped, b"").await;
        let unwrapped = unwrapped.map_err(|error| match error.kind() {
            // The lengths are within any service's limits, so the fault is in the content.
            KmsErrorKind::DecryptionFailed | KmsErrorKind::InvalidInput => failed(),
            _ => error,
        })?;
        let freshness = unwrapped.freshness();
        let rewrapped = unwrapped.rewrapped().map(<[u8]>::to_vec);
        let serialized = Zeroizing::new(unwrapped.into_plaintext());
        let dek = self.template.read(wire::secret(serialized));
        let aead = dek.and_then(|dek| self.template.aead(&dek, self.provider));
        Ok(OpeningDek {
            aead: Arc::new(aead.map_err(|_| failed())?),
            freshness,
            rewrapped,
        })
    }

    /// Takes an envelope apart. Input that cannot be one never reaches the service.
    pub(super) fn parse<'c>(&self, ciphertext: &'c [u8]) -> Result<Envelope<'c>, KmsError> {
        Envelope::parse(ciphertext)
            .ok()
            .filter(|envelope| envelope.payload().len() >= self.template.min_payload_size())
            .ok_or_else(failed)
    }
}

impl SealingDek {
    pub(super) async fn seal(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        #[cfg(any(feature = "blocking", feature = "cache", feature = "scaleway"))]
        if let Some(runtime) = long_message::runtime_for(plaintext.len().max(associated_data.len()))
        {
            return self.seal_there(runtime, plaintext, associated_data).await;
        }
        self.seal_here(plaintext, associated_data)
    }

    /// Encrypts on this thread.
    #[inline]
    pub(super) fn seal_here(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let size = self.head.len() + self.aead.overhead();
        let mut out = Vec::with_capacity(size.saturating_add(plaintext.len()));
        out.extend_from_slice(&self.head);
        self.aead
            .encrypt_into(plaintext, associated_data, &mut out)?;
        Ok(out)
    }

    /// Encrypts on a blocking thread of the runtime.
    #[cfg(any(feature = "blocking", feature = "cache", feature = "scaleway"))]
    pub(super) async fn seal_there(
        &self,
        runtime: Handle,
        plaintext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let (aead, head) = (self.aead.clone(), self.head.clone());
        long_message::encrypt(runtime, aead, head, plaintext, associated_data).await
    }
}

impl OpeningDek {
    pub(super) async fn open(
        &self,
        envelope: &Envelope<'_>,
        associated_data: &[u8],
        refresh: Refresh,
    ) -> Result<Decrypted, KmsError> {
        #[cfg(any(feature = "blocking", feature = "cache", feature = "scaleway"))]
        {
            let size = envelope.payload().len().max(associated_data.len());
            if let Some(runtime) = long_message::runtime_for(size) {
                return self
                    .open_there(runtime, envelope, associated_data, refresh)
                    .await;
            }
        }
        self.open_here(envelope, associated_data, refresh)
    }

    /// Decrypts on this thread.
    #[inline]
    pub(super) fn open_here(
        &self,
        envelope: &Envelope<'_>,
        associated_data: &[u8],
        refresh: Refresh,
    ) -> Result<Decrypted, KmsError> {
        let plaintext = self.aead.decrypt(envelope.payload(), associated_data)?;
        Ok(self.opened(envelope, plaintext, refresh))
    }

    /// Decrypts on a blocking thread of the runtime.
    #[cfg(any(feature = "blocking", feature = "cache", feature = "scaleway"))]
    pub(super) async fn open_there(
        &self,
        runtime: Handle,
        envelope: &Envelope<'_>,
        associated_data: &[u8],
        refresh: Refresh,
    ) -> Result<Decrypted, KmsError> {
        let payload = envelope.payload();
        let plaintext =
            long_message::decrypt(runtime, self.aead.clone(), payload, associated_data).await?;
        Ok(self.opened(envelope, plaintext, refresh))
    }

    #[inline]
    fn opened(&self, envelope: &Envelope<'_>, plaintext: Vec<u8>, refresh: Refresh) -> Decrypted {
        let decrypted = Decrypted::new(plaintext, self.freshness);
        let newer = self
            .rewrapped
            .as_ref()
            .filter(|_| refresh == Refresh::Wanted);
        // A service's wrapping that fits into no envelope is no reason to withhold the plaintext.
        match newer.and_then(|wrapped| envelope.with_wrapped_key(wrapped).ok()) {
            Some(newer) => decrypted.with_rewrapped(newer),
            None => decrypted,
        }
    }
}

impl RemoteAead for KmsEnvelopeAead {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(self.seal(plaintext, associated_data))
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            let opened = self.open(ciphertext, associated_data, Refresh::Unwanted);
            opened.await.map(Decrypted::into_plaintext)
        })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        Box::pin(self.open(ciphertext, associated_data, Refresh::Wanted))
    }
}

impl fmt::Debug for KmsEnvelopeAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsEnvelopeAead")
            .field("dek_type", &self.0.template.template().type_url())
            .finish_non_exhaustive()
    }
}

fn local(error: KeyError) -> KmsError {
    KmsError::new(KmsErrorKind::Local).with_source(error)
}

fn failed() -> KmsError {
    KmsErrorKind::DecryptionFailed.into()
}
