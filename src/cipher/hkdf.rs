//! HKDF with any hash that keys name.

use hkdf::{GenericHkdf, HmacImpl};
use hmac::Hmac;
use zeroize::Zeroize as _;

use super::Hash;
use crate::error::KeyError;

/// Fills `out` with HKDF(hash, key, salt, info): at most 255 digests.
///
/// # Source
/// RFC 5869.
pub(crate) fn hkdf(
    hash: Hash,
    key: &[u8],
    salt: &[u8],
    info: &[u8],
    out: &mut [u8],
) -> Result<(), KeyError> {
    match hash {
        Hash::Sha1 => with::<Hmac<sha1::Sha1>>(key, salt, info, out),
        Hash::Sha224 => with::<Hmac<sha2::Sha224>>(key, salt, info, out),
        Hash::Sha256 => with::<Hmac<sha2::Sha256>>(key, salt, info, out),
        Hash::Sha384 => with::<Hmac<sha2::Sha384>>(key, salt, info, out),
        Hash::Sha512 => with::<Hmac<sha2::Sha512>>(key, salt, info, out),
    }
}

fn with<H: HmacImpl>(key: &[u8], salt: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), KeyError> {
    let (mut extracted, hkdf) = GenericHkdf::<H>::extract(Some(salt), key);
    extracted.zeroize();
    hkdf.expand(info, out).map_err(|_| KeyError::Provider)
}
