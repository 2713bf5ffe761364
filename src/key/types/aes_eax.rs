//! `AesEaxKey`: AES-EAX with a random IV of 12 or 16 bytes.
//!
//! Shape: `prefix(0|5) ‖ iv(12|16) ‖ ciphertext ‖ tag(16)`.
//!
//! # Security
//! Encrypt at most 2³² messages under one key: with a 12-byte IV because IVs are random, with a
//! 16-byte IV because of the mode's own limit, which is about 2⁴⁸ blocks in all.
//!
//! # Source
//! Bellare, Rogaway, Wagner, "The EAX Mode of Operation", 2004; Tink's `aes_eax.proto`. Not every
//! Tink has this key type: Go lacks it.

use crate::{
    cipher::{self, Provider},
    error::KeyError,
    key::{
        KeyProperties, KeySpec, ParameterChoice, ParameterName, RawPrimitive, Variant,
        byte_key::{byte_key, byte_key_spec},
        check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

/// The parameters of an AES-EAX key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AesEaxParameters {
    key_size: usize,
    iv_size: usize,
}

impl AesEaxParameters {
    /// Takes the size of the key in bytes, 16 or 32, and that of the IV, 12 or 16.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn new(key_size: usize, iv_size: usize) -> Result<Self, KeyError> {
        match (key_size, iv_size) {
            (16 | 32, 12 | 16) => Ok(Self { key_size, iv_size }),
            (16 | 32, _) => Err(KeyError::parameter("IV size", iv_size, "12 or 16 bytes")),
            _ => Err(KeyError::parameter("key size", key_size, "16 or 32 bytes")),
        }
    }

    /// Returns the size of the key in bytes.
    #[must_use]
    pub const fn key_size(&self) -> usize {
        self.key_size
    }

    /// Returns the size of the IV in bytes.
    #[must_use]
    pub const fn iv_size(&self) -> usize {
        self.iv_size
    }
}

byte_key! {
    /// An AES-EAX key of 16 or 32 bytes, and the size of its IVs.
    AesEaxKey(AesEaxParameters): AesEaxKeyType
}

impl AesEaxKey {
    /// Takes the key itself, and the size of the IV in bytes.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless the key is 16 or 32 bytes and the IV 12 or 16.
    pub fn new(key: SecretBytes, iv_size: usize) -> Result<Self, KeyError> {
        let parameters = AesEaxParameters::new(key.len(), iv_size)?;
        Ok(Self { parameters, key })
    }
}

const AES128: AesEaxParameters = AesEaxParameters {
    key_size: 16,
    iv_size: 16,
};
const AES256: AesEaxParameters = AesEaxParameters {
    key_size: 32,
    iv_size: 16,
};

impl KeySpec for AesEaxKeyType {
    byte_key_spec!(AesEaxKey(AesEaxParameters));

    type Message = proto::AesEaxKey;
    type Format = proto::AesEaxKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.AesEaxKey";
    const TEMPLATES: &'static [(&'static str, Variant, AesEaxParameters)] = &[
        ("AES128_EAX", Variant::Tink, AES128),
        ("AES128_EAX_RAW", Variant::Raw, AES128),
        ("AES256_EAX", Variant::Tink, AES256),
        ("AES256_EAX_RAW", Variant::Raw, AES256),
    ];

    fn read(message: proto::AesEaxKey) -> Result<AesEaxKey, KeyError> {
        check_version(message.version)?;
        let iv_size = message.params.unwrap_or_default().iv_size;
        AesEaxKey::new(
            SecretBytes::copy_of(&message.key_value),
            wire::size(iv_size),
        )
    }

    fn write(key: &AesEaxKey) -> proto::AesEaxKey {
        let iv_size = wire::size_field(key.parameters.iv_size);
        proto::AesEaxKey {
            version: 0,
            params: Some(proto::AesEaxParams { iv_size }),
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::AesEaxKeyFormat) -> Result<AesEaxParameters, KeyError> {
        let iv_size = format.params.unwrap_or_default().iv_size;
        AesEaxParameters::new(wire::size(format.key_size), wire::size(iv_size))
    }

    fn write_format(parameters: &AesEaxParameters) -> proto::AesEaxKeyFormat {
        let iv_size = wire::size_field(parameters.iv_size);
        proto::AesEaxKeyFormat {
            params: Some(proto::AesEaxParams { iv_size }),
            key_size: wire::size_field(parameters.key_size),
        }
    }

    fn properties(parameters: &AesEaxParameters) -> KeyProperties {
        KeyProperties {
            key_size: parameters.key_size,
            overhead: parameters.iv_size + 16,
            messages_log2: 32,
            max_plaintext: aes_gcm::P_MAX,
            advice: "for compatibility; AES-GCM is faster",
        }
    }

    fn primitive(key: &AesEaxKey, _provider: Provider) -> Result<RawPrimitive, KeyError> {
        cipher::aes_eax(key.key.bytes(), key.parameters.iv_size).map(RawPrimitive::Aead)
    }

    const PARAMETERS: &'static [ParameterName] = &[ParameterName::IvSize];

    fn choose(size: usize, choice: &ParameterChoice) -> Result<AesEaxParameters, KeyError> {
        AesEaxParameters::new(size, choice.iv_size.unwrap_or(16))
    }
}
