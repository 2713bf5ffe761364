//! `ToyKey`: a key type as anyone would add one, for tests of what it costs.
//!
//! Shape: `prefix(0|5) ‖ nonce(12) ‖ ciphertext ‖ tag(16)`.

use super::proto;
use crate::{
    cipher::{self, Provider},
    error::KeyError,
    key::{
        KeyParameters, KeyProperties, KeySource, KeySpec, RawPrimitive, TypedKey, Variant,
        check_version,
    },
    secret::SecretBytes,
    wire,
};

/// The key type `ToyKey`.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub(super) struct ToyKeyType;

/// The parameters of a toy key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ToyParameters {
    key_size: usize,
}

impl ToyParameters {
    const fn new(key_size: usize) -> Result<Self, KeyError> {
        match key_size {
            16 | 32 => Ok(Self { key_size }),
            _ => Err(KeyError::parameter("key size", key_size, "16 or 32 bytes")),
        }
    }
}

/// A toy key of 16 or 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToyKey {
    key: SecretBytes,
}

impl TypedKey for ToyKey {
    type Spec = ToyKeyType;
}

impl KeyParameters for ToyParameters {
    type Spec = ToyKeyType;
}

impl KeySpec for ToyKeyType {
    type Key = ToyKey;
    type Parameters = ToyParameters;
    type Message = proto::ToyKey;
    type Format = proto::ToyKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.ToyKey";
    const DERIVABLE: bool = true;
    const TEMPLATES: &'static [(&'static str, Variant, ToyParameters)] = &[
        ("TOY_128", Variant::Tink, ToyParameters { key_size: 16 }),
        ("TOY_256", Variant::Tink, ToyParameters { key_size: 32 }),
        ("TOY_256_RAW", Variant::Raw, ToyParameters { key_size: 32 }),
    ];

    fn read(message: proto::ToyKey) -> Result<ToyKey, KeyError> {
        check_version(message.version)?;
        ToyParameters::new(message.key_value.len())?;
        let key = SecretBytes::copy_of(&message.key_value);
        Ok(ToyKey { key })
    }

    fn write(key: &ToyKey) -> proto::ToyKey {
        proto::ToyKey {
            version: 0,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::ToyKeyFormat) -> Result<ToyParameters, KeyError> {
        ToyParameters::new(wire::size(format.key_size))
    }

    fn write_format(parameters: &ToyParameters) -> proto::ToyKeyFormat {
        proto::ToyKeyFormat {
            key_size: wire::size_field(parameters.key_size),
        }
    }

    fn parameters(key: &ToyKey) -> ToyParameters {
        ToyParameters {
            key_size: key.key.len(),
        }
    }

    fn generate(parameters: &ToyParameters, source: KeySource<'_>) -> Result<ToyKey, KeyError> {
        let key = SecretBytes::filled(parameters.key_size, source)?;
        Ok(ToyKey { key })
    }

    fn properties(parameters: &ToyParameters) -> KeyProperties {
        KeyProperties {
            key_size: parameters.key_size,
            overhead: 28,
            messages_log2: 32,
            max_plaintext: aes_gcm::P_MAX,
            advice: "for tests",
        }
    }

    fn primitive(key: &ToyKey, provider: Provider) -> Result<RawPrimitive, KeyError> {
        cipher::aes_gcm(provider, key.key.bytes()).map(RawPrimitive::Aead)
    }

    fn material(key: &ToyKey) -> Vec<&SecretBytes> {
        vec![&key.key]
    }
}
