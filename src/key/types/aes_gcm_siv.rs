//! `AesGcmSivKey`: AES-GCM-SIV with a random 12-byte nonce.
//!
//! Shape: `prefix(0|5) ‖ nonce(12) ‖ ciphertext ‖ tag(16)`.
//!
//! # Security
//! Two messages under one nonce show only whether they are equal, so a key is good for far more
//! messages than one of AES-GCM: 2⁴⁸ here, of at most 64 GiB. AES-GCM-SIV does not commit to its
//! key. The RustCrypto crate that serves as the portable base has not been audited.
//!
//! # Source
//! RFC 8452; Tink's `aes_gcm_siv.proto`.

use crate::{
    cipher::{self, Provider},
    error::KeyError,
    key::{
        KeyParameters, KeyProperties, KeySource, KeySpec, RawPrimitive, TypedKey, Variant,
        check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

/// The key type `AesGcmSivKey`, for a list of [`KeyTypes`](crate::KeyTypes).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub struct AesGcmSivKeyType;

/// The parameters of an AES-GCM-SIV key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AesGcmSivParameters {
    key_size: usize,
}

impl AesGcmSivParameters {
    /// Takes the size of the key in bytes: 16 or 32.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn new(key_size: usize) -> Result<Self, KeyError> {
        match key_size {
            16 | 32 => Ok(Self { key_size }),
            _ => Err(KeyError::parameter("key size", key_size, "16 or 32 bytes")),
        }
    }

    /// Returns the size of the key in bytes.
    #[must_use]
    pub const fn key_size(&self) -> usize {
        self.key_size
    }
}

/// An AES-GCM-SIV key of 16 or 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AesGcmSivKey {
    key: SecretBytes,
}

impl AesGcmSivKey {
    /// Takes the key itself.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 16 or 32 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        AesGcmSivParameters::new(key.len())?;
        Ok(Self { key })
    }

    /// Returns the key itself.
    #[must_use]
    pub const fn key(&self) -> &SecretBytes {
        &self.key
    }
}

impl TypedKey for AesGcmSivKey {
    type Spec = AesGcmSivKeyType;
}

impl KeyParameters for AesGcmSivParameters {
    type Spec = AesGcmSivKeyType;
}

impl KeySpec for AesGcmSivKeyType {
    type Key = AesGcmSivKey;
    type Parameters = AesGcmSivParameters;
    type Message = proto::AesGcmSivKey;
    type Format = proto::AesGcmSivKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.AesGcmSivKey";
    const DERIVABLE: bool = true;
    const TEMPLATES: &'static [(&'static str, Variant, AesGcmSivParameters)] = &[
        (
            "AES128_GCM_SIV",
            Variant::Tink,
            AesGcmSivParameters { key_size: 16 },
        ),
        (
            "AES128_GCM_SIV_RAW",
            Variant::Raw,
            AesGcmSivParameters { key_size: 16 },
        ),
        (
            "AES256_GCM_SIV",
            Variant::Tink,
            AesGcmSivParameters { key_size: 32 },
        ),
        (
            "AES256_GCM_SIV_RAW",
            Variant::Raw,
            AesGcmSivParameters { key_size: 32 },
        ),
    ];

    fn read(message: proto::AesGcmSivKey) -> Result<AesGcmSivKey, KeyError> {
        check_version(message.version)?;
        AesGcmSivKey::new(SecretBytes::copy_of(&message.key_value))
    }

    fn write(key: &AesGcmSivKey) -> proto::AesGcmSivKey {
        proto::AesGcmSivKey {
            version: 0,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::AesGcmSivKeyFormat) -> Result<AesGcmSivParameters, KeyError> {
        check_version(format.version)?;
        AesGcmSivParameters::new(wire::size(format.key_size))
    }

    fn write_format(parameters: &AesGcmSivParameters) -> proto::AesGcmSivKeyFormat {
        proto::AesGcmSivKeyFormat {
            key_size: wire::size_field(parameters.key_size),
            version: 0,
        }
    }

    fn parameters(key: &AesGcmSivKey) -> AesGcmSivParameters {
        AesGcmSivParameters {
            key_size: key.key.len(),
        }
    }

    fn generate(
        parameters: &AesGcmSivParameters,
        source: KeySource<'_>,
    ) -> Result<AesGcmSivKey, KeyError> {
        Ok(AesGcmSivKey {
            key: SecretBytes::filled(parameters.key_size, source)?,
        })
    }

    fn properties(parameters: &AesGcmSivParameters) -> KeyProperties {
        KeyProperties {
            key_size: parameters.key_size,
            overhead: 28,
            messages_log2: 48,
            max_plaintext: aes_gcm_siv::P_MAX,
            advice: "where a nonce might repeat, or one key encrypts very many messages",
        }
    }

    fn primitive(key: &AesGcmSivKey, provider: Provider) -> Result<RawPrimitive, KeyError> {
        cipher::aes_gcm_siv(provider, key.key.bytes()).map(RawPrimitive::Aead)
    }

    fn material(key: &AesGcmSivKey) -> Vec<&SecretBytes> {
        vec![&key.key]
    }
}
