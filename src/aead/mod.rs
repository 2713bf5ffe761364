//! AEAD over a whole keyset: the primary key encrypts, every enabled key may decrypt.

mod remote;
mod whole_keyset;

use std::{fmt, sync::Arc};

pub use remote::KeysetRemoteAead;

use crate::{
    cipher::Provider,
    error::{DecryptError, EncryptError, KeysetError},
    key::{KeyKind, PrefixMap, PrefixedAead},
    keyset::{KeysetHandle, Primitive},
    primitive::Aead,
};

/// The AEAD of a keyset of local keys. Cheap to clone, and safe to share between threads.
///
/// A ciphertext is `prefix(0|5) ‖ nonce ‖ body ‖ tag`; sizes are those of the primary key's type.
/// Decryption tries the keys whose prefix starts the ciphertext, then every raw key.
///
/// # Example
/// ```
/// use keyseal::{Aead, KeysetAead, KeysetHandle};
///
/// let aead: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
/// let ciphertext = aead.encrypt(b"plaintext", b"associated data")?;
/// assert_eq!(ciphertext.len(), 5 + 12 + b"plaintext".len() + 16);
/// assert_eq!(aead.decrypt(&ciphertext, b"associated data")?, b"plaintext");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeysetAead(Arc<PrefixMap<PrefixedAead>>);

impl Primitive for KeysetAead {
    fn from_keyset(keyset: &KeysetHandle, provider: Provider) -> Result<Self, KeysetError> {
        let keys = keyset.make_prefix_map(KeyKind::Aead, |id, key| key.aead(id, provider))?;
        Ok(Self(Arc::new(keys)))
    }
}

impl Aead for KeysetAead {
    #[inline]
    fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError> {
        self.0.encrypt(plaintext, associated_data)
    }

    #[inline]
    fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError> {
        self.0.decrypt(ciphertext, associated_data)
    }

    #[inline]
    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        self.0.encrypt_into(plaintext, associated_data, out)
    }

    #[inline]
    fn decrypt_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        self.0.decrypt_into(ciphertext, associated_data, out)
    }

    fn encrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        self.0.encrypt_in_place(buffer, associated_data)
    }

    fn decrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        self.0.decrypt_in_place(buffer, associated_data)
    }
}

impl fmt::Debug for KeysetAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetAead")
            .field("keys", &self.0.len())
            .finish_non_exhaustive()
    }
}
