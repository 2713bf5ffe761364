//! `KmsEnvelopeAeadKey`: a fresh key for each message, wrapped by a key of a key management
//! service.
//!
//! Shape: `prefix(0|5) ‖ length(4, big-endian) ‖ wrapped key(1..=4096) ‖ payload`, where the
//! payload is `nonce ‖ ciphertext ‖ tag` of the data-encryption key.
//!
//! # Security
//! Not secret: a holder of the keyset still needs credentials for the service to use the
//! key-encryption key. The service wraps with empty associated data; your associated data is
//! authenticated with the payload only.
//!
//! # Source
//! Tink's `kms_envelope.proto`.

use std::fmt;

use crate::{
    cipher::Provider,
    error::KeyError,
    key::{
        DekTemplate, KeyParameters, KeyProperties, KeySource, KeySpec, KeyTemplate, RawPrimitive,
        RemoteKey, TypedKey, Variant, check_version,
    },
    remote::SchemeOf,
    secret::SecretBytes,
    wire::proto::{self, key_data::KeyMaterialType},
};

/// The key type `KmsEnvelopeAeadKey`, for a list of [`KeyTypes`](crate::KeyTypes).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub struct KmsEnvelopeAeadKeyType;

/// The parameters of such a key: the URI of the key-encryption key, and the template of the
/// data-encryption keys. `Debug` shows only the URI's scheme.
///
/// # Example
/// ```
/// use keyseal::{
///     Key, KeyTypes, KeysetHandle, Variant,
///     key::kms_envelope_aead::KmsEnvelopeAeadParameters, keyset::Format,
/// };
///
/// let uri = "scw-kms://regions/fr-par/keys/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10";
/// let dek = KeyTypes::default().template("AES256_GCM")?.key_template().clone();
/// let parameters = KmsEnvelopeAeadParameters::new(uri, dek)?;
/// let keyset = KeysetHandle::new(Key::generate_with(&parameters, Variant::Raw)?)?;
/// // There is nothing secret to protect.
/// assert!(keyset.write_no_secret(Format::Json)?.len() > uri.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KmsEnvelopeAeadParameters {
    kek_uri: String,
    dek_template: KeyTemplate,
    /// As the file had it. Nobody heeds it, and it need not be one that a key can have.
    dek_prefix_type: i32,
}

impl KmsEnvelopeAeadParameters {
    /// Takes the URI of the key-encryption key, and the template of the data-encryption keys:
    /// AES-GCM, AES-GCM-SIV, AES-CTR-HMAC, AES-EAX, ChaCha20-Poly1305 or XChaCha20-Poly1305.
    ///
    /// Not every Tink accepts all of them in an envelope: Go refuses AES-EAX, and C++ and Python
    /// refuse ChaCha20-Poly1305.
    ///
    /// # Errors
    /// [`KeyError::DekType`] for a template of another type, or an error that describes the fault
    /// in the template.
    pub fn new(kek_uri: impl Into<String>, dek_template: KeyTemplate) -> Result<Self, KeyError> {
        DekTemplate::new(&dek_template)?;
        Ok(Self {
            kek_uri: kek_uri.into(),
            dek_prefix_type: dek_template.variant().to_proto().into(),
            dek_template,
        })
    }

    /// Returns the URI of the key-encryption key.
    #[must_use]
    pub fn kek_uri(&self) -> &str {
        &self.kek_uri
    }

    /// Returns the template of the data-encryption keys. Its output prefix type has no effect.
    #[must_use]
    pub const fn dek_template(&self) -> &KeyTemplate {
        &self.dek_template
    }
}

impl fmt::Debug for KmsEnvelopeAeadParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsEnvelopeAeadParameters")
            .field("kek_uri", &SchemeOf(&self.kek_uri))
            .field("dek_template", &self.dek_template)
            .finish_non_exhaustive()
    }
}

/// The local part of an envelope key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsEnvelopeAeadKey {
    parameters: KmsEnvelopeAeadParameters,
}

impl KmsEnvelopeAeadKey {
    /// Takes the parameters; the key-encryption key itself is in the service.
    #[must_use]
    pub const fn new(parameters: KmsEnvelopeAeadParameters) -> Self {
        Self { parameters }
    }

