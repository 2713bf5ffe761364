//! `PrfBasedDeriverKey`: makes keys of one template, each from a salt.
//!
//! Shape: HKDF with the salt as its info gives a stream of bytes. The derived key takes its bytes
//! from the start, in the order of a fresh key: for AES-CTR-HMAC the AES key, then the HMAC key.
//!
//! # Security
//! A holder of the deriver has every derived key. A derived key reveals nothing of the deriver or
//! of the other derived keys. The number of salts has no practical limit. A deriver can make keys
//! of every type, so a program that lists it in [`KeyTypes`](crate::KeyTypes) links all of them.
//!
//! # Source
//! RFC 5869; Tink's `prf_based_deriver.proto`.

use super::hkdf_prf::{HkdfPrfKey, HkdfPrfKeyType, HkdfPrfParameters};
use crate::{
    cipher::{Hash, Provider},
    error::KeyError,
    key::{
        KeyKind, KeyParameters, KeyProperties, KeySource, KeySpec, KeyTemplate, RawDeriver,
        RawPrimitive, TypedKey, Variant, check_version, deriver,
        spec::{parameters_of, template_of},
    },
    secret::SecretBytes,
    wire::{self, proto},
};

/// The key type `PrfBasedDeriverKey`, for a list of [`KeyTypes`](crate::KeyTypes).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
pub struct PrfBasedDeriverKeyType;

/// The parameters of a deriver: those of its PRF key, and the template of the derived keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrfBasedDeriverParameters {
    prf: HkdfPrfParameters,
    derived: KeyTemplate,
}

impl PrfBasedDeriverParameters {
    /// Takes the parameters of the PRF key, and the template of the keys to derive.
    ///
    /// # Errors
    /// [`KeyError::UnknownType`]; [`KeyError::NotDerivable`]; the fault of the template.
    ///
    /// # Example
    /// ```
    /// use keyseal::{
    ///     Hash, Key, KeyTypes,
    ///     key::{hkdf_prf::HkdfPrfParameters, prf_based_deriver::PrfBasedDeriverParameters},
    /// };
    ///
    /// let derived = KeyTypes::default().template("AES128_CTR_HMAC_SHA256")?;
    /// let prf = HkdfPrfParameters::new(32, Hash::Sha512)?;
    /// let parameters = PrfBasedDeriverParameters::new(prf, derived.key_template().clone())?;
    /// let key = Key::generate_with(&parameters, derived.key_template().variant())?;
    /// # assert_eq!(key.kind(), Some(keyseal::key::KeyKind::KeysetDeriver));
    /// # Ok::<(), keyseal::KeyError>(())
    /// ```
    pub fn new(prf: HkdfPrfParameters, derived: KeyTemplate) -> Result<Self, KeyError> {
        check_derived(&prf, &derived)?;
        Ok(Self { prf, derived })
    }

    /// Returns the parameters of the PRF key.
    #[must_use]
    pub const fn prf(&self) -> &HkdfPrfParameters {
        &self.prf
    }

    /// Returns the template of the derived keys.
    #[must_use]
    pub const fn derived(&self) -> &KeyTemplate {
        &self.derived
    }

    const fn stock(type_url: &'static str, value: &'static [u8], variant: Variant) -> Self {
        Self {
            prf: HkdfPrfParameters::stock(32, Hash::Sha256),
            derived: KeyTemplate::of_static(type_url, value, variant),
        }
    }
}

/// A deriver: an HKDF PRF key, and the template of the derived keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrfBasedDeriverKey {
    prf_key: HkdfPrfKey,
    derived: KeyTemplate,
}

impl PrfBasedDeriverKey {
    /// Takes the PRF key, and the template of the keys to derive.
    ///
    /// # Errors
    /// [`KeyError::UnknownType`]; [`KeyError::NotDerivable`]; the fault of the template.
    pub fn new(prf_key: HkdfPrfKey, derived: KeyTemplate) -> Result<Self, KeyError> {
        check_derived(prf_key.parameters(), &derived)?;
        Ok(Self { prf_key, derived })
    }

    /// Returns the PRF key.
    #[must_use]
    pub const fn prf_key(&self) -> &HkdfPrfKey {
        &self.prf_key
    }

