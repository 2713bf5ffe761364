//! MAC over a whole keyset: the primary key computes tags, every enabled key may verify them.

mod chunked;

use std::{fmt, sync::Arc};

use crate::{
    cipher::Provider,
    error::{KeysetError, VerifyError},
    key::{KeyKind, PrefixMap, PrefixedMac},
    keyset::{KeysetHandle, Primitive},
    primitive::Mac,
};

pub use chunked::{MacComputation, MacVerification};

/// The MAC of a keyset. Cheap to clone, and safe to share between threads.
///
/// A tag is `prefix(0|5) ‖ tag`; sizes are those of the primary key. Verification tries the keys
/// whose prefix starts the tag, then every raw key. A `LEGACY` key computes its tag over the message
/// and one zero byte.
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, KeysetMac, Mac};
///
/// let mac: KeysetMac = KeysetHandle::generate("HMAC_SHA256_128BITTAG")?.primitive()?;
/// let tag = mac.compute_mac(b"all at once");
/// assert_eq!(tag.len(), 5 + 16);
///
/// let mut computation = mac.create_computation();
/// computation.update(b"all ");
/// computation.update(b"at once");
/// assert_eq!(computation.compute_mac(), tag);
///
/// // A file would do as well: both sides of the chunked MAC are writers.
/// let mut verification = mac.create_verification(&tag);
/// std::io::copy(&mut &b"all at once"[..], &mut verification)?;
/// verification.verify_mac()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeysetMac(Arc<PrefixMap<PrefixedMac>>);

impl KeysetMac {
    /// Starts on the tag of a message that comes in pieces.
    pub fn create_computation(&self) -> MacComputation {
        MacComputation::new(self.0.primary())
    }

    /// Starts on checking `tag` against a message that comes in pieces.
    pub fn create_verification(&self, tag: &[u8]) -> MacVerification {
        MacVerification::new(tag, self.candidates(tag))
    }

    /// Returns the keys that may have made `tag`.
    fn candidates(&self, tag: &[u8]) -> impl Iterator<Item = &PrefixedMac> {
        let tag_len = tag.len();
        self.0
            .candidates(tag)
            .filter(move |key| key.tag_len() == tag_len)
    }
}

impl Primitive for KeysetMac {
    fn from_keyset(keyset: &KeysetHandle, provider: Provider) -> Result<Self, KeysetError> {
        let keys = keyset.make_prefix_map(KeyKind::Mac, |id, key| key.mac(id, provider))?;
        Ok(Self(Arc::new(keys)))
    }
}

impl Mac for KeysetMac {
    fn compute_mac(&self, data: &[u8]) -> Vec<u8> {
        self.0.primary().compute(data)
    }

    fn verify_mac(&self, tag: &[u8], data: &[u8]) -> Result<(), VerifyError> {
        if self.candidates(tag).any(|key| key.verify(tag, data)) {
            Ok(())
        } else {
            Err(VerifyError)
        }
    }
}

impl fmt::Debug for KeysetMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetMac")
            .field("keys", &self.0.len())
            .finish_non_exhaustive()
    }
}
