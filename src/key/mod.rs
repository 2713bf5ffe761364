//! Keys: one file for each key type, holding its parameters, key, message and primitive.
//!
//! A [`Key`] is any of them with its output prefix type. [`KEY_TYPES`] lists what this crate
//! knows; a [`KeyTypes`] value says which of these a program accepts.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{
    error::KeyError,
    rng,
    secret::{SecretAccess, SecretBytes},
    wire,
};

mod capabilities;
mod dek;
mod deriver;
mod material;
mod prefix_map;
mod prefixed_aead;
mod prefixed_mac;
mod remote_key;
mod spec;
mod template;
mod types;

pub use types::{
    aes_cmac, aes_cmac_prf, aes_ctr_hmac, aes_ctr_hmac_streaming, aes_eax, aes_gcm,
    aes_gcm_hkdf_streaming, aes_gcm_siv, aes_siv, chacha20_poly1305, hkdf_prf, hmac, hmac_prf,
    kms_aead, kms_envelope_aead, prf_based_deriver, x_aes_gcm, xchacha20_poly1305,
};

pub use crate::{
    kind::KeyKind,
    prefix::{KeyId, OutputPrefix, Variant},
};
pub(crate) use dek::DekTemplate;
pub(crate) use deriver::KeyDeriver;
use material::{Material, OpaqueKey, Typed};
pub(crate) use prefix_map::{PrefixMap, Prefixed};
pub(crate) use prefixed_aead::PrefixedAead;
pub(crate) use prefixed_mac::{PrefixedMac, RunningPrefixedMac};
pub(crate) use remote_key::RemoteKey;
pub use spec::{KeyParameters, TypedKey};
pub(crate) use spec::{KeySource, KeySpec, check_version};
pub use template::{KeyProperties, KeyTemplate, Template};

/// Every key type of this crate.
pub const KEY_TYPES: &[&dyn KeyType] = &[
    &aes_cmac::AesCmacKeyType,
    &aes_cmac_prf::AesCmacPrfKeyType,
    &aes_ctr_hmac::AesCtrHmacKeyType,
    &aes_ctr_hmac_streaming::AesCtrHmacStreamingKeyType,
    &aes_eax::AesEaxKeyType,
    &aes_gcm::AesGcmKeyType,
    &aes_gcm_hkdf_streaming::AesGcmHkdfStreamingKeyType,
    &aes_gcm_siv::AesGcmSivKeyType,
    &aes_siv::AesSivKeyType,
    &chacha20_poly1305::ChaCha20Poly1305KeyType,
    &hkdf_prf::HkdfPrfKeyType,
    &hmac::HmacKeyType,
    &hmac_prf::HmacPrfKeyType,
    &kms_aead::KmsAeadKeyType,
    &kms_envelope_aead::KmsEnvelopeAeadKeyType,
    &prf_based_deriver::PrfBasedDeriverKeyType,
    &x_aes_gcm::XAesGcmKeyType,
    &xchacha20_poly1305::XChaCha20Poly1305KeyType,
];

/// The key types that a program accepts: all of them, or a list you choose.
///
/// A key of any other type is kept as it is when a keyset is read and written, and can be listed,
/// but not used. A program that lists its types is linked with no others.
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

    /// Generates a key from a type URL, a serialized key format and an output prefix type. The key has
    /// at most 1,048,576 bytes.
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

    /// Makes the key of a template from existing bytes, such as a key of another program.
    ///
    /// The bytes are in the order in which generating draws them: for an AES-CTR-HMAC key, the AES
    /// key and then the HMAC key.
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

    /// Makes a key out of Tink's serialized key message, such as `keyData.value` of a keyset, the
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

/// A key type, as tables and lists see it. Each is a unit struct in its own file.
pub trait KeyType: Send + Sync + spec::Sealed {
    /// Returns the type URL in Tink's files.
    fn type_url(&self) -> &'static str;

    /// Returns what its keys are for.
    fn kind(&self) -> KeyKind;

    /// Returns whether its keys can be derived from another key, by a
    /// [`KeysetDeriver`](crate::KeysetDeriver).
    fn is_derivable(&self) -> bool;

