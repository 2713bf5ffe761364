//! [`Fallback`]: a second key-encryption key (KEK) for when the first cannot be reached.

use crate::{
    error::{KmsError, KmsErrorKind},
    remote::{BoxFuture, Decrypted, Freshness, RemoteAead},
};

/// Two [`RemoteAead`]s in order: the second decrypts the ciphertexts that the first cannot.
///
/// For decryption, use this if a key's material is also in a second region, or if two keys
/// encrypted your data. If neither decrypts a ciphertext, you get the error that says more: for
/// example an outage of the first key, rather than "decryption failed" from the second, which may
/// not be its key at all.
///
/// Encryption stays with the first unless you allow the second with
/// [`encrypting`](Self::encrypting). A ciphertext that the second decrypted counts as
/// [`Freshness::Older`], so that [`Rewrap`](crate::rewrap::Rewrap) moves it to the first.
///
/// # Security
/// Anyone who may decrypt with either key can read the data under that key. With
/// [`encrypting`](Self::encrypting), someone who can block the way to the first key chooses which
/// of the two protects new data.
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, KmsEnvelopeAead, kms::{Fallback, LocalKek}};
///
/// # fn example(fr_par: LocalKek, nl_ams: LocalKek) -> Result<(), keyseal::KeyError> {
/// let aead = KmsEnvelopeAead::new(Fallback::new(fr_par, nl_ams).encrypting(), "AES256_GCM")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Fallback<A, B> {
    first: A,
    second: B,
    encrypting: bool,
}

impl<A, B> Fallback<A, B> {
    /// Decrypts with `first`, or with `second` if `first` cannot.
    pub const fn new(first: A, second: B) -> Self {
        Self {
            first,
            second,
            encrypting: false,
        }
    }

    /// Encrypts with the second while the first has an outage ([`KmsErrorKind::is_outage`]). A
    /// refusal is not an outage.
    #[must_use]
    pub fn encrypting(self) -> Self {
        Self {
            encrypting: true,
            ..self
        }
    }
}

impl<A: RemoteAead, B: RemoteAead> Fallback<A, B> {
    async fn seal(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KmsError> {
        match self.first.encrypt(plaintext, associated_data).await {
            Err(error) if self.encrypting && error.kind().is_outage() => {
                let second = self.second.encrypt(plaintext, associated_data).await;
                // The first error is the reason that the second was asked at all.
                second.map_err(|second| match second.kind().is_outage() {
                    true => error,
                    false => second,
                })
            }
            outcome => outcome,
        }
    }

    async fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Decrypted, KmsError> {
        let first = self.first.decrypt_with_refresh(ciphertext, associated_data);
        let first = match first.await {
            Ok(decrypted) => return Ok(decrypted),
            Err(error) => error,
        };
        let second = self
            .second
            .decrypt_with_refresh(ciphertext, associated_data);
        match second.await {
            Ok(decrypted) => Ok(decrypted.with_freshness(Freshness::Older)),
            Err(second) => Err(match is_not_its_own(&first) {
                true => second,
                false => first,
            }),
        }
    }
}

/// Returns whether the service answered that the ciphertext is not of its key.
fn is_not_its_own(error: &KmsError) -> bool {
    matches!(
        error.kind(),
        KmsErrorKind::DecryptionFailed | KmsErrorKind::InvalidInput
    )
}

impl<A: RemoteAead, B: RemoteAead> RemoteAead for Fallback<A, B> {
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
            let decrypted = self.open(ciphertext, associated_data).await?;
            Ok(decrypted.into_plaintext())
        })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        Box::pin(self.open(ciphertext, associated_data))
    }
}
