//! `HkdfPrfKey`: HKDF as a pseudorandom function, with SHA-256 or SHA-512.
//!
//! Shape: up to 255 digests: 8160 bytes with SHA-256, 16320 with SHA-512. The input is HKDF's
//! info; the salt belongs to the key.
//!
//! # Security
//! The number of inputs has no practical limit: two of them collide in HMAC's inner state after
//! 2¹²⁸ with SHA-256, or 2²⁵⁶ with SHA-512.
//!
//! # Source
//! RFC 5869; Tink's `hkdf_prf.proto`.

use super::hmac::messages_log2;
use crate::{
    cipher::{self, Hash, Provider, RawPrf},
    error::KeyError,
    key::{
        KeyKind, KeyParameters, KeyProperties, KeySource, KeySpec, ParameterChoice, ParameterName,
        RawPrimitive, TypedKey, Variant, check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

/// The key type `HkdfPrfKey`, for a list of [`KeyTypes`](crate::KeyTypes).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub struct HkdfPrfKeyType;

/// The parameters of an HKDF PRF key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HkdfPrfParameters {
    key_size: usize,
    hash: Hash,
    salt: Vec<u8>,
}

impl HkdfPrfParameters {
    /// Takes the size of the key in bytes, at least 32, and the hash: SHA-256 or SHA-512. There is
    /// no salt.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn new(key_size: usize, hash: Hash) -> Result<Self, KeyError> {
        if key_size < 32 || key_size as u64 > u32::MAX as u64 {
            let allowed = "32 to 4294967295 bytes";
            return Err(KeyError::parameter("key size", key_size, allowed));
        }
        match hash {
            Hash::Sha256 | Hash::Sha512 => Ok(Self::stock(key_size, hash)),
            Hash::Sha1 | Hash::Sha224 | Hash::Sha384 => Err(KeyError::Parameter {
                name: "hash type",
                found: hash.to_proto() as u64,
                allowed: "3 (SHA256) or 4 (SHA512)",
            }),
        }
    }

    /// Changes the salt of HKDF, which is not secret. An empty salt is the same as none.
    #[must_use]
    pub fn with_salt(mut self, salt: impl Into<Vec<u8>>) -> Self {
        self.salt = salt.into();
        self
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

    /// Returns the salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Returns the longest output in bytes.
    #[must_use]
    pub const fn max_output(&self) -> usize {
        cipher::max_hkdf_output(self.hash)
    }

    pub(super) const fn stock(key_size: usize, hash: Hash) -> Self {
        Self {
            key_size,
            hash,
            salt: Vec::new(),
        }
    }
}

/// An HKDF PRF key of 32 bytes or more, with its hash and salt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HkdfPrfKey {
    parameters: HkdfPrfParameters,
    key: SecretBytes,
}

impl HkdfPrfKey {
    /// Takes the key itself, the hash, and the salt of HKDF, which may be empty.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] when there are fewer than 32 bytes, or the hash is neither SHA-256
    /// nor SHA-512.
    pub fn new(key: SecretBytes, hash: Hash, salt: impl Into<Vec<u8>>) -> Result<Self, KeyError> {
        let parameters = HkdfPrfParameters::new(key.len(), hash)?.with_salt(salt);
        Ok(Self { parameters, key })
    }

    /// Returns the key itself.
    #[must_use]
    pub const fn key(&self) -> &SecretBytes {
        &self.key
    }

    /// Returns size, hash and salt.
    #[must_use]
    pub const fn parameters(&self) -> &HkdfPrfParameters {
        &self.parameters
    }

    pub(crate) fn raw_prf(&self, provider: Provider) -> Box<dyn RawPrf> {
        let HkdfPrfParameters { hash, salt, .. } = &self.parameters;
        cipher::hkdf(provider, self.key.bytes(), *hash, salt)
    }
}

impl TypedKey for HkdfPrfKey {
    type Spec = HkdfPrfKeyType;
}

impl KeyParameters for HkdfPrfParameters {
    type Spec = HkdfPrfKeyType;
}

impl KeySpec for HkdfPrfKeyType {
    type Key = HkdfPrfKey;
    type Parameters = HkdfPrfParameters;
    type Message = proto::HkdfPrfKey;
    type Format = proto::HkdfPrfKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.HkdfPrfKey";
    const KIND: KeyKind = KeyKind::Prf;
    const DERIVABLE: bool = true;
    const CHECKS_KEY_MATERIAL_TYPE: bool = false;
    const VARIANTS: &'static [Variant] = &[Variant::Raw];
    const TEMPLATES: &'static [(&'static str, Variant, HkdfPrfParameters)] = &[(
        "HKDF_SHA256",
        Variant::Raw,
        HkdfPrfParameters::stock(32, Hash::Sha256),
    )];

    fn read(message: proto::HkdfPrfKey) -> Result<HkdfPrfKey, KeyError> {
        check_version(message.version)?;
        let params = message.params.unwrap_or_default();
        HkdfPrfKey::new(
            SecretBytes::copy_of(&message.key_value),
            Hash::read(params.hash)?,
            params.salt,
        )
    }

    fn write(key: &HkdfPrfKey) -> proto::HkdfPrfKey {
        proto::HkdfPrfKey {
            version: 0,
            params: Self::write_format(&key.parameters).params,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::HkdfPrfKeyFormat) -> Result<HkdfPrfParameters, KeyError> {
        check_version(format.version)?;
        let params = format.params.unwrap_or_default();
        let hash = Hash::read(params.hash)?;
        Ok(HkdfPrfParameters::new(wire::size(format.key_size), hash)?.with_salt(params.salt))
    }

    fn write_format(parameters: &HkdfPrfParameters) -> proto::HkdfPrfKeyFormat {
        proto::HkdfPrfKeyFormat {
            params: Some(proto::HkdfPrfParams {
                hash: parameters.hash.to_proto().into(),
                salt: parameters.salt.clone().into(),
            }),
            key_size: wire::size_field(parameters.key_size),
            version: 0,
        }
    }

    fn parameters(key: &HkdfPrfKey) -> HkdfPrfParameters {
        key.parameters.clone()
    }

    fn generate(
        parameters: &HkdfPrfParameters,
        source: KeySource<'_>,
    ) -> Result<HkdfPrfKey, KeyError> {
        Ok(HkdfPrfKey {
            parameters: parameters.clone(),
            key: SecretBytes::filled(parameters.key_size, source)?,
        })
    }

    fn properties(parameters: &HkdfPrfParameters) -> KeyProperties {
        KeyProperties {
            key_size: parameters.key_size,
            overhead: 0,
            messages_log2: messages_log2(parameters.hash),
            max_plaintext: u64::MAX,
            advice: "the usual choice for a PRF; the only one for a keyset deriver",
        }
    }

    fn primitive(key: &HkdfPrfKey, provider: Provider) -> Result<RawPrimitive, KeyError> {
        Ok(RawPrimitive::Prf(key.raw_prf(provider)))
    }

    fn material(key: &HkdfPrfKey) -> Vec<&SecretBytes> {
        vec![&key.key]
    }

    const PARAMETERS: &'static [ParameterName] = &[ParameterName::Hash];

    fn choose(size: usize, choice: &ParameterChoice) -> Result<HkdfPrfParameters, KeyError> {
        HkdfPrfParameters::new(size, choice.hash.unwrap_or(Hash::Sha256))
    }
}
