use crate::error::VerifyError;

/// Message authentication: a tag that only a holder of the key can make, or check.
///
/// Tags are checked in constant time. An empty message is legal.
///
/// # Security
/// A tag proves that a holder of the key made it for this message, not when nor for whom: put what
/// must not be mixed up into the message.
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

    /// Checks that `tag` is a tag of `data`: the whole tag, not one byte more or fewer.
    ///
    /// # Errors
    /// [`VerifyError`] when it is not.
    fn verify_mac(&self, tag: &[u8], data: &[u8]) -> Result<(), VerifyError>;
}
