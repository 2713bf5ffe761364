//! `AesCtrHmacAeadKey`: AES-CTR, then HMAC; any hash, any tag size.
//!
//! Shape: `prefix(0|5) ‖ iv(12..=16) ‖ ciphertext ‖ tag(10..=digest)`.
//!
//! # Security
//! Encrypt at most 2³² messages under one key: IVs are random. It does not commit to its key: the
//! tag does not depend on the AES key.
//!
//! # Source
//! NIST SP 800-38A, RFC 2104; Tink's `aes_ctr_hmac_aead.proto`.

use crate::{
    cipher::{self, Hash, Provider},
    error::KeyError,
    key::{
        KeyParameters, KeyProperties, KeySource, KeySpec, ParameterChoice, ParameterName,
        RawPrimitive, TypedKey, Variant, check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

/// The key type `AesCtrHmacAeadKey`, for a list of [`KeyTypes`](crate::KeyTypes).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub struct AesCtrHmacKeyType;

/// The parameters of an AES-CTR-HMAC key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AesCtrHmacParameters {
    aes_key_size: usize,
    iv_size: usize,
    hmac_key_size: usize,
    hash: Hash,
    tag_size: usize,
}

impl AesCtrHmacParameters {
    /// Starts with the size of the AES key in bytes, 16 or 32: as the stock templates, with
    /// a 16-byte IV, a 32-byte HMAC-SHA256 key, and a tag as long as the AES key.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn new(aes_key_size: usize) -> Result<Self, KeyError> {
        let start = Self {
            aes_key_size,
            tag_size: aes_key_size,
            ..AES128
        };
        start.checked()
    }

    /// Changes the size of the IV in bytes: 12 to 16.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn with_iv_size(self, iv_size: usize) -> Result<Self, KeyError> {
        Self { iv_size, ..self }.checked()
    }

    /// Changes the size of the HMAC key in bytes: at least 16.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn with_hmac_key_size(self, hmac_key_size: usize) -> Result<Self, KeyError> {
        Self {
            hmac_key_size,
            ..self
        }
        .checked()
    }

    /// Changes the hash and the size of the tag in bytes: 10 to the size of the digest.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn with_tag(self, hash: Hash, tag_size: usize) -> Result<Self, KeyError> {
        Self {
            hash,
            tag_size,
            ..self
        }
        .checked()
    }

    /// Returns the size of the AES key in bytes.
    #[must_use]
    pub const fn aes_key_size(&self) -> usize {
        self.aes_key_size
    }

    /// Returns the size of the IV in bytes.
    #[must_use]
    pub const fn iv_size(&self) -> usize {
        self.iv_size
    }

    /// Returns the size of the HMAC key in bytes.
    #[must_use]
    pub const fn hmac_key_size(&self) -> usize {
        self.hmac_key_size
    }

    /// Returns the hash of the HMAC.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// Returns the size of the tag in bytes.
    #[must_use]
    pub const fn tag_size(&self) -> usize {
        self.tag_size
    }

    const fn checked(self) -> Result<Self, KeyError> {
        if self.aes_key_size != 16 && self.aes_key_size != 32 {
            return Err(KeyError::parameter(
                "AES key size",
                self.aes_key_size,
                "16 or 32 bytes",
            ));
        }
        if self.iv_size < 12 || self.iv_size > 16 {
            return Err(KeyError::parameter(
                "IV size",
                self.iv_size,
                "12 to 16 bytes",
            ));
        }
        if self.hmac_key_size < 16 {
            return Err(KeyError::parameter(
                "HMAC key size",
                self.hmac_key_size,
                "16 bytes or more",
            ));
        }
        if self.tag_size < 10 || self.tag_size > self.hash.digest_size() {
            let allowed = "10 bytes to the size of the digest";
            return Err(KeyError::parameter("tag size", self.tag_size, allowed));
        }
        Ok(self)
    }
}

/// An AES-CTR-HMAC key: an AES key of 16 or 32 bytes, and an HMAC key of 16 bytes or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AesCtrHmacKey {
    parameters: AesCtrHmacParameters,
    aes_key: SecretBytes,
    hmac_key: SecretBytes,
}

