//! Keys made of a salt: the same function that draws a fresh key, fed by HKDF.

use std::fmt;

use super::{Key, KeyTemplate, KeyType, RawDeriver, types::table::ALL_BUT_DERIVER};
use crate::{cipher::Refused, error::KeyError, secret::SecretBytes};

/// Makes keys of one template, each from a salt.
pub(crate) struct KeyDeriver {
    raw: RawDeriver,
    recipe: Recipe,
}

impl KeyDeriver {
    pub(crate) fn new(raw: RawDeriver) -> Result<Self, KeyError> {
        let recipe = Recipe::new(raw.prf.max_output_len(), &raw.template)?;
        Ok(Self { raw, recipe })
    }

    pub(crate) fn derive(&self, salt: &[u8]) -> Result<Key, KeyError> {
        let Recipe { key_type, key_size } = self.recipe;
        let stream = SecretBytes::filled(key_size, |bytes| {
            let filled = self.raw.prf.compute(salt, bytes);
            filled.map_err(|Refused| KeyError::Provider)
        })?;
        let mut rest = stream.bytes();
        key_type.derive(&self.raw.template, key_size, &mut |bytes| {
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
            .field("template", &self.raw.template)
            .finish_non_exhaustive()
    }
}

/// Finds every fault of the template of a deriver.
pub(super) fn check(max_output: usize, template: &KeyTemplate) -> Result<(), KeyError> {
    Recipe::new(max_output, template).map(|_| ())
}

/// How a key is made: known to work, whatever the bytes.
struct Recipe {
    key_type: &'static dyn KeyType,
    /// Bytes that a key takes.
    key_size: usize,
}

impl Recipe {
    fn new(max_output: usize, template: &KeyTemplate) -> Result<Self, KeyError> {
        let key_type = ALL_BUT_DERIVER
            .iter()
            .copied()
            .find(|key_type| key_type.type_url() == template.type_url())
            .ok_or_else(|| KeyError::UnknownType {
                type_url: template.type_url().to_owned(),
            })?;
        // Making a key of zeros tries all else, and counts the bytes.
        let mut key_size = 0;
        key_type.derive(template, max_output, &mut |bytes| {
            key_size += bytes.len();
            Ok(())
        })?;
        Ok(Self { key_type, key_size })
    }
}
