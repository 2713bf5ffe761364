//! AWS-LC's AEADs.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_128_GCM_SIV, AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, CHACHA20_POLY1305,
    LessSafeKey, Nonce, UnboundKey,
};

use super::{RawAead, Refused, rustcrypto::CHACHA20_MAX};
use crate::error::KeyError;

pub(super) fn aes_gcm(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    let algorithm = if key.len() == 16 {
        &AES_128_GCM
    } else {
        &AES_256_GCM
    };
    boxed::<{ aes_gcm::P_MAX }>(algorithm, key)
}

pub(super) fn aes_gcm_siv(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    let algorithm = if key.len() == 16 {
        &AES_128_GCM_SIV
    } else {
        &AES_256_GCM_SIV
    };
    boxed::<{ aes_gcm_siv::P_MAX }>(algorithm, key)
}

pub(super) fn chacha20_poly1305(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    boxed::<CHACHA20_MAX>(&CHACHA20_POLY1305, key)
}

fn boxed<const MAX_PLAINTEXT: u64>(
    algorithm: &'static Algorithm,
    key: &[u8],
) -> Result<Box<dyn RawAead>, KeyError> {
    let key = UnboundKey::new(algorithm, key).map_err(|_| KeyError::Provider)?;
    Ok(Box::new(AwsLc::<MAX_PLAINTEXT>(LessSafeKey::new(key))))
}

/// The limit is a constant of the type, for the reason given in `rustcrypto`.
struct AwsLc<const MAX_PLAINTEXT: u64>(LessSafeKey);

impl<const MAX_PLAINTEXT: u64> RawAead for AwsLc<MAX_PLAINTEXT> {
    fn nonce_len(&self) -> usize {
        self.0.algorithm().nonce_len()
    }

    fn tag_len(&self) -> usize {
        self.0.algorithm().tag_len()
    }

    fn max_plaintext(&self) -> u64 {
        MAX_PLAINTEXT
    }

    #[inline]
    fn seal(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Refused)?;
        let (ciphertext, tag) = out.split_at_mut(plaintext.len());
        self.0
            .seal_out_of_place_scatter(
                nonce,
                Aad::from(associated_data),
                plaintext,
                ciphertext,
                &[],
                tag,
            )
            .map_err(|_| Refused)
    }

    #[inline]
    fn open(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        body: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Refused)?;
        let (ciphertext, tag) = body.split_at(out.len());
        self.0
            .open_separate_gather(nonce, Aad::from(associated_data), ciphertext, tag, out)
            .map_err(|_| Refused)
    }

    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Refused)?;
        let (text, tag) = buffer.split_at_mut(buffer.len() - self.tag_len());
        let made = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(associated_data), text)
            .map_err(|_| Refused)?;
        tag.copy_from_slice(made.as_ref());
        Ok(())
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Refused)?;
        let (text, tag) = buffer.split_at_mut(buffer.len() - self.tag_len());
        self.0
            .open_in_place_separate_tag(nonce, Aad::from(associated_data), tag, text)
            .map_err(|_| Refused)?;
        Ok(())
    }
}
