//! Keys: one file for each key type, holding its parameters, key, message and primitive.
//!
//! A [`Key`] is any of them with its output prefix type. [`KEY_TYPES`] lists what this crate
//! knows; a [`KeyTypes`] value says which of these a program accepts.

use std::{any::Any, fmt, sync::Arc};

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::{
    cipher::{Provider, RawAead},
    error::KeyError,
    rng,
    secret::{SecretBytes, wipe_stack},
    wire::{self, proto::key_data::KeyMaterialType},
};

pub mod aes_ctr_hmac;
pub mod aes_eax;
pub mod aes_gcm;
pub mod aes_gcm_siv;
pub mod chacha20_poly1305;
pub mod x_aes_gcm;
pub mod xchacha20_poly1305;

mod prefixed;
mod spec;
mod template;

pub use crate::prefix::{KeyId, OutputPrefix, Variant};
pub(crate) use prefixed::PrefixedAead;
pub use spec::{KeyParameters, TypedKey};
pub(crate) use spec::{KeySpec, check_version};
pub use template::{Facts, KeyTemplate, Template};

/// Every key type of this crate.
pub const KEY_TYPES: &[&dyn KeyType] = &[
    &aes_ctr_hmac::AesCtrHmac,
    &aes_eax::AesEax,
    &aes_gcm::AesGcm,
    &aes_gcm_siv::AesGcmSiv,
    &chacha20_poly1305::ChaCha20Poly1305,
    &x_aes_gcm::XAesGcm,
    &xchacha20_poly1305::XChaCha20Poly1305,
];

