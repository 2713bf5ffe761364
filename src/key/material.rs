//! The contents of a [`Key`](super::Key): a typed key whose type is erased, or bytes of an unknown type.

use std::any::Any;

use zeroize::Zeroizing;

use super::{
    KeyDeriver, KeyKind, KeyProperties, KeySpec, KeyTemplate, RemoteKey, Variant, template,
};
use crate::{
    cipher::{Provider, RawAead, RawMac, RawPrf},
    error::KeyError,
    secret::SecretBytes,
    segment::StreamKey,
    wire,
};

/// A key whose type is erased.
pub(super) trait Material: Send + Sync {
    fn type_url(&self) -> &str;
    fn key_material_type(&self) -> i32;
    fn value(&self) -> Zeroizing<Vec<u8>>;
    fn as_any(&self) -> &dyn Any;
    fn template(&self, variant: Variant) -> Option<KeyTemplate>;
    fn properties(&self) -> Option<KeyProperties>;
    fn kind(&self) -> Option<KeyKind>;
    fn aead(&self, provider: Provider) -> Option<Result<Box<dyn RawAead>, KeyError>>;
    fn daead(&self) -> Option<Result<Box<dyn RawAead>, KeyError>>;
    fn mac(&self) -> Option<Result<Box<dyn RawMac>, KeyError>>;
    fn prf(&self) -> Option<Result<Box<dyn RawPrf>, KeyError>>;
    fn deriver(&self) -> Option<Result<KeyDeriver, KeyError>>;
    fn streaming_aead(&self, provider: Provider) -> Option<StreamKey>;
    fn remote_key(&self) -> Option<Result<RemoteKey<'_>, KeyError>>;
}

pub(super) struct Typed<S: KeySpec>(pub(super) S::Key);

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
        Some(template::of::<S>(&S::parameters(&self.0), variant))
    }

    fn properties(&self) -> Option<KeyProperties> {
        Some(S::properties(&S::parameters(&self.0)))
    }

    fn kind(&self) -> Option<KeyKind> {
        Some(S::KIND)
    }

    fn aead(&self, provider: Provider) -> Option<Result<Box<dyn RawAead>, KeyError>> {
        S::aead(&self.0, provider)
    }

    fn daead(&self) -> Option<Result<Box<dyn RawAead>, KeyError>> {
        S::daead(&self.0)
    }

    fn mac(&self) -> Option<Result<Box<dyn RawMac>, KeyError>> {
        S::mac(&self.0)
    }

    fn prf(&self) -> Option<Result<Box<dyn RawPrf>, KeyError>> {
        S::prf(&self.0)
    }

    fn deriver(&self) -> Option<Result<KeyDeriver, KeyError>> {
        S::deriver(&self.0)
    }

    fn streaming_aead(&self, provider: Provider) -> Option<StreamKey> {
        S::streaming_aead(&self.0, provider)
    }

    fn remote_key(&self) -> Option<Result<RemoteKey<'_>, KeyError>> {
        S::remote_key(&self.0)
    }
}

/// A key of a type that is not listed: kept byte for byte, but not usable.
pub(super) struct OpaqueKey {
    pub(super) type_url: String,
    pub(super) value: SecretBytes,
    pub(super) label: i32,
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

    fn template(&self, _variant: Variant) -> Option<KeyTemplate> {
        None
    }

    fn properties(&self) -> Option<KeyProperties> {
        None
    }

    fn kind(&self) -> Option<KeyKind> {
        None
    }

    fn aead(&self, _provider: Provider) -> Option<Result<Box<dyn RawAead>, KeyError>> {
        None
    }

    fn streaming_aead(&self, _provider: Provider) -> Option<StreamKey> {
        None
    }

    fn remote_key(&self) -> Option<Result<RemoteKey<'_>, KeyError>> {
        None
    }

    fn daead(&self) -> Option<Result<Box<dyn RawAead>, KeyError>> {
        None
    }

    fn mac(&self) -> Option<Result<Box<dyn RawMac>, KeyError>> {
        None
    }

    fn prf(&self) -> Option<Result<Box<dyn RawPrf>, KeyError>> {
        None
    }

    fn deriver(&self) -> Option<Result<KeyDeriver, KeyError>> {
        None
    }
}
