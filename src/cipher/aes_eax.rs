//! AES-EAX with a 12- or 16-byte IV and a 16-byte tag.
//!
//! `N = OMAC⁰(iv)`, `H = OMAC¹(associated data)`, `ciphertext = CTR(N, plaintext)`,
//! `tag = N ⊕ H ⊕ OMAC²(ciphertext)`, where `OMACᵗ(m)` is the CMAC of fifteen zero bytes, the byte
//! `t`, and `m`. The crate `eax` fixes the IV at 16 bytes, and Tink has both; a test compares the
//! two where they meet.
//!
//! # Source
//! Bellare, Rogaway, Wagner, "The EAX Mode of Operation", 2004.

use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::aead::inout::InOutBuf;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use super::{
    RawAead, Refused,
    aes_ctr::apply_keystream,
    cmac::{Aes, BLOCK, Chain, Cmac},
    wiping,
};
use crate::{
    error::KeyError,
    secret::{STACK_OF_KEYS, STACK_OF_MESSAGES},
};

pub(crate) fn aes_eax(key: &[u8], iv_size: usize) -> Result<Box<dyn RawAead>, KeyError> {
    if key.len() == 16 {
        boxed::<Aes128Enc>(key, iv_size)
    } else {
        boxed::<Aes256Enc>(key, iv_size)
    }
}

fn boxed<C: Aes>(key: &[u8], iv_size: usize) -> Result<Box<dyn RawAead>, KeyError> {
    wiping::boxed::<_, STACK_OF_KEYS, STACK_OF_MESSAGES>(|| AesEax::<C>::new(key, iv_size))
}

struct AesEax<C> {
    cmac: Cmac<C>,
    iv_size: usize,
    of_nonce: Omac,
    of_associated_data: Omac,
    of_ciphertext: Omac,
}

/// `OMACᵗ` before its message: all messages share the first block.
struct Omac {
    /// The CMAC state after the first block.
    first: u128,
    /// The value at the empty message.
    of_nothing: [u8; BLOCK],
}

impl Omac {
    fn new<C: Aes>(cmac: &Cmac<C>, t: u8) -> Self {
        let block = u128::from(t);
        Self {
            first: cmac.encrypt(block),
            of_nothing: cmac.tag(&block.to_be_bytes()),
        }
    }

    #[inline]
    fn of<C: Aes>(&self, cmac: &Cmac<C>, message: &[u8]) -> [u8; BLOCK] {
        if message.is_empty() {
            return self.of_nothing;
        }
        let mut chain = Chain::after(self.first);
        chain.update(cmac, message);
        chain.tag(cmac)
    }
}

impl Drop for Omac {
    fn drop(&mut self) {
        self.first.zeroize();
        self.of_nothing.as_mut_slice().zeroize();
    }
}

impl<C: Aes> AesEax<C> {
    fn new(key: &[u8], iv_size: usize) -> Result<Self, KeyError> {
        let cmac = Cmac::new(key)?;
        Ok(Self {
            of_nonce: Omac::new(&cmac, 0),
            of_associated_data: Omac::new(&cmac, 1),
            of_ciphertext: Omac::new(&cmac, 2),
            cmac,
            iv_size,
        })
    }

    fn nonce(&self, nonce: &[u8]) -> [u8; BLOCK] {
        self.of_nonce.of(&self.cmac, nonce)
    }

    fn tag(&self, n: [u8; BLOCK], associated_data: &[u8], ciphertext: &[u8]) -> [u8; BLOCK] {
        let h = self.of_associated_data.of(&self.cmac, associated_data);
        let c = self.of_ciphertext.of(&self.cmac, ciphertext);
        let xor = u128::from_ne_bytes(n) ^ u128::from_ne_bytes(h) ^ u128::from_ne_bytes(c);
        xor.to_ne_bytes()
    }

    /// Returns the counter block once the tag has been found right.
    fn verified(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        ciphertext: &[u8],
        tag: &[u8],
    ) -> Result<[u8; BLOCK], Refused> {
        let n = self.nonce(nonce);
        let same = self.tag(n, associated_data, ciphertext).ct_eq(tag);
        if same.into() { Ok(n) } else { Err(Refused) }
    }
}

impl<C: Aes> RawAead for AesEax<C> {
    fn nonce_len(&self) -> usize {
        self.iv_size
    }

    fn tag_len(&self) -> usize {
        BLOCK
    }

    fn max_plaintext(&self) -> u64 {
        // The mode itself has no limit; this is AES-GCM's, and keeps counters apart.
        aes_gcm::P_MAX
    }

    fn seal(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (ciphertext, tag) = out.split_at_mut(plaintext.len());
        let n = self.nonce(nonce);
        let text = InOutBuf::new(plaintext, &mut *ciphertext).map_err(|_| Refused)?;
        apply_keystream(self.cmac.aes(), n, text)?;
        tag.copy_from_slice(&self.tag(n, associated_data, ciphertext));
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        body: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (ciphertext, tag) = body.split_at(out.len());
        let n = self.verified(nonce, associated_data, ciphertext, tag)?;
        apply_keystream(
            self.cmac.aes(),
            n,
            InOutBuf::new(ciphertext, out).map_err(|_| Refused)?,
        )
    }

    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (text, tag) = buffer.split_at_mut(buffer.len() - BLOCK);
        let n = self.nonce(nonce);
        apply_keystream(self.cmac.aes(), n, (&mut *text).into())?;
        tag.copy_from_slice(&self.tag(n, associated_data, text));
        Ok(())
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (text, tag) = buffer.split_at_mut(buffer.len() - BLOCK);
        let n = self.verified(nonce, associated_data, text, tag)?;
        apply_keystream(self.cmac.aes(), n, text.into())
    }
}
