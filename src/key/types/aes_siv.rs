//! `AesSivKey`: AES-256-SIV-CMAC, deterministic.
//!
//! Shape: `prefix(0|5) ‖ siv(16) ‖ ciphertext`.
//!
//! # Security
//! Equal plaintexts have equal ciphertexts if their associated data is the same, by design. At most
//! 2⁴⁸ messages under one key, the bound of its CMAC. The key is 64 bytes: the first half makes the
//! SIV and the second half encrypts.
//!
//! # Source
//! RFC 5297, with one string of associated data; NIST SP 800-38B, appendix B; Tink's
//! `aes_siv.proto`.

use crate::{
    cipher::{self, Provider},
    error::KeyError,
    key::{
        KeyKind, KeyParameters, KeyProperties, KeySource, KeySpec, RawPrimitive, TypedKey, Variant,
        check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

/// The key type `AesSivKey`, for a list of [`KeyTypes`](crate::KeyTypes).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub struct AesSivKeyType;

/// The parameters of an AES-SIV key. You have nothing to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AesSivParameters;

impl AesSivParameters {
    /// The size of every key in bytes.
    pub const KEY_SIZE: usize = 64;

    /// Returns the only parameters there are.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    const fn of_size(key_size: usize) -> Result<Self, KeyError> {
        match key_size {
            Self::KEY_SIZE => Ok(Self),
            _ => Err(KeyError::parameter("key size", key_size, "64 bytes")),
        }
    }
}

impl Default for AesSivParameters {
    fn default() -> Self {
        Self::new()
    }
}

/// An AES-SIV key of 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AesSivKey {
    key: SecretBytes,
}

impl AesSivKey {
    /// Takes the key itself: 32 bytes for S2V, then 32 bytes for CTR.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 64 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        AesSivParameters::of_size(key.len())?;
        Ok(Self { key })
    }

    /// Returns the key itself.
    #[must_use]
    pub const fn key(&self) -> &SecretBytes {
        &self.key
    }
}

impl TypedKey for AesSivKey {
    type Spec = AesSivKeyType;
}

impl KeyParameters for AesSivParameters {
    type Spec = AesSivKeyType;
}

impl KeySpec for AesSivKeyType {
    type Key = AesSivKey;
    type Parameters = AesSivParameters;
    type Message = proto::AesSivKey;
    type Format = proto::AesSivKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.AesSivKey";
    const KIND: KeyKind = KeyKind::DeterministicAead;
    const DERIVABLE: bool = true;
    const TEMPLATES: &'static [(&'static str, Variant, AesSivParameters)] = &[
        ("AES256_SIV", Variant::Tink, AesSivParameters),
        ("AES256_SIV_RAW", Variant::Raw, AesSivParameters),
    ];

    fn read(message: proto::AesSivKey) -> Result<AesSivKey, KeyError> {
        check_version(message.version)?;
        AesSivKey::new(SecretBytes::copy_of(&message.key_value))
    }

    fn write(key: &AesSivKey) -> proto::AesSivKey {
        proto::AesSivKey {
            version: 0,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::AesSivKeyFormat) -> Result<AesSivParameters, KeyError> {
        check_version(format.version)?;
        AesSivParameters::of_size(wire::size(format.key_size))
    }

    fn write_format(_parameters: &AesSivParameters) -> proto::AesSivKeyFormat {
        proto::AesSivKeyFormat {
            key_size: wire::size_field(AesSivParameters::KEY_SIZE),
            version: 0,
        }
    }

    fn parameters(_key: &AesSivKey) -> AesSivParameters {
        AesSivParameters
    }

    fn generate(
        _parameters: &AesSivParameters,
        source: KeySource<'_>,
    ) -> Result<AesSivKey, KeyError> {
        Ok(AesSivKey {
            key: SecretBytes::filled(AesSivParameters::KEY_SIZE, source)?,
        })
    }

    fn properties(_parameters: &AesSivParameters) -> KeyProperties {
        KeyProperties {
            key_size: AesSivParameters::KEY_SIZE,
            overhead: 16,
            messages_log2: 48,
            max_plaintext: cipher::AES_SIV_MAX,
            advice: "where a ciphertext must be found again by its plaintext",
        }
    }

    fn primitive(key: &AesSivKey, _provider: Provider) -> Result<RawPrimitive, KeyError> {
        cipher::aes_siv(key.key.bytes()).map(RawPrimitive::DeterministicAead)
    }

    fn material(key: &AesSivKey) -> Vec<&SecretBytes> {
        vec![&key.key]
    }
}
