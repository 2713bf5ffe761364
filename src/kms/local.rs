//! [`LocalAead`], [`LocalKek`]: local keys where a remote one is expected.

use std::fmt;

use crate::{
    aead::KeysetAead,
    error::{KeysetError, KmsError},
    keyset::KeysetHandle,
    primitive::Aead,
    remote::{BoxFuture, Decrypted, Freshness, RemoteAead},
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

/// A keyset as a key-encryption key. It knows whether its primary key made a ciphertext, so that
/// [`Rewrap`](crate::rewrap::Rewrap) leaves such ciphertexts alone. When it decrypts any other
/// ciphertext, it also returns the plaintext encrypted again by the primary key.
///
/// # Example
/// ```
/// use keyseal::{Freshness, Key, KeysetHandle, RemoteAead, kms::LocalKek};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut keyset = KeysetHandle::generate("AES256_GCM")?;
/// let wrapped = LocalKek::new(&keyset)?.encrypt(b"a key", b"").await?;
/// keyset.rotate(Key::generate("AES256_GCM")?)?;
/// let decrypted = LocalKek::new(&keyset)?.decrypt_with_refresh(&wrapped, b"").await?;
/// assert_eq!(decrypted.freshness(), Freshness::Older);
///
/// let newer = decrypted.rewrapped().ok_or("it is not encrypted again")?;
/// let decrypted = LocalKek::new(&keyset)?.decrypt_with_refresh(newer, b"").await?;
/// assert_eq!(decrypted.freshness(), Freshness::Newest);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LocalKek {
    all: KeysetAead,
    primary: KeysetAead,
}

impl LocalKek {
    /// Takes the keys of a keyset of AEAD keys.
    ///
    /// # Errors
    /// [`KeysetError::WrongPrimitive`], [`KeysetError::Key`]
    pub fn new(keyset: &KeysetHandle) -> Result<Self, KeysetError> {
        let all: KeysetAead = keyset.primitive()?;
        let primary = keyset.primary();
        let primary = match primary.key() {
            Some(key) => KeysetHandle::with_id(key.clone(), primary.id()).primitive()?,
            None => all.clone(),
        };
        Ok(Self { all, primary })
    }

    fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Decrypted, KmsError> {
        if let Ok(plaintext) = self.primary.decrypt(ciphertext, associated_data) {
            return Ok(Decrypted::new(plaintext, Freshness::Newest));
        }
        let decrypted = Decrypted::new(
            self.all.decrypt(ciphertext, associated_data)?,
            Freshness::Older,
        );
        // The caller asked for the plaintext, and gets it in any case.
        Ok(
            match self.primary.encrypt(decrypted.plaintext(), associated_data) {
                Ok(rewrapped) => decrypted.with_rewrapped(rewrapped),
                Err(_) => decrypted,
            },
        )
    }
}

impl RemoteAead for LocalKek {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move { Ok(self.all.encrypt(plaintext, associated_data)?) })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move { Ok(self.all.decrypt(ciphertext, associated_data)?) })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        Box::pin(async move { self.open(ciphertext, associated_data) })
    }
}

impl fmt::Debug for LocalKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalKek").field(&self.all).finish()
    }
}
