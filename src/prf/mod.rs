//! The pseudorandom functions of a keyset, one for each key.

use std::{fmt, sync::Arc};

use crate::{
    cipher::{Provider, RawPrf, Refused},
    error::{KeysetError, PrfError},
    key::{Key, KeyId, KeyKind, PerKey, RawPrimitive},
    keyset::{KeysetHandle, Primitive},
    primitive::{Prf, check_output_length},
};

/// The pseudorandom functions of a keyset. Cheap to clone, and safe to share between threads.
///
/// An output does not say which key made it: store the key id next to an output that you must compute
/// again after a rotation.
///
/// # Example
/// ```
/// use keyseal::{Key, KeysetHandle, KeysetPrfSet};
///
/// let mut keyset = KeysetHandle::generate("HKDF_SHA256")?;
/// let old = keyset.primary_id();
/// let index: KeysetPrfSet = keyset.primitive()?;
/// let before = index.primary().compute_prf(b"ada@example.org", 32)?;
///
/// keyset.rotate(Key::generate("HMAC_SHA256_PRF")?)?;
/// let prfs: KeysetPrfSet = keyset.primitive()?;
/// let same = prfs.get(old).map(|prf| prf.compute_prf(b"ada@example.org", 32)).transpose()?;
/// assert_eq!(same, Some(before));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeysetPrfSet(Arc<PerKey<KeyPrf>>);

impl KeysetPrfSet {
    /// Returns the function of the primary key.
    #[must_use]
    pub fn primary(&self) -> &dyn Prf {
        self.0.primary()
    }

    /// Returns the id of the primary key.
    #[must_use]
    pub fn primary_id(&self) -> KeyId {
        self.0.primary_id()
    }

    /// Returns the function of an enabled key; or `None` if there is no such key.
    #[must_use]
    pub fn get(&self, key_id: KeyId) -> Option<&dyn Prf> {
        self.iter()
            .find(|(id, _)| *id == key_id)
            .map(|(_, prf)| prf)
    }

    /// Returns the functions of all enabled keys, that of the primary key first.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, &dyn Prf)> {
        let keys = self.0.primary_first();
        keys.map(|(id, prf)| (*id, prf as &dyn Prf))
    }
}

impl Primitive for KeysetPrfSet {
    fn from_keyset(keyset: &KeysetHandle, provider: Provider) -> Result<Self, KeysetError> {
        let prf = |_, key: &Key| {
            key.primitive(KeyKind::Prf, provider, |primitive| match primitive {
                RawPrimitive::Prf(prf) => Some(KeyPrf(prf)),
                _ => None,
            })
        };
        Ok(Self(Arc::new(keyset.make_each(KeyKind::Prf, prf)?)))
    }
}

impl fmt::Debug for KeysetPrfSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetPrfSet")
            .field("primary_id", &self.0.primary_id().value())
            .field("keys", &self.0.len())
            .finish_non_exhaustive()
    }
}

/// The function of one key.
struct KeyPrf(Box<dyn RawPrf>);

impl Prf for KeyPrf {
    fn max_output_length(&self) -> usize {
        self.0.max_output_len()
    }

    fn compute_prf_into(&self, input: &[u8], output: &mut [u8]) -> Result<(), PrfError> {
        let (length, limit) = (output.len(), self.max_output_length());
        check_output_length(length, limit)?;
        self.0
            .compute(input, output)
            .map_err(|Refused| PrfError::TooLong { length, limit })
    }
}
