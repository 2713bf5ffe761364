//! `XChaCha20Poly1305Key`: XChaCha20-Poly1305 with a random 24-byte nonce.
//!
//! Shape: `prefix(0|5) ‖ nonce(24) ‖ ciphertext ‖ tag(16)`.
//!
//! # Security
//! Nonces of 24 random bytes do not collide in practice: 2⁸⁰ messages under one key. It does not
//! commit to its key.
//!
//! # Source
//! draft-irtf-cfrg-xchacha-03; Tink's `xchacha20_poly1305.proto`.

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

/// The key type `XChaCha20Poly1305Key`, for a list of [`KeyTypes`](crate::KeyTypes).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub struct XChaCha20Poly1305KeyType;

/// The parameters of an XChaCha20-Poly1305 key. You have nothing to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct XChaCha20Poly1305Parameters;

impl XChaCha20Poly1305Parameters {
    /// The size of every key in bytes.
    pub const KEY_SIZE: usize = 32;

    /// Returns the only parameters there are.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Default for XChaCha20Poly1305Parameters {
    fn default() -> Self {
        Self::new()
    }
}

/// An XChaCha20-Poly1305 key of 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XChaCha20Poly1305Key {
    key: SecretBytes,
}

impl XChaCha20Poly1305Key {
    /// Takes the key itself.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 32 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        if key.len() != XChaCha20Poly1305Parameters::KEY_SIZE {
            return Err(KeyError::parameter("key size", key.len(), "32 bytes"));
        }
        Ok(Self { key })
    }

    /// Returns the key itself.
    #[must_use]
    pub const fn key(&self) -> &SecretBytes {
        &self.key
    }
}

impl TypedKey for XChaCha20Poly1305Key {
    type Spec = XChaCha20Poly1305KeyType;
}

impl KeyParameters for XChaCha20Poly1305Parameters {
    type Spec = XChaCha20Poly1305KeyType;
}

impl KeySpec for XChaCha20Poly1305KeyType {
    type Key = XChaCha20Poly1305Key;
    type Parameters = XChaCha20Poly1305Parameters;
    type Message = proto::XChaCha20Poly1305Key;
    type Format = proto::XChaCha20Poly1305KeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.XChaCha20Poly1305Key";
    const DERIVABLE: bool = true;
    const TEMPLATES: &'static [(&'static str, Variant, XChaCha20Poly1305Parameters)] = &[
        (
            "XCHACHA20_POLY1305",
            Variant::Tink,
            XChaCha20Poly1305Parameters,
        ),
        (
            "XCHACHA20_POLY1305_RAW",
            Variant::Raw,
            XChaCha20Poly1305Parameters,
        ),
    ];

    fn read(message: proto::XChaCha20Poly1305Key) -> Result<XChaCha20Poly1305Key, KeyError> {
        check_version(message.version)?;
        XChaCha20Poly1305Key::new(SecretBytes::copy_of(&message.key_value))
    }

    fn write(key: &XChaCha20Poly1305Key) -> proto::XChaCha20Poly1305Key {
        proto::XChaCha20Poly1305Key {
            version: 0,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(
        format: proto::XChaCha20Poly1305KeyFormat,
    ) -> Result<XChaCha20Poly1305Parameters, KeyError> {
        check_version(format.version)?;
        Ok(XChaCha20Poly1305Parameters)
    }

    fn write_format(
        _parameters: &XChaCha20Poly1305Parameters,
    ) -> proto::XChaCha20Poly1305KeyFormat {
        proto::XChaCha20Poly1305KeyFormat { version: 0 }
    }

    fn parameters(_key: &XChaCha20Poly1305Key) -> XChaCha20Poly1305Parameters {
        XChaCha20Poly1305Parameters
    }

    fn generate(
        _parameters: &XChaCha20Poly1305Parameters,
        source: KeySource<'_>,
    ) -> Result<XChaCha20Poly1305Key, KeyError> {
        Ok(XChaCha20Poly1305Key {
            key: SecretBytes::filled(XChaCha20Poly1305Parameters::KEY_SIZE, source)?,
        })
    }

    fn properties(_parameters: &XChaCha20Poly1305Parameters) -> KeyProperties {
        KeyProperties {
            key_size: XChaCha20Poly1305Parameters::KEY_SIZE,
            overhead: 40,
            messages_log2: 80,
            max_plaintext: cipher::CHACHA20_MAX,
            advice: "any number of messages under one key, on any processor",
        }
    }

    fn primitive(key: &XChaCha20Poly1305Key, provider: Provider) -> Result<RawPrimitive, KeyError> {
        cipher::xchacha20_poly1305(provider, key.key.bytes()).map(RawPrimitive::Aead)
    }

    fn material(key: &XChaCha20Poly1305Key) -> Vec<&SecretBytes> {
        vec![&key.key]
    }
}
