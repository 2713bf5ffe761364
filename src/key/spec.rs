//! The part that each key type file writes by hand; everything else is derived from it.

use std::fmt::Debug;

use bytes::Bytes;

use super::{
    Key, KeyDeriver, KeyKind, KeyProperties, KeyTemplate, KeyType, RemoteKey, Template, Variant,
    template,
};
use crate::{
    cipher::{Provider, RawAead, RawMac, RawPrf},
    error::KeyError,
    secret::SecretBytes,
    segment::StreamKey,
    wire::{self, Fields, proto::key_data::KeyMaterialType},
};

/// Only this crate adds key types.
pub trait Sealed {}

impl<S: KeySpec> Sealed for S {}

/// A key of one type, such as [`AesGcmKey`](crate::key::aes_gcm::AesGcmKey).
pub trait TypedKey: Sized + 'static {
    #[doc(hidden)]
    type Spec: KeySpec<Key = Self>;
}

/// The parameters of one key type, such as
/// [`AesGcmParameters`](crate::key::aes_gcm::AesGcmParameters).
pub trait KeyParameters: Sized {
    #[doc(hidden)]
    type Spec: KeySpec<Parameters = Self>;
}

/// Where the bytes of a new key come from, in the order in which the type takes them.
pub(crate) type KeySource<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<(), KeyError>;

/// One key type.
pub trait KeySpec: Send + Sync + 'static {
    type Key: TypedKey + Debug + Send + Sync;
    type Parameters: KeyParameters + Clone + Debug + PartialEq + Send + Sync + 'static;
    /// The key message.
    type Message: prost::Message + Default + Fields;
    /// The key format message, in templates.
    type Format: prost::Message + Default + Fields;

    const TYPE_URL: &'static str;
    const TEMPLATES: &'static [(&'static str, Variant, Self::Parameters)];

    /// What its keys are for; the capability below that answers.
    const KIND: KeyKind = KeyKind::Aead;
    /// Whether a key can be derived: as any Tink does, and never where the key format has no
    /// version.
    const DERIVABLE: bool = false;
    /// The output prefix types that go with this key type.
    const VARIANTS: &'static [Variant] = &Variant::ALL;
    /// The key material type that is written.
    const KEY_MATERIAL_TYPE: KeyMaterialType = KeyMaterialType::Symmetric;
    /// Whether a key that is labelled otherwise is refused, as Tink does for ciphers.
    const CHECKS_KEY_MATERIAL_TYPE: bool = true;

    fn read(message: Self::Message) -> Result<Self::Key, KeyError>;
    fn write(key: &Self::Key) -> Self::Message;
    fn read_format(format: Self::Format) -> Result<Self::Parameters, KeyError>;
    fn write_format(parameters: &Self::Parameters) -> Self::Format;
    fn parameters(key: &Self::Key) -> Self::Parameters;
    fn generate(
        parameters: &Self::Parameters,
        source: KeySource<'_>,
    ) -> Result<Self::Key, KeyError>;
    fn properties(parameters: &Self::Parameters) -> KeyProperties;

    /// Refuses an output prefix type that does not go with the key.
    fn check_variant(_key: &Self::Key, variant: Variant) -> Result<(), KeyError> {
        if Self::VARIANTS.contains(&variant) {
            Ok(())
        } else {
            Err(KeyError::Variant { variant })
        }
    }

    /// The cipher, if this is an AEAD key.
    fn aead(_key: &Self::Key, _provider: Provider) -> Option<Result<Box<dyn RawAead>, KeyError>> {
        None
    }

    /// What makes its streams, if this is a streaming AEAD key.
    fn streaming_aead(_key: &Self::Key, _provider: Provider) -> Option<StreamKey> {
        None
    }

    /// The cipher, which takes no nonce, if this is a deterministic AEAD key.
    fn daead(_key: &Self::Key) -> Option<Result<Box<dyn RawAead>, KeyError>> {
        None
    }

    /// The MAC, if this is a MAC key.
    fn mac(_key: &Self::Key) -> Option<Result<Box<dyn RawMac>, KeyError>> {
        None
    }

    /// The pseudorandom function, if this is a PRF key.
    fn prf(_key: &Self::Key) -> Option<Result<Box<dyn RawPrf>, KeyError>> {
        None
    }

    /// The service's part, if a service holds the key.
    fn remote_key(_key: &Self::Key) -> Option<Result<RemoteKey<'_>, KeyError>> {
        None
    }

    /// The deriver of keys, if this is a keyset deriver key.
    fn deriver(_key: &Self::Key) -> Option<Result<KeyDeriver, KeyError>> {
        None
    }
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
        template::all_of::<S>()
    }

    fn check(&self, template: &KeyTemplate) -> Result<(), KeyError> {
        Key::check_new::<S>(&template::parameters::<S>(template)?)
    }

    fn generate_from(&self, template: &KeyTemplate) -> Result<Key, KeyError> {
        let parameters = template::parameters::<S>(template)?;
        Key::of_the_system::<S>(&parameters, template.variant())
    }

    fn import(&self, template: &KeyTemplate, bytes: &SecretBytes) -> Result<Key, KeyError> {
        let parameters = template::parameters::<S>(template)?;
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
        let parameters = template::parameters::<S>(template)?;
        let key_size = S::properties(&parameters).key_size;
        if key_size > limit {
            let allowed = "as many bytes as the key that derives it can give";
            return Err(KeyError::parameter("derived key size", key_size, allowed));
        }
        Key::bind::<S>(S::generate(&parameters, source)?, template.variant())
    }
}

/// Accepts version 0, the only one that exists.
pub(crate) const fn check_version(found: u32) -> Result<(), KeyError> {
    if found == 0 {
        Ok(())
    } else {
        Err(KeyError::Version { found })
    }
}
