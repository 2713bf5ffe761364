//! The operations that keysets offer, as public traits.

mod deterministic_aead;
mod forward;
mod mac;
mod prf;

pub use deterministic_aead::DeterministicAead;
pub use mac::Mac;
pub use prf::Prf;
pub(crate) use prf::check_output_length;

use crate::{
    error::{DecryptError, EncryptError},
    secret::wipe,
    segment::{Opener, Sealer},
};

/// Authenticated encryption with associated data, with a local key.
///
/// The associated data is authenticated, but it is neither encrypted nor part of the ciphertext:
/// pass the same to [`decrypt`](Self::decrypt). Use it to bind a ciphertext to its place (a table
/// and row, a file name, a tenant), so that it cannot be moved to another. Plaintext and associated
/// data may be empty.
///
/// # Example
/// ```
/// use keyseal::{Aead, KeysetAead, KeysetHandle};
///
/// let aead: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
/// let ciphertext = aead.encrypt(b"attack at dawn", b"letter 7")?;
/// assert_eq!(aead.decrypt(&ciphertext, b"letter 7")?, b"attack at dawn");
/// assert!(aead.decrypt(&ciphertext, b"letter 8").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Aead: Send + Sync {
    /// Encrypts `plaintext` and appends the ciphertext to `out`.
    ///
    /// # Errors
    /// [`EncryptError`] if an input is too long or there is no randomness; `out` is then unchanged.
    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError>;

    /// Decrypts `ciphertext` and appends the plaintext to `out`.
    ///
    /// # Errors
    /// [`DecryptError`] if decryption fails; `out` then has its original length.
    fn decrypt_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError>;

    /// Encrypts `plaintext`, in one allocation.
    ///
    /// # Errors
    /// [`EncryptError`] if an input is too long or there is no randomness.
    fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError> {
        let mut ciphertext = Vec::new();
        self.encrypt_into(plaintext, associated_data, &mut ciphertext)?;
        Ok(ciphertext)
    }

    /// Decrypts `ciphertext`, in one allocation.
    ///
    /// # Errors
    /// [`DecryptError`] if decryption fails.
    fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let mut plaintext = Vec::new();
        self.decrypt_into(ciphertext, associated_data, &mut plaintext)?;
        Ok(plaintext)
    }

    /// Encrypts the contents of `buffer` and replaces them with the ciphertext.
    ///
    /// The buffer is not reallocated if its capacity suffices for the ciphertext.
    ///
    /// # Errors
    /// [`EncryptError`] if an input is too long or there is no randomness; `buffer` is then
    /// unchanged. If the provider itself fails, `buffer` is empty.
    fn encrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        let ciphertext = self.encrypt(buffer, associated_data)?;
        // The plaintext is wiped with the old buffer.
        wipe(buffer);
        buffer.extend_from_slice(&ciphertext);
        Ok(())
    }

    /// Decrypts the contents of `buffer` and replaces them with the plaintext.
    ///
    /// # Errors
    /// [`DecryptError`] if decryption fails; `buffer` is then empty. Any plaintext that the cipher
    /// has already written to it is wiped.
    fn decrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        match self.decrypt(buffer, associated_data) {
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

/// Authenticated encryption of streams: plaintexts of any length, in constant memory.
///
/// The associated data is authenticated, but it is neither encrypted nor part of the stream: pass
/// the same data to decrypt. It may have any length, and may be empty. Readers, writers, random
/// access and multithreading are in [`streaming`](crate::streaming), where everything takes a
/// [`Sealer`] or an [`Opener`].
///
/// # Example
/// ```
/// use std::io::{Read as _, Write as _};
///
/// use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead, streaming};
///
/// let keyset = KeysetHandle::generate("AES256_GCM_HKDF_1MB")?;
/// let aead: KeysetStreamingAead = keyset.primitive()?;
///
/// let mut writer = streaming::EncryptingWriter::new(aead.sealer(b"backup 7")?, Vec::new());
/// writer.write_all(b"attack at dawn")?;
/// let stream = writer.finish()?;
///
/// let mut reader = streaming::DecryptingReader::new(aead.opener(b"backup 7"), stream.as_slice());
/// let mut plaintext = Vec::new();
/// reader.read_to_end(&mut plaintext)?;
/// assert_eq!(plaintext, b"attack at dawn");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait StreamingAead: Send + Sync {
    /// Starts encrypting a stream, with a random header.
    ///
    /// # Errors
    /// [`EncryptError::Random`] if there is no randomness for the header.
    fn sealer(&self, associated_data: &[u8]) -> Result<Sealer, EncryptError>;

    /// Starts decrypting a stream.
    fn opener(&self, associated_data: &[u8]) -> Opener;
}
