//! The operations that use a key.

use zeroize::Zeroizing;

use super::{
    algorithm::{Algorithm, RsaSize, Usage},
    asymmetric,
    call::Call,
    errors::ApiError,
    keys::{Key, LiveRotation},
    reply::{
        Base64, DataKeyReply, DecryptReply, EncryptReply, PublicKeyReply, Reply, SignReply,
        VerifyReply,
    },
    settings::Parsing,
    symmetric,
};
use crate::random::ACCESS;

/// The longest plaintext and ciphertext, in bytes.
const MAX_PLAINTEXT: usize = 65_535;
const MAX_CIPHERTEXT: usize = 131_071;
/// The longest associated data, in bytes. We chose it: the service documents no limit.
const MAX_ASSOCIATED_DATA: usize = 65_536;

pub(super) fn generate_data_key(call: &Call<'_>) -> Result<Reply, ApiError> {
    let algorithm = Algorithm::Aes256Gcm.name();
    match call.fields.choice("algorithm")? {
        Some(name) if name == algorithm => {}
        None if call.service.settings.parsing == Parsing::Lenient => {}
        None => return Err(ApiError::required("algorithm")),
        Some(_) => return Err(ApiError::constraint("algorithm", "must be aes_256_gcm")),
    }
    let without_plaintext = call.fields.boolean("without_plaintext")?;
    let key = call.key()?;
    let newest = key.newest(Usage::SymmetricEncryption)?;
    let data_key = symmetric::fresh_material()?;
    let ciphertext = symmetric::encrypt(newest.key, newest.index, data_key.expose(ACCESS), b"")?;
    Reply::of(&DataKeyReply {
        key_id: key.id,
        algorithm,
        ciphertext: Base64(&ciphertext),
        plaintext: (!without_plaintext).then(|| Base64(data_key.expose(ACCESS))),
        created_at: call.service.now(),
    })
}

pub(super) fn encrypt(call: &Call<'_>) -> Result<Reply, ApiError> {
    let plaintext = required_bytes(call, "plaintext")?;
    let associated_data = associated_data(call)?;
    let key = call.key()?;
    let usage = encryption_usage(&key);
    let newest = key.newest(usage)?;
    let ciphertext = match key.algorithm {
        Algorithm::RsaOaepSha256(size) => {
            refuse_associated_data(&associated_data)?;
            require_oaep_length(size, &plaintext)?;
            asymmetric::oaep_encrypt(newest.key, &plaintext)?
        }
        _ => {
            let help = "must be between 1 and 65535 bytes";
            require_length("plaintext", &plaintext, MAX_PLAINTEXT, help)?;
            symmetric::encrypt(newest.key, newest.index, &plaintext, &associated_data)?
        }
    };
    Reply::of(&EncryptReply {
        key_id: key.id,
        ciphertext: Base64(&ciphertext),
    })
}

pub(super) fn decrypt(call: &Call<'_>) -> Result<Reply, ApiError> {
    let ciphertext = required_bytes(call, "ciphertext")?;
    let help = "must be between 1 and 131071 bytes";
    require_length("ciphertext", &ciphertext, MAX_CIPHERTEXT, help)?;
    let associated_data = associated_data(call)?;
    let key = call.key()?;
    let newest = key.newest(encryption_usage(&key))?;
    if let Algorithm::RsaOaepSha256(_) = key.algorithm {
        refuse_associated_data(&associated_data)?;
        let opened = asymmetric::oaep_decrypt(newest.key, &ciphertext)?;
        let help = "crypto/rsa: decryption error";
        let plaintext = opened.ok_or_else(|| ApiError::constraint("ciphertext", help))?;
        return decrypted(&key, &plaintext, None);
    }
    let rotation = rotation_of(&key, &ciphertext)?;
    let plaintext = symmetric::decrypt(rotation.key, &ciphertext, &associated_data)
        .ok_or(ApiError::does_not_open())?;
    if rotation.index == newest.index {
        return decrypted(&key, &plaintext, None);
    }
    // An older rotation made it, so the answer includes its replacement.
    let renewed = symmetric::encrypt(newest.key, newest.index, &plaintext, &associated_data)?;
    decrypted(&key, &plaintext, Some(&renewed))
}

pub(super) fn sign(call: &Call<'_>) -> Result<Reply, ApiError> {
    let digest = required_bytes(call, "digest")?;
    let key = call.key()?;
    let newest = key.newest(Usage::AsymmetricSigning)?;
    require_digest_length(&key, &digest)?;
    let signature = asymmetric::sign(key.algorithm, newest.key, &digest)?;
    Reply::of(&SignReply {
        key_id: key.id,
        signature: Base64(&signature),
    })
}