impl AesCtrHmacKey {
    /// Takes the two keys, which have the sizes that `parameters` says.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] when a key has another size.
    pub fn new(
        parameters: AesCtrHmacParameters,
        aes_key: SecretBytes,
        hmac_key: SecretBytes,
    ) -> Result<Self, KeyError> {
        let allowed = "the size that the parameters say";
        if aes_key.len() != parameters.aes_key_size {
            return Err(KeyError::parameter("AES key size", aes_key.len(), allowed));
        }
        if hmac_key.len() != parameters.hmac_key_size {
            return Err(KeyError::parameter(
                "HMAC key size",
                hmac_key.len(),
                allowed,
            ));
        }
        Ok(Self {
            parameters,
            aes_key,
            hmac_key,
        })
    }

    /// Returns the AES key itself.
    #[must_use]
    pub const fn aes_key(&self) -> &SecretBytes {
        &self.aes_key
    }

    /// Returns the HMAC key itself.
    #[must_use]
    pub const fn hmac_key(&self) -> &SecretBytes {
        &self.hmac_key
    }

    /// Returns sizes and hash.
    #[must_use]
    pub const fn parameters(&self) -> AesCtrHmacParameters {
        self.parameters
    }
}

impl TypedKey for AesCtrHmacKey {
    type Spec = AesCtrHmacKeyType;
}

impl KeyParameters for AesCtrHmacParameters {
    type Spec = AesCtrHmacKeyType;
}

const AES128: AesCtrHmacParameters = AesCtrHmacParameters {
    aes_key_size: 16,
    iv_size: 16,
    hmac_key_size: 32,
    hash: Hash::Sha256,
    tag_size: 16,
};
const AES256: AesCtrHmacParameters = AesCtrHmacParameters {
    aes_key_size: 32,
    tag_size: 32,
    ..AES128
};

