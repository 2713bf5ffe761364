//! `XChaCha20Poly1305Key`: XChaCha20-Poly1305 with a random 24-byte nonce.
//!
//! Shape: `prefix(0|5) ‖ nonce(24) ‖ ciphertext ‖ tag(16)`.
//!
//! # Security
//! Nonces of 24 random bytes do not collide in practice: you can encrypt 2⁸⁰ messages under one
//! key. It does not commit to its key.
//!
//! # Source
//! draft-irtf-cfrg-xchacha-03; Tink's `xchacha20_poly1305.proto`.

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
    /// The parameters of an XChaCha20-Poly1305 key. You have nothing to choose.
    XChaCha20Poly1305Parameters: 32
}

byte_key! {
    /// An XChaCha20-Poly1305 key of 32 bytes.
    XChaCha20Poly1305Key(XChaCha20Poly1305Parameters): XChaCha20Poly1305KeyType
}

impl XChaCha20Poly1305Key {
    /// Takes the key itself.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 32 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        let parameters = XChaCha20Poly1305Parameters::of_size(key.len())?;
        Ok(Self { parameters, key })
    }
}

impl KeySpec for XChaCha20Poly1305KeyType {
    byte_key_spec!(XChaCha20Poly1305Key(XChaCha20Poly1305Parameters));

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
}
