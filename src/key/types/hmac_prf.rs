//! `HmacPrfKey`: HMAC as a pseudorandom function, with any of the five hashes.
//!
//! Shape: up to one digest.
//!
//! # Security
//! The number of inputs has no practical limit: two of them collide in HMAC's inner state after
//! 2^(4 · digest size).
//!
//! # Source
//! RFC 2104, FIPS 198-1; Tink's `hmac_prf.proto`.

use super::hmac::{KEY_SIZES, is_key_size, messages_log2};
use crate::{
    cipher::{self, Hash, Provider},
    error::KeyError,
    key::{
        KeyKind, KeyProperties, KeySpec, ParameterChoice, ParameterName, RawPrimitive, Variant,
        byte_key::{byte_key, byte_key_spec},
        check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

/// The parameters of an HMAC PRF key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HmacPrfParameters {
    key_size: usize,
    hash: Hash,
}

impl HmacPrfParameters {
    /// Takes the size of the key in bytes, at least 16, and the hash.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn new(key_size: usize, hash: Hash) -> Result<Self, KeyError> {
        if !is_key_size(key_size) {
            return Err(KeyError::parameter("key size", key_size, KEY_SIZES));
        }
        Ok(Self { key_size, hash })
    }

    /// Returns the size of the key in bytes.
    #[must_use]
    pub const fn key_size(&self) -> usize {
        self.key_size
    }

    /// Returns the hash.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

byte_key! {
    /// An HMAC PRF key of 16 bytes or more, with its hash.
    HmacPrfKey(HmacPrfParameters): HmacPrfKeyType
}

impl HmacPrfKey {
    /// Takes the key itself, and the hash.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] when there are fewer than 16 bytes.
    pub fn new(key: SecretBytes, hash: Hash) -> Result<Self, KeyError> {
        let parameters = HmacPrfParameters::new(key.len(), hash)?;
        Ok(Self { parameters, key })
    }
}

impl KeySpec for HmacPrfKeyType {
    byte_key_spec!(HmacPrfKey(HmacPrfParameters));

    type Message = proto::HmacPrfKey;
    type Format = proto::HmacPrfKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.HmacPrfKey";
    const KIND: KeyKind = KeyKind::Prf;
    const DERIVABLE: bool = true;
    const CHECKS_KEY_MATERIAL_TYPE: bool = false;
    const VARIANTS: &'static [Variant] = &[Variant::Raw];
    const TEMPLATES: &'static [(&'static str, Variant, HmacPrfParameters)] = &[
        (
            "HMAC_SHA256_PRF",
            Variant::Raw,
            HmacPrfParameters {
                key_size: 32,
                hash: Hash::Sha256,
            },
        ),
        (
            "HMAC_SHA512_PRF",
            Variant::Raw,
            HmacPrfParameters {
                key_size: 64,
                hash: Hash::Sha512,
            },
        ),
    ];

    fn read(message: proto::HmacPrfKey) -> Result<HmacPrfKey, KeyError> {
        check_version(message.version)?;
        HmacPrfKey::new(
            SecretBytes::copy_of(&message.key_value),
            Hash::read(message.params.unwrap_or_default().hash)?,
        )
    }

    fn write(key: &HmacPrfKey) -> proto::HmacPrfKey {
        proto::HmacPrfKey {
            version: 0,
            params: Self::write_format(&key.parameters).params,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::HmacPrfKeyFormat) -> Result<HmacPrfParameters, KeyError> {
        check_version(format.version)?;
        HmacPrfParameters::new(
            wire::size(format.key_size),
            Hash::read(format.params.unwrap_or_default().hash)?,
        )
    }

    fn write_format(parameters: &HmacPrfParameters) -> proto::HmacPrfKeyFormat {
        proto::HmacPrfKeyFormat {
            params: Some(proto::HmacPrfParams {
                hash: parameters.hash.to_proto().into(),
            }),
            key_size: wire::size_field(parameters.key_size),
            version: 0,
        }
    }

    fn properties(parameters: &HmacPrfParameters) -> KeyProperties {
        KeyProperties {
            key_size: parameters.key_size,
            overhead: 0,
            messages_log2: messages_log2(parameters.hash),
            max_plaintext: u64::MAX,
            advice: "for outputs of up to one digest",
        }
    }

    fn primitive(key: &HmacPrfKey, provider: Provider) -> Result<RawPrimitive, KeyError> {
        let hash = key.parameters.hash;
        let mac = cipher::hmac(provider, key.key.bytes(), hash, hash.digest_size());
        Ok(RawPrimitive::Prf(cipher::of_mac(mac)))
    }

    const PARAMETERS: &'static [ParameterName] = &[ParameterName::Hash];

    fn choose(size: usize, choice: &ParameterChoice) -> Result<HmacPrfParameters, KeyError> {
        HmacPrfParameters::new(size, choice.hash.unwrap_or(Hash::Sha256))
    }
}
