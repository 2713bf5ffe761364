use crate::error::{DecryptError, EncryptError};

/// Authenticated encryption that gives the same ciphertext for the same input.
///
/// Use it for values that you look up by their ciphertext: a searchable column, a join key, a
/// wrapped key. The associated data is authenticated, but it is neither encrypted nor part of the
/// ciphertext. Plaintext and associated data may be empty.
///
/// # Security
/// Anyone who sees two ciphertexts can tell if their plaintexts and associated data match. If
/// there are few possible plaintexts, counting is enough to guess them. Use an
/// [`Aead`](crate::Aead) unless you need to compare ciphertexts.
///
/// # Example
/// ```
/// use keyseal::{DeterministicAead, KeysetDeterministicAead, KeysetHandle};
///
/// let daead: KeysetDeterministicAead = KeysetHandle::generate("AES256_SIV")?.primitive()?;
/// let stored = daead.encrypt_deterministically(b"ada@example.org", b"users.email")?;
/// let sought = daead.encrypt_deterministically(b"ada@example.org", b"users.email")?;
/// assert_eq!(stored, sought);
/// assert_eq!(daead.decrypt_deterministically(&stored, b"users.email")?, b"ada@example.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait DeterministicAead: Send + Sync {
    /// Encrypts `plaintext` and appends the ciphertext to `out`.
    ///
    /// # Errors
    /// [`EncryptError::TooLong`]; `out` is then unchanged.
    fn encrypt_deterministically_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError>;

    /// Decrypts `ciphertext` and appends the plaintext to `out`.
    ///
    /// # Errors
    /// [`DecryptError`] if decryption fails; `out` then has its original length.
    fn decrypt_deterministically_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError>;

    /// Encrypts `plaintext`, in one allocation.
    ///
    /// # Errors
    /// [`EncryptError::TooLong`]
    fn encrypt_deterministically(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<u8>, EncryptError> {
        let mut ciphertext = Vec::new();
        self.encrypt_deterministically_into(plaintext, associated_data, &mut ciphertext)?;
        Ok(ciphertext)
    }

    /// Decrypts `ciphertext`, in one allocation.
    ///
    /// # Errors
    /// [`DecryptError`] if decryption fails.
    fn decrypt_deterministically(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<u8>, DecryptError> {
        let mut plaintext = Vec::new();
        self.decrypt_deterministically_into(ciphertext, associated_data, &mut plaintext)?;
        Ok(plaintext)
    }

    /// Encrypts the contents of `buffer` and replaces them with the ciphertext.
    ///
    /// # Errors
    /// [`EncryptError::TooLong`]; `buffer` is then unchanged.
    fn encrypt_deterministically_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        let ciphertext = self.encrypt_deterministically(buffer, associated_data)?;
        // The plaintext is wiped with the old buffer.
        crate::secret::wipe(buffer);
        *buffer = ciphertext;
        Ok(())
    }

    /// Decrypts the contents of `buffer` and replaces them with the plaintext.
    ///
    /// # Errors
    /// [`DecryptError`] if decryption fails; `buffer` is then empty.
    fn decrypt_deterministically_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        match self.decrypt_deterministically(buffer, associated_data) {
            Ok(plaintext) => {
                *buffer = plaintext;
                Ok(())
            }
            Err(error) => {
                buffer.clear();
                Err(error)
            }
        }
    }
}
