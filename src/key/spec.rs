//! What a key type file writes, once for each type; all else is derived from it.

use std::fmt::Debug;

use crate::{
    cipher::{Provider, RawAead},
    error::KeyError,
    key::{Facts, Variant},
    wire::{Fields, proto::key_data::KeyMaterialType},
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

    /// The output prefix types that go with this key type.
    const VARIANTS: &'static [Variant] = &Variant::ALL;
    /// The key material type that is written.
    const LABEL: KeyMaterialType = KeyMaterialType::Symmetric;
    /// Whether a key that is labelled otherwise is refused, as Tink does for ciphers.
    const CHECKS_LABEL: bool = true;

    fn read(message: Self::Message) -> Result<Self::Key, KeyError>;
    fn write(key: &Self::Key) -> Self::Message;
    fn read_format(format: Self::Format) -> Result<Self::Parameters, KeyError>;
    fn write_format(parameters: &Self::Parameters) -> Self::Format;
    fn parameters(key: &Self::Key) -> Self::Parameters;
    fn generate(
        parameters: &Self::Parameters,
        source: KeySource<'_>,
    ) -> Result<Self::Key, KeyError>;
    fn facts(parameters: &Self::Parameters) -> Facts;

    /// The cipher, where this is an AEAD key.
    fn aead(_key: &Self::Key, _provider: Provider) -> Option<Result<Box<dyn RawAead>, KeyError>> {
        None
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
