//! Arguments that the commands for keys share.

use clap::{Args, ValueEnum};
use keyseal::kms::scaleway::{ProtectionLevel, ScalewayKey, Timestamp, UsageKind};

use crate::{
    context::Context,
    error::Failure,
    kms::{KeyManager, parse_key},
    kms_args::KmsArgs,
};

/// One key of Key Manager.
#[derive(Args, Debug)]
pub(crate) struct KeyChoice {
    /// The key: scw-kms://regions/REGION/keys/ID, scw-kms://ID, REGION/ID or ID
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    kms: KmsArgs,
}

impl KeyChoice {
    pub(crate) fn open(&self, context: &Context) -> Result<(KeyManager, ScalewayKey), Failure> {
        let uri = parse_key(&self.key)?;
        let manager = KeyManager::new(&self.kms, context)?;
        let key = manager.key(&uri, context)?;
        Ok((manager, key))
    }
}

/// The usage of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum UsageName {
    /// Encrypts and decrypts with one secret key, as a key-encryption key does
    SymmetricEncryption,
    /// Encrypts with a public key
    AsymmetricEncryption,
    /// Signs
    AsymmetricSigning,
    /// Wraps other keys with a public key
    KeyEncapsulation,
}

impl UsageName {
    pub(super) const fn kind(self) -> UsageKind {
        match self {
            Self::SymmetricEncryption => UsageKind::SymmetricEncryption,
            Self::AsymmetricEncryption => UsageKind::AsymmetricEncryption,
            Self::AsymmetricSigning => UsageKind::AsymmetricSigning,
            Self::KeyEncapsulation => UsageKind::KeyEncapsulation,
        }
    }
}

/// Where Key Manager keeps and uses a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    /// In software
    Software,
    /// In a hardware security module
    Hsm,
}

impl Level {
    pub(super) const fn level(self) -> ProtectionLevel {
        match self {
            Self::Software => ProtectionLevel::Software,
            Self::Hsm => ProtectionLevel::Hsm,
        }
    }
}

/// Reads a time as RFC 3339 has it, or a day, which begins at midnight UTC.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    whole.parse().map_err(|_| {
        "a time is a day such as 2027-01-31, or RFC 3339 such as 2027-01-31T08:00:00Z".to_owned()
    })
}
