//! Data keys: made by the service, used here, stored wrapped.

use zeroize::Zeroizing;

use super::{Algorithm, Timestamp, Uuid};
use crate::{
    error::{KeyError, KeysetError},
    key::{Key, KeyId, KeyTypes, Variant},
    keyset::{KeysetHandle, Primitive},
    secret::SecretBytes,
};

/// A key that the service made, wrapped by a key that the service keeps.
///
/// Store the ciphertext; [`ScalewayKey::open_data_key`](super::ScalewayKey::open_data_key) gives
/// the data key back with one call. That is 32 bytes of AES key: *not* what Tink's envelope wraps,
/// which is a key message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedDataKey {
    pub(super) key_id: Uuid,
    pub(super) algorithm: Algorithm,
    pub(super) ciphertext: Vec<u8>,
    pub(super) created_at: Option<Timestamp>,
}

impl WrappedDataKey {
    /// Returns the id of the key that wraps it.
    #[must_use]
    pub const fn key_id(&self) -> Uuid {
        self.key_id
    }

    /// Returns what the data key is for: `aes_256_gcm`.
    #[must_use]
    pub const fn algorithm(&self) -> &Algorithm {
        &self.algorithm
    }

    /// Returns the wrapped key.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    /// Returns when it was made.
    #[must_use]
    pub const fn created_at(&self) -> Option<&Timestamp> {
        self.created_at.as_ref()
    }
}

/// A key that the service made, wrapped and open.
///
/// # Compatibility
/// Not Tink's envelope: a [`KmsEnvelopeAead`](crate::KmsEnvelopeAead) makes its data-encryption
/// keys here and wraps them as key messages. What is encrypted under a data key is opened by
/// whoever has its 32 bytes, such as a program that uses OpenSSL.
///
/// # Security
/// Make a primitive of the secret at once and drop it; store the wrapped key only. One key may
/// encrypt many messages, within the limits of the template's cipher.
///
/// # Example
/// ```no_run
/// use keyseal::{Aead, KeysetAead, kms::scaleway::ScalewayKey};
///
/// # async fn example(key: &ScalewayKey) -> Result<(), Box<dyn std::error::Error>> {
/// let data_key = key.generate_data_key().await?;
/// let aead: KeysetAead = data_key.secret().primitive("AES256_GCM")?;
/// let stored = (data_key.wrapped().ciphertext().to_vec(), aead.encrypt(b"a record", b"")?);
///
/// // Later: one call opens the key, and any number of records.
/// let aead: KeysetAead = key.open_data_key(&stored.0).await?.primitive("AES256_GCM")?;
/// assert_eq!(aead.decrypt(&stored.1, b"")?, b"a record");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKey {
    pub(super) wrapped: WrappedDataKey,
    pub(super) secret: DataKeySecret,
}

impl DataKey {
    /// Returns the wrapped key, to be stored.
    #[must_use]
    pub const fn wrapped(&self) -> &WrappedDataKey {
        &self.wrapped
    }

    /// Returns the key itself.
    #[must_use]
    pub const fn secret(&self) -> &DataKeySecret {
        &self.secret
    }

    /// Takes both apart.
    #[must_use]
    pub fn into_parts(self) -> (WrappedDataKey, DataKeySecret) {
        (self.wrapped, self.secret)
    }
}

/// A data key in the clear: 32 bytes, wiped when dropped, which become a key of a template without
/// passing through the caller's hands.
///
/// `Debug` shows no byte of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKeySecret(SecretBytes);

impl DataKeySecret {
    /// The length in bytes of a data key of the algorithm `aes_256_gcm`, the only one.
    pub const SIZE: usize = 32;

    /// Takes as many bytes as a data key has.
    pub(super) fn new(bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        (bytes.len() == Self::SIZE).then(|| Self(SecretBytes::of_vec(bytes)))
    }

    /// Makes a key of the template of this name, whose keys have 32 bytes, such as `AES256_GCM`.
    ///
    /// The key is always a raw one, since a data key has no id to write: a ciphertext is what
    /// programs of other libraries mean by AES-256-GCM, `nonce(12) ‖ ciphertext ‖ tag(16)`.
    ///
    /// # Errors
    /// [`KeyError::UnknownTemplate`]; [`KeyError::Parameter`] when its keys have another size.
    pub fn key(&self, template: &str) -> Result<Key, KeyError> {
        let types = KeyTypes::default();
        let template = types.template(template)?.key_template().clone();
        types.import(&template.with_variant(Variant::Raw), &self.0)
    }

    /// Makes a primitive of such a key, such as a [`KeysetAead`](crate::KeysetAead).
    ///
    /// # Errors
    /// As [`key`](Self::key), and [`KeysetError::WrongPrimitive`] when the template is for another
    /// one.
    pub fn primitive<P: Primitive>(&self, template: &str) -> Result<P, KeysetError> {
        let key = self.key(template).map_err(KeysetError::Template)?;
        // A raw key does not write its id.
        KeysetHandle::with_id(key, KeyId::new(1)).primitive()
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn bytes(&self) -> &SecretBytes {
        &self.0
    }
}
