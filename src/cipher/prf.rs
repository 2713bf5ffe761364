//! Pseudorandom functions: HKDF, and a MAC taken as one.
//!
//! # Source
//! RFC 5869; for the MACs as in `mac.rs`.

use hkdf::{GenericHkdf, HmacImpl};
use hmac::Hmac;

use super::{Hash, RawMac, Refused};
use crate::error::KeyError;

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
pub(crate) fn hkdf(key: &[u8], hash: Hash, salt: &[u8]) -> Box<dyn RawPrf> {
    match hash {
        Hash::Sha1 => expand::<Hmac<sha1::Sha1>>(key, hash, salt),
        Hash::Sha224 => expand::<Hmac<sha2::Sha224>>(key, hash, salt),
        Hash::Sha256 => expand::<Hmac<sha2::Sha256>>(key, hash, salt),
        Hash::Sha384 => expand::<Hmac<sha2::Sha384>>(key, hash, salt),
        Hash::Sha512 => expand::<Hmac<sha2::Sha512>>(key, hash, salt),
    }
}

fn expand<H>(key: &[u8], hash: Hash, salt: &[u8]) -> Box<dyn RawPrf>
where
    H: HmacImpl + Send + Sync + 'static,
{
    Box::new(Hkdf {
        extracted: GenericHkdf::<H>::new(Some(salt), key),
        hash,
    })
}

struct Hkdf<H: HmacImpl> {
    extracted: GenericHkdf<H>,
    hash: Hash,
}

impl<H: HmacImpl + Send + Sync> RawPrf for Hkdf<H> {
    fn max_output_len(&self) -> usize {
        max_hkdf_output(self.hash)
    }

    fn compute(&self, input: &[u8], output: &mut [u8]) -> Result<(), Refused> {
        self.extracted.expand(input, output).map_err(|_| Refused)
    }
}

/// A MAC whose whole tag is the longest output.
pub(crate) fn of_mac(mac: Result<Box<dyn RawMac>, KeyError>) -> Result<Box<dyn RawPrf>, KeyError> {
    mac.map(|mac| Box::new(OfMac(mac)) as Box<dyn RawPrf>)
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