impl KeySpec for AesCtrHmacKeyType {
    type Key = AesCtrHmacKey;
    type Parameters = AesCtrHmacParameters;
    type Message = proto::AesCtrHmacAeadKey;
    type Format = proto::AesCtrHmacAeadKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.AesCtrHmacAeadKey";
    const DERIVABLE: bool = true;
    const TEMPLATES: &'static [(&'static str, Variant, AesCtrHmacParameters)] = &[
        ("AES128_CTR_HMAC_SHA256", Variant::Tink, AES128),
        ("AES128_CTR_HMAC_SHA256_RAW", Variant::Raw, AES128),
        ("AES256_CTR_HMAC_SHA256", Variant::Tink, AES256),
        ("AES256_CTR_HMAC_SHA256_RAW", Variant::Raw, AES256),
    ];

    fn read(message: proto::AesCtrHmacAeadKey) -> Result<AesCtrHmacKey, KeyError> {
        let aes = message.aes_ctr_key.unwrap_or_default();
        let hmac = message.hmac_key.unwrap_or_default();
        check_version(message.version)?;
        check_version(aes.version)?;
        check_version(hmac.version)?;
        let hmac_params = hmac.params.unwrap_or_default();
        let parameters = AesCtrHmacParameters {
            aes_key_size: aes.key_value.len(),
            iv_size: wire::size(aes.params.unwrap_or_default().iv_size),
            hmac_key_size: hmac.key_value.len(),
            hash: Hash::read(hmac_params.hash)?,
            tag_size: wire::size(hmac_params.tag_size),
        }
        .checked()?;
        AesCtrHmacKey::new(
            parameters,
            SecretBytes::copy_of(&aes.key_value),
            SecretBytes::copy_of(&hmac.key_value),
        )
    }

    fn write(key: &AesCtrHmacKey) -> proto::AesCtrHmacAeadKey {
        let format = Self::write_format(&key.parameters);
        proto::AesCtrHmacAeadKey {
            version: 0,
            aes_ctr_key: Some(proto::AesCtrKey {
                version: 0,
                params: format.aes_ctr_key_format.and_then(|aes| aes.params),
                key_value: wire::secret_copy(&key.aes_key),
            }),
            hmac_key: Some(proto::HmacKey {
                version: 0,
                params: format.hmac_key_format.and_then(|hmac| hmac.params),
                key_value: wire::secret_copy(&key.hmac_key),
            }),
        }
    }

    fn read_format(
        format: proto::AesCtrHmacAeadKeyFormat,
    ) -> Result<AesCtrHmacParameters, KeyError> {
        let aes = format.aes_ctr_key_format.unwrap_or_default();
        let hmac = format.hmac_key_format.unwrap_or_default();
        check_version(hmac.version)?;
        let hmac_params = hmac.params.unwrap_or_default();
        AesCtrHmacParameters {
            aes_key_size: wire::size(aes.key_size),
            iv_size: wire::size(aes.params.unwrap_or_default().iv_size),
            hmac_key_size: wire::size(hmac.key_size),
            hash: Hash::read(hmac_params.hash)?,
            tag_size: wire::size(hmac_params.tag_size),
        }
        .checked()
    }

    fn write_format(parameters: &AesCtrHmacParameters) -> proto::AesCtrHmacAeadKeyFormat {
        proto::AesCtrHmacAeadKeyFormat {
            aes_ctr_key_format: Some(proto::AesCtrKeyFormat {
                params: Some(proto::AesCtrParams {
                    iv_size: wire::size_field(parameters.iv_size),
                }),
                key_size: wire::size_field(parameters.aes_key_size),
            }),
            hmac_key_format: Some(proto::HmacKeyFormat {
                params: Some(proto::HmacParams {
                    hash: parameters.hash.to_proto().into(),
                    tag_size: wire::size_field(parameters.tag_size),
                }),
                key_size: wire::size_field(parameters.hmac_key_size),
                version: 0,
            }),
        }
    }

    fn parameters(key: &AesCtrHmacKey) -> AesCtrHmacParameters {
        key.parameters
    }

    fn generate(
        parameters: &AesCtrHmacParameters,
        source: KeySource<'_>,
    ) -> Result<AesCtrHmacKey, KeyError> {
        Ok(AesCtrHmacKey {
            parameters: *parameters,
            aes_key: SecretBytes::filled(parameters.aes_key_size, &mut *source)?,
            hmac_key: SecretBytes::filled(parameters.hmac_key_size, source)?,
        })
    }

    fn properties(parameters: &AesCtrHmacParameters) -> KeyProperties {
        KeyProperties {
            key_size: parameters
                .aes_key_size
                .saturating_add(parameters.hmac_key_size),
            overhead: parameters.iv_size + parameters.tag_size,
            messages_log2: 32,
            max_plaintext: cipher::AES_CTR_HMAC_MAX,
            advice: "HMAC instead of GHASH; fast wherever the processor has AES instructions",
        }
    }

    fn primitive(key: &AesCtrHmacKey, provider: Provider) -> Result<RawPrimitive, KeyError> {
        let AesCtrHmacParameters {
            iv_size,
            hash,
            tag_size,
            ..
        } = key.parameters;
        let (aes_key, hmac_key) = (key.aes_key.bytes(), key.hmac_key.bytes());
        cipher::aes_ctr_hmac(provider, aes_key, iv_size, hmac_key, hash, tag_size)
            .map(RawPrimitive::Aead)
    }

    fn material(key: &AesCtrHmacKey) -> Vec<&SecretBytes> {
        vec![&key.aes_key, &key.hmac_key]
    }

    const PARAMETERS: &'static [ParameterName] = &[
        ParameterName::IvSize,
        ParameterName::HmacKeySize,
        ParameterName::TagSize,
        ParameterName::Hash,
    ];

    fn choose(size: usize, choice: &ParameterChoice) -> Result<AesCtrHmacParameters, KeyError> {
        let hmac_key_size = choice.hmac_key_size.unwrap_or(32);
        let stock = AesCtrHmacParameters::new(size.saturating_sub(hmac_key_size))?;
        stock
            .with_hmac_key_size(hmac_key_size)?
            .with_iv_size(choice.iv_size.unwrap_or(stock.iv_size))?
            .with_tag(
                choice.hash.unwrap_or(stock.hash),
                choice.tag_size.unwrap_or(stock.tag_size),
            )
    }
}
