//! RustCrypto's AEADs.

use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, array::typenum::Unsigned, inout::InOutBuf};

use super::{
    RawAead, Refused,
    limits::{AES_GCM, AES_GCM_SIV, CHACHA20, Limits},
    wiping,
};
use crate::{
    error::KeyError,
    secret::{STACK_OF_KEYS, STACK_OF_MESSAGES},
};

pub(super) fn aes_gcm(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    if key.len() == 16 {
        boxed::<aes_gcm::Aes128Gcm>(key, AES_GCM)
    } else {
        boxed::<aes_gcm::Aes256Gcm>(key, AES_GCM)
    }
}

pub(super) fn aes_gcm_siv(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    if key.len() == 16 {
        boxed::<aes_gcm_siv::Aes128GcmSiv>(key, AES_GCM_SIV)
    } else {
        boxed::<aes_gcm_siv::Aes256GcmSiv>(key, AES_GCM_SIV)
    }
}

pub(super) fn chacha20_poly1305(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    boxed::<chacha20poly1305::ChaCha20Poly1305>(key, CHACHA20)
}

pub(super) fn xchacha20_poly1305(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    boxed::<chacha20poly1305::XChaCha20Poly1305>(key, CHACHA20)
}

/// For a message key, where a box would cost an allocation for each message.
pub(super) fn aes_256_gcm(key: &[u8]) -> Result<RustCrypto<aes_gcm::Aes256Gcm>, KeyError> {
    RustCrypto::new(key, AES_GCM)
}

fn boxed<A>(key: &[u8], limits: Limits) -> Result<Box<dyn RawAead>, KeyError>
where
    A: AeadInOut + KeyInit + Send + Sync + 'static,
{
    wiping::boxed::<_, STACK_OF_KEYS, STACK_OF_MESSAGES>(|| RustCrypto::<A>::new(key, limits))
}

pub(super) struct RustCrypto<A> {
    cipher: A,
    limits: Limits,
}

impl<A: AeadInOut + KeyInit> RustCrypto<A> {
    fn new(key: &[u8], limits: Limits) -> Result<Self, KeyError> {
        let cipher = A::new_from_slice(key).map_err(|_| KeyError::Provider)?;
        Ok(Self { cipher, limits })
    }
}

impl<A: AeadInOut + Send + Sync> RustCrypto<A> {
    fn seal_detached(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        text: InOutBuf<'_, '_, u8>,
        tag: &mut [u8],
    ) -> Result<(), Refused> {
        let nonce = <&Nonce<A>>::try_from(nonce).map_err(|_| Refused)?;
        let made = self
            .cipher
            .encrypt_inout_detached(nonce, associated_data, text)
            .map_err(|_| Refused)?;
        tag.copy_from_slice(&made);
        Ok(())
    }

    fn open_detached(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        text: InOutBuf<'_, '_, u8>,
        tag: &[u8],
    ) -> Result<(), Refused> {
        let nonce = <&Nonce<A>>::try_from(nonce).map_err(|_| Refused)?;
        let tag = tag.try_into().map_err(|_| Refused)?;
        self.cipher
            .decrypt_inout_detached(nonce, associated_data, text, tag)
            .map_err(|_| Refused)
    }
}

impl<A: AeadInOut + Send + Sync> RawAead for RustCrypto<A> {
    fn nonce_len(&self) -> usize {
        A::NonceSize::USIZE
    }

    fn tag_len(&self) -> usize {
        A::TagSize::USIZE
    }

    fn max_plaintext(&self) -> u64 {
        self.limits.plaintext
    }

    fn max_associated_data(&self) -> u64 {
        self.limits.associated_data
    }

    fn seal(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (ciphertext, tag) = out.split_at_mut(plaintext.len());
        let text = InOutBuf::new(plaintext, ciphertext).map_err(|_| Refused)?;
        self.seal_detached(nonce, associated_data, text, tag)
    }

    fn open(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        body: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (ciphertext, tag) = body.split_at(out.len());
        let text = InOutBuf::new(ciphertext, out).map_err(|_| Refused)?;
        self.open_detached(nonce, associated_data, text, tag)
    }

    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (text, tag) = buffer.split_at_mut(buffer.len() - self.tag_len());
        self.seal_detached(nonce, associated_data, text.into(), tag)
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (text, tag) = buffer.split_at_mut(buffer.len() - self.tag_len());
        self.open_detached(nonce, associated_data, text.into(), tag)
    }
}
