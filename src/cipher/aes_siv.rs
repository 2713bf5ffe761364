//! AES-256-SIV-CMAC: deterministic, with one string of associated data.
//!
//! `siv = S2V(first half of the key; associated data, plaintext)`, then AES-256-CTR under the
//! second half, from the SIV with the top bits of its bytes 8 and 12 cleared. S2V gets exactly one
//! string of associated data, also where that is empty.
//!
//! # Source
//! RFC 5297.

use aes::Aes256Enc;
use aes_gcm::aead::inout::InOutBuf;
use aes_siv::{KeyInit as _, siv::CmacSiv};

use super::{RawAead, Refused};
use crate::{error::KeyError, secret::SecretBytes};

/// Bytes of the SIV, which is in front of the ciphertext.
const SIV: usize = 16;

/// The mode has a limit of its own only past 2¹³² bytes.
pub(crate) const AES_SIV_MAX: u64 = u64::MAX;

/// Takes a key of 64 bytes.
pub(crate) fn aes_siv(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    let aes_siv = AesSiv {
        key: SecretBytes::copy_of(key),
    };
    match aes_siv.cipher() {
        Ok(_) => Ok(Box::new(aes_siv)),
        Err(Refused) => Err(KeyError::Provider),
    }
}

/// The crate's cipher changes while it works and cannot be cloned, so each message sets up its
/// own: two AES key schedules.
struct AesSiv {
    key: SecretBytes,
}

impl AesSiv {
    fn cipher(&self) -> Result<CmacSiv<Aes256Enc>, Refused> {
        CmacSiv::new_from_slice(self.key.bytes()).map_err(|_| Refused)
    }
}

/// There is no nonce, and the tag is in front: `body` is `siv(16) ‖ ciphertext`.
impl RawAead for AesSiv {
    fn nonce_len(&self) -> usize {
        0
    }

    fn tag_len(&self) -> usize {
        SIV
    }

    fn max_plaintext(&self) -> u64 {
        AES_SIV_MAX
    }

    fn seal(
        &self,
        _nonce: &[u8],
        associated_data: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (siv, ciphertext) = out.split_at_mut(SIV);
        let text = InOutBuf::new(plaintext, ciphertext).map_err(|_| Refused)?;
        let made = self
            .cipher()?
            .encrypt_inout_detached([associated_data], text)
            .map_err(|_| Refused)?;
        siv.copy_from_slice(&made);
        Ok(())
    }

    fn open(
        &self,
        _nonce: &[u8],
        associated_data: &[u8],
        body: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (siv, ciphertext) = body.split_at(SIV);
        let siv = siv.try_into().map_err(|_| Refused)?;
        let text = InOutBuf::new(ciphertext, out).map_err(|_| Refused)?;
        self.cipher()?
            .decrypt_inout_detached([associated_data], text, siv)
            .map_err(|_| Refused)
    }

    fn seal_in_place(
        &self,
        _nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        buffer.copy_within(..buffer.len() - SIV, SIV);
        let (siv, text) = buffer.split_at_mut(SIV);
        let made = self
            .cipher()?
            .encrypt_inout_detached([associated_data], text.into())
            .map_err(|_| Refused)?;
        siv.copy_from_slice(&made);
        Ok(())
    }

    fn open_in_place(
        &self,
        _nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (siv, text) = buffer.split_at_mut(SIV);
        let siv = (&*siv).try_into().map_err(|_| Refused)?;
        self.cipher()?
            .decrypt_inout_detached([associated_data], text.into(), siv)
            .map_err(|_| Refused)?;
        // A tag at the end is what the caller expects, and cuts off.
        buffer.copy_within(SIV.., 0);
        Ok(())
    }
}
