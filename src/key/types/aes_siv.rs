//! `AesSivKey`: AES-256-SIV-CMAC, deterministic.
//!
//! Shape: `prefix(0|5) ‖ siv(16) ‖ ciphertext`.
//!
//! # Security
//! Equal plaintexts have equal ciphertexts if their associated data is the same, by design. Encrypt
//! at most 2⁴⁸ messages under one key, the limit of its CMAC. The key is 64 bytes: the first half
//! makes the SIV and the second half encrypts.
//!
//! # Source
//! RFC 5297, with one string of associated data; NIST SP 800-38B, appendix B; Tink's
//! `aes_siv.proto`.

use crate::{
    cipher::{self, Provider},
    error::KeyError,
    key::{
        KeyKind, KeyProperties, KeySpec, RawPrimitive, Variant,
        byte_key::{byte_key, byte_key_spec, fixed_parameters},
        check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

fixed_parameters! {
    /// The parameters of an AES-SIV key. There is nothing to choose.
    AesSivParameters: 64
}

byte_key! {
    /// An AES-SIV key of 64 bytes.
    AesSivKey(AesSivParameters): AesSivKeyType
}

impl AesSivKey {
    /// Takes the key itself: 32 bytes for S2V, then 32 bytes for CTR.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 64 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        let parameters = AesSivParameters::of_size(key.len())?;
        Ok(Self { parameters, key })
    }
}

impl KeySpec for AesSivKeyType {
    byte_key_spec!(AesSivKey(AesSivParameters));

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
}
