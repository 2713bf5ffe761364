//! The ciphers behind symmetric keys, and the layout of their ciphertexts.
//!
//! `01 ‖ u32be rotation ‖ iv(12) ‖ body ‖ tag(16)`: 33 bytes more than the plaintext.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{AeadInOut as _, inout::InOutBuf},
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::errors::ApiError;
use crate::random::{self, ACCESS, RandomError};
use keyseal::{SecretBytes, kms::scaleway::Uuid};

/// Bytes of an AES-256 key, and so of a data key.
pub(super) const KEY_LEN: usize = 32;

const FORMAT: u8 = 0x01;
const HEADER_LEN: usize = 5;
const IV_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// Draws new key material.
pub(super) fn fresh_material() -> Result<SecretBytes, RandomError> {
    random::secret(KEY_LEN)
}

/// Derives the key of one rotation: HKDF-SHA-256 over `material`, bound to the key's id.
pub(super) fn rotation_key(
    material: &[u8],
    salt: Option<&[u8]>,
    key_id: Uuid,
) -> Result<SecretBytes, ApiError> {
    let drawn;
    let salt = match salt {
        Some(salt) => salt,
        None => {
            drawn = fresh_material()?;
            drawn.expose(ACCESS)
        }
    };
    let hkdf = Hkdf::<Sha256>::new(Some(salt), material);
    let mut key = Zeroizing::new([0; KEY_LEN]);
    hkdf.expand(key_id.as_bytes(), &mut *key)
        .map_err(|_| ApiError::Internal("key derivation failed"))?;
    Ok(SecretBytes::copy_from(&*key, ACCESS))
}

/// Encrypts under the key of rotation `index`.
pub(super) fn encrypt(
    key: &SecretBytes,
    index: u32,
    plaintext: &[u8],
    associated_data: &[u8],
) -> Result<Vec<u8>, ApiError> {
    let refused = |_| ApiError::Internal("encryption failed");
    let mut iv = [0; IV_LEN];
    random::fill(&mut iv)?;
    let mut ciphertext = Vec::with_capacity(HEADER_LEN + IV_LEN + plaintext.len() + TAG_LEN);
    ciphertext.push(FORMAT);
    ciphertext.extend_from_slice(&index.to_be_bytes());
    ciphertext.extend_from_slice(&iv);
    let mut body = Zeroizing::new(plaintext.to_vec());
    let tag = cipher(key)?
        .encrypt_inout_detached(&iv.into(), associated_data, InOutBuf::from(&mut **body))
        .map_err(refused)?;
    ciphertext.extend_from_slice(&body);
    ciphertext.extend_from_slice(&tag);
    Ok(ciphertext)
}

/// Returns the rotation that made `ciphertext`; `None` if it does not have the layout above.
pub(super) fn rotation_index(ciphertext: &[u8]) -> Option<u32> {
    if ciphertext.len() < HEADER_LEN + IV_LEN + TAG_LEN {
        return None;
    }
    let (header, _) = ciphertext.split_first_chunk::<HEADER_LEN>()?;
    let (format, index) = header.split_first()?;
    let index = index.try_into().map(u32::from_be_bytes).ok()?;
    (*format == FORMAT).then_some(index)
}

/// Decrypts a ciphertext of [`encrypt`]; `None` if it does not decrypt.
pub(super) fn decrypt(
    key: &SecretBytes,
    ciphertext: &[u8],
    associated_data: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (iv, rest) = ciphertext
        .get(HEADER_LEN..)?
        .split_first_chunk::<IV_LEN>()?;
    let (body, tag) = rest.split_last_chunk::<TAG_LEN>()?;
    let mut plaintext = Zeroizing::new(body.to_vec());
    let buffer = InOutBuf::from(&mut **plaintext);
    cipher(key)
        .ok()?
        .decrypt_inout_detached(&(*iv).into(), associated_data, buffer, &(*tag).into())
        .ok()?;
    Some(plaintext)
}

fn cipher(key: &SecretBytes) -> Result<Aes256Gcm, ApiError> {
    Aes256Gcm::new_from_slice(key.expose(ACCESS))
        .map_err(|_| ApiError::Internal("wrong key length"))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    fn key() -> SecretBytes {
        rotation_key(&[1; 32], Some(&[2; 16]), random::uuid().unwrap()).unwrap()
    }

    #[test]
    fn recorded_ciphertexts_have_this_layout() {
        for (text, plaintext_len) in [
            (
                "AQAAAAG+zQBkO3cf3jDaM6HC23CR/BeaDhK32XWgkZT7g/Blx+AO+xLwGthKHlg=",
                14,
            ),
            (
                "AQAAAAH7tqc6JDlnPV/krBtRDCND/GJPQ8ZBQOYJ0FTlGBRAp+VT+ObzvgRNl7x7FghUDf9eewldhIiT8B\
                 /LabE=",
                32,
            ),
        ] {
            let recorded = BASE64_STANDARD.decode(text).unwrap();
            assert_eq!(rotation_index(&recorded), Some(1));
            let own = encrypt(&key(), 1, &vec![0; plaintext_len], b"").unwrap();
            assert_eq!(own.len(), recorded.len());
            assert_eq!(own[..5], recorded[..5]);
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let key = key();
        let ciphertext = encrypt(&key, 1, b"attack at dawn", b"context").unwrap();
        let opened = decrypt(&key, &ciphertext, b"context").unwrap();
        assert_eq!(opened.as_slice(), b"attack at dawn");
        assert!(decrypt(&key, &ciphertext, b"contexT").is_none());
        for place in 5..ciphertext.len() {
            let mut changed = ciphertext.clone();
            changed[place] ^= 1;
            assert!(
                decrypt(&key, &changed, b"context").is_none(),
                "byte {place}"
            );
        }
        for length in 0..ciphertext.len() {
            assert!(decrypt(&key, &ciphertext[..length], b"context").is_none());
        }
    }

    #[test]
    fn a_format_byte_or_length_of_its_own_is_no_ciphertext() {
        let ciphertext = encrypt(&key(), 7, b"", b"").unwrap();
        assert_eq!(rotation_index(&ciphertext), Some(7));
        assert_eq!(rotation_index(&ciphertext[..32]), None);
        let mut other = ciphertext;
        other[0] = 2;
        assert_eq!(rotation_index(&other), None);
    }
}