    /// Returns the parameters.
    #[must_use]
    pub const fn parameters(&self) -> &KmsEnvelopeAeadParameters {
        &self.parameters
    }
}

impl TypedKey for KmsEnvelopeAeadKey {
    type Spec = KmsEnvelopeAeadKeyType;
}

impl KeyParameters for KmsEnvelopeAeadParameters {
    type Spec = KmsEnvelopeAeadKeyType;
}

impl KeySpec for KmsEnvelopeAeadKeyType {
    type Key = KmsEnvelopeAeadKey;
    type Parameters = KmsEnvelopeAeadParameters;
    type Message = proto::KmsEnvelopeAeadKey;
    type Format = proto::KmsEnvelopeAeadKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.KmsEnvelopeAeadKey";
    const TEMPLATES: &'static [(&'static str, Variant, KmsEnvelopeAeadParameters)] = &[];
    const VARIANTS: &'static [Variant] = &[Variant::Raw, Variant::Tink];
    const KEY_MATERIAL_TYPE: KeyMaterialType = KeyMaterialType::Remote;
    const CHECKS_KEY_MATERIAL_TYPE: bool = false;

    fn read(message: proto::KmsEnvelopeAeadKey) -> Result<KmsEnvelopeAeadKey, KeyError> {
        check_version(message.version)?;
        Self::read_format(message.params.unwrap_or_default()).map(KmsEnvelopeAeadKey::new)
    }

    fn write(key: &KmsEnvelopeAeadKey) -> proto::KmsEnvelopeAeadKey {
        proto::KmsEnvelopeAeadKey {
            version: 0,
            params: Some(Self::write_format(&key.parameters)),
        }
    }

    fn read_format(
        format: proto::KmsEnvelopeAeadKeyFormat,
    ) -> Result<KmsEnvelopeAeadParameters, KeyError> {
        let dek = format.dek_template.unwrap_or_default();
        let variant = Variant::from_proto(dek.output_prefix_type).unwrap_or(Variant::Raw);
        let dek_template = KeyTemplate::new(dek.type_url, dek.value, variant);
        DekTemplate::new(&dek_template)?;
        Ok(KmsEnvelopeAeadParameters {
            kek_uri: format.kek_uri,
            dek_template,
            dek_prefix_type: dek.output_prefix_type,
        })
    }

    fn write_format(parameters: &KmsEnvelopeAeadParameters) -> proto::KmsEnvelopeAeadKeyFormat {
        proto::KmsEnvelopeAeadKeyFormat {
            kek_uri: parameters.kek_uri.clone(),
            dek_template: Some(proto::KeyTemplate {
                output_prefix_type: parameters.dek_prefix_type,
                ..parameters.dek_template.write()
            }),
        }
    }

    fn parameters(key: &KmsEnvelopeAeadKey) -> KmsEnvelopeAeadParameters {
        key.parameters.clone()
    }

    fn generate(
        parameters: &KmsEnvelopeAeadParameters,
        _source: KeySource<'_>,
    ) -> Result<KmsEnvelopeAeadKey, KeyError> {
        Ok(KmsEnvelopeAeadKey::new(parameters.clone()))
    }

    fn properties(_parameters: &KmsEnvelopeAeadParameters) -> KeyProperties {
        KeyProperties {
            key_size: 0,
            overhead: 0,
            messages_log2: 32,
            max_plaintext: u64::MAX,
            advice: "for data of any size, by a key that never leaves its service",
        }
    }

    fn primitive(_key: &KmsEnvelopeAeadKey, _provider: Provider) -> Result<RawPrimitive, KeyError> {
        Err(KeyError::Remote)
    }

    fn material(_key: &KmsEnvelopeAeadKey) -> Vec<&SecretBytes> {
        Vec::new()
    }

    fn remote_key(key: &KmsEnvelopeAeadKey) -> Option<RemoteKey<'_>> {
        Some(RemoteKey::Envelope {
            kek_uri: &key.parameters.kek_uri,
            dek_template: &key.parameters.dek_template,
        })
    }
}
