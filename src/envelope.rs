//! [`KmsEnvelopeAead`]: a fresh key for each message, wrapped by a key that a service holds.

use std::{fmt, sync::Arc};

use crate::{
    cipher::Provider,
    error::{KeyError, KmsError},
    key::{DekTemplate, Envelope, KeyTemplate, KeyTypes},
    remote::{BoxFuture, RemoteAead},
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
/// Plaintext and ciphertext are held in memory as a whole. From 16 MiB on, use a sealed stream (see
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
/// part of the ciphertext is wrong.
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
pub struct KmsEnvelopeAead(Arc<Envelope>);

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
        Ok(Self(Arc::new(Envelope::new(Arc::new(kek), dek, provider))))
    }
}

impl RemoteAead for KmsEnvelopeAead {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.0.encrypt(plaintext, associated_data)
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.0.decrypt(ciphertext, associated_data)
    }
}

impl fmt::Debug for KmsEnvelopeAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsEnvelopeAead")
            .field("dek_type", &self.0.dek().template().type_url())
            .finish_non_exhaustive()
    }
}
