//! Parameters of keys that no template has.

use clap::{Args, ValueEnum};
use keyseal::{
    Hash, KeyError, Variant,
    key::{KeyTemplate, KeyType, ParameterChoice, ParameterName},
};

use crate::{display::printable, error::Failure};

/// Parameters that a type has beside the size of its key.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Parameters, if they differ from those of the template")]
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

/// Returns the option of a parameter.
pub(crate) const fn option(parameter: ParameterName) -> &'static str {
    match parameter {
        ParameterName::Hash => "--hash",
        ParameterName::HmacKeySize => "--hmac-key-size",
        ParameterName::IvSize => "--iv-size",
        ParameterName::SaltSize => "--salt-size",
        ParameterName::TagSize => "--tag-size",
        _ => "--type",
    }
}

impl Parameters {
    /// Refuses options that would have no effect.
    pub(crate) fn check(self, name: &str, allowed: &[ParameterName]) -> Result<(), Failure> {
        match self.given().find(|given| !allowed.contains(given)) {
            None => Ok(()),
            Some(given) => Err(Failure::usage(
                "parameter_unused",
                format!("cannot use {}", option(given)),
                format!("{} has no such parameter to choose", printable(name)),
            )),
        }
    }

    fn given(self) -> impl Iterator<Item = ParameterName> {
        [
            (self.iv_size.is_some(), ParameterName::IvSize),
            (self.salt_size.is_some(), ParameterName::SaltSize),
            (self.hmac_key_size.is_some(), ParameterName::HmacKeySize),
            (self.tag_size.is_some(), ParameterName::TagSize),
            (self.hash.is_some(), ParameterName::Hash),
        ]
        .into_iter()
        .filter_map(|(is_given, name)| is_given.then_some(name))
    }

    /// Returns the template of a key of `size` bytes; or `None` if no parameter is given.
    ///
    /// The other parameters are as in most templates: SHA-256, tags of 16 bytes.
    pub(crate) fn template(
        self,
        key_type: &dyn KeyType,
        size: usize,
        variant: Variant,
    ) -> Option<Result<KeyTemplate, KeyError>> {
        self.given().next()?;
        let mut choice = ParameterChoice::new();
        choice.hash = self.hash.map(HashName::hash);
        choice.hmac_key_size = self.hmac_key_size;
        choice.iv_size = self.iv_size;
        choice.salt_size = self.salt_size;
        choice.tag_size = self.tag_size;
        Some(key_type.choose(size, &choice, variant))
    }
}
