//! `AesCmacPrfKey`: AES-256-CMAC as a pseudorandom function.
//!
//! Shape: up to 16 bytes.
//!
//! # Security
//! Compute it for at most 2⁴⁸ inputs under one key.
//!
//! # Source
//! RFC 4493; NIST SP 800-38B, appendix B; Tink's `aes_cmac_prf.proto`.

use crate::{
    cipher::{self, Provider},
    error::KeyError,
    key::{
        KeyKind, KeyProperties, KeySpec, RawPrimitive, Variant,
        byte_key::{byte_key, byte_key_spec, fixed_parameters},
        check_version,
    },
    secret::SecretBytes,
    wire::{self, proto},
};

fixed_parameters! {
    /// The parameters of an AES-CMAC PRF key. You have nothing to choose.
    AesCmacPrfParameters: 32
}

impl AesCmacPrfParameters {
    /// The longest output in bytes.
    pub const MAX_OUTPUT: usize = 16;
}

byte_key! {
    /// An AES-CMAC PRF key of 32 bytes.
    AesCmacPrfKey(AesCmacPrfParameters): AesCmacPrfKeyType
}

impl AesCmacPrfKey {
    /// Takes the key itself.
    ///
    /// # Errors
    /// [`KeyError::Parameter`] unless there are 32 bytes.
    pub fn new(key: SecretBytes) -> Result<Self, KeyError> {
        let parameters = AesCmacPrfParameters::of_size(key.len())?;
        Ok(Self { parameters, key })
    }
}

impl KeySpec for AesCmacPrfKeyType {
    byte_key_spec!(AesCmacPrfKey(AesCmacPrfParameters));

    type Message = proto::AesCmacPrfKey;
    type Format = proto::AesCmacPrfKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.AesCmacPrfKey";
    const KIND: KeyKind = KeyKind::Prf;
    const DERIVABLE: bool = true;
    const CHECKS_KEY_MATERIAL_TYPE: bool = false;
    const VARIANTS: &'static [Variant] = &[Variant::Raw];
    const TEMPLATES: &'static [(&'static str, Variant, AesCmacPrfParameters)] = &[
        ("AES256_CMAC_PRF", Variant::Raw, AesCmacPrfParameters),
        ("AES_CMAC_PRF", Variant::Raw, AesCmacPrfParameters),
    ];

    fn read(message: proto::AesCmacPrfKey) -> Result<AesCmacPrfKey, KeyError> {
        check_version(message.version)?;
        AesCmacPrfKey::new(SecretBytes::copy_of(&message.key_value))
    }

    fn write(key: &AesCmacPrfKey) -> proto::AesCmacPrfKey {
        proto::AesCmacPrfKey {
            version: 0,
            key_value: wire::secret_copy(&key.key),
        }
    }

    fn read_format(format: proto::AesCmacPrfKeyFormat) -> Result<AesCmacPrfParameters, KeyError> {
        check_version(format.version)?;
        AesCmacPrfParameters::of_size(wire::size(format.key_size))
    }

    fn write_format(_parameters: &AesCmacPrfParameters) -> proto::AesCmacPrfKeyFormat {
        proto::AesCmacPrfKeyFormat {
            key_size: wire::size_field(AesCmacPrfParameters::KEY_SIZE),
            version: 0,
        }
    }

    fn properties(_parameters: &AesCmacPrfParameters) -> KeyProperties {
        KeyProperties {
            key_size: AesCmacPrfParameters::KEY_SIZE,
            overhead: 0,
            messages_log2: 48,
            max_plaintext: u64::MAX,
            advice: "for outputs of up to 16 bytes, where AES is faster than a hash",
        }
    }

    fn primitive(key: &AesCmacPrfKey, _provider: Provider) -> Result<RawPrimitive, KeyError> {
        let mac = cipher::aes_cmac(key.key.bytes(), AesCmacPrfParameters::MAX_OUTPUT)?;
        Ok(RawPrimitive::Prf(cipher::of_mac(mac)))
    }
}