pub(super) fn verify(call: &Call<'_>) -> Result<Reply, ApiError> {
    let digest = required_bytes(call, "digest")?;
    let signature = required_bytes(call, "signature")?;
    let key = call.key()?;
    let newest = key.newest(Usage::AsymmetricSigning)?;
    require_digest_length(&key, &digest)?;
    let valid = asymmetric::verify(key.algorithm, newest.key, &digest, &signature)?;
    Reply::of(&VerifyReply {
        key_id: key.id,
        valid,
    })
}

/// Reading the public key does not count as use of the key, so a disabled key allows it too.
pub(super) fn public_key(call: &Call<'_>) -> Result<Reply, ApiError> {
    let key = call.key()?;
    if key.algorithm.usage() == Usage::SymmetricEncryption {
        return Err(wrong_usage());
    }
    let newest = key.live_rotations().last();
    let newest = newest.ok_or(ApiError::state("key has no key material"))?;
    Reply::of(&PublicKeyReply {
        pem: asymmetric::public_pem(key.algorithm, newest.key)?,
    })
}

/// Answers an operation for kinds of keys that the emulator does not offer.
pub(super) fn refuse_usage(call: &Call<'_>) -> Result<Reply, ApiError> {
    call.key()?.require_editable()?;
    Err(wrong_usage())
}

fn decrypted(key: &Key, plaintext: &[u8], renewed: Option<&[u8]>) -> Result<Reply, ApiError> {
    Reply::of(&DecryptReply {
        key_id: key.id,
        plaintext: Base64(plaintext),
        ciphertext: renewed.map(Base64),
    })
}

const fn wrong_usage() -> ApiError {
    ApiError::constraint("key_id", "key usage does not allow this operation")
}

/// Two kinds of keys encrypt. Asking any other key for the first kind gives the right error.
fn encryption_usage(key: &Key) -> Usage {
    match key.algorithm.usage() {
        Usage::AsymmetricEncryption => Usage::AsymmetricEncryption,
        _ => Usage::SymmetricEncryption,
    }
}

fn rotation_of<'a>(key: &'a Key, ciphertext: &[u8]) -> Result<LiveRotation<'a>, ApiError> {
    let index = symmetric::rotation_index(ciphertext).ok_or(ApiError::does_not_open())?;
    let help = "key rotation does not exist";
    key.live_rotations()
        .find(|rotation| rotation.index == index)
        .ok_or_else(|| ApiError::constraint("ciphertext", help))
}

fn required_bytes(call: &Call<'_>, name: &'static str) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    call.fields
        .bytes(name)?
        .ok_or_else(|| ApiError::required(name))
}

/// Reads the associated data. Absent, `null` and empty mean the same.
fn associated_data(call: &Call<'_>) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let associated_data = call.fields.bytes("associated_data")?.unwrap_or_default();
    if associated_data.len() > MAX_ASSOCIATED_DATA {
        return Err(ApiError::constraint(
            "associated_data",
            "must be at most 65536 bytes",
        ));
    }
    Ok(associated_data)
}

fn refuse_associated_data(associated_data: &[u8]) -> Result<(), ApiError> {
    if associated_data.is_empty() {
        return Ok(());
    }
    Err(ApiError::constraint(
        "associated_data",
        "is only for symmetric keys",
    ))
}

fn require_length(
    name: &'static str,
    bytes: &[u8],
    max: usize,
    help: &'static str,
) -> Result<(), ApiError> {
    if (1..=max).contains(&bytes.len()) {
        return Ok(());
    }
    Err(ApiError::constraint(name, help))
}

fn require_oaep_length(size: RsaSize, plaintext: &[u8]) -> Result<(), ApiError> {
    let help = match size {
        RsaSize::Bits2048 => "must be between 1 and 190 bytes",
        RsaSize::Bits3072 => "must be between 1 and 318 bytes",
        RsaSize::Bits4096 => "must be between 1 and 446 bytes",
    };
    require_length(
        "plaintext",
        plaintext,
        asymmetric::max_oaep_plaintext(size),
        help,
    )
}

fn require_digest_length(key: &Key, digest: &[u8]) -> Result<(), ApiError> {
    if digest.len() == key.algorithm.digest_len() {
        return Ok(());
    }
    let help = match key.algorithm {
        Algorithm::EcP384Sha384 => "must be 48 bytes",
        _ => "must be 32 bytes",
    };
    Err(ApiError::constraint("digest", help))
}
