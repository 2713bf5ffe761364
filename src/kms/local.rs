//! [`LocalAead`]: a local key where a remote one is expected.

use crate::{
    error::KmsError,
    primitive::Aead,
    remote::{BoxFuture, RemoteAead},
};

/// Serves an [`Aead`] as a [`RemoteAead`]: a key-encryption key without a service, for air-gapped
/// machines and for tests.
///
/// It never waits: the future does its work when it is first polled.
///
/// # Example
/// ```
/// use keyseal::{KeysetAead, KeysetHandle, KmsEnvelopeAead, kms::LocalAead};
///
/// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
/// let envelope = KmsEnvelopeAead::new(LocalAead::new(kek), "AES128_GCM")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LocalAead<A>(A);

impl<A: Aead> LocalAead<A> {
    /// Wraps `aead`.
    #[must_use]
    pub const fn new(aead: A) -> Self {
        Self(aead)
    }
}

impl<A: Aead> RemoteAead for LocalAead<A> {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move { Ok(self.0.encrypt(plaintext, associated_data)?) })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move { Ok(self.0.decrypt(ciphertext, associated_data)?) })
    }
}
