//! The AEAD of a whole keyset of local keys.

use crate::{
    error::{DecryptError, EncryptError},
    key::{PrefixMap, PrefixedAead},
    primitive::Aead,
};

/// The AEAD of a keyset, or its deterministic AEAD: the primary key encrypts, every key that may
/// have written a ciphertext tries to open it.
impl Aead for PrefixMap<PrefixedAead> {
    #[inline]
    fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError> {
        self.primary().encrypt(plaintext, associated_data)
    }

    #[inline]
    fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError> {
        self.first(ciphertext, |key| {
            key.decrypt(ciphertext, associated_data).ok()
        })
        .ok_or(DecryptError::FAILED)
    }

    #[inline]
    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        self.primary().encrypt_into(plaintext, associated_data, out)
    }

    #[inline]
    fn decrypt_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        self.first(ciphertext, |key| {
            key.decrypt_into(ciphertext, associated_data, out).ok()
        })
        .ok_or(DecryptError::FAILED)
    }

    fn encrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        self.primary().encrypt_in_place(buffer, associated_data)
    }

    fn decrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        let mut candidates = self.candidates(buffer);
        let opened = match (candidates.next(), candidates.next()) {
            (Some(only), None) => return only.decrypt_in_place(buffer, associated_data),
            // A key that fails spoils the buffer for the next one.
            (Some(_), Some(_)) => self.decrypt(buffer, associated_data),
            (None, _) => Err(DecryptError::FAILED),
        };
        match opened {
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
