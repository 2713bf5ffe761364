//! RSA and elliptic-curve keys: OAEP, signatures over digests, public keys as PEM.
//!
//! Private keys are kept as PKCS #8. AWS-LC does the arithmetic, in constant time.

use aws_lc_rs::{
    digest::{self, Digest},
    encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    error::{KeyRejected, Unspecified},
    rsa::{
        KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
        PrivateDecryptingKey,
    },
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, RsaKeyPair, RsaSignatureEncoding,
        UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::{
    algorithm::{Algorithm, RsaSize},
    errors::ApiError,
};
use crate::random::ACCESS;
use keyseal::SecretBytes;

/// Generates a private key. For a long RSA key this takes seconds.
pub(super) fn generate(algorithm: Algorithm) -> Result<SecretBytes, ApiError> {
    let der = match algorithm {
        Algorithm::RsaOaepSha256(size)
        | Algorithm::RsaPssSha256(size)
        | Algorithm::RsaPkcs1Sha256(size) => rsa_pkcs8(size),
        Algorithm::EcP256Sha256 | Algorithm::EcP384Sha384 | Algorithm::EcSecp256k1Sha256 => {
            ec_pkcs8(curve(algorithm).ok_or(internal())?)
        }
        Algorithm::Aes256Gcm => return Err(internal()),
    };
    der.map_err(|Unspecified| internal())
}

/// The longest plaintext of RSA-OAEP with SHA-256, by the length of the modulus.
pub(super) const fn max_oaep_plaintext(size: RsaSize) -> usize {
    modulus_len(size) - 2 * 32 - 2
}

/// Encrypts with RSA-OAEP. The ciphertext is as long as the modulus.
pub(super) fn oaep_encrypt(pkcs8: &SecretBytes, plaintext: &[u8]) -> Result<Vec<u8>, ApiError> {
    let public = private_rsa(pkcs8)?.public_key();
    let public = OaepPublicEncryptingKey::new(public).map_err(|Unspecified| internal())?;
    let mut ciphertext = vec![0; public.ciphertext_size()];
    public
        .encrypt(&OAEP_SHA256_MGF1SHA256, plaintext, &mut ciphertext, None)
        .map_err(|Unspecified| internal())?;
    Ok(ciphertext)
}

/// Decrypts RSA-OAEP; `None` if the ciphertext does not decrypt.
pub(super) fn oaep_decrypt(
    pkcs8: &SecretBytes,
    ciphertext: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, ApiError> {
    let private = OaepPrivateDecryptingKey::new(private_rsa(pkcs8)?);
    let private = private.map_err(|Unspecified| internal())?;
    let mut plaintext = Zeroizing::new(vec![0; private.min_output_size()]);
    let opened = private.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut plaintext, None);
    let Ok(length) = opened.map(|opened| opened.len()) else {
        return Ok(None);
    };
    plaintext.truncate(length);
    Ok(Some(plaintext))
}

/// Signs `digest`, which has the algorithm's length.
pub(super) fn sign(
    algorithm: Algorithm,
    pkcs8: &SecretBytes,
    digest: &[u8],
) -> Result<Vec<u8>, ApiError> {
    let digest = imported(algorithm, digest)?;
    let signature = match algorithm {
        Algorithm::EcP256Sha256 | Algorithm::EcP384Sha384 | Algorithm::EcSecp256k1Sha256 => {
            ec_sign(curve(algorithm).ok_or(internal())?, pkcs8, &digest)
        }
        Algorithm::RsaPssSha256(_) => rsa_sign(&signature::RSA_PSS_SHA256, pkcs8, &digest),
        Algorithm::RsaPkcs1Sha256(_) => rsa_sign(&signature::RSA_PKCS1_SHA256, pkcs8, &digest),
        Algorithm::Aes256Gcm | Algorithm::RsaOaepSha256(_) => return Err(internal()),
    };
    signature.map_err(|Failed| internal())
}

/// Tells whether `signature` is one of `digest`, which has the algorithm's length.
pub(super) fn verify(
    algorithm: Algorithm,
    pkcs8: &SecretBytes,
    digest: &[u8],
    signature: &[u8],
) -> Result<bool, ApiError> {
    let verifier: &dyn VerificationAlgorithm = match algorithm {
        Algorithm::EcP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
        Algorithm::EcP384Sha384 => &signature::ECDSA_P384_SHA384_ASN1,
        Algorithm::EcSecp256k1Sha256 => &signature::ECDSA_P256K1_SHA256_ASN1,
        Algorithm::RsaPssSha256(_) => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::RsaPkcs1Sha256(_) => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Aes256Gcm | Algorithm::RsaOaepSha256(_) => return Err(internal()),
    };
    let digest = imported(algorithm, digest)?;
    let public = public_der(algorithm, pkcs8).map_err(|Failed| internal())?;
    Ok(UnparsedPublicKey::new(verifier, public)
        .verify_digest(&digest, signature)
        .is_ok())
}

/// Returns the public key with the labels of the service: `RSA PUBLIC KEY` around PKCS #1,
/// `EC PUBLIC KEY` around a SubjectPublicKeyInfo.
pub(super) fn public_pem(algorithm: Algorithm, pkcs8: &SecretBytes) -> Result<String, ApiError> {
    let label = match curve(algorithm) {
        Some(_) => "EC PUBLIC KEY",
        None => "RSA PUBLIC KEY",
    };
    let der = public_der(algorithm, pkcs8).map_err(|Failed| internal())?;
    let text = BASE64_STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    Ok(pem)
}

/// AWS-LC refused a key that it made itself, or ran out of memory.
struct Failed;

impl From<KeyRejected> for Failed {
    fn from(_: KeyRejected) -> Self {
        Self
    }
}

impl From<Unspecified> for Failed {
    fn from(Unspecified: Unspecified) -> Self {
        Self
    }
}

const fn modulus_len(size: RsaSize) -> usize {
    match size {
        RsaSize::Bits2048 => 256,
        RsaSize::Bits3072 => 384,
        RsaSize::Bits4096 => 512,
    }
}

/// Returns the curve of an algorithm, or `None` for one without.
fn curve(algorithm: Algorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm {
        Algorithm::EcP256Sha256 => Some(&signature::ECDSA_P256_SHA256_ASN1_SIGNING),
        Algorithm::EcP384Sha384 => Some(&signature::ECDSA_P384_SHA384_ASN1_SIGNING),
        Algorithm::EcSecp256k1Sha256 => Some(&signature::ECDSA_P256K1_SHA256_ASN1_SIGNING),
        _ => None,
    }
}

fn rsa_pkcs8(size: RsaSize) -> Result<SecretBytes, Unspecified> {
    let size = match size {
        RsaSize::Bits2048 => KeySize::Rsa2048,
        RsaSize::Bits3072 => KeySize::Rsa3072,
        RsaSize::Bits4096 => KeySize::Rsa4096,
    };
    let der: Pkcs8V1Der<'_> = PrivateDecryptingKey::generate(size)?.as_der()?;
    Ok(SecretBytes::copy_from(der.as_ref(), ACCESS))
}

fn ec_pkcs8(algorithm: &'static EcdsaSigningAlgorithm) -> Result<SecretBytes, Unspecified> {
    let document = EcdsaKeyPair::generate(algorithm)?.to_pkcs8v1()?;
    Ok(SecretBytes::copy_from(document.as_ref(), ACCESS))
}

fn private_rsa(pkcs8: &SecretBytes) -> Result<PrivateDecryptingKey, ApiError> {
    PrivateDecryptingKey::from_pkcs8(pkcs8.expose(ACCESS)).map_err(|_| internal())
}

fn imported(algorithm: Algorithm, bytes: &[u8]) -> Result<Digest, ApiError> {
    let hash = match algorithm {
        Algorithm::EcP384Sha384 => &digest::SHA384,
        _ => &digest::SHA256,
    };
    Digest::import_less_safe(bytes, hash).map_err(|Unspecified| internal())
}

fn ec_sign(
    algorithm: &'static EcdsaSigningAlgorithm,
    pkcs8: &SecretBytes,
    digest: &Digest,
) -> Result<Vec<u8>, Failed> {
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.expose(ACCESS))?;
    Ok(pair.sign_digest(digest)?.as_ref().to_vec())
}

fn rsa_sign(
    encoding: &'static RsaSignatureEncoding,
    pkcs8: &SecretBytes,
    digest: &Digest,
) -> Result<Vec<u8>, Failed> {
    let pair = RsaKeyPair::from_pkcs8(pkcs8.expose(ACCESS))?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign_digest(encoding, digest, &mut signature)?;
    Ok(signature)
}

fn public_der(algorithm: Algorithm, pkcs8: &SecretBytes) -> Result<Vec<u8>, Failed> {
    let Some(curve) = curve(algorithm) else {
        let pair = RsaKeyPair::from_pkcs8(pkcs8.expose(ACCESS))?;
        return Ok(pair.public_key().as_ref().to_vec());
    };
    let pair = EcdsaKeyPair::from_pkcs8(curve, pkcs8.expose(ACCESS))?;
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    Ok(der.as_ref().to_vec())
}

const fn internal() -> ApiError {
    ApiError::Internal("the private key could not be used")
}
