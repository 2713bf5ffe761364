//! [`KeySpec`]: the part that each key type's file writes by hand. The rest is derived from it.

use std::fmt::Debug;

use prost::Message as _;

use super::{
    KeyKind, KeyProperties, KeyTemplate, ParameterChoice, ParameterName, RawPrimitive, RemoteKey,
    Template, Variant,
};
use crate::{
    cipher::Provider,
    error::KeyError,
    secret::SecretBytes,
    wire::{self, Fields, proto::key_data::KeyMaterialType},
};

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

    /// What its keys are for.
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

    /// Makes the primitive, of the kind [`KIND`](Self::KIND).
    fn primitive(key: &Self::Key, provider: Provider) -> Result<RawPrimitive, KeyError>;

    /// Returns the secret parts of the key, in the order in which [`generate`](Self::generate) draws
    /// them.
    fn material(key: &Self::Key) -> Vec<&SecretBytes>;

    /// The service's part, if a service holds the key.
    fn remote_key(_key: &Self::Key) -> Option<RemoteKey<'_>> {
        None
    }

    /// The names of the parameters that the key type has besides the size of its key.
    const PARAMETERS: &'static [ParameterName] = &[];

    /// Chooses parameters for a key of `size` bytes, with stock values for those that are missing.
    fn choose(size: usize, _choice: &ParameterChoice) -> Result<Self::Parameters, KeyError> {
        let mut stock = Self::TEMPLATES.iter().map(|(.., parameters)| parameters);
        stock
            .find(|parameters| Self::properties(parameters).key_size == size)
            .cloned()
            .ok_or_else(|| KeyError::parameter("key size", size, "that of a stock template"))
    }
}

/// Writes a stock template of a key type.
pub(super) fn stock_template<S: KeySpec>(
    (name, variant, parameters): &(&'static str, Variant, S::Parameters),
) -> Template {
    Template {
        name,
        kind: S::KIND,
        key_template: template_of::<S>(parameters, *variant),
        properties: S::properties(parameters),
    }
}

/// Returns the template that makes keys with these parameters.
pub(super) fn template_of<S: KeySpec>(parameters: &S::Parameters, variant: Variant) -> KeyTemplate {
    KeyTemplate::new(
        S::TYPE_URL,
        S::write_format(parameters).encode_to_vec(),
        variant,
    )
}

/// Returns the parameters of the keys that a template makes.
pub(super) fn parameters_of<S: KeySpec>(template: &KeyTemplate) -> Result<S::Parameters, KeyError> {
    let value = bytes::Bytes::copy_from_slice(template.value());
    S::read_format(wire::decode(value).map_err(KeyError::Malformed)?)
}

/// Accepts version 0, the only one that exists.
pub(crate) const fn check_version(found: u32) -> Result<(), KeyError> {
    if found == 0 {
        Ok(())
    } else {
        Err(KeyError::Version { found })
    }
}
