//! Envelope encryption: a fresh key for each message, wrapped by a key that a service holds.

use std::sync::Arc;

use zeroize::Zeroizing;

#[cfg(any(feature = "blocking", feature = "scaleway"))]
use super::long_message;
use super::{DekTemplate, Key, KeyId, PrefixedAead};
use crate::{
    cipher::Provider,
    error::{KeyError, KmsError, KmsErrorKind},
    primitive::Aead as _,
    remote::{BoxFuture, RemoteAead},
    secret::on_clean_stack,
    wire,
};

/// The longest wrapped key in bytes, as every Tink has it.
const MAX_WRAPPED_SIZE: usize = 4096;

/// Bytes of the length that precedes the wrapped key.
const LENGTH_SIZE: usize = 4;

/// Writes and opens `length(4, big-endian) ‖ wrapped key ‖ payload`.
pub(crate) struct Envelope {
    kek: Arc<dyn RemoteAead>,
    dek: DekTemplate,
    provider: Provider,
}

impl Envelope {
    pub(crate) fn new(kek: Arc<dyn RemoteAead>, dek: DekTemplate, provider: Provider) -> Self {
        Self { kek, dek, provider }
    }

    pub(crate) const fn dek(&self) -> &DekTemplate {
        &self.dek
    }

    async fn seal(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KmsError> {
        let dek = self.dek.generate().map_err(local)?;
        let properties = dek.properties().ok_or(KmsErrorKind::Local)?;
        // Before the service is troubled, and paid.
        if plaintext.len() as u64 > properties.max_plaintext {
            return Err(KmsError::new(KmsErrorKind::InvalidInput)
                .with_message("the plaintext is longer than the data-encryption key takes"));
        }
        let wrapped = self.kek.encrypt(&dek.value(), b"").await?;
        let length = match u32::try_from(wrapped.len()) {
            Ok(length) if (1..=MAX_WRAPPED_SIZE).contains(&wrapped.len()) => length,
            _ => {
                return Err(
                    KmsError::new(KmsErrorKind::InvalidReply).with_message(format!(
                        "the wrapped key has {} bytes, and an envelope takes 1 to {MAX_WRAPPED_SIZE}",
                        wrapped.len()
                    )),
                );
            }
        };
        let aead = self.aead(&dek).map_err(local)?;
        let head = [&length.to_be_bytes()[..], &wrapped].concat();
        #[cfg(any(feature = "blocking", feature = "scaleway"))]
        if let Some(runtime) = long_message::runtime_for(plaintext.len().max(associated_data.len()))
        {
            let overhead = properties.overhead;
            return long_message::encrypt(
                runtime,
                aead,
                head,
                plaintext,
                overhead,
                associated_data,
            )
            .await;
        }
        let size = head.len() + properties.overhead;
        let mut out = Vec::with_capacity(size.saturating_add(plaintext.len()));
        out.extend_from_slice(&head);
        aead.encrypt_into(plaintext, associated_data, &mut out)?;
        Ok(out)
    }

    /// Every ciphertext that does not open gives one error: whether the wrapped key, the key in it
    /// or the payload was wrong is not told.
    async fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KmsError> {
        let (wrapped, payload) = self.split(ciphertext).ok_or_else(failed)?;
        let serialized = match self.kek.decrypt(wrapped, b"").await {
            Ok(serialized) => Zeroizing::new(serialized),
            Err(error) => {
                return Err(match error.kind() {
                    // The lengths are within any service's limits, so the fault is in the content.
                    KmsErrorKind::DecryptionFailed | KmsErrorKind::InvalidInput => failed(),
                    _ => error,
                });
            }
        };
        let dek = self.dek.read(wire::secret(serialized));
        let aead = dek.and_then(|dek| self.aead(&dek)).map_err(|_| failed())?;
        #[cfg(any(feature = "blocking", feature = "scaleway"))]
        if let Some(runtime) = long_message::runtime_for(payload.len().max(associated_data.len())) {
            return long_message::decrypt(runtime, aead, payload, associated_data).await;
        }
        Ok(aead.decrypt(payload, associated_data)?)
    }

    /// Splits off the wrapped key. Input that cannot be an envelope never reaches the service.
    fn split<'c>(&self, ciphertext: &'c [u8]) -> Option<(&'c [u8], &'c [u8])> {
        let (length, rest) = ciphertext.split_first_chunk::<LENGTH_SIZE>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        if !(1..=MAX_WRAPPED_SIZE).contains(&length) {
            return None;
        }
        let (wrapped, payload) = rest.split_at_checked(length)?;
        (payload.len() >= self.dek.min_payload_size).then_some((wrapped, payload))
    }

    fn aead(&self, dek: &Key) -> Result<PrefixedAead, KeyError> {
        // The id is of no importance: a raw key writes none.
        on_clean_stack(|| dek.aead(KeyId::new(0), self.provider)).unwrap_or(Err(KeyError::Provider))
    }
}

impl RemoteAead for Envelope {
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
        Box::pin(self.open(ciphertext, associated_data))
    }
}

fn local(error: KeyError) -> KmsError {
    KmsError::new(KmsErrorKind::Local).with_source(error)
}

fn failed() -> KmsError {
    KmsErrorKind::DecryptionFailed.into()
}
