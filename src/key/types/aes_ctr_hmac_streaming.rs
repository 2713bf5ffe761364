//! `AesCtrHmacStreamingKey`: streams of AES-CTR segments, each with an HMAC, under keys derived for
//! each stream.
//!
//! Shape: `header(24 or 40) ‖ segments`, each `ciphertext ‖ tag(10..=digest)`; see
//! [`streaming`](crate::streaming). The output prefix type is kept, and written in no stream.
//! The HMAC keys are 32 bytes, whatever the hash.
//!
//! # Security
//! A stream has at most 2³² segments, whose nonces are counted. Encrypt at most 2⁴⁸ streams under
//! one key with 16-byte salts (derived keys of 16 bytes), or 2¹¹² with 32-byte salts: salts are
//! random. It commits to its key as strongly as its tag is long.
//!
//! # Source
//! NIST SP 800-38A, RFC 2104, RFC 5869; Tink's `aes_ctr_hmac_streaming.proto`.

use super::streaming;
use crate::{
    cipher::{self, Hash, Provider},
    error::KeyError,
    key::{
        KeyKind, KeyProperties, KeySpec, RawPrimitive, Variant,
        byte_key::{byte_key, byte_key_spec},
        check_version,
    },
    secret::SecretBytes,
    segment::{StreamKey, StreamLayout},
    wire::{self, proto},
};

/// The parameters of an AES-CTR-HMAC streaming key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AesCtrHmacStreamingParameters {
    key_size: usize,
    derived_key_size: usize,
    hkdf_hash: Hash,
    segment_size: usize,
    hmac_hash: Hash,
    tag_size: usize,
}

impl AesCtrHmacStreamingParameters {
    /// The size of the HMAC keys, which are derived, in bytes.
    pub const HMAC_KEY_SIZE: usize = 32;

    /// Starts with the size of the AES keys in bytes, 16 or 32, and the size of a segment in bytes,
    /// tag included: as the stock templates, with a key of the same size, HKDF-SHA256, and
    /// HMAC-SHA256 with a 32-byte tag.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] when the segment size is under `derived_key_size` + 41, so that the
    /// first segment would hold nothing, or over 2³¹ − 1; or the key size is another. For smaller
    /// segments, take a smaller tag first, and [`with_segment_size`](Self::with_segment_size).
    pub const fn new(derived_key_size: usize, segment_size: usize) -> Result<Self, KeyError> {
        stock(derived_key_size, segment_size).checked()
    }

    /// Changes the hash of the HMAC, to SHA-1, SHA-256 or SHA-512, and the size of the tag in
    /// bytes, to 10 to the size of the digest.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn with_tag(self, hmac_hash: Hash, tag_size: usize) -> Result<Self, KeyError> {
        Self {
            hmac_hash,
            tag_size,
            ..self
        }
        .checked()
    }

    /// Changes the size of a segment in bytes, tag included. It must be more than header and tag
    /// together: the derived key size plus the tag size plus 8.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn with_segment_size(self, segment_size: usize) -> Result<Self, KeyError> {
        Self {
            segment_size,
            ..self
        }
        .checked()
    }

    /// Changes the size of the input key in bytes: at least the size of the derived keys.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn with_key_size(self, key_size: usize) -> Result<Self, KeyError> {
        Self { key_size, ..self }.checked()
    }

    /// Changes the hash of the HKDF: SHA-1, SHA-256 or SHA-512.
    ///
    /// # Errors
    /// [`KeyError::Parameter`]
    pub const fn with_hkdf_hash(self, hkdf_hash: Hash) -> Result<Self, KeyError> {
        Self { hkdf_hash, ..self }.checked()
    }

    /// Returns the size of the key in bytes.
    #[must_use]
    pub const fn key_size(&self) -> usize {
        self.key_size
    }

    /// Returns the size of the AES keys in bytes, which is also that of the salts.
    #[must_use]
    pub const fn derived_key_size(&self) -> usize {
        self.derived_key_size
    }

    /// Returns the hash of the HKDF.
    #[must_use]
    pub const fn hkdf_hash(&self) -> Hash {
        self.hkdf_hash
    }

    /// Returns the size of a segment in bytes, tag included.
    #[must_use]
    pub const fn segment_size(&self) -> usize {
        self.segment_size
    }

    /// Returns the hash of the HMAC.
    #[must_use]
    pub const fn hmac_hash(&self) -> Hash {
        self.hmac_hash
    }

    /// Returns the size of the tag of each segment in bytes.
    #[must_use]
    pub const fn tag_size(&self) -> usize {
        self.tag_size
    }

    /// Returns the sizes of the streams of such a key.
    #[must_use]
    pub const fn layout(&self) -> StreamLayout {
        StreamKey::layout_of(self.segment_size, self.derived_key_size, self.tag_size)
    }

    const fn checked(self) -> Result<Self, KeyError> {
        if let Err(wrong) = streaming::check_hash("HMAC hash type", self.hmac_hash) {
            return Err(wrong.error());
        }
        if self.tag_size < 10 || self.tag_size > self.hmac_hash.digest_size() {
            let allowed = "10 bytes to the size of the digest";
            return Err(KeyError::parameter("tag size", self.tag_size, allowed));
        }
        match streaming::check(
            self.key_size,
            self.derived_key_size,
            self.hkdf_hash,
            self.segment_size,
            self.tag_size,
        ) {
            Ok(()) => Ok(self),
            Err(wrong) => Err(wrong.error()),
        }
    }
}

byte_key! {
    /// An AES-CTR-HMAC streaming key: 16 bytes or more, from which the keys of streams are derived.
    AesCtrHmacStreamingKey(AesCtrHmacStreamingParameters): AesCtrHmacStreamingKeyType
}

