//! The keys of one keyset, found by the prefix of what they wrote.

use std::sync::Arc;

use super::{KeyId, OutputPrefix, PrefixedAead};
use crate::{
    error::{DecryptError, EncryptError},
    primitive::Aead,
};

/// What one key is made into, with the prefix of that key.
pub(crate) trait Prefixed {
    fn prefix(&self) -> OutputPrefix;
}

/// The keys of a keyset: the primary one, and all by their prefix.
pub(crate) struct PrefixMap<T> {
    primary: Arc<T>,
    /// Sorted by prefix; those of one prefix in the order of the keyset.
    prefixed: Vec<(OutputPrefix, Arc<T>)>,
    raw: Vec<Arc<T>>,
}

impl<T: Prefixed> PrefixMap<T> {
    /// Takes keys in the order of their keyset; none comes out when the primary one is missing.
    pub(crate) fn new(keys: Vec<(KeyId, T)>, primary_id: KeyId) -> Option<Self> {
        let mut primary = None;
        let mut prefixed = Vec::new();
        let mut raw = Vec::new();
        for (id, key) in keys {
            let key = Arc::new(key);
            if id == primary_id {
                primary = Some(Arc::clone(&key));
            }
            if key.prefix().as_bytes().is_empty() {
                raw.push(key);
            } else {
                prefixed.push((key.prefix(), key));
            }
        }
        prefixed.sort_by_key(|(prefix, _)| *prefix);
        Some(Self {
            primary: primary?,
            prefixed,
            raw,
        })
    }

    /// Returns the key that writes.
    #[inline]
    pub(crate) fn primary(&self) -> &T {
        &self.primary
    }

    /// Returns the keys that may have written `output`, in the order in which to try them: first
    /// those whose prefix it has, then every raw one.
    #[inline]
    pub(crate) fn candidates<'k>(
        &'k self,
        output: &[u8],
    ) -> impl Iterator<Item = &'k T> + use<'k, T> {
        let start = OutputPrefix::read(output);
        let first = self.prefixed.partition_point(|(prefix, _)| *prefix < start);
        self.prefixed
            .iter()
            .skip(first)
            .take_while(move |(prefix, _)| *prefix == start)
            .map(|(_, key)| key.as_ref())
            .chain(self.raw.iter().map(Arc::as_ref))
    }

    /// Returns the number of keys.
    pub(crate) const fn len(&self) -> usize {
        self.prefixed.len() + self.raw.len()
    }
}

/// The AEAD of a keyset, or its deterministic AEAD: the primary key encrypts, every key that may
/// have written a ciphertext tries to open it.
impl Aead for PrefixMap<PrefixedAead> {
    #[inline]
    fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError> {
        self.primary().encrypt(plaintext, associated_data)
    }

    #[inline]
    fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError> {
        self.candidates(ciphertext)
            .find_map(|key| key.decrypt(ciphertext, associated_data).ok())
            .ok_or(DecryptError)
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
        self.candidates(ciphertext)
            .find_map(|key| key.decrypt_into(ciphertext, associated_data, out).ok())
            .ok_or(DecryptError)
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
            (None, _) => Err(DecryptError),
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
