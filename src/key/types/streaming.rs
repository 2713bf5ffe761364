//! The limits that the streaming key types share.

use crate::{
    cipher::Hash,
    error::KeyError,
    segment::{StreamKey, StreamLayout},
};

/// A parameter that is not allowed: a [`KeyError`] that constant functions can pass on.
#[derive(Clone, Copy)]
pub(super) struct Wrong {
    name: &'static str,
    found: usize,
    allowed: &'static str,
}

impl Wrong {
    const fn new(name: &'static str, found: usize, allowed: &'static str) -> Self {
        Self {
            name,
            found,
            allowed,
        }
    }

    pub(super) const fn error(self) -> KeyError {
        KeyError::parameter(self.name, self.found, self.allowed)
    }
}

/// Accepts what every Tink accepts.
pub(super) const fn check(
    key_size: usize,
    derived_key_size: usize,
    hkdf_hash: Hash,
    segment_size: usize,
    tag_size: usize,
) -> Result<(), Wrong> {
    if derived_key_size != 16 && derived_key_size != 32 {
        return Err(Wrong::new(
            "derived key size",
            derived_key_size,
            "16 or 32 bytes",
        ));
    }
    if key_size < derived_key_size {
        let allowed = "the size of the derived key or more";
        return Err(Wrong::new("key size", key_size, allowed));
    }
    if let Err(wrong) = check_hash("HKDF hash type", hkdf_hash) {
        return Err(wrong);
    }
    let layout = StreamKey::layout_of(segment_size, derived_key_size, tag_size);
    if segment_size <= layout.header_size() + layout.tag_size()
        || segment_size > StreamLayout::MAX_SEGMENT_SIZE
    {
        let allowed = "more bytes than header and tag together, and at most 2147483647";
        return Err(Wrong::new("segment size", segment_size, allowed));
    }
    Ok(())
}

/// Accepts the hashes of streaming keys.
pub(super) const fn check_hash(name: &'static str, hash: Hash) -> Result<(), Wrong> {
    match hash {
        Hash::Sha1 | Hash::Sha256 | Hash::Sha512 => Ok(()),
        Hash::Sha224 | Hash::Sha384 => Err(Wrong::new(
            name,
            hash.to_proto() as usize,
            "1 (SHA1), 3 (SHA256) or 4 (SHA512)",
        )),
    }
}

/// The base-two logarithm of the number of streams whose salts, which are as long as derived keys,
/// collide with a probability of 2⁻³³.
pub(super) const fn streams_log2(derived_key_size: usize) -> u32 {
    if derived_key_size == 16 { 48 } else { 112 }
}
