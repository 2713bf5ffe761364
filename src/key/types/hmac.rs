//! `HmacKey`: HMAC with any of the five hashes, and a tag cut to any size from 10 bytes.
//!
//! Shape: `prefix(0|5) ‖ tag(10..=digest)`.
//!
//! # Security
//! A guess of an `n`-byte tag is right with probability 2⁻⁸ⁿ. The number of messages has no
//! practical limit: two of them collide in HMAC's inner state after 2^(4 · digest size), which is
//! 2⁸⁰ for SHA-1 and 2¹²⁸ for SHA-256.
//!
//! # Source
//! RFC 2104, FIPS 198-1; Tink's `hmac.proto`.

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

/// The parameters of an HMAC key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HmacParameters {
    key_size: usize,
    hash: Hash,
    tag_size: usize,
}

impl HmacParameters {
    /// Takes the size of the key in bytes, at least 16, the hash, and the size of the tag in
    /// bytes: 10 to the size of the digest.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn new(key_size: usize, hash: Hash, tag_size: usize) -> Result<Self, KeyError> {
        if tag_size < 10 || tag_size > hash.digest_size() {
            let allowed = "10 bytes to the size of the digest";
            return Err(KeyError::parameter("tag size", tag_size, allowed));
        }
        if !is_key_size(key_size) {
            return Err(KeyError::parameter("key size", key_size, KEY_SIZES));
        }
        Ok(Self {
            key_size,
            hash,
            tag_size,
        })
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

    /// Returns the size of the tag in bytes.
    #[must_use]
    pub const fn tag_size(&self) -> usize {
        self.tag_size
    }

    const fn stock(key_size: usize, hash: Hash, tag_size: usize) -> Self {
        Self {
            key_size,
            hash,
            tag_size,
        }
    }
}

/// Returns whether keys may be as long: HMAC has no limit above, the key format has.
pub(super) const fn is_key_size(key_size: usize) -> bool {
    key_size >= 16 && key_size as u64 <= u32::MAX as u64
}

pub(super) const KEY_SIZES: &str = "16 to 4294967295 bytes";

/// The base-two logarithm of the number of messages after which two meet in HMAC's inner state.
pub(super) const fn messages_log2(hash: Hash) -> u32 {
    match hash {
        Hash::Sha1 => 80,
        Hash::Sha224 | Hash::Sha256 => 128,
        Hash::Sha384 | Hash::Sha512 => 256,
    }
}

byte_key! {
    /// An HMAC key of 16 bytes or more, with its hash and the size of its tags.
    HmacKey(HmacParameters): HmacKeyType
}

impl HmacKey {
    /// Takes the key itself, the hash, and the size of the tag in bytes.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] as for [`HmacParameters::new`].
    pub fn new(key: SecretBytes, hash: Hash, tag_size: usize) -> Result<Self, KeyError> {
        let parameters = HmacParameters::new(key.len(), hash, tag_size)?;
        Ok(Self { parameters, key })
    }
}

const SHA256_128: HmacParameters = HmacParameters::stock(32, Hash::Sha256, 16);
const SHA256_256: HmacParameters = HmacParameters::stock(32, Hash::Sha256, 32);
const SHA512_128: HmacParameters = HmacParameters::stock(64, Hash::Sha512, 16);
const SHA512_256: HmacParameters = HmacParameters::stock(64, Hash::Sha512, 32);
const SHA512_512: HmacParameters = HmacParameters::stock(64, Hash::Sha512, 64);

impl KeySpec for HmacKeyType {
    byte_key_spec!(HmacKey(HmacParameters));

    type Message = proto::HmacKey;
    type Format = proto::HmacKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.HmacKey";
    const KIND: KeyKind = KeyKind::Mac;
    const DERIVABLE: bool = true;
    const CHECKS_KEY_MATERIAL_TYPE: bool = false;
    const TEMPLATES: &'static [(&'static str, Variant, HmacParameters)] = &[
        ("HMAC_SHA256_128BITTAG", Variant::Tink, SHA256_128),
        ("HMAC_SHA256_128BITTAG_RAW", Variant::Raw, SHA256_128),
        ("HMAC_SHA256_256BITTAG", Variant::Tink, SHA256_256),
        ("HMAC_SHA256_256BITTAG_RAW", Variant::Raw, SHA256_256),
        ("HMAC_SHA512_128BITTAG", Variant::Tink, SHA512_128),
        ("HMAC_SHA512_128BITTAG_RAW", Variant::Raw, SHA512_128),
        ("HMAC_SHA512_256BITTAG", Variant::Tink, SHA512_256),
        ("HMAC_SHA512_256BITTAG_RAW", Variant::Raw, SHA512_256),
        ("HMAC_SHA512_512BITTAG", Variant::Tink, SHA512_512),
        ("HMAC_SHA512_512BITTAG_RAW", Variant::Raw, SHA512_512),
    ];

    fn read(message: proto::HmacKey) -> Result<HmacKey, KeyError> {
        check_version(message.version)?;
        let params = message.params.unwrap_or_default();
        HmacKey::new(
            SecretBytes::copy_of(&message.key_value),
            Hash::read(params.hash)?,
            wire::size(params.tag_size),
        )
    }

    fn write(key: &HmacKey) -> proto::HmacKey {
        proto::HmacKey {
            version: 0,
            params: Self::write_format(&key.parameters).params,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::HmacKeyFormat) -> Result<HmacParameters, KeyError> {
        check_version(format.version)?;
        let params = format.params.unwrap_or_default();
        HmacParameters::new(
            wire::size(format.key_size),
            Hash::read(params.hash)?,
            wire::size(params.tag_size),
        )
    }

    fn write_format(parameters: &HmacParameters) -> proto::HmacKeyFormat {
        proto::HmacKeyFormat {
            params: Some(proto::HmacParams {
                hash: parameters.hash.to_proto().into(),
                tag_size: wire::size_field(parameters.tag_size),
            }),
            key_size: wire::size_field(parameters.key_size),
            version: 0,
        }
    }

    fn properties(parameters: &HmacParameters) -> KeyProperties {
        KeyProperties {
            key_size: parameters.key_size,
            overhead: parameters.tag_size,
            messages_log2: messages_log2(parameters.hash),
            max_plaintext: u64::MAX,
            advice: "the usual choice for a MAC; 16 bytes of tag are enough",
        }
    }

    fn primitive(key: &HmacKey, provider: Provider) -> Result<RawPrimitive, KeyError> {
        let HmacParameters { hash, tag_size, .. } = key.parameters;
        let mac = cipher::hmac(provider, key.key.bytes(), hash, tag_size);
        Ok(RawPrimitive::Mac(mac))
    }

    const PARAMETERS: &'static [ParameterName] = &[ParameterName::TagSize, ParameterName::Hash];

    fn choose(size: usize, choice: &ParameterChoice) -> Result<HmacParameters, KeyError> {
        let hash = choice.hash.unwrap_or(Hash::Sha256);
        HmacParameters::new(size, hash, choice.tag_size.unwrap_or(16))
    }
}
