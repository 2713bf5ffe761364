//! Deterministic AEAD over a whole keyset: the primary key encrypts, every enabled key may decrypt.

use std::{fmt, sync::Arc};

use crate::{
    cipher::Provider,
    error::{DecryptError, EncryptError, KeysetError},
    key::{KeyKind, PrefixMap, PrefixedAead},
    keyset::{KeysetHandle, Primitive},
    primitive::{Aead as _, DeterministicAead},
};

/// The deterministic AEAD of a keyset. Cheap to clone, and safe to share between threads.
///
/// A ciphertext is `prefix(0|5) ‖ siv(16) ‖ body`. Decryption tries the keys whose prefix
/// starts the ciphertext, then every raw key.
///
/// # Security
/// After a rotation the same plaintext has another ciphertext. To find older rows too, search for
/// all ciphertexts of [`encrypt_deterministically_with_each_key`][Self::encrypt_deterministically_with_each_key].
///
/// # Example
/// ```
/// use keyseal::{DeterministicAead, KeysetDeterministicAead, KeysetHandle};
///
/// let daead: KeysetDeterministicAead = KeysetHandle::generate("AES256_SIV")?.primitive()?;
/// let ciphertext = daead.encrypt_deterministically(b"plaintext", b"associated data")?;
/// assert_eq!(ciphertext.len(), 5 + 16 + b"plaintext".len());
/// let plaintext = daead.decrypt_deterministically(&ciphertext, b"associated data")?;
/// assert_eq!(plaintext, b"plaintext");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeysetDeterministicAead(Arc<PrefixMap<PrefixedAead>>);

impl Primitive for KeysetDeterministicAead {
    fn from_keyset(keyset: &KeysetHandle, provider: Provider) -> Result<Self, KeysetError> {
        let keys = keyset.make_prefix_map(KeyKind::DeterministicAead, |id, key| {
            key.daead(id, provider)
        })?;
        Ok(Self(Arc::new(keys)))
    }
}

impl KeysetDeterministicAead {
    /// Encrypts `plaintext` once with each enabled key, and returns the primary key's ciphertext
    /// first.
    ///
    /// These are all the ciphertexts that a column can hold for `plaintext`, whichever key was the
    /// primary one when a row was written. Search for any of them, and a rotation hides no row.
    /// Store only the first. Keys that are disabled or destroyed take no part: re-encrypt their
    /// rows before you disable them.
    ///
    /// # Errors
    /// [`EncryptError::TooLong`]
    ///
    /// # Example
    /// ```
    /// use keyseal::{DeterministicAead, Key, KeysetDeterministicAead, KeysetHandle};
    ///
    /// let mut keyset = KeysetHandle::generate("AES256_SIV")?;
    /// let daead: KeysetDeterministicAead = keyset.primitive()?;
    /// let stored = daead.encrypt_deterministically(b"ada@example.org", b"users.email")?;
    ///
    /// keyset.rotate(Key::generate("AES256_SIV")?)?;
    /// let daead: KeysetDeterministicAead = keyset.primitive()?;
    /// let sought = daead.encrypt_deterministically_with_each_key(b"ada@example.org", b"users.email")?;
    /// assert_eq!(sought.len(), 2);
    /// assert!(sought.contains(&stored));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encrypt_deterministically_with_each_key(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<Vec<u8>>, EncryptError> {
        self.0
            .iter()
            .map(|key| key.encrypt(plaintext, associated_data))
            .collect()
    }
}

impl DeterministicAead for KeysetDeterministicAead {
    #[inline]
    fn encrypt_deterministically(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<u8>, EncryptError> {
        self.0.encrypt(plaintext, associated_data)
    }

    #[inline]
    fn decrypt_deterministically(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<u8>, DecryptError> {
        self.0.decrypt(ciphertext, associated_data)
    }

    #[inline]
    fn encrypt_deterministically_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        self.0.encrypt_into(plaintext, associated_data, out)
    }

    #[inline]
    fn decrypt_deterministically_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        self.0.decrypt_into(ciphertext, associated_data, out)
    }

    fn encrypt_deterministically_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        self.0.encrypt_in_place(buffer, associated_data)
    }

    fn decrypt_deterministically_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        self.0.decrypt_in_place(buffer, associated_data)
    }
}

impl fmt::Debug for KeysetDeterministicAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetDeterministicAead")
            .field("keys", &self.0.len())
            .finish_non_exhaustive()
    }
}
