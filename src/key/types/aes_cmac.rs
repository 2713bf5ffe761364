//! `AesCmacKey`: AES-256-CMAC, with a tag cut to any size from 10 bytes.
//!
//! Shape: `prefix(0|5) ‖ tag(10..=16)`.
//!
//! # Security
//! A guess of an `n`-byte tag is right with probability 2⁻⁸ⁿ. Authenticate at most 2⁴⁸ messages
//! under one key.
//!
//! # Source
//! RFC 4493; NIST SP 800-38B, appendix B; Tink's `aes_cmac.proto`.

use crate::{
    cipher::{self, Provider},
    error::KeyError,
    key::{
        KeyKind, KeyProperties, KeySpec, ParameterChoice, ParameterName, RawPrimitive, Variant,
        byte_key::{byte_key, byte_key_spec},
        check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

/// The parameters of an AES-CMAC key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AesCmacParameters {
    tag_size: usize,
}

impl AesCmacParameters {
    /// The size of every key in bytes.
    pub const KEY_SIZE: usize = 32;

    /// Takes the size of the tag in bytes: 10 to 16.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn new(tag_size: usize) -> Result<Self, KeyError> {
        match tag_size {
            10..=16 => Ok(Self { tag_size }),
            _ => Err(KeyError::parameter("tag size", tag_size, "10 to 16 bytes")),
        }
    }

    /// Returns the size of the tag in bytes.
    #[must_use]
    pub const fn tag_size(&self) -> usize {
        self.tag_size
    }
}

/// Refuses a key size that no AES-CMAC key has.
pub(super) const fn check_key_size(key_size: usize) -> Result<(), KeyError> {
    match key_size {
        AesCmacParameters::KEY_SIZE => Ok(()),
        _ => Err(KeyError::parameter("key size", key_size, "32 bytes")),
    }
}

byte_key! {
    /// An AES-CMAC key of 32 bytes, with the size of its tags.
    AesCmacKey(AesCmacParameters): AesCmacKeyType
}

impl AesCmacKey {
    /// Takes the key itself, and the size of the tag in bytes.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless the key is 32 bytes and the tag 10 to 16.
    pub fn new(key: SecretBytes, tag_size: usize) -> Result<Self, KeyError> {
        check_key_size(key.len())?;
        let parameters = AesCmacParameters::new(tag_size)?;
        Ok(Self { parameters, key })
    }
}

const TAG16: AesCmacParameters = AesCmacParameters { tag_size: 16 };

impl KeySpec for AesCmacKeyType {
    byte_key_spec!(AesCmacKey(AesCmacParameters));

    type Message = proto::AesCmacKey;
    type Format = proto::AesCmacKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.AesCmacKey";
    const KIND: KeyKind = KeyKind::Mac;
    const CHECKS_KEY_MATERIAL_TYPE: bool = false;
    const TEMPLATES: &'static [(&'static str, Variant, AesCmacParameters)] = &[
        ("AES256_CMAC", Variant::Tink, TAG16),
        ("AES256_CMAC_RAW", Variant::Raw, TAG16),
        ("AES_CMAC", Variant::Tink, TAG16),
    ];

    fn read(message: proto::AesCmacKey) -> Result<AesCmacKey, KeyError> {
        check_version(message.version)?;
        let tag_size = message.params.unwrap_or_default().tag_size;
        AesCmacKey::new(
            SecretBytes::copy_of(&message.key_value),
            wire::size(tag_size),
        )
    }

    fn write(key: &AesCmacKey) -> proto::AesCmacKey {
        proto::AesCmacKey {
            version: 0,
            key_value: wire::secret_copy(&key.key),
            params: Self::write_format(&key.parameters).params,
        }
    }

    fn read_format(format: proto::AesCmacKeyFormat) -> Result<AesCmacParameters, KeyError> {
        check_key_size(wire::size(format.key_size))?;
        AesCmacParameters::new(wire::size(format.params.unwrap_or_default().tag_size))
    }

    fn write_format(parameters: &AesCmacParameters) -> proto::AesCmacKeyFormat {
        proto::AesCmacKeyFormat {
            key_size: wire::size_field(AesCmacParameters::KEY_SIZE),
            params: Some(proto::AesCmacParams {
                tag_size: wire::size_field(parameters.tag_size),
            }),
        }
    }

    fn properties(parameters: &AesCmacParameters) -> KeyProperties {
        KeyProperties {
            key_size: AesCmacParameters::KEY_SIZE,
            overhead: parameters.tag_size,
            messages_log2: 48,
            max_plaintext: u64::MAX,
            advice: "where AES is faster than a hash, and messages are short",
        }
    }

    fn primitive(key: &AesCmacKey, _provider: Provider) -> Result<RawPrimitive, KeyError> {
        cipher::aes_cmac(key.key.bytes(), key.parameters.tag_size).map(RawPrimitive::Mac)
    }

    const PARAMETERS: &'static [ParameterName] = &[ParameterName::TagSize];

    fn choose(_size: usize, choice: &ParameterChoice) -> Result<AesCmacParameters, KeyError> {
        AesCmacParameters::new(choice.tag_size.unwrap_or(16))
    }
}