    /// Returns the stock templates.
    fn templates(&self) -> Vec<Template>;

    /// Generates a key from a serialized key format.
    ///
    /// # Errors
    /// An error that describes the fault in the key format; [`KeyError::Random`]
    fn generate_from(&self, template: &KeyTemplate) -> Result<Key, KeyError>;

    /// Finds every fault of a serialized key format.
    #[doc(hidden)]
    fn check(&self, template: &KeyTemplate) -> Result<(), KeyError>;

    #[doc(hidden)]
    fn import(&self, template: &KeyTemplate, bytes: &SecretBytes) -> Result<Key, KeyError>;

    #[doc(hidden)]
    fn read(&self, value: Bytes, label: i32, variant: Variant) -> Result<Key, KeyError>;

    /// Returns the key material type that its keys are labelled with.
    #[doc(hidden)]
    fn key_material_type(&self) -> i32;

    /// Makes a key out of at most `limit` bytes of `source`.
    #[doc(hidden)]
    fn derive(
        &self,
        template: &KeyTemplate,
        limit: usize,
        source: KeySource<'_>,
    ) -> Result<Key, KeyError>;
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
    /// A template of a few bytes can ask for gigabytes of key. HMAC hashes any key longer than a
    /// block down to less in any case.
    const LARGEST_NEW: usize = 1 << 20;

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
    /// [`KeyError::Variant`]; [`KeyError::Parameter`] for a key of more than 1,048,576 bytes;
    /// [`KeyError::Random`]
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
        Self::of_the_system::<P::Spec>(parameters, variant)
    }

    fn check_new<S: KeySpec>(parameters: &S::Parameters) -> Result<(), KeyError> {
        match S::properties(parameters).key_size {
            0..=Self::LARGEST_NEW => Ok(()),
            size => {
                let allowed = "up to 1048576 for a new key";
                Err(KeyError::parameter("key size", size, allowed))
            }
        }
    }

    /// Generates a key of bytes that the operating system gives.
    fn of_the_system<S: KeySpec>(
        parameters: &S::Parameters,
        variant: Variant,
    ) -> Result<Self, KeyError> {
        Self::check_new::<S>(parameters)?;
        let mut system = |bytes: &mut [u8]| Ok(rng::fill_secret(bytes)?);
        Self::bind::<S>(S::generate(parameters, &mut system)?, variant)
    }

    /// Returns the type URL in Tink's files.
    #[must_use]
    pub fn type_url(&self) -> &str {
        self.material.type_url()
    }

    /// Returns the purpose of the key, or `None` if its type is not known.
    #[must_use]
    pub fn kind(&self) -> Option<KeyKind> {
        self.material.kind()
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

    /// Returns the template that makes keys like this one, or `None` if the type is not known.
    #[must_use]
    pub fn template(&self) -> Option<KeyTemplate> {
        self.material.template(self.variant)
    }

    /// Returns sizes, limits and advice, or `None` if the type is not known.
    #[must_use]
    pub fn properties(&self) -> Option<KeyProperties> {
        self.material.properties()
    }

    /// Returns Tink's serialized key message, as it is in `keyData.value` of a keyset.
    ///
    /// [`KeyTypes::import_serialized`] is the inverse.
    #[must_use]
    pub fn serialize(&self, _: SecretAccess) -> SecretBytes {
        SecretBytes::copy_of(&self.material.value())
    }

    /// Returns the serialized key message.
    pub(crate) fn value(&self) -> Bytes {
        wire::secret(self.material.value())
    }

    /// Returns the key material type, as a number of the wire.
    pub(crate) fn key_material_type(&self) -> i32 {
        self.material.key_material_type()
    }

    /// Keeps the bytes of a key that nothing is made of.
    pub(crate) fn opaque(type_url: String, value: Bytes, label: i32, variant: Variant) -> Self {
        let value = SecretBytes::copy_of(&value);
        Self {
            variant,
            material: Arc::new(OpaqueKey {
                type_url,
                value,
                label,
            }),
        }
    }

    fn bind<S: KeySpec>(key: S::Key, variant: Variant) -> Result<Self, KeyError> {
        S::check_variant(&key, variant)?;
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