/// The key types that a program accepts: all of them, or a list of its own.
///
/// A key of any other type is kept as it is when a keyset is read and written, and can be listed,
/// but not used. A program that lists its types is linked with no others.
///
/// # Example
/// ```
/// use keyseal::{KeyTypes, key::aes_gcm::AesGcm};
///
/// const ONLY_AES_GCM: KeyTypes<'static> = KeyTypes::of(&[&AesGcm]);
/// assert!(ONLY_AES_GCM.generate("AES256_GCM").is_ok());
/// assert!(ONLY_AES_GCM.generate("XCHACHA20_POLY1305").is_err());
/// ```
#[derive(Clone, Copy)]
pub struct KeyTypes<'a>(&'a [&'a dyn KeyType]);

impl<'a> KeyTypes<'a> {
    /// Accepts the key types of `list`, and no others.
    #[must_use]
    pub const fn of(list: &'a [&'a dyn KeyType]) -> Self {
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
        self.templates()
            .find(|template| template.name() == name)
            .ok_or_else(|| KeyError::UnknownTemplate {
                name: name.to_owned(),
            })
    }

    /// Generates a key by the name of its template, such as `AES256_GCM`.
    ///
    /// # Errors
    /// [`KeyError::UnknownTemplate`], [`KeyError::Random`]
    pub fn generate(&self, template: &str) -> Result<Key, KeyError> {
        self.generate_from(self.template(template)?.key_template())
    }

    /// Generates a key from a type URL, a serialized key format and an output prefix type.
    ///
    /// # Errors
    /// [`KeyError::UnknownType`]; what is wrong with the key format; [`KeyError::Random`]
    pub fn generate_from(&self, template: &KeyTemplate) -> Result<Key, KeyError> {
        self.find(template.type_url())
            .ok_or_else(|| KeyError::UnknownType {
                type_url: template.type_url().to_owned(),
            })?
            .generate_from(template)
    }

    /// Reads a key of a keyset; keeps what is of no known type as it is.
    pub(crate) fn read(
        &self,
        type_url: String,
        value: Bytes,
        label: i32,
        variant: Variant,
    ) -> Result<Key, KeyError> {
        match self.find(&type_url) {
            Some(key_type) => key_type.read(value, label, variant),
            None => {
                let value = SecretBytes::copy_of(&value);
                Ok(Key {
                    variant,
                    material: Arc::new(OpaqueKey {
                        type_url,
                        value,
                        label,
                    }),
                })
            }
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

/// A key type, as tables and lists see it. Each is a unit struct in a file of its own.
pub trait KeyType: Send + Sync + spec::Sealed {
    /// Returns the type URL in Tink's files.
    fn type_url(&self) -> &'static str;

    /// Returns the stock templates.
    fn templates(&self) -> Vec<Template>;

    /// Generates a key from a serialized key format.
    ///
    /// # Errors
    /// What is wrong with the key format; [`KeyError::Random`]
    fn generate_from(&self, template: &KeyTemplate) -> Result<Key, KeyError>;

    #[doc(hidden)]
    fn read(&self, value: Bytes, label: i32, variant: Variant) -> Result<Key, KeyError>;
}

/// A key of any type, and the output prefix type that it writes with. Cheap to clone.
///
/// `Debug` shows both, and no key material.
///
/// # Example
/// ```
/// use keyseal::{Key, KeysetHandle, SecretAccess, SecretBytes, Variant, key::aes_gcm::AesGcmKey};
///
/// // A raw AES-256-GCM key from elsewhere becomes the first key of a keyset.
/// let bytes = SecretBytes::copy_from(&[7; 32], SecretAccess::insecure());
/// let key = Key::new(AesGcmKey::new(bytes)?, Variant::Raw)?;
/// let keyset = KeysetHandle::new(key)?;
/// # assert_eq!(keyset.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Key {
    variant: Variant,
    material: Arc<dyn Material>,
}

impl Key {
    /// Makes a key out of a typed one, such as an [`AesGcmKey`](aes_gcm::AesGcmKey).
    ///
    /// # Errors
    /// [`KeyError::Variant`] when the key type does not go with this output prefix.
    pub fn new<K: TypedKey>(key: K, variant: Variant) -> Result<Self, KeyError> {
        Self::bind::<K::Spec>(key, variant)
    }

    /// Generates a key of the default key types by the name of its template.
    ///
    /// # Errors
    /// [`KeyError::UnknownTemplate`], [`KeyError::Random`]
    pub fn generate(template: &str) -> Result<Self, KeyError> {
        KeyTypes::default().generate(template)
    }

    /// Generates a key from typed parameters.
    ///
    /// # Errors
    /// [`KeyError::Variant`], [`KeyError::Random`]
    ///
    /// # Example
    /// ```
    /// use keyseal::{Key, Variant, key::aes_eax::AesEaxParameters};
    ///
    /// let key = Key::generate_with(&AesEaxParameters::new(32, 12)?, Variant::Tink)?;
    /// # assert_eq!(key.variant(), Variant::Tink);
    /// # Ok::<(), keyseal::KeyError>(())
    /// ```
    pub fn generate_with<P: KeyParameters>(
        parameters: &P,
        variant: Variant,
    ) -> Result<Self, KeyError> {
        let mut system = |bytes: &mut [u8]| Ok(rng::fill_secret(bytes)?);
        Self::bind::<P::Spec>(P::Spec::generate(parameters, &mut system)?, variant)
    }

    /// Returns the type URL in Tink's files.
    #[must_use]
    pub fn type_url(&self) -> &str {
        self.material.type_url()
    }

    /// Returns the output prefix type.
    #[must_use]
    pub const fn variant(&self) -> Variant {
        self.variant
    }

    /// Returns the typed key, if it is a `K`.
    #[must_use]
    pub fn downcast_ref<K: TypedKey>(&self) -> Option<&K> {
        self.material.as_any().downcast_ref()
    }

    /// Returns the template that makes keys like this one; none where the type is not known.
    #[must_use]
    pub fn template(&self) -> Option<KeyTemplate> {
        self.material.template(self.variant)
    }

    /// Returns sizes, limits and advice; none where the type is not known.
    #[must_use]
    pub fn facts(&self) -> Option<Facts> {
        self.material.facts()
    }

    /// Returns the cipher that this key is for; none when it is another kind of key.
    pub(crate) fn aead(
        &self,
        id: KeyId,
        provider: Provider,
    ) -> Option<Result<PrefixedAead, KeyError>> {
        // Before, so that nothing stale gets into the unused bytes of what is made.
        wipe_stack();
        let cipher = self.material.aead(provider);
        wipe_stack();
        Some(cipher?.map(|cipher| PrefixedAead::new(self.variant.prefix(id), cipher)))
    }

    /// Returns the serialized key message.
    pub(crate) fn value(&self) -> Bytes {
        wire::secret(self.material.value())
    }

    /// Returns the key material type, as a number of the wire.
    pub(crate) fn label(&self) -> i32 {
        self.material.label()
    }

    fn bind<S: KeySpec>(key: S::Key, variant: Variant) -> Result<Self, KeyError> {
        if !S::VARIANTS.contains(&variant) {
            return Err(KeyError::Variant { variant });
        }
        Ok(Self {
            variant,
            material: Arc::new(Typed::<S>(key)),
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("type_url", &self.type_url())
            .field("variant", &self.variant)
            .finish_non_exhaustive()
    }
}

/// A key whose type is erased.
trait Material: Send + Sync {
    fn type_url(&self) -> &str;
    fn label(&self) -> i32;
    fn value(&self) -> Zeroizing<Vec<u8>>;
    fn as_any(&self) -> &dyn Any;
    fn template(&self, variant: Variant) -> Option<KeyTemplate>;
    fn facts(&self) -> Option<Facts>;
    fn aead(&self, provider: Provider) -> Option<Result<Box<dyn RawAead>, KeyError>>;
}

struct Typed<S: KeySpec>(S::Key);

impl<S: KeySpec> Material for Typed<S> {
    fn type_url(&self) -> &str {
        S::TYPE_URL
    }

    fn label(&self) -> i32 {
        S::LABEL.into()
    }

    fn value(&self) -> Zeroizing<Vec<u8>> {
        wire::encode(&S::write(&self.0))
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn template(&self, variant: Variant) -> Option<KeyTemplate> {
        Some(template::of::<S>(&S::parameters(&self.0), variant))
    }

    fn facts(&self) -> Option<Facts> {
        Some(S::facts(&S::parameters(&self.0)))
    }

    fn aead(&self, provider: Provider) -> Option<Result<Box<dyn RawAead>, KeyError>> {
        S::aead(&self.0, provider)
    }
}

/// A key of a type that nobody listed: kept byte for byte, and good for nothing else.
struct OpaqueKey {
    type_url: String,
    value: SecretBytes,
    label: i32,
}

impl Material for OpaqueKey {
    fn type_url(&self) -> &str {
        &self.type_url
    }

    fn label(&self) -> i32 {
        self.label
    }

    fn value(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.value.bytes().to_vec())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn template(&self, _variant: Variant) -> Option<KeyTemplate> {
        None
    }

    fn facts(&self) -> Option<Facts> {
        None
    }

    fn aead(&self, _provider: Provider) -> Option<Result<Box<dyn RawAead>, KeyError>> {
        None
    }
}

impl<S: KeySpec> KeyType for S {
    fn type_url(&self) -> &'static str {
        S::TYPE_URL
    }

    fn templates(&self) -> Vec<Template> {
        S::TEMPLATES
            .iter()
            .map(|(name, variant, parameters)| {
                Template::new(
                    name,
                    template::of::<S>(parameters, *variant),
                    S::facts(parameters),
                )
            })
            .collect()
    }

    fn generate_from(&self, template: &KeyTemplate) -> Result<Key, KeyError> {
        let parameters = template::parameters::<S>(template)?;
        let mut system = |bytes: &mut [u8]| Ok(rng::fill_secret(bytes)?);
        Key::bind::<S>(S::generate(&parameters, &mut system)?, template.variant())
    }

    fn read(&self, value: Bytes, label: i32, variant: Variant) -> Result<Key, KeyError> {
        if S::CHECKS_LABEL && label != i32::from(S::LABEL) {
            let found = KeyMaterialType::try_from(label).map_or_else(
                |_| label.to_string(),
                |known| known.as_str_name().to_owned(),
            );
            return Err(KeyError::Material {
                found,
                wanted: S::LABEL.as_str_name(),
            });
        }
        let message = wire::decode(value).map_err(KeyError::Malformed)?;
        Key::bind::<S>(S::read(message)?, variant)
    }
}
