//! `KmsAeadKey`: the URI of an AEAD key that a key management service holds.
//!
//! Shape: `prefix(0|5) ‖ the service's ciphertext`.
//!
//! # Security
//! Not secret: a holder of the keyset still needs credentials for the service to use the key. Every
//! message goes to the service whole, so sizes are limited (Scaleway Key Manager: 1 to 65,535
//! bytes); a [`KmsEnvelopeAeadKey`](crate::key::kms_envelope_aead::KmsEnvelopeAeadKey) sends it
//! only keys.
//!
//! # Source
//! Tink's `kms_aead.proto`.

use std::fmt;

use crate::{
    cipher::Provider,
    error::KeyError,
    key::{
        KeyParameters, KeyProperties, KeySource, KeySpec, RawPrimitive, RemoteKey, TypedKey,
        Variant, check_version,
    },
    remote::SchemeOf,
    secret::SecretBytes,
    wire::proto::{self, key_data::KeyMaterialType},
};

/// The key type `KmsAeadKey`, for a list of [`KeyTypes`](crate::KeyTypes).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub struct KmsAeadKeyType;

/// The parameters of such a key: its URI. `Debug` shows only the URI's scheme.
///
/// # Example
/// ```
/// use keyseal::{Key, KeysetHandle, Variant, key::kms_aead::KmsAeadParameters, keyset::Format};
///
/// let uri = "scw-kms://regions/fr-par/keys/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10";
/// let key = Key::generate_with(&KmsAeadParameters::new(uri), Variant::Raw)?;
/// let keyset = KeysetHandle::new(key)?;
/// // There is nothing secret to protect.
/// assert!(keyset.write_no_secret(Format::Json)?.len() > uri.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KmsAeadParameters {
    key_uri: String,
}

impl KmsAeadParameters {
    /// Takes the key URI, such as `scw-kms://regions/fr-par/keys/…`. Only making a primitive shows
    /// whether a client serves it.
    #[must_use]
    pub fn new(key_uri: impl Into<String>) -> Self {
        Self {
            key_uri: key_uri.into(),
        }
    }

    /// Returns the key URI.
    #[must_use]
    pub fn key_uri(&self) -> &str {
        &self.key_uri
    }
}

impl fmt::Debug for KmsAeadParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsAeadParameters")
            .field("key_uri", &SchemeOf(&self.key_uri))
            .finish()
    }
}

/// A key that is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsAeadKey {
    parameters: KmsAeadParameters,
}

impl KmsAeadKey {
    /// Takes the parameters; the key itself is in the service.
    #[must_use]
    pub const fn new(parameters: KmsAeadParameters) -> Self {
        Self { parameters }
    }

    /// Returns the parameters.
    #[must_use]
    pub const fn parameters(&self) -> &KmsAeadParameters {
        &self.parameters
    }
}

impl TypedKey for KmsAeadKey {
    type Spec = KmsAeadKeyType;
}

impl KeyParameters for KmsAeadParameters {
    type Spec = KmsAeadKeyType;
}

impl KeySpec for KmsAeadKeyType {
    type Key = KmsAeadKey;
    type Parameters = KmsAeadParameters;
    type Message = proto::KmsAeadKey;
    type Format = proto::KmsAeadKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.KmsAeadKey";
    const TEMPLATES: &'static [(&'static str, Variant, KmsAeadParameters)] = &[];
    const VARIANTS: &'static [Variant] = &[Variant::Raw, Variant::Tink];
    const KEY_MATERIAL_TYPE: KeyMaterialType = KeyMaterialType::Remote;
    const CHECKS_KEY_MATERIAL_TYPE: bool = false;

    fn read(message: proto::KmsAeadKey) -> Result<KmsAeadKey, KeyError> {
        check_version(message.version)?;
        Self::read_format(message.params.unwrap_or_default()).map(KmsAeadKey::new)
    }

    fn write(key: &KmsAeadKey) -> proto::KmsAeadKey {
        proto::KmsAeadKey {
            version: 0,
            params: Some(Self::write_format(&key.parameters)),
        }
    }

    fn read_format(format: proto::KmsAeadKeyFormat) -> Result<KmsAeadParameters, KeyError> {
        Ok(KmsAeadParameters::new(format.key_uri))
    }

    fn write_format(parameters: &KmsAeadParameters) -> proto::KmsAeadKeyFormat {
        proto::KmsAeadKeyFormat {
            key_uri: parameters.key_uri.clone(),
        }
    }

    fn parameters(key: &KmsAeadKey) -> KmsAeadParameters {
        key.parameters.clone()
    }

    fn generate(
        parameters: &KmsAeadParameters,
        _source: KeySource<'_>,
    ) -> Result<KmsAeadKey, KeyError> {
        Ok(KmsAeadKey::new(parameters.clone()))
    }

    fn properties(_parameters: &KmsAeadParameters) -> KeyProperties {
        KeyProperties {
            key_size: 0,
            overhead: 0,
            messages_log2: 32,
            max_plaintext: u64::MAX,
            advice: "for short secrets, by a key that never leaves its service",
        }
    }

    fn primitive(_key: &KmsAeadKey, _provider: Provider) -> Result<RawPrimitive, KeyError> {
        Err(KeyError::Remote)
    }

    fn material(_key: &KmsAeadKey) -> Vec<&SecretBytes> {
        Vec::new()
    }

    fn remote_key(key: &KmsAeadKey) -> Option<RemoteKey<'_>> {
        let key_uri = &key.parameters.key_uri;
        Some(RemoteKey::Kms { key_uri })
    }
}
