//! [`KeyTypes`]: the key types that a program accepts.

use std::fmt;

use bytes::Bytes;

use super::{
    Key, KeyTemplate, KeyType, Template, Variant,
    template::closest_name,
    types::{prf_based_deriver::PrfBasedDeriverKeyType, table::ALL_BUT_DERIVER},
};
use crate::{error::KeyError, secret::SecretBytes, wire};

/// Every key type of this crate.
pub const KEY_TYPES: &[&dyn KeyType] = &with_deriver();

const DERIVER_AT: usize = 15;

/// A deriver makes keys of the other types, so its file can import their table, but not a table
/// that lists the deriver itself.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn with_deriver() -> [&'static dyn KeyType; ALL_BUT_DERIVER.len() + 1] {
    let mut all: [&'static dyn KeyType; ALL_BUT_DERIVER.len() + 1] =
        [&PrfBasedDeriverKeyType; ALL_BUT_DERIVER.len() + 1];
    let mut at = 0;
    while at < ALL_BUT_DERIVER.len() {
        // The deriver stays where the alphabet puts it.
        let place = if at < DERIVER_AT { at } else { at + 1 };
        all[place] = ALL_BUT_DERIVER[at];
        at += 1;
    }
    all
}

/// The key types that a program accepts: all of them, or a list you choose.
///
/// If a keyset has a key of another type, you can list that key, and writing the keyset keeps it,
/// but you cannot use it. A program that lists its types does not link any others.
///
/// # Example
/// ```
/// use keyseal::{KeyTypes, key::aes_gcm::AesGcmKeyType};
///
/// const ONLY_AES_GCM: KeyTypes<'static> = KeyTypes::new(&[&AesGcmKeyType]);
/// assert!(ONLY_AES_GCM.generate("AES256_GCM").is_ok());
/// assert!(ONLY_AES_GCM.generate("XCHACHA20_POLY1305").is_err());
/// ```
#[derive(Clone, Copy)]
pub struct KeyTypes<'a>(&'a [&'a dyn KeyType]);

impl<'a> KeyTypes<'a> {
    /// Accepts the key types of `list`, and no others.
    #[must_use]
    pub const fn new(list: &'a [&'a dyn KeyType]) -> Self {
        Self(list)
    }

    /// Returns the key type of a type URL.
    #[must_use]
    pub fn find(&self, type_url: &str) -> Option<&'a dyn KeyType> {
        self.0
            .iter()
            .copied()
            .find(|key_type| key_type.type_url() == type_url)
    }

    /// Returns the key types, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = &'a dyn KeyType> + use<'a> {
        self.0.iter().copied()
    }

    /// Returns the templates of all key types.
    pub fn templates(&self) -> impl Iterator<Item = Template> + use<'a> {
        self.iter().flat_map(KeyType::templates)
    }

    /// Returns the template of a name, such as `AES256_GCM`.
    ///
    /// # Errors
    /// [`KeyError::UnknownTemplate`]
    pub fn template(&self, name: &str) -> Result<Template, KeyError> {
        self.iter()
            .find_map(|key_type| key_type.template(name))
            .ok_or_else(|| KeyError::UnknownTemplate {
                name: name.to_owned(),
                suggestion: closest_name(self.templates(), name),
            })
    }

    /// Generates a key by the name of its template, such as `AES256_GCM`.
    ///
    /// # Errors
    /// [`KeyError::UnknownTemplate`], [`KeyError::Random`]
    pub fn generate(&self, template: &str) -> Result<Key, KeyError> {
        self.generate_from(self.template(template)?.key_template())
    }

    /// Generates a key from a type URL, a serialized key format and an output prefix type. The key
    /// has at most 1,048,576 bytes.
    ///
    /// # Errors
    /// [`KeyError::UnknownType`]; an error that describes the fault in the key format;
    /// [`KeyError::Random`]
    pub fn generate_from(&self, template: &KeyTemplate) -> Result<Key, KeyError> {
        self.find(template.type_url())
            .ok_or_else(|| KeyError::UnknownType {
                type_url: template.type_url().to_owned(),
            })?
            .generate_from(template)
    }

    /// Makes the key of a template from existing bytes, such as a key from another program.
    ///
    /// The bytes are in the order in which key generation draws them: for an AES-CTR-HMAC key, the
    /// AES key and then the HMAC key.
    ///
    /// # Errors
    /// [`KeyError::UnknownType`]; an error that describes the fault in the key format;
    /// [`KeyError::Parameter`] if there are more or fewer bytes than the template asks for.
    ///
    /// # Example
    /// ```
    /// use keyseal::{KeyTypes, SecretAccess, SecretBytes};
    ///
    /// let types = KeyTypes::default();
    /// let template = types.template("AES256_GCM_RAW")?;
    /// let bytes = SecretBytes::copy_from(&[7; 32], SecretAccess::insecure());
    /// let key = types.import(template.key_template(), &bytes)?;
    /// # assert_eq!(key.template().as_ref(), Some(template.key_template()));
    /// # Ok::<(), keyseal::KeyError>(())
    /// ```
    pub fn import(&self, template: &KeyTemplate, bytes: &SecretBytes) -> Result<Key, KeyError> {
        self.find(template.type_url())
            .ok_or_else(|| KeyError::UnknownType {
                type_url: template.type_url().to_owned(),
            })?
            .import(template, bytes)
    }

    /// Makes a key from Tink's serialized key message, such as `keyData.value` of a keyset, the
    /// data key of a KMS envelope or a DEK of Confluent's registry.
    ///
    /// [`Key::serialize`] is the inverse.
    ///
    /// # Errors
    /// [`KeyError::UnknownType`]; [`KeyError::Malformed`]; [`KeyError::Variant`]; or an error that
    /// describes another fault in the key.
    ///
    /// # Example
    /// ```
    /// use keyseal::{Key, KeyTypes, SecretAccess, Variant};
    ///
    /// let access = SecretAccess::insecure();
    /// let key = Key::generate("AES256_GCM")?;
    /// let message = key.serialize(access);
    /// assert_eq!(message.expose(access)[..2], [0x1a, 32]); // field 3, the key bytes
    /// let types = KeyTypes::default();
    /// let same = types.import_serialized(key.type_url(), &message, Variant::Tink)?;
    /// # assert_eq!(same.serialize(access).expose(access), message.expose(access));
    /// # Ok::<(), keyseal::KeyError>(())
    /// ```
    pub fn import_serialized(
        &self,
        type_url: &str,
        message: &SecretBytes,
        variant: Variant,
    ) -> Result<Key, KeyError> {
        let key_type = self.find(type_url).ok_or_else(|| KeyError::UnknownType {
            type_url: type_url.to_owned(),
        })?;
        key_type.read(
            wire::secret_copy(message),
            key_type.key_material_type(),
            variant,
        )
    }

    /// Reads a key of a keyset; keeps a key of unknown type unchanged.
    pub(crate) fn read(
        &self,
        type_url: String,
        value: Bytes,
        label: i32,
        variant: Variant,
    ) -> Result<Key, KeyError> {
        match self.find(&type_url) {
            Some(key_type) => key_type.read(value, label, variant),
            None => Ok(Key::opaque(type_url, value, label, variant)),
        }
    }
}

impl Default for KeyTypes<'_> {
    fn default() -> Self {
        Self(KEY_TYPES)
    }
}

impl fmt::Debug for KeyTypes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(KeyType::type_url))
            .finish()
    }
}

impl Key {
    /// Generates a key of the default key types by the name of its template.
    ///
    /// # Errors
    /// [`KeyError::UnknownTemplate`], [`KeyError::Random`]
    pub fn generate(template: &str) -> Result<Self, KeyError> {
        KeyTypes::default().generate(template)
    }
}
