//! `ChaCha20Poly1305Key`: ChaCha20-Poly1305 with a random 12-byte nonce.
//!
//! Shape: `prefix(0|5) ‖ nonce(12) ‖ ciphertext ‖ tag(16)`.
//!
//! # Security
//! At most 2³² messages under one key, since nonces are random; XChaCha20-Poly1305 has no such
//! limit in practice. It does not commit to its key.
//!
//! # Source
//! RFC 8439; Tink's `chacha20_poly1305.proto`. Not every Tink has this key type: C++ and Python
//! lack it.

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

/// The key type `ChaCha20Poly1305Key`, for a list of [`KeyTypes`](crate::KeyTypes).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub struct ChaCha20Poly1305KeyType;

/// The parameters of a ChaCha20-Poly1305 key. You have nothing to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChaCha20Poly1305Parameters;

impl ChaCha20Poly1305Parameters {
    /// The size of every key in bytes.
    pub const KEY_SIZE: usize = 32;

    /// Returns the only parameters there are.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Default for ChaCha20Poly1305Parameters {
    fn default() -> Self {
        Self::new()
    }
}

/// A ChaCha20-Poly1305 key of 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChaCha20Poly1305Key {
    key: SecretBytes,
}

impl ChaCha20Poly1305Key {
    /// Takes the key itself.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 32 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        if key.len() != ChaCha20Poly1305Parameters::KEY_SIZE {
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

impl TypedKey for ChaCha20Poly1305Key {
    type Spec = ChaCha20Poly1305KeyType;
}

impl KeyParameters for ChaCha20Poly1305Parameters {
    type Spec = ChaCha20Poly1305KeyType;
}

impl KeySpec for ChaCha20Poly1305KeyType {
    type Key = ChaCha20Poly1305Key;
    type Parameters = ChaCha20Poly1305Parameters;
    type Message = proto::ChaCha20Poly1305Key;
    type Format = proto::ChaCha20Poly1305KeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.ChaCha20Poly1305Key";
    const TEMPLATES: &'static [(&'static str, Variant, ChaCha20Poly1305Parameters)] = &[
        (
            "CHACHA20_POLY1305",
            Variant::Tink,
            ChaCha20Poly1305Parameters,
        ),
        (
            "CHACHA20_POLY1305_RAW",
            Variant::Raw,
            ChaCha20Poly1305Parameters,
        ),
    ];

    fn read(message: proto::ChaCha20Poly1305Key) -> Result<ChaCha20Poly1305Key, KeyError> {
        check_version(message.version)?;
        ChaCha20Poly1305Key::new(SecretBytes::copy_of(&message.key_value))
    }

    fn write(key: &ChaCha20Poly1305Key) -> proto::ChaCha20Poly1305Key {
        proto::ChaCha20Poly1305Key {
            version: 0,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(
        _format: proto::ChaCha20Poly1305KeyFormat,
    ) -> Result<ChaCha20Poly1305Parameters, KeyError> {
        Ok(ChaCha20Poly1305Parameters)
    }

    fn write_format(_parameters: &ChaCha20Poly1305Parameters) -> proto::ChaCha20Poly1305KeyFormat {
        proto::ChaCha20Poly1305KeyFormat {}
    }

    fn parameters(_key: &ChaCha20Poly1305Key) -> ChaCha20Poly1305Parameters {
        ChaCha20Poly1305Parameters
    }

    fn generate(
        _parameters: &ChaCha20Poly1305Parameters,
        source: KeySource<'_>,
    ) -> Result<ChaCha20Poly1305Key, KeyError> {
        Ok(ChaCha20Poly1305Key {
            key: SecretBytes::filled(ChaCha20Poly1305Parameters::KEY_SIZE, source)?,
        })
    }

    fn properties(_parameters: &ChaCha20Poly1305Parameters) -> KeyProperties {
        KeyProperties {
            key_size: ChaCha20Poly1305Parameters::KEY_SIZE,
            overhead: 28,
            messages_log2: 32,
            max_plaintext: cipher::CHACHA20_MAX,
            advice: "where the processor has no AES instructions, and messages are few",
        }
    }

    fn primitive(key: &ChaCha20Poly1305Key, provider: Provider) -> Result<RawPrimitive, KeyError> {
        cipher::chacha20_poly1305(provider, key.key.bytes()).map(RawPrimitive::Aead)
    }

    fn material(key: &ChaCha20Poly1305Key) -> Vec<&SecretBytes> {
        vec![&key.key]
    }
}
