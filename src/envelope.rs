//! [`KmsEnvelopeAead`]: a fresh key for each message, wrapped by a key that a service holds.

use std::{fmt, sync::Arc};

use crate::{
    cipher::Provider,
    error::{KeyError, KmsError},
    key::{DekTemplate, Envelope, KeyTemplate, KeyTypes},
    remote::{BoxFuture, RemoteAead},
};

/// Envelope encryption, as every Tink has it. Cheap to clone, and safe to share between threads.
///
/// Every message gets a data-encryption key (DEK) of its own, which the key-encryption key (KEK)
/// wraps. Only DEKs travel to the KEK's service: one call for each message, whatever its size.
///
/// A ciphertext is `length(4, big-endian) ‖ wrapped DEK(1..=4096) ‖ payload`. Under a key of
/// Scaleway Key Manager and with `AES256_GCM` that is 4 + 34 + the service's overhead + 28 bytes
/// more than the plaintext.
///
/// Plaintext and ciphertext are in memory as a whole. From 16 MiB on a sealed stream is right, see
/// [`SealedStreamHeader`](crate::SealedStreamHeader): it takes a few segments, whatever the size.
///
/// Up to 256 KiB are encrypted and decrypted where the future is polled, in a few milliseconds at
/// most. What is longer is copied and goes to a blocking thread of tokio's, so that it holds up no
/// other task: where the future is polled in a tokio runtime, and the feature `scaleway` or
/// `blocking` is on. Elsewhere it is encrypted in one poll, which takes about a second for each
/// gigabyte.
///
/// It is a [`RemoteAead`] itself, since every call waits for the KEK. A
/// [`BlockingAead`](crate::kms::blocking::BlockingAead) (feature `blocking`) around it is the
/// ordinary [`Aead`](crate::Aead).
///
/// # Security
/// The KEK is called with empty associated data, as Tink prescribes; the caller's is authenticated
/// with the payload. A DEK is in memory from the start of a call to its end, is wiped then, and is
/// neither stored nor used for a second message. A ciphertext that does not open gives one error,
/// whichever part of it was wrong.
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
    /// Wraps DEKs with `kek`; `dek_template` names their template, such as `AES256_GCM`.
    ///
    /// A DEK is of type AES-GCM, AES-GCM-SIV, AES-CTR-HMAC, AES-EAX, ChaCha20-Poly1305 or
    /// XChaCha20-Poly1305. C++ and Python do not take ChaCha20-Poly1305 in an envelope, Go does
    /// not take AES-EAX. Whether the template's name ends in `_RAW` makes no difference.
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
    /// [`KeyError::DekType`] for a template of another type; what is wrong with the template.
    pub fn with_template(
        kek: impl RemoteAead + 'static,
        dek_template: &KeyTemplate,
    ) -> Result<Self, KeyError> {
        Self::with_provider(kek, dek_template, Provider::FASTEST)
    }

    /// Wraps DEKs of any parameters with `kek`, and encrypts with a provider of the caller's choice.
    ///
    /// # Errors
    /// [`KeyError::DekType`] for a template of another type; what is wrong with the template.
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
