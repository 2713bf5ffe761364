//! `AesGcmSivKey`: AES-GCM-SIV with a random 12-byte nonce.
//!
//! Shape: `prefix(0|5) ‖ nonce(12) ‖ ciphertext ‖ tag(16)`.
//!
//! # Security
//! Two messages under one nonce reveal only whether they are equal, so a key can encrypt far more
//! messages than an AES-GCM key: 2⁴⁸ here, of at most 64 GiB. AES-GCM-SIV does not commit to its
//! key. The RustCrypto crate behind the portable provider has not been audited.
//!
//! # Source
//! RFC 8452; Tink's `aes_gcm_siv.proto`.

use crate::{
    cipher::{self, Provider},
    error::KeyError,
    key::{
        KeyProperties, KeySpec, RawPrimitive, Variant,
        byte_key::{aes_key_size, byte_key, byte_key_spec},
        check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

aes_key_size! {
    /// The parameters of an AES-GCM-SIV key.
    AesGcmSivParameters
}

byte_key! {
    /// An AES-GCM-SIV key of 16 or 32 bytes.
    AesGcmSivKey(AesGcmSivParameters): AesGcmSivKeyType
}

impl AesGcmSivKey {
    /// Takes the key itself.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 16 or 32 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        let parameters = AesGcmSivParameters::new(key.len())?;
        Ok(Self { parameters, key })
    }
}

impl KeySpec for AesGcmSivKeyType {
    byte_key_spec!(AesGcmSivKey(AesGcmSivParameters));

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
}
