//! AEAD over a whole keyset: the primary key encrypts, every enabled key may decrypt.

use std::{fmt, sync::Arc};

use crate::{
    cipher::Provider,
    error::{DecryptError, EncryptError, KeysetError},
    key::{OutputPrefix, PrefixedAead},
    keyset::{KeysetHandle, Primitive},
    primitive::Aead,
    secret::wipe_stack,
};

/// The AEAD of a keyset. Cheap to clone, and safe to share between threads.
///
/// A ciphertext is `prefix(0|5) ‖ nonce ‖ body ‖ tag`; sizes are those of the primary key's type.
/// Decryption tries the keys whose prefix stands in front of the ciphertext, then every raw key.
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
pub struct KeysetAead(Arc<Keys>);

struct Keys {
    primary: Arc<PrefixedAead>,
    /// Sorted by prefix; those of one prefix in the order of the keyset.
    prefixed: Vec<(OutputPrefix, Arc<PrefixedAead>)>,
    raw: Vec<Arc<PrefixedAead>>,
}

impl Drop for Keys {
    /// The portable ciphers leave parts of a key on the stack with every message. Wiping them each
    /// time would cost more than a short message does.
    fn drop(&mut self) {
        wipe_stack();
    }
}

impl Primitive for KeysetAead {
    fn from_keyset(keyset: &KeysetHandle, provider: Provider) -> Result<Self, KeysetError> {
        let mut primary = None;
        let mut prefixed = Vec::new();
        let mut raw = Vec::new();
        for (id, key) in keyset.enabled() {
            let aead = key
                .aead(id, provider)
                .ok_or_else(|| KeysetError::WrongPrimitive {
                    id,
                    type_url: key.type_url().to_owned(),
                    wanted: "an AEAD key",
                })?
                .map_err(|source| KeysetError::Key { id, source })?;
            let aead = Arc::new(aead);
            if id == keyset.primary() {
                primary = Some(Arc::clone(&aead));
            }
            if aead.prefix().as_bytes().is_empty() {
                raw.push(aead);
            } else {
                prefixed.push((aead.prefix(), aead));
            }
        }
        prefixed.sort_by_key(|(prefix, _)| *prefix);
        let primary = primary.ok_or(KeysetError::NoPrimary {
            id: keyset.primary(),
        })?;
        Ok(Self(Arc::new(Keys {
            primary,
            prefixed,
            raw,
        })))
    }
}

impl Keys {
    /// Returns the keys that may open a ciphertext, in the order in which to try them.
    #[inline]
    fn candidates<'k>(
        &'k self,
        ciphertext: &[u8],
    ) -> impl Iterator<Item = &'k PrefixedAead> + use<'k> {
        let start = OutputPrefix::read(ciphertext);
        let first = self.prefixed.partition_point(|(prefix, _)| *prefix < start);
        self.prefixed
            .iter()
            .skip(first)
            .take_while(move |(prefix, _)| *prefix == start)
            .map(|(_, aead)| aead.as_ref())
            .chain(self.raw.iter().map(Arc::as_ref))
    }
}

impl Aead for KeysetAead {
    #[inline]
    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        self.0.primary.encrypt_into(plaintext, associated_data, out)
    }

    #[inline]
    fn decrypt_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        self.0
            .candidates(ciphertext)
            .find_map(|key| key.decrypt_into(ciphertext, associated_data, out).ok())
            .ok_or(DecryptError)
    }

    fn encrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        self.0.primary.encrypt_in_place(buffer, associated_data)
    }

    fn decrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        let mut candidates = self.0.candidates(buffer);
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

impl fmt::Debug for KeysetAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetAead")
            .field("keys", &(self.0.prefixed.len() + self.0.raw.len()))
            .finish_non_exhaustive()
    }
}