    /// Returns the template of the derived keys.
    #[must_use]
    pub const fn derived(&self) -> &KeyTemplate {
        &self.derived
    }
}

impl TypedKey for PrfBasedDeriverKey {
    type Spec = PrfBasedDeriverKeyType;
}

impl KeyParameters for PrfBasedDeriverParameters {
    type Spec = PrfBasedDeriverKeyType;
}

impl KeySpec for PrfBasedDeriverKeyType {
    type Key = PrfBasedDeriverKey;
    type Parameters = PrfBasedDeriverParameters;
    type Message = proto::PrfBasedDeriverKey;
    type Format = proto::PrfBasedDeriverKeyFormat;

    const TYPE_URL: &'static str = "type.googleapis.com/google.crypto.tink.PrfBasedDeriverKey";
    const KIND: KeyKind = KeyKind::KeysetDeriver;
    // A test compares each derived template with the stock one that the name says.
    const TEMPLATES: &'static [(&'static str, Variant, PrfBasedDeriverParameters)] = &[
        (
            "HKDF_SHA256_DERIVES_AES128_GCM",
            Variant::Tink,
            PrfBasedDeriverParameters::stock(
                super::aes_gcm::AesGcmKeyType::TYPE_URL,
                b"\x10\x10",
                Variant::Tink,
            ),
        ),
        (
            "HKDF_SHA256_DERIVES_AES256_GCM",
            Variant::Tink,
            PrfBasedDeriverParameters::stock(
                super::aes_gcm::AesGcmKeyType::TYPE_URL,
                b"\x10\x20",
                Variant::Tink,
            ),
        ),
        (
            "HKDF_SHA256_DERIVES_AES256_GCM_HKDF_1MB",
            Variant::Raw,
            PrfBasedDeriverParameters::stock(
                super::aes_gcm_hkdf_streaming::AesGcmHkdfStreamingKeyType::TYPE_URL,
                b"\x0a\x08\x08\x80\x80\x40\x10\x20\x18\x03\x10\x20",
                Variant::Raw,
            ),
        ),
        (
            "HKDF_SHA256_DERIVES_AES256_SIV",
            Variant::Tink,
            PrfBasedDeriverParameters::stock(
                super::aes_siv::AesSivKeyType::TYPE_URL,
                b"\x08\x40",
                Variant::Tink,
            ),
        ),
        (
            "HKDF_SHA256_DERIVES_HMAC_SHA256_128BITTAG",
            Variant::Tink,
            PrfBasedDeriverParameters::stock(
                super::hmac::HmacKeyType::TYPE_URL,
                b"\x0a\x04\x08\x03\x10\x10\x10\x20",
                Variant::Tink,
            ),
        ),
        (
            "HKDF_SHA256_DERIVES_HMAC_SHA256_PRF",
            Variant::Raw,
            PrfBasedDeriverParameters::stock(
                super::hmac_prf::HmacPrfKeyType::TYPE_URL,
                b"\x0a\x02\x08\x03\x10\x20",
                Variant::Raw,
            ),
        ),
        (
            "HKDF_SHA256_DERIVES_XCHACHA20_POLY1305",
            Variant::Tink,
            PrfBasedDeriverParameters::stock(
                super::xchacha20_poly1305::XChaCha20Poly1305KeyType::TYPE_URL,
                b"",
                Variant::Tink,
            ),
        ),
    ];

    fn read(message: proto::PrfBasedDeriverKey) -> Result<PrfBasedDeriverKey, KeyError> {
        check_version(message.version)?;
        let prf_data = message.prf_key.unwrap_or_default();
        check_prf_type(&prf_data.type_url)?;
        let prf_message = wire::decode(prf_data.value).map_err(KeyError::Malformed)?;
        let prf_key = <HkdfPrfKeyType as KeySpec>::read(prf_message)?;
        let derived = read_derived(message.params)?;
        match check_derived(prf_key.parameters(), &derived) {
            // It derives signature keys, say: of use elsewhere, so it is kept.
            Err(KeyError::UnknownType { type_url }) if !type_url.is_empty() => {}
            checked => checked?,
        }
        Ok(PrfBasedDeriverKey { prf_key, derived })
    }

    fn write(key: &PrfBasedDeriverKey) -> proto::PrfBasedDeriverKey {
        proto::PrfBasedDeriverKey {
            version: 0,
            prf_key: Some(proto::KeyData {
                type_url: HkdfPrfKeyType::TYPE_URL.to_owned(),
                value: wire::secret(wire::encode(&HkdfPrfKeyType::write(&key.prf_key))),
                key_material_type: HkdfPrfKeyType::KEY_MATERIAL_TYPE.into(),
            }),
            params: Some(write_derived(&key.derived)),
        }
    }

    fn read_format(
        format: proto::PrfBasedDeriverKeyFormat,
    ) -> Result<PrfBasedDeriverParameters, KeyError> {
        let prf_template = KeyTemplate::read(format.prf_key_template.unwrap_or_default())?;
        check_prf_type(prf_template.type_url())?;
        if prf_template.variant() != Variant::Raw {
            let variant = prf_template.variant();
            return Err(KeyError::Variant { variant });
        }
        let prf = parameters_of::<HkdfPrfKeyType>(&prf_template)?;
        PrfBasedDeriverParameters::new(prf, read_derived(format.params)?)
    }

    fn write_format(parameters: &PrfBasedDeriverParameters) -> proto::PrfBasedDeriverKeyFormat {
        let prf_template = template_of::<HkdfPrfKeyType>(&parameters.prf, Variant::Raw);
        proto::PrfBasedDeriverKeyFormat {
            prf_key_template: Some(prf_template.write()),
            params: Some(write_derived(&parameters.derived)),
        }
    }

    fn parameters(key: &PrfBasedDeriverKey) -> PrfBasedDeriverParameters {
        PrfBasedDeriverParameters {
            prf: key.prf_key.parameters().clone(),
            derived: key.derived.clone(),
        }
    }

    fn generate(
        parameters: &PrfBasedDeriverParameters,
        source: KeySource<'_>,
    ) -> Result<PrfBasedDeriverKey, KeyError> {
        Ok(PrfBasedDeriverKey {
            prf_key: HkdfPrfKeyType::generate(&parameters.prf, source)?,
            derived: parameters.derived.clone(),
        })
    }

    fn properties(parameters: &PrfBasedDeriverParameters) -> KeyProperties {
        KeyProperties {
            advice: "for a keyset of its own for each tenant, from one secret",
            ..HkdfPrfKeyType::properties(&parameters.prf)
        }
    }

    fn check_variant(key: &PrfBasedDeriverKey, variant: Variant) -> Result<(), KeyError> {
        let derived = key.derived.variant();
        if variant == derived {
            Ok(())
        } else {
            Err(KeyError::DerivedVariant { variant, derived })
        }
    }

    fn primitive(key: &PrfBasedDeriverKey, provider: Provider) -> Result<RawPrimitive, KeyError> {
        Ok(RawPrimitive::KeysetDeriver(RawDeriver {
            prf: key.prf_key.raw_prf(provider),
            template: key.derived.clone(),
        }))
    }

    fn material(key: &PrfBasedDeriverKey) -> Vec<&SecretBytes> {
        vec![key.prf_key.key()]
    }
}

/// Finds every fault of the template of the derived keys.
fn check_derived(prf: &HkdfPrfParameters, derived: &KeyTemplate) -> Result<(), KeyError> {
    let type_url = PrfBasedDeriverKeyType::TYPE_URL;
    if derived.type_url() == type_url {
        let type_url = type_url.to_owned();
        return Err(KeyError::NotDerivable { type_url });
    }
    deriver::check(prf.max_output(), derived)
}

/// Refuses a PRF that Tink has and derives with nowhere.
fn check_prf_type(type_url: &str) -> Result<(), KeyError> {
    if type_url == HkdfPrfKeyType::TYPE_URL {
        Ok(())
    } else {
        Err(KeyError::DerivingPrf {
            type_url: type_url.to_owned(),
        })
    }
}

fn read_derived(params: Option<proto::PrfBasedDeriverParams>) -> Result<KeyTemplate, KeyError> {
    let derived = params.unwrap_or_default().derived_key_template;
    KeyTemplate::read(derived.unwrap_or_default())
}

fn write_derived(derived: &KeyTemplate) -> proto::PrfBasedDeriverParams {
    proto::PrfBasedDeriverParams {
        derived_key_template: Some(derived.write()),
    }
}
