//! Keys made of a salt: the same function that draws a fresh key, fed by HKDF.

use std::fmt;

use super::{
    Key, KeyTemplate, KeyType, KeyTypes,
    hkdf_prf::{HkdfPrfKey, HkdfPrfParameters},
};
use crate::{
    cipher::{RawPrf, Refused},
    error::KeyError,
    secret::SecretBytes,
};

/// Makes keys of one template, each from a salt.
pub struct KeyDeriver {
    prf: Box<dyn RawPrf>,
    template: KeyTemplate,
    recipe: Recipe,
}

impl KeyDeriver {
    pub(super) fn new(prf_key: &HkdfPrfKey, template: &KeyTemplate) -> Result<Self, KeyError> {
        Ok(Self {
            prf: prf_key.raw_prf(),
            template: template.clone(),
            recipe: Recipe::new(prf_key.parameters(), template)?,
        })
    }

    pub(crate) fn derive(&self, salt: &[u8]) -> Result<Key, KeyError> {
        let Recipe { key_type, key_size } = self.recipe;
        let stream = SecretBytes::filled(key_size, |bytes| {
            let filled = self.prf.compute(salt, bytes);
            filled.map_err(|Refused| KeyError::Provider)
        })?;
        let mut rest = stream.bytes();
        key_type.derive(&self.template, key_size, &mut |bytes| {
            let taken = rest.split_at_checked(bytes.len());
            let (next, after) = taken.ok_or(KeyError::Provider)?;
            bytes.copy_from_slice(next);
            rest = after;
            Ok(())
        })
    }
}

impl fmt::Debug for KeyDeriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyDeriver")
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// Finds every fault of the template of a deriver.
pub(super) fn check(prf: &HkdfPrfParameters, template: &KeyTemplate) -> Result<(), KeyError> {
    Recipe::new(prf, template).map(|_| ())
}

/// How a key is made: known to work, whatever the bytes.
struct Recipe {
    key_type: &'static dyn KeyType,
    /// Bytes that a key takes.
    key_size: usize,
}

impl Recipe {
    fn new(prf: &HkdfPrfParameters, template: &KeyTemplate) -> Result<Self, KeyError> {
        let key_type = KeyTypes::default()
            .find(template.type_url())
            .ok_or_else(|| KeyError::UnknownType {
                type_url: template.type_url().to_owned(),
            })?;
        // Making a key of zeros tries all else, and counts the bytes.
        let mut key_size = 0;
        key_type.derive(template, prf.max_output(), &mut |bytes| {
            key_size += bytes.len();
            Ok(())
        })?;
        Ok(Self { key_type, key_size })
    }
}