impl AesCtrHmacStreamingKey {
    /// Takes the key, which has the size that `parameters` says.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] when it has another size.
    pub fn new(
        parameters: AesCtrHmacStreamingParameters,
        key: SecretBytes,
    ) -> Result<Self, KeyError> {
        if key.len() != parameters.key_size {
            let allowed = "the size that the parameters say";
            return Err(KeyError::parameter("key size", key.len(), allowed));
        }
        Ok(Self { parameters, key })
    }
}

const fn stock(key_size: usize, segment_size: usize) -> AesCtrHmacStreamingParameters {
    AesCtrHmacStreamingParameters {
        key_size,
        derived_key_size: key_size,
        hkdf_hash: Hash::Sha256,
        segment_size,
        hmac_hash: Hash::Sha256,
        tag_size: 32,
    }
}

impl KeySpec for AesCtrHmacStreamingKeyType {
    byte_key_spec!(AesCtrHmacStreamingKey(AesCtrHmacStreamingParameters));

    type Message = proto::AesCtrHmacStreamingKey;
    type Format = proto::AesCtrHmacStreamingKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.AesCtrHmacStreamingKey";
    const KIND: KeyKind = KeyKind::StreamingAead;
    const DERIVABLE: bool = true;
    const TEMPLATES: &'static [(&'static str, Variant, AesCtrHmacStreamingParameters)] = &[
        (
            "AES128_CTR_HMAC_SHA256_4KB",
            Variant::Raw,
            stock(16, 1 << 12),
        ),
        (
            "AES128_CTR_HMAC_SHA256_1MB",
            Variant::Raw,
            stock(16, 1 << 20),
        ),
        (
            "AES256_CTR_HMAC_SHA256_4KB",
            Variant::Raw,
            stock(32, 1 << 12),
        ),
        (
            "AES256_CTR_HMAC_SHA256_1MB",
            Variant::Raw,
            stock(32, 1 << 20),
        ),
    ];

    fn read(message: proto::AesCtrHmacStreamingKey) -> Result<AesCtrHmacStreamingKey, KeyError> {
        check_version(message.version)?;
        let parameters = read_params(message.params, message.key_value.len())?;
        AesCtrHmacStreamingKey::new(parameters, SecretBytes::copy_of(&message.key_value))
    }

    fn write(key: &AesCtrHmacStreamingKey) -> proto::AesCtrHmacStreamingKey {
        proto::AesCtrHmacStreamingKey {
            version: 0,
            params: Some(write_params(&key.parameters)),
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(
        format: proto::AesCtrHmacStreamingKeyFormat,
    ) -> Result<AesCtrHmacStreamingParameters, KeyError> {
        check_version(format.version)?;
        read_params(format.params, wire::size(format.key_size))
    }

    fn write_format(
        parameters: &AesCtrHmacStreamingParameters,
    ) -> proto::AesCtrHmacStreamingKeyFormat {
        proto::AesCtrHmacStreamingKeyFormat {
            params: Some(write_params(parameters)),
            key_size: wire::size_field(parameters.key_size),
            version: 0,
        }
    }

    fn properties(parameters: &AesCtrHmacStreamingParameters) -> KeyProperties {
        let layout = parameters.layout();
        KeyProperties {
            key_size: parameters.key_size,
            overhead: layout.header_size() + layout.tag_size(),
            messages_log2: streaming::streams_log2(parameters.derived_key_size),
            max_plaintext: layout.max_plaintext_size(),
            advice: "files of any size, where a stream must not open under a second key",
        }
    }

    fn primitive(
        key: &AesCtrHmacStreamingKey,
        provider: Provider,
    ) -> Result<RawPrimitive, KeyError> {
        let AesCtrHmacStreamingParameters {
            derived_key_size,
            hkdf_hash,
            hmac_hash,
            tag_size,
            ..
        } = key.parameters;
        Ok(RawPrimitive::StreamingAead(StreamKey::new(
            key.parameters.layout(),
            key.key.clone(),
            provider,
            hkdf_hash,
            derived_key_size + AesCtrHmacStreamingParameters::HMAC_KEY_SIZE,
            Box::new(move |derived| {
                let (aes_key, hmac_key) = derived.split_at(derived_key_size);
                cipher::aes_ctr_hmac_segments(provider, aes_key, hmac_key, hmac_hash, tag_size)
            }),
        )))
    }
}

fn read_params(
    params: Option<proto::AesCtrHmacStreamingParams>,
    key_size: usize,
) -> Result<AesCtrHmacStreamingParameters, KeyError> {
    let params = params.unwrap_or_default();
    let hmac = params.hmac_params.unwrap_or_default();
    AesCtrHmacStreamingParameters {
        key_size,
        derived_key_size: wire::size(params.derived_key_size),
        hkdf_hash: Hash::read(params.hkdf_hash_type)?,
        segment_size: wire::size(params.ciphertext_segment_size),
        hmac_hash: Hash::read(hmac.hash)?,
        tag_size: wire::size(hmac.tag_size),
    }
    .checked()
}

fn write_params(parameters: &AesCtrHmacStreamingParameters) -> proto::AesCtrHmacStreamingParams {
    proto::AesCtrHmacStreamingParams {
        ciphertext_segment_size: wire::size_field(parameters.segment_size),
        derived_key_size: wire::size_field(parameters.derived_key_size),
        hkdf_hash_type: parameters.hkdf_hash.to_proto().into(),
        hmac_params: Some(proto::HmacParams {
            hash: parameters.hmac_hash.to_proto().into(),
            tag_size: wire::size_field(parameters.tag_size),
        }),
    }
}
