//! [`Key`]: a key of any type.

use std::{any::Any, fmt, sync::Arc};

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    KeyKind, KeyParameters, KeyProperties, KeySpec, KeyTemplate, RawPrimitive, RemoteKey, TypedKey,
    Variant, spec::template_of,
};
use crate::{
    cipher::Provider,
    error::KeyError,
    rng,
    secret::{SecretAccess, SecretBytes},
    segment::StreamKey,
    wire,
};

/// A key of any type, with its output prefix type. Cheap to clone.
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

    /// Makes a key from a typed one, such as an [`AesGcmKey`](super::aes_gcm::AesGcmKey).
    ///
    /// # Errors
    /// [`KeyError::Variant`] if the key type does not allow this output prefix.
    pub fn new<K: TypedKey>(key: K, variant: Variant) -> Result<Self, KeyError> {
        Self::bind::<K::Spec>(key, variant)
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

    pub(super) fn check_new<S: KeySpec>(parameters: &S::Parameters) -> Result<(), KeyError> {
        match S::properties(parameters).key_size {
            0..=Self::LARGEST_NEW => Ok(()),
            size => {
                let allowed = "up to 1048576 for a new key";
                Err(KeyError::parameter("key size", size, allowed))
            }
        }
    }

    /// Generates a key of bytes that the operating system gives.
    pub(super) fn of_the_system<S: KeySpec>(
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
    /// [`KeyTypes::import_serialized`](super::KeyTypes::import_serialized) is the inverse.
    #[must_use]
    pub fn serialize(&self, _: SecretAccess) -> SecretBytes {
        SecretBytes::copy_of(&self.material.value())
    }

    /// Returns the bare key: its bytes, without parameters.
    ///
    /// `None` if the type is not known, or if a service holds the key.
    /// [`KeyTypes::import`](super::KeyTypes::import) is the inverse, with the key's
    /// [`template`](Self::template).
    ///
    /// # Example
    /// ```
    /// use keyseal::{Key, KeyTypes, SecretAccess};
    ///
    /// let access = SecretAccess::insecure();
    /// let key = Key::generate("AES256_GCM_RAW")?;
    /// let bytes = key.export(access).expect("it is a local key");
    /// assert_eq!(bytes.len(), 32);
    ///
    /// let template = key.template().expect("its type is known");
    /// let same = KeyTypes::default().import(&template, &bytes)?;
    /// # assert_eq!(same.serialize(access).expose(access), key.serialize(access).expose(access));
    /// # Ok::<(), keyseal::KeyError>(())
    /// ```
    #[must_use]
    pub fn export(&self, _: SecretAccess) -> Option<SecretBytes> {
        self.material.export()
    }

    /// Returns the serialized key message, as a field of another message.
    pub(crate) fn value(&self) -> Bytes {
        wire::secret(self.serialized())
    }

    /// Returns the serialized key message.
    pub(crate) fn serialized(&self) -> Zeroizing<Vec<u8>> {
        self.material.value()
    }

    /// Returns the key material type, as a number of the wire.
    pub(crate) fn key_material_type(&self) -> i32 {
        self.material.key_material_type()
    }

    /// Returns where the service's part of this key is, if a service holds it.
    pub(crate) fn remote_key(&self) -> Option<RemoteKey<'_>> {
        self.material.remote_key()
    }

    /// Makes the primitive of this key, and takes what `take` finds in it. `None` if the key is not
    /// of this kind.
    pub(crate) fn primitive<T>(
        &self,
        kind: KeyKind,
        provider: Provider,
        take: impl FnOnce(RawPrimitive) -> Option<T>,
    ) -> Option<Result<T, KeyError>> {
        if self.kind() != Some(kind) {
            return None;
        }
        self.material.primitive(provider).map(take).transpose()
    }

    /// Returns the streaming AEAD that this key is for.
    pub(crate) fn streaming_aead(&self, provider: Provider) -> Option<Result<StreamKey, KeyError>> {
        self.primitive(
            KeyKind::StreamingAead,
            provider,
            |primitive| match primitive {
                RawPrimitive::StreamingAead(stream_key) => Some(stream_key),
                _ => None,
            },
        )
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

    pub(super) fn bind<S: KeySpec>(key: S::Key, variant: Variant) -> Result<Self, KeyError> {
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

/// The contents of a [`Key`]: a typed key whose type is erased, or bytes of an unknown type.
trait Material: Send + Sync {
    fn type_url(&self) -> &str;
    fn key_material_type(&self) -> i32;
    fn value(&self) -> Zeroizing<Vec<u8>>;
    fn as_any(&self) -> &dyn Any;

    fn template(&self, _variant: Variant) -> Option<KeyTemplate> {
        None
    }

    fn properties(&self) -> Option<KeyProperties> {
        None
    }

    fn kind(&self) -> Option<KeyKind> {
        None
    }

    fn export(&self) -> Option<SecretBytes> {
        None
    }

    fn primitive(&self, _provider: Provider) -> Result<RawPrimitive, KeyError> {
        Err(KeyError::UnknownType {
            type_url: self.type_url().to_owned(),
        })
    }

    fn remote_key(&self) -> Option<RemoteKey<'_>> {
        None
    }
}

struct Typed<S: KeySpec>(S::Key);

impl<S: KeySpec> Material for Typed<S> {
    fn type_url(&self) -> &str {
        S::TYPE_URL
    }

    fn key_material_type(&self) -> i32 {
        S::KEY_MATERIAL_TYPE.into()
    }

    fn value(&self) -> Zeroizing<Vec<u8>> {
        wire::encode(&S::write(&self.0))
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn template(&self, variant: Variant) -> Option<KeyTemplate> {
        Some(template_of::<S>(&S::parameters(&self.0), variant))
    }

    fn properties(&self) -> Option<KeyProperties> {
        Some(S::properties(&S::parameters(&self.0)))
    }

    fn kind(&self) -> Option<KeyKind> {
        Some(S::KIND)
    }

    fn export(&self) -> Option<SecretBytes> {
        let parts = S::material(&self.0);
        let size = parts.iter().map(|part| part.len()).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        for part in &parts {
            bytes.extend_from_slice(part.bytes());
        }
        (!parts.is_empty()).then(|| SecretBytes::of_vec(bytes))
    }

    fn primitive(&self, provider: Provider) -> Result<RawPrimitive, KeyError> {
        S::primitive(&self.0, provider)
    }

    fn remote_key(&self) -> Option<RemoteKey<'_>> {
        S::remote_key(&self.0)
    }
}

/// A key of a type that is not listed: kept byte for byte, but not usable.
struct OpaqueKey {
    type_url: String,
    value: SecretBytes,
    label: i32,
}

impl Material for OpaqueKey {
    fn type_url(&self) -> &str {
        &self.type_url
    }

    fn key_material_type(&self) -> i32 {
        self.label
    }

    fn value(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.value.bytes().to_vec())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
