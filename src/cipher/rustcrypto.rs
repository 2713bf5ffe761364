//! RustCrypto's AEADs.

use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, array::typenum::Unsigned, inout::InOutBuf};

use super::{RawAead, Refused};
use crate::error::KeyError;

pub(super) fn aes_gcm(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    if key.len() == 16 {
        boxed::<aes_gcm::Aes128Gcm, { aes_gcm::P_MAX }>(key)
    } else {
        boxed::<aes_gcm::Aes256Gcm, { aes_gcm::P_MAX }>(key)
    }
}

pub(super) fn aes_gcm_siv(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    if key.len() == 16 {
        boxed::<aes_gcm_siv::Aes128GcmSiv, { aes_gcm_siv::P_MAX }>(key)
    } else {
        boxed::<aes_gcm_siv::Aes256GcmSiv, { aes_gcm_siv::P_MAX }>(key)
    }
}

pub(super) fn chacha20_poly1305(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    boxed::<chacha20poly1305::ChaCha20Poly1305, CHACHA20_MAX>(key)
}

pub(super) fn xchacha20_poly1305(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    boxed::<chacha20poly1305::XChaCha20Poly1305, CHACHA20_MAX>(key)
}

/// A 32-bit block counter, whose first block makes the Poly1305 key (RFC 8439, section 2.8).
pub(crate) const CHACHA20_MAX: u64 = ((1 << 32) - 1) * 64;

fn boxed<A, const MAX_PLAINTEXT: u64>(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError>
where
    A: AeadInOut + KeyInit + Send + Sync + 'static,
{
    let cipher = A::new_from_slice(key).map_err(|_| KeyError::Provider)?;
    Ok(Box::new(RustCrypto::<A, MAX_PLAINTEXT>(cipher)))
}

/// The limit is a constant of the type: a field beside the cipher makes for unused bytes behind it,
/// and stale bytes of the stack get in there, such as those of the key above a message key.
struct RustCrypto<A, const MAX_PLAINTEXT: u64>(A);

impl<A: AeadInOut, const MAX_PLAINTEXT: u64> RustCrypto<A, MAX_PLAINTEXT> {
    fn seal_detached(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        text: InOutBuf<'_, '_, u8>,
        tag: &mut [u8],
    ) -> Result<(), Refused> {
        let nonce = <&Nonce<A>>::try_from(nonce).map_err(|_| Refused)?;
        let made = self
            .0
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
        self.0
            .decrypt_inout_detached(nonce, associated_data, text, tag)
            .map_err(|_| Refused)
    }
}

impl<A, const MAX_PLAINTEXT: u64> RawAead for RustCrypto<A, MAX_PLAINTEXT>
where
    A: AeadInOut + Send + Sync,
{
    fn nonce_len(&self) -> usize {
        A::NonceSize::USIZE
    }

    fn tag_len(&self) -> usize {
        A::TagSize::USIZE
    }

    fn max_plaintext(&self) -> u64 {
        MAX_PLAINTEXT
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
