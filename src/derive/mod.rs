//! Keysets derived from a keyset: one for each salt.

use std::{fmt, sync::Arc};

use crate::{
    cipher::Provider,
    error::KeysetError,
    key::{Key, KeyDeriver, KeyKind, PerKey, RawPrimitive},
    keyset::{KeysetHandle, Primitive},
};

/// Makes keysets from salts: the same salt gives the same keyset, in every Tink.
///
/// Each enabled key of the deriver's keyset makes one key, with its id and by its template; the
/// primary key makes the primary one. So you rotate a deriver like any keyset, and ciphertexts of a
/// derived keyset still decrypt afterwards.
///
/// # Security
/// A salt is not secret. It names the purpose of the keyset, such as a tenant's number. Take care
/// that two names never give the same salt. A derived keyset holds secrets like any other: do not
/// store it, but derive it again.
///
/// # Example
/// A keyset for each tenant, from one secret:
/// ```
/// use keyseal::{Aead, KeysetAead, KeysetDeriver, KeysetHandle};
///
/// let deriver: KeysetDeriver =
///     KeysetHandle::generate("HKDF_SHA256_DERIVES_AES256_GCM")?.primitive()?;
/// let ada: KeysetAead = deriver.derive_keyset(b"tenant/ada")?.primitive()?;
/// let eve: KeysetAead = deriver.derive_keyset(b"tenant/eve")?.primitive()?;
///
/// let ciphertext = ada.encrypt(b"of ada alone", b"")?;
/// assert!(eve.decrypt(&ciphertext, b"").is_err());
///
/// let ada_again: KeysetAead = deriver.derive_keyset(b"tenant/ada")?.primitive()?;
/// assert_eq!(ada_again.decrypt(&ciphertext, b"")?, b"of ada alone");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeysetDeriver(Arc<PerKey<KeyDeriver>>);

impl KeysetDeriver {
    /// Derives the keyset of a salt, which may be empty.
    ///
    /// # Errors
    /// [`KeysetError::Key`] if a key cannot be derived. Making the deriver has already ruled this
    /// out.
    pub fn derive_keyset(&self, salt: &[u8]) -> Result<KeysetHandle, KeysetError> {
        let keys = self
            .0
            .iter()
            .map(|(id, deriver)| match deriver.derive(salt) {
                Ok(key) => Ok((*id, key)),
                Err(source) => Err(KeysetError::Key { id: *id, source }),
            })
            .collect::<Result<_, _>>()?;
        KeysetHandle::from_enabled(keys, self.0.primary_id())
    }
}

impl Primitive for KeysetDeriver {
    fn from_keyset(keyset: &KeysetHandle, provider: Provider) -> Result<Self, KeysetError> {
        let deriver = |_, key: &Key| {
            let raw = key.primitive(
                KeyKind::KeysetDeriver,
                provider,
                |primitive| match primitive {
                    RawPrimitive::KeysetDeriver(raw) => Some(raw),
                    _ => None,
                },
            )?;
            Some(raw.and_then(KeyDeriver::new))
        };
        Ok(Self(Arc::new(
            keyset.make_each(KeyKind::KeysetDeriver, deriver)?,
        )))
    }
}

impl fmt::Debug for KeysetDeriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetDeriver")
            .field("keys", &self.0.len())
            .finish_non_exhaustive()
    }
}
