//! `ChaCha20Poly1305Key`: ChaCha20-Poly1305 with a random 12-byte nonce.
//!
//! Shape: `prefix(0|5) ‖ nonce(12) ‖ ciphertext ‖ tag(16)`.
//!
//! # Security
//! Encrypt at most 2³² messages under one key, because nonces are random; XChaCha20-Poly1305 has no
//! such limit in practice. It does not commit to its key.
//!
//! # Source
//! RFC 8439; Tink's `chacha20_poly1305.proto`. Not every Tink has this key type: C++ and Python
//! lack it.

use crate::{
    cipher::{self, Provider},
    error::KeyError,
    key::{
        KeyProperties, KeySpec, RawPrimitive, Variant,
        byte_key::{byte_key, byte_key_spec, fixed_parameters},
        check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

fixed_parameters! {
    /// The parameters of a ChaCha20-Poly1305 key. You have nothing to choose.
    ChaCha20Poly1305Parameters: 32
}

byte_key! {
    /// A ChaCha20-Poly1305 key of 32 bytes.
    ChaCha20Poly1305Key(ChaCha20Poly1305Parameters): ChaCha20Poly1305KeyType
}

impl ChaCha20Poly1305Key {
    /// Takes the key itself.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 32 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        let parameters = ChaCha20Poly1305Parameters::of_size(key.len())?;
        Ok(Self { parameters, key })
    }
}

impl KeySpec for ChaCha20Poly1305KeyType {
    byte_key_spec!(ChaCha20Poly1305Key(ChaCha20Poly1305Parameters));

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
}
