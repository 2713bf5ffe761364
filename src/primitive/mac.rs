use crate::error::VerifyError;

/// Message authentication: a tag that only a holder of the key can make or check.
///
/// Tags are checked in constant time. The message may be empty.
///
/// # Security
/// A tag proves that a holder of the key made it for this message. It does not say when or for
/// whom: include in the message anything that must not be confused.
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, KeysetMac, Mac};
///
/// let mac: KeysetMac = KeysetHandle::generate("HMAC_SHA256_128BITTAG")?.primitive()?;
/// let tag = mac.compute_mac(b"session 17, user ada");
/// mac.verify_mac(&tag, b"session 17, user ada")?;
/// assert!(mac.verify_mac(&tag, b"session 17, user eve").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Mac: Send + Sync {
    /// Computes the tag of `data`.
    fn compute_mac(&self, data: &[u8]) -> Vec<u8>;

    /// Checks that `tag` is a tag of `data`. It must be the whole tag, not a byte more or less.
    ///
    /// # Errors
    /// [`VerifyError`] if it is not.
    fn verify_mac(&self, tag: &[u8], data: &[u8]) -> Result<(), VerifyError>;
}
