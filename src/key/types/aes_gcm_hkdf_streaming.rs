//! `AesGcmHkdfStreamingKey`: streams of AES-GCM segments under keys derived for each stream.
//!
//! Shape: `header(24 or 40) ‖ segments`, each `ciphertext ‖ tag(16)`; see
//! [`streaming`](crate::streaming). The output prefix type is kept, but streams have no prefix.
//!
//! # Security
//! A stream has at most 2³² segments, whose nonces are counted. Encrypt at most 2⁴⁸ streams under
//! one key with 16-byte salts (derived keys of 16 bytes), or 2¹¹² with 32-byte salts: salts are
//! random. AES-GCM does not commit to its key: somebody who knows several keys of a keyset can
//! craft a stream that decrypts under more than one of them.
//!
//! # Source
//! NIST SP 800-38D, RFC 5869; Tink's `aes_gcm_hkdf_streaming.proto`.

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

/// The parameters of an AES-GCM-HKDF streaming key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AesGcmHkdfStreamingParameters {
    key_size: usize,
    derived_key_size: usize,
    hkdf_hash: Hash,
    segment_size: usize,
}

impl AesGcmHkdfStreamingParameters {
    /// The size of the tag of each segment in bytes.
    pub const TAG_SIZE: usize = 16;

    /// Starts with the size of the AES keys in bytes, 16 or 32, and the size of a segment in bytes,
    /// tag included: as the stock templates, with a key of the same size and HKDF-SHA256.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] when the segment size is under `derived_key_size` + 25, so that the
    /// first segment would hold nothing, or over 2³¹ − 1; or the key size is another.
    pub const fn new(derived_key_size: usize, segment_size: usize) -> Result<Self, KeyError> {
        let start = Self {
            key_size: derived_key_size,
            derived_key_size,
            hkdf_hash: Hash::Sha256,
            segment_size,
        };
        start.checked()
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

    /// Returns the sizes of the streams of such a key.
    #[must_use]
    pub const fn layout(&self) -> StreamLayout {
        StreamKey::layout_of(self.segment_size, self.derived_key_size, Self::TAG_SIZE)
    }

    const fn checked(self) -> Result<Self, KeyError> {
        match streaming::check(
            self.key_size,
            self.derived_key_size,
            self.hkdf_hash,
            self.segment_size,
            Self::TAG_SIZE,
        ) {
            Ok(()) => Ok(self),
            Err(wrong) => Err(wrong.error()),
        }
    }
}

byte_key! {
    /// An AES-GCM-HKDF streaming key: 16 bytes or more, from which the keys of streams are derived.
    AesGcmHkdfStreamingKey(AesGcmHkdfStreamingParameters): AesGcmHkdfStreamingKeyType
}

impl AesGcmHkdfStreamingKey {
    /// Takes the key, which has the size that `parameters` says.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] when it has another size.
    pub fn new(
        parameters: AesGcmHkdfStreamingParameters,
        key: SecretBytes,
    ) -> Result<Self, KeyError> {
        if key.len() != parameters.key_size {
            let allowed = "the size that the parameters say";
            return Err(KeyError::parameter("key size", key.len(), allowed));
        }
        Ok(Self { parameters, key })
    }
}

const fn stock(key_size: usize, segment_size: usize) -> AesGcmHkdfStreamingParameters {
    AesGcmHkdfStreamingParameters {
        key_size,
        derived_key_size: key_size,
        hkdf_hash: Hash::Sha256,
        segment_size,
    }
}

impl KeySpec for AesGcmHkdfStreamingKeyType {
    byte_key_spec!(AesGcmHkdfStreamingKey(AesGcmHkdfStreamingParameters));

    type Message = proto::AesGcmHkdfStreamingKey;
    type Format = proto::AesGcmHkdfStreamingKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey";
    const KIND: KeyKind = KeyKind::StreamingAead;
    const DERIVABLE: bool = true;
    const TEMPLATES: &'static [(&'static str, Variant, AesGcmHkdfStreamingParameters)] = &[
        ("AES128_GCM_HKDF_4KB", Variant::Raw, stock(16, 1 << 12)),
        ("AES128_GCM_HKDF_1MB", Variant::Raw, stock(16, 1 << 20)),
        ("AES256_GCM_HKDF_4KB", Variant::Raw, stock(32, 1 << 12)),
        ("AES256_GCM_HKDF_1MB", Variant::Raw, stock(32, 1 << 20)),
    ];

    fn read(message: proto::AesGcmHkdfStreamingKey) -> Result<AesGcmHkdfStreamingKey, KeyError> {
        check_version(message.version)?;
        let parameters = read_params(message.params, message.key_value.len())?;
        AesGcmHkdfStreamingKey::new(parameters, SecretBytes::copy_of(&message.key_value))
    }

    fn write(key: &AesGcmHkdfStreamingKey) -> proto::AesGcmHkdfStreamingKey {
        proto::AesGcmHkdfStreamingKey {
            version: 0,
            params: Some(write_params(&key.parameters)),
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(
        format: proto::AesGcmHkdfStreamingKeyFormat,
    ) -> Result<AesGcmHkdfStreamingParameters, KeyError> {
        check_version(format.version)?;
        read_params(format.params, wire::size(format.key_size))
    }

    fn write_format(
        parameters: &AesGcmHkdfStreamingParameters,
    ) -> proto::AesGcmHkdfStreamingKeyFormat {
        proto::AesGcmHkdfStreamingKeyFormat {
            params: Some(write_params(parameters)),
            key_size: wire::size_field(parameters.key_size),
            version: 0,
        }
    }

    fn properties(parameters: &AesGcmHkdfStreamingParameters) -> KeyProperties {
        let layout = parameters.layout();
        KeyProperties {
            key_size: parameters.key_size,
            overhead: layout.header_size() + layout.tag_size(),
            messages_log2: streaming::streams_log2(parameters.derived_key_size),
            max_plaintext: layout.max_plaintext_size(),
            advice: "files, backups and objects of any size",
        }
    }

    fn primitive(
        key: &AesGcmHkdfStreamingKey,
        provider: Provider,
    ) -> Result<RawPrimitive, KeyError> {
        let parameters = key.parameters;
        Ok(RawPrimitive::StreamingAead(StreamKey::new(
            parameters.layout(),
            key.key.clone(),
            provider,
            parameters.hkdf_hash,
            parameters.derived_key_size,
            Box::new(move |derived| cipher::aes_gcm(provider, derived)),
        )))
    }
}

fn read_params(
    params: Option<proto::AesGcmHkdfStreamingParams>,
    key_size: usize,
) -> Result<AesGcmHkdfStreamingParameters, KeyError> {
    let params = params.unwrap_or_default();
    AesGcmHkdfStreamingParameters {
        key_size,
        derived_key_size: wire::size(params.derived_key_size),
        hkdf_hash: Hash::read(params.hkdf_hash_type)?,
        segment_size: wire::size(params.ciphertext_segment_size),
    }
    .checked()
}

fn write_params(parameters: &AesGcmHkdfStreamingParameters) -> proto::AesGcmHkdfStreamingParams {
    proto::AesGcmHkdfStreamingParams {
        ciphertext_segment_size: wire::size_field(parameters.segment_size),
        derived_key_size: wire::size_field(parameters.derived_key_size),
        hkdf_hash_type: parameters.hkdf_hash.to_proto().into(),
    }
}
