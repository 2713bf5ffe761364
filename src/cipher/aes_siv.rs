//! AES-256-SIV-CMAC: deterministic, with one string of associated data.
//!
//! `siv = S2V(first half of the key; associated data, plaintext)`, then AES-256-CTR under the
//! second half, from the SIV with the top bits of its bytes 8 and 12 cleared. S2V gets exactly one
//! string of associated data, even if it is empty.
//!
//! The crate `aes-siv` wants a mutable cipher, which cannot be cloned: each message would set up
//! two key schedules. So the mode is composed here of CMAC and CTR, and tests compare it with the
//! crate's.
//!
//! # Source
//! RFC 5297.

use aes::{Aes256Enc, cipher::KeyInit as _};
use aes_gcm::aead::inout::InOutBuf;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use super::{
    RawAead, Refused,
    aes_ctr::apply_keystream,
    cmac::{BLOCK, Chain, Cmac, double},
    wiping,
};
use crate::{
    error::KeyError,
    secret::{STACK_OF_KEYS, STACK_OF_MESSAGES},
};

/// Bytes of the SIV, which precedes the ciphertext.
const SIV: usize = BLOCK;

/// The mode itself has no limit below 2¹³² bytes.
pub(crate) const AES_SIV_MAX: u64 = u64::MAX;

/// Takes a key of 64 bytes.
pub(crate) fn aes_siv(key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    let (of_mac, of_text) = key.split_at_checked(32).ok_or(KeyError::Provider)?;
    wiping::boxed::<_, STACK_OF_KEYS, STACK_OF_MESSAGES>(|| {
        let cmac = Cmac::new(of_mac)?;
        Ok(AesSiv {
            start: double(u128::from_be_bytes(cmac.tag(&[0; BLOCK]))),
            cmac,
            aes: Aes256Enc::new_from_slice(of_text).map_err(|_| KeyError::Provider)?,
        })
    })
}

struct AesSiv {
    cmac: Cmac<Aes256Enc>,
    /// Twice the CMAC of a zero block: all messages share it.
    start: u128,
    aes: Aes256Enc,
}

impl AesSiv {
    /// S2V of two strings.
    #[inline]
    fn siv(&self, associated_data: &[u8], plaintext: &[u8]) -> [u8; SIV] {
        let mixed = self.start ^ u128::from_be_bytes(self.cmac.tag(associated_data));
        let mut chain = Chain::new();
        match plaintext.len().checked_sub(BLOCK) {
            // The last sixteen bytes, which may lie in two blocks, are mixed with it.
            Some(unmixed) => {
                let (blocks, last) = plaintext.split_at(unmixed);
                chain.update(&self.cmac, blocks);
                let mut end = [0; BLOCK];
                end.copy_from_slice(last);
                let mut end = (u128::from_be_bytes(end) ^ mixed).to_be_bytes();
                chain.update(&self.cmac, &end);
                end.as_mut_slice().zeroize();
            }
            None => {
                let mut padded = [0; BLOCK];
                let text = plaintext.iter().copied().chain([0x80]);
                padded
                    .iter_mut()
                    .zip(text)
                    .for_each(|(to, from)| *to = from);
                let block = u128::from_be_bytes(padded) ^ double(mixed);
                padded.as_mut_slice().zeroize();
                chain.update(&self.cmac, &block.to_be_bytes());
            }
        }
        chain.tag(&self.cmac)
    }

    #[inline]
    fn apply_keystream(&self, siv: [u8; SIV], text: InOutBuf<'_, '_, u8>) -> Result<(), Refused> {
        let cleared = u128::from_be_bytes(siv) & !((1 << 63) | (1 << 31));
        apply_keystream(&self.aes, cleared.to_be_bytes(), text)
    }

    fn verify(&self, siv: [u8; SIV], data: &[u8], plaintext: &[u8]) -> Result<(), Refused> {
        if self.siv(data, plaintext).ct_eq(&siv).into() {
            Ok(())
        } else {
            Err(Refused)
        }
    }
}

impl Drop for AesSiv {
    fn drop(&mut self) {
        self.start.zeroize();
    }
}

/// There is no nonce, and the tag comes first: `body` is `siv(16) ‖ ciphertext`.
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
        let (siv, ciphertext) = out.split_first_chunk_mut::<SIV>().ok_or(Refused)?;
        *siv = self.siv(associated_data, plaintext);
        self.apply_keystream(
            *siv,
            InOutBuf::new(plaintext, ciphertext).map_err(|_| Refused)?,
        )
    }

    fn open(
        &self,
        _nonce: &[u8],
        associated_data: &[u8],
        body: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (siv, ciphertext) = body.split_first_chunk::<SIV>().ok_or(Refused)?;
        let text = InOutBuf::new(ciphertext, &mut *out).map_err(|_| Refused)?;
        self.apply_keystream(*siv, text)?;
        self.verify(*siv, associated_data, out)
    }

    fn seal_in_place(
        &self,
        _nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        buffer.copy_within(..buffer.len() - SIV, SIV);
        let (siv, text) = buffer.split_first_chunk_mut::<SIV>().ok_or(Refused)?;
        *siv = self.siv(associated_data, text);
        self.apply_keystream(*siv, text.into())
    }

    fn open_in_place(
        &self,
        _nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (siv, text) = buffer.split_first_chunk_mut::<SIV>().ok_or(Refused)?;
        self.apply_keystream(*siv, (&mut *text).into())?;
        self.verify(*siv, associated_data, text)?;
        // The caller expects the tag at the end, and cuts it off.
        buffer.copy_within(SIV.., 0);
        Ok(())
    }
}
