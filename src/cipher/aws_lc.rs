//! AWS-LC's AEADs.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_128_GCM_SIV, AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, CHACHA20_POLY1305,
    LessSafeKey, Nonce, UnboundKey,
};

use super::{
    RawAead, Refused,
    limits::{AES_GCM, AES_GCM_SIV, CHACHA20, Limits},
    wiping,
};
use crate::{
    error::KeyError,
    secret::{STACK_OF_AWS_LC_KEYS, STACK_OF_SMALL_FRAMES, on_wiped_stack},
};

pub(super) fn aes_gcm(key: &[u8]) -> Result<AwsLc, KeyError> {
    let algorithm = if key.len() == 16 {
        &AES_128_GCM
    } else {
        &AES_256_GCM
    };
    set_up(algorithm, key, AES_GCM)
}

fn aes_gcm_siv(key: &[u8]) -> Result<AwsLc, KeyError> {
    let algorithm = if key.len() == 16 {
        &AES_128_GCM_SIV
    } else {
        &AES_256_GCM_SIV
    };
    set_up(algorithm, key, AES_GCM_SIV)
}

pub(super) fn chacha20_poly1305(key: &[u8]) -> Result<AwsLc, KeyError> {
    set_up(&CHACHA20_POLY1305, key, CHACHA20)
}

/// Boxes AES-GCM, which wipes nothing after a message: AWS-LC reads the key schedule of AES where it
/// is. It copies the key of GHASH to the stack; `SECURITY.md` says so.
pub(super) fn boxed_aes_gcm(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    on_wiped_stack::<STACK_OF_AWS_LC_KEYS, _>(|| Ok(Box::new(aes_gcm(key)?) as Box<dyn RawAead>))
}

/// AWS-LC expands the keys of each message on the stack.
pub(super) fn boxed_aes_gcm_siv(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    wiping::boxed::<_, STACK_OF_AWS_LC_KEYS, STACK_OF_SMALL_FRAMES>(|| aes_gcm_siv(key))
}

/// Past the shortest messages, AWS-LC's ChaCha20 keeps its state on the stack, key and all.
pub(super) fn boxed_chacha20_poly1305(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    wiping::boxed::<_, STACK_OF_AWS_LC_KEYS, STACK_OF_SMALL_FRAMES>(|| chacha20_poly1305(key))
}

fn set_up(algorithm: &'static Algorithm, key: &[u8], limits: Limits) -> Result<AwsLc, KeyError> {
    let key = UnboundKey::new(algorithm, key).map_err(|_| KeyError::Provider)?;
    Ok(AwsLc {
        key: LessSafeKey::new(key),
        limits,
    })
}

pub(super) struct AwsLc {
    key: LessSafeKey,
    limits: Limits,
}

impl RawAead for AwsLc {
    fn nonce_len(&self) -> usize {
        self.key.algorithm().nonce_len()
    }

    fn tag_len(&self) -> usize {
        self.key.algorithm().tag_len()
    }

    fn max_plaintext(&self) -> u64 {
        self.limits.plaintext
    }

    fn max_associated_data(&self) -> u64 {
        self.limits.associated_data
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
        self.key
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
        self.key
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
            .key
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
        self.key
            .open_in_place_separate_tag(nonce, Aad::from(associated_data), tag, text)
            .map_err(|_| Refused)?;
        Ok(())
    }
}
