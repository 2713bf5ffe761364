//! Parameters of keys that no template has.

use clap::{Args, ValueEnum};
use keyseal::{
    Hash, Key, KeyError, Variant,
    key::{
        KeyParameters, KeyTemplate, aes_cmac::AesCmacParameters,
        aes_ctr_hmac::AesCtrHmacParameters, aes_eax::AesEaxParameters, hkdf_prf::HkdfPrfParameters,
        hmac::HmacParameters, hmac_prf::HmacPrfParameters, x_aes_gcm::XAesGcmParameters,
    },
};

use crate::{display::printable, error::Failure};

/// Parameters that a type has beside the size of its key.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Parameters, where they are not those of the templates")]
pub(crate) struct Parameters {
    /// Bytes of the IV: AesEaxKey, AesCtrHmacAeadKey
    #[arg(long, value_name = "BYTES")]
    iv_size: Option<usize>,
    /// Bytes of the salt: XAesGcmKey
    #[arg(long, value_name = "BYTES")]
    salt_size: Option<usize>,
    /// Bytes of the HMAC key: AesCtrHmacAeadKey
    #[arg(long, value_name = "BYTES")]
    hmac_key_size: Option<usize>,
    /// Bytes of the tag: AesCtrHmacAeadKey, HmacKey, AesCmacKey
    #[arg(long, value_name = "BYTES")]
    tag_size: Option<usize>,
    /// The hash: AesCtrHmacAeadKey, HmacKey, HmacPrfKey, HkdfPrfKey
    #[arg(long, value_name = "HASH")]
    hash: Option<HashName>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HashName {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl HashName {
    const fn hash(self) -> Hash {
        match self {
            Self::Sha1 => Hash::Sha1,
            Self::Sha224 => Hash::Sha224,
            Self::Sha256 => Hash::Sha256,
            Self::Sha384 => Hash::Sha384,
            Self::Sha512 => Hash::Sha512,
        }
    }
}

/// Returns the options that apply to a key type.
pub(crate) fn parameters_of(type_name: &str) -> &'static [&'static str] {
    match type_name {
        "AesCmacKey" => &["--tag-size"],
        "AesCtrHmacAeadKey" => &["--iv-size", "--hmac-key-size", "--tag-size", "--hash"],
        "AesEaxKey" => &["--iv-size"],
        "HkdfPrfKey" | "HmacPrfKey" => &["--hash"],
        "HmacKey" => &["--tag-size", "--hash"],
        "XAesGcmKey" => &["--salt-size"],
        _ => &[],
    }
}

impl Parameters {
    /// Refuses options that would have no effect.
    pub(crate) fn check(self, name: &str, allowed: &[&str]) -> Result<(), Failure> {
        match self.given().find(|option| !allowed.contains(option)) {
            None => Ok(()),
            Some(option) => Err(Failure::usage(
                "parameter_unused",
                format!("cannot use {option}"),
                format!("{} has no such parameter to choose", printable(name)),
            )),
        }
    }

    fn given(self) -> impl Iterator<Item = &'static str> {
        [
            (self.iv_size.is_some(), "--iv-size"),
            (self.salt_size.is_some(), "--salt-size"),
            (self.hmac_key_size.is_some(), "--hmac-key-size"),
            (self.tag_size.is_some(), "--tag-size"),
            (self.hash.is_some(), "--hash"),
        ]
        .into_iter()
        .filter_map(|(is_given, option)| is_given.then_some(option))
    }

    /// Returns the template of a key of `size` bytes; or `None` if no parameter is given.
    ///
    /// The other parameters are as in most templates: SHA-256, tags of 16 bytes.
    pub(crate) fn template(
        self,
        type_name: &str,
        size: usize,
        variant: Variant,
    ) -> Option<Result<KeyTemplate, KeyError>> {
        self.given().next()?;
        let hash = self.hash.map_or(Hash::Sha256, HashName::hash);
        let tag_size = self.tag_size.unwrap_or(16);
        match type_name {
            "AesCmacKey" => made(AesCmacParameters::new(tag_size), variant),
            "AesCtrHmacAeadKey" => made(self.aes_ctr_hmac(size), variant),
            "AesEaxKey" => made(AesEaxParameters::new(size, self.iv_size?), variant),
            "HkdfPrfKey" => made(HkdfPrfParameters::new(size, hash), variant),
            "HmacKey" => made(HmacParameters::new(size, hash, tag_size), variant),
            "HmacPrfKey" => made(HmacPrfParameters::new(size, hash), variant),
            "XAesGcmKey" => made(XAesGcmParameters::new(self.salt_size?), variant),
            _ => None,
        }
    }

    fn aes_ctr_hmac(self, size: usize) -> Result<AesCtrHmacParameters, KeyError> {
        let hmac_key_size = self.hmac_key_size.unwrap_or(32);
        let stock = AesCtrHmacParameters::new(size.saturating_sub(hmac_key_size))?;
        let hash = self.hash.map_or_else(|| stock.hash(), HashName::hash);
        stock
            .with_hmac_key_size(hmac_key_size)?
            .with_iv_size(self.iv_size.unwrap_or_else(|| stock.iv_size()))?
            .with_tag(hash, self.tag_size.unwrap_or_else(|| stock.tag_size()))
    }
}

/// Returns the template for parameters, by way of a key that is thrown away.
fn made(
    parameters: Result<impl KeyParameters, KeyError>,
    variant: Variant,
) -> Option<Result<KeyTemplate, KeyError>> {
    parameters
        .and_then(|parameters| Key::generate_with(&parameters, variant))
        .map(|key| key.template())
        .transpose()
}
