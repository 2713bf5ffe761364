//! The algorithms of Key Manager, and which of them the emulator offers.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The usage of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Usage {
    SymmetricEncryption,
    AsymmetricEncryption,
    AsymmetricSigning,
    /// ML-KEM: known, but no algorithm of the emulator has it.
    KeyEncapsulation,
}

impl Usage {
    pub(super) const ALL: [Self; 4] = [
        Self::SymmetricEncryption,
        Self::AsymmetricEncryption,
        Self::AsymmetricSigning,
        Self::KeyEncapsulation,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SymmetricEncryption => "symmetric_encryption",
            Self::AsymmetricEncryption => "asymmetric_encryption",
            Self::AsymmetricSigning => "asymmetric_signing",
            Self::KeyEncapsulation => "key_encapsulation",
        }
    }
}

/// The length of an RSA modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RsaSize {
    Bits2048,
    Bits3072,
    Bits4096,
}

/// An algorithm that a key of the emulator can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub(super) enum Algorithm {
    Aes256Gcm,
    RsaOaepSha256(RsaSize),
    EcP256Sha256,
    EcP384Sha384,
    EcSecp256k1Sha256,
    RsaPssSha256(RsaSize),
    RsaPkcs1Sha256(RsaSize),
}

/// The reason why a text is not an [`Algorithm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAlgorithm {
    /// Key Manager has no such algorithm.
    Unknown,
    /// Key Manager has it, the emulator does not.
    NotOffered,
}

impl Algorithm {
    pub(super) const ALL: [Self; 13] = [
        Self::Aes256Gcm,
        Self::RsaOaepSha256(RsaSize::Bits2048),
        Self::RsaOaepSha256(RsaSize::Bits3072),
        Self::RsaOaepSha256(RsaSize::Bits4096),
        Self::EcP256Sha256,
        Self::EcP384Sha384,
        Self::EcSecp256k1Sha256,
        Self::RsaPssSha256(RsaSize::Bits2048),
        Self::RsaPssSha256(RsaSize::Bits3072),
        Self::RsaPssSha256(RsaSize::Bits4096),
        Self::RsaPkcs1Sha256(RsaSize::Bits2048),
        Self::RsaPkcs1Sha256(RsaSize::Bits3072),
        Self::RsaPkcs1Sha256(RsaSize::Bits4096),
    ];

    /// Algorithms that only the service has, as of 2026-10.
    const NOT_OFFERED: [&str; 5] = [
        "ml_kem_768",
        "ml_kem_1024",
        "ml_dsa_44",
        "ml_dsa_65",
        "ml_dsa_87",
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes_256_gcm",
            Self::RsaOaepSha256(RsaSize::Bits2048) => "rsa_oaep_2048_sha256",
            Self::RsaOaepSha256(RsaSize::Bits3072) => "rsa_oaep_3072_sha256",
            Self::RsaOaepSha256(RsaSize::Bits4096) => "rsa_oaep_4096_sha256",
            Self::EcP256Sha256 => "ec_p256_sha256",
            Self::EcP384Sha384 => "ec_p384_sha384",
            Self::EcSecp256k1Sha256 => "ec_secp256k1_sha256",
            Self::RsaPssSha256(RsaSize::Bits2048) => "rsa_pss_2048_sha256",
            Self::RsaPssSha256(RsaSize::Bits3072) => "rsa_pss_3072_sha256",
            Self::RsaPssSha256(RsaSize::Bits4096) => "rsa_pss_4096_sha256",
            Self::RsaPkcs1Sha256(RsaSize::Bits2048) => "rsa_pkcs1_2048_sha256",
            Self::RsaPkcs1Sha256(RsaSize::Bits3072) => "rsa_pkcs1_3072_sha256",
            Self::RsaPkcs1Sha256(RsaSize::Bits4096) => "rsa_pkcs1_4096_sha256",
        }
    }

    pub(super) const fn usage(self) -> Usage {
        match self {
            Self::Aes256Gcm => Usage::SymmetricEncryption,
            Self::RsaOaepSha256(_) => Usage::AsymmetricEncryption,
            Self::EcP256Sha256
            | Self::EcP384Sha384
            | Self::EcSecp256k1Sha256
            | Self::RsaPssSha256(_)
            | Self::RsaPkcs1Sha256(_) => Usage::AsymmetricSigning,
        }
    }

    pub(super) const fn is_recommended(self) -> bool {
        matches!(
            self,
            Self::Aes256Gcm | Self::EcP256Sha256 | Self::RsaOaepSha256(RsaSize::Bits3072)
        )
    }

    /// The length of the digest that a signing key signs.
    pub(super) const fn digest_len(self) -> usize {
        match self {
            Self::EcP384Sha384 => 48,
            _ => 32,
        }
    }
}

impl FromStr for Algorithm {
    type Err = NotAlgorithm;

    fn from_str(name: &str) -> Result<Self, NotAlgorithm> {
        match Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
        {
            Some(algorithm) => Ok(algorithm),
            None if Self::NOT_OFFERED.contains(&name) => Err(NotAlgorithm::NotOffered),
            None => Err(NotAlgorithm::Unknown),
        }
    }
}

impl From<Algorithm> for &'static str {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.name()
    }
}

impl TryFrom<String> for Algorithm {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        name.parse().map_err(|_| "not an algorithm")
    }
}
