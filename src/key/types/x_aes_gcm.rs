//! `XAesGcmKey`: AES-256-GCM under a key derived for each message from a random salt.
//!
//! Shape: `prefix(0|5) ‖ salt(8..=12) ‖ nonce(12) ‖ ciphertext ‖ tag(16)`.
//!
//! # Security
//! Salt and nonce together are 20 to 24 random bytes, which do not collide in practice: you can
//! encrypt 2⁶⁴ messages and more under one key. With a 12-byte salt, this is C2SP's XAES-256-GCM.
//!
//! # Source
//! C2SP XAES-256-GCM; Tink's `x_aes_gcm.proto`.

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

/// The parameters of an X-AES-GCM key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XAesGcmParameters {
    salt_size: usize,
}

impl XAesGcmParameters {
    /// The size of every key in bytes.
    pub const KEY_SIZE: usize = 32;

    /// Takes the size of the salt in bytes: 8 to 12.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn new(salt_size: usize) -> Result<Self, KeyError> {
        match salt_size {
            8..=12 => Ok(Self { salt_size }),
            _ => Err(KeyError::parameter("salt size", salt_size, "8 to 12 bytes")),
        }
    }

    /// Returns the size of the salt in bytes.
    #[must_use]
    pub const fn salt_size(&self) -> usize {
        self.salt_size
    }
}

byte_key! {
    /// An X-AES-GCM key of 32 bytes, and the size of its salts.
    XAesGcmKey(XAesGcmParameters): XAesGcmKeyType
}

impl XAesGcmKey {
    /// Takes the key itself, and the size of the salt in bytes.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless the key is 32 bytes and the salt 8 to 12.
    pub fn new(key: SecretBytes, salt_size: usize) -> Result<Self, KeyError> {
        if key.len() != XAesGcmParameters::KEY_SIZE {
            return Err(KeyError::parameter("key size", key.len(), "32 bytes"));
        }
        Ok(Self {
            parameters: XAesGcmParameters::new(salt_size)?,
            key,
        })
    }
}

const NONCE_192: XAesGcmParameters = XAesGcmParameters { salt_size: 12 };
const NONCE_160: XAesGcmParameters = XAesGcmParameters { salt_size: 8 };

impl KeySpec for XAesGcmKeyType {
    byte_key_spec!(XAesGcmKey(XAesGcmParameters));

    type Message = proto::XAesGcmKey;
    type Format = proto::XAesGcmKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.XAesGcmKey";
    const TEMPLATES: &'static [(&'static str, Variant, XAesGcmParameters)] = &[
        ("XAES_256_GCM_192_BIT_NONCE", Variant::Tink, NONCE_192),
        (
            "XAES_256_GCM_192_BIT_NONCE_NO_PREFIX",
            Variant::Raw,
            NONCE_192,
        ),
        (
            "XAES_256_GCM_160_BIT_NONCE_NO_PREFIX",
            Variant::Raw,
            NONCE_160,
        ),
        // Another name of the same.
        ("X_AES_GCM_8_BYTE_SALT_NO_PREFIX", Variant::Raw, NONCE_160),
    ];
    const VARIANTS: &'static [Variant] = &[Variant::Raw, Variant::Tink];

    fn read(message: proto::XAesGcmKey) -> Result<XAesGcmKey, KeyError> {
        check_version(message.version)?;
        let salt_size = message.params.unwrap_or_default().salt_size;
        XAesGcmKey::new(
            SecretBytes::copy_of(&message.key_value),
            wire::size(salt_size),
        )
    }

    fn write(key: &XAesGcmKey) -> proto::XAesGcmKey {
        let salt_size = wire::size_field(key.parameters.salt_size);
        proto::XAesGcmKey {
            version: 0,
            params: Some(proto::XAesGcmParams { salt_size }),
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::XAesGcmKeyFormat) -> Result<XAesGcmParameters, KeyError> {
        check_version(format.version)?;
        XAesGcmParameters::new(wire::size(format.params.unwrap_or_default().salt_size))
    }

    fn write_format(parameters: &XAesGcmParameters) -> proto::XAesGcmKeyFormat {
        let salt_size = wire::size_field(parameters.salt_size);
        proto::XAesGcmKeyFormat {
            version: 0,
            params: Some(proto::XAesGcmParams { salt_size }),
        }
    }

    fn properties(parameters: &XAesGcmParameters) -> KeyProperties {
        KeyProperties {
            key_size: XAesGcmParameters::KEY_SIZE,
            overhead: parameters.salt_size + 28,
            messages_log2: if parameters.salt_size == 12 { 80 } else { 64 },
            max_plaintext: aes_gcm::P_MAX,
            advice: "any number of messages under one key, with AES instructions",
        }
    }

    fn primitive(key: &XAesGcmKey, provider: Provider) -> Result<RawPrimitive, KeyError> {
        let salt_size = key.parameters.salt_size;
        cipher::x_aes_gcm(provider, key.key.bytes(), salt_size).map(RawPrimitive::Aead)
    }

    const PARAMETERS: &'static [ParameterName] = &[ParameterName::SaltSize];

    fn choose(_size: usize, choice: &ParameterChoice) -> Result<XAesGcmParameters, KeyError> {
        XAesGcmParameters::new(choice.salt_size.unwrap_or(12))
    }
}
