//! `AesGcmKey`: AES-GCM with a random 12-byte nonce.
//!
//! Shape: `prefix(0|5) ‖ nonce(12) ‖ ciphertext ‖ tag(16)`.
//!
//! # Security
//! Encrypt at most 2³² messages under one key: nonces are random, and two messages under one nonce
//! reveal the authentication key. AES-GCM does not commit to its key: if a keyset has several raw
//! keys, somebody who knows two of them can craft a ciphertext that decrypts under both.
//!
//! # Source
//! NIST SP 800-38D; Tink's `aes_gcm.proto`.

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
    /// The parameters of an AES-GCM key.
    AesGcmParameters
}

byte_key! {
    /// An AES-GCM key of 16 or 32 bytes.
    AesGcmKey(AesGcmParameters): AesGcmKeyType
}

impl AesGcmKey {
    /// Takes the key itself.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 16 or 32 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        let parameters = AesGcmParameters::new(key.len())?;
        Ok(Self { parameters, key })
    }
}

impl KeySpec for AesGcmKeyType {
    byte_key_spec!(AesGcmKey(AesGcmParameters));

    type Message = proto::AesGcmKey;
    type Format = proto::AesGcmKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.AesGcmKey";
    const DERIVABLE: bool = true;
    const TEMPLATES: &'static [(&'static str, Variant, AesGcmParameters)] = &[
        (
            "AES128_GCM",
            Variant::Tink,
            AesGcmParameters { key_size: 16 },
        ),
        (
            "AES128_GCM_RAW",
            Variant::Raw,
            AesGcmParameters { key_size: 16 },
        ),
        (
            "AES256_GCM",
            Variant::Tink,
            AesGcmParameters { key_size: 32 },
        ),
        (
            "AES256_GCM_RAW",
            Variant::Raw,
            AesGcmParameters { key_size: 32 },
        ),
    ];

    fn read(message: proto::AesGcmKey) -> Result<AesGcmKey, KeyError> {
        check_version(message.version)?;
        AesGcmKey::new(SecretBytes::copy_of(&message.key_value))
    }

    fn write(key: &AesGcmKey) -> proto::AesGcmKey {
        proto::AesGcmKey {
            version: 0,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::AesGcmKeyFormat) -> Result<AesGcmParameters, KeyError> {
        check_version(format.version)?;
        AesGcmParameters::new(wire::size(format.key_size))
    }

    fn write_format(parameters: &AesGcmParameters) -> proto::AesGcmKeyFormat {
        proto::AesGcmKeyFormat {
            key_size: wire::size_field(parameters.key_size),
            version: 0,
        }
    }

    fn properties(parameters: &AesGcmParameters) -> KeyProperties {
        KeyProperties {
            key_size: parameters.key_size,
            overhead: 28,
            messages_log2: 32,
            max_plaintext: aes_gcm::P_MAX,
            advice: "the usual choice; fast wherever the processor has AES instructions",
        }
    }

    fn primitive(key: &AesGcmKey, provider: Provider) -> Result<RawPrimitive, KeyError> {
        cipher::aes_gcm(provider, key.key.bytes()).map(RawPrimitive::Aead)
    }
}
