//! [`KeyType`]: a key type, as tables and lists see it.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Key, KeyKind, KeySource, KeySpec, KeyTemplate, ParameterChoice, ParameterName, Template,
    Variant,
    spec::{parameters_of, stock_template, template_of},
};
use crate::{
    error::KeyError,
    secret::SecretBytes,
    wire::{self, proto::key_data::KeyMaterialType},
};

/// Generates keys of one template, which was read once.
pub(crate) type KeyGenerator = Arc<dyn Fn() -> Result<Key, KeyError> + Send + Sync>;

/// Only this crate adds key types.
pub trait Sealed {}

impl<S: KeySpec> Sealed for S {}

/// A key type, as tables and lists see it. Each is a unit struct in its own file.
pub trait KeyType: Send + Sync + Sealed {
    /// Returns the type URL in Tink's files.
    fn type_url(&self) -> &'static str;

    /// Returns the purpose of its keys.
    fn kind(&self) -> KeyKind;

    /// Returns whether its keys can be derived from another key, by a
    /// [`KeysetDeriver`](crate::KeysetDeriver).
    fn is_derivable(&self) -> bool;

    /// Returns the stock templates.
    fn templates(&self) -> Vec<Template>;

    /// Returns the stock template of a name, such as `AES256_GCM`.
    fn template(&self, name: &str) -> Option<Template>;

    /// Generates a key from a serialized key format.
    ///
    /// # Errors
    /// An error that describes the fault in the key format; [`KeyError::Random`]
    fn generate_from(&self, template: &KeyTemplate) -> Result<Key, KeyError>;

    /// Finds every fault of a serialized key format, which is then read once for any number of
    /// keys.
    #[doc(hidden)]
    fn generator(&self, template: &KeyTemplate) -> Result<KeyGenerator, KeyError>;

    #[doc(hidden)]
    fn import(&self, template: &KeyTemplate, bytes: &SecretBytes) -> Result<Key, KeyError>;

    #[doc(hidden)]
    fn read(&self, value: Bytes, label: i32, variant: Variant) -> Result<Key, KeyError>;

    /// Returns the key material type with which its keys are labelled.
    #[doc(hidden)]
    fn key_material_type(&self) -> i32;

    /// Returns the names of the parameters that its keys have besides their size.
    ///
    /// [`choose`](Self::choose) takes them.
    fn parameter_names(&self) -> &'static [ParameterName];

    /// Returns the template of keys of `size` bytes with these parameters. Those that you leave out
    /// are as in most stock templates.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] if a key cannot have these parameters, or needs one that is missing.
    fn choose(
        &self,
        size: usize,
        choice: &ParameterChoice,
        variant: Variant,
    ) -> Result<KeyTemplate, KeyError>;

    /// Makes a key out of at most `limit` bytes of `source`.
    #[doc(hidden)]
    fn derive(
        &self,
        template: &KeyTemplate,
        limit: usize,
        source: KeySource<'_>,
    ) -> Result<Key, KeyError>;
}

impl<S: KeySpec> KeyType for S {
    fn type_url(&self) -> &'static str {
        S::TYPE_URL
    }

    fn kind(&self) -> KeyKind {
        S::KIND
    }

    fn is_derivable(&self) -> bool {
        S::DERIVABLE
    }

    fn templates(&self) -> Vec<Template> {
        S::TEMPLATES.iter().map(stock_template::<S>).collect()
    }

    fn template(&self, name: &str) -> Option<Template> {
        let mut stock = S::TEMPLATES.iter();
        stock
            .find(|(known, ..)| *known == name)
            .map(stock_template::<S>)
    }

    fn generate_from(&self, template: &KeyTemplate) -> Result<Key, KeyError> {
        let parameters = parameters_of::<S>(template)?;
        Key::of_the_system::<S>(&parameters, template.variant())
    }

    fn generator(&self, template: &KeyTemplate) -> Result<KeyGenerator, KeyError> {
        let parameters = parameters_of::<S>(template)?;
        Key::check_new::<S>(&parameters)?;
        let variant = template.variant();
        Ok(Arc::new(move || {
            Key::of_the_system::<S>(&parameters, variant)
        }))
    }

    fn import(&self, template: &KeyTemplate, bytes: &SecretBytes) -> Result<Key, KeyError> {
        let parameters = parameters_of::<S>(template)?;
        let wrong_size = || {
            let allowed = "what the template draws";
            KeyError::parameter("size of the key material", bytes.len(), allowed)
        };
        // Before anything of the size that a few bytes can ask for is made.
        if S::properties(&parameters).key_size != bytes.len() {
            return Err(wrong_size());
        }
        let mut left = bytes.bytes();
        let mut given = |part: &mut [u8]| {
            let (taken, rest) = left.split_at_checked(part.len()).ok_or_else(wrong_size)?;
            part.copy_from_slice(taken);
            left = rest;
            Ok(())
        };
        let key = S::generate(&parameters, &mut given)?;
        if !left.is_empty() {
            return Err(wrong_size());
        }
        Key::bind::<S>(key, template.variant())
    }

    fn read(&self, value: Bytes, label: i32, variant: Variant) -> Result<Key, KeyError> {
        if S::CHECKS_KEY_MATERIAL_TYPE && label != i32::from(S::KEY_MATERIAL_TYPE) {
            let found = KeyMaterialType::try_from(label).map_or_else(
                |_| label.to_string(),
                |known| known.as_str_name().to_owned(),
            );
            return Err(KeyError::Material {
                found,
                wanted: S::KEY_MATERIAL_TYPE.as_str_name(),
            });
        }
        let message = wire::decode(value).map_err(KeyError::Malformed)?;
        Key::bind::<S>(S::read(message)?, variant)
    }

    fn key_material_type(&self) -> i32 {
        S::KEY_MATERIAL_TYPE.into()
    }

    fn derive(
        &self,
        template: &KeyTemplate,
        limit: usize,
        source: KeySource<'_>,
    ) -> Result<Key, KeyError> {
        if !S::DERIVABLE {
            return Err(KeyError::NotDerivable {
                type_url: S::TYPE_URL.to_owned(),
            });
        }
        let parameters = parameters_of::<S>(template)?;
        let key_size = S::properties(&parameters).key_size;
        if key_size > limit {
            let allowed = "as many bytes as the key that derives it can give";
            return Err(KeyError::parameter("derived key size", key_size, allowed));
        }
        Key::bind::<S>(S::generate(&parameters, source)?, template.variant())
    }

    fn parameter_names(&self) -> &'static [ParameterName] {
        S::PARAMETERS
    }

    fn choose(
        &self,
        size: usize,
        choice: &ParameterChoice,
        variant: Variant,
    ) -> Result<KeyTemplate, KeyError> {
        let parameters = S::choose(size, choice)?;
        Ok(template_of::<S>(&parameters, variant))
    }
}
