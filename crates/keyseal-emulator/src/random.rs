//! Randomness from the operating system.

use keyseal::{SecretAccess, SecretBytes, kms::scaleway::Uuid};
use zeroize::Zeroizing;

/// The emulator's keys live in the memory of a test process, and this token says so.
pub(crate) const ACCESS: SecretAccess = SecretAccess::insecure();

/// The operating system gave no randomness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct RandomError(String);

impl From<getrandom::Error> for RandomError {
    fn from(error: getrandom::Error) -> Self {
        Self(error.to_string())
    }
}

/// Fills `bytes` with randomness.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), RandomError> {
    Ok(getrandom::fill(bytes)?)
}

/// Draws a UUID of version 4.
pub(crate) fn uuid() -> Result<Uuid, RandomError> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(Uuid::from_random_bytes(bytes))
}

/// Draws a secret of `len` bytes.
pub(crate) fn secret(len: usize) -> Result<SecretBytes, RandomError> {
    let mut bytes = Zeroizing::new(vec![0; len]);
    fill(&mut bytes)?;
    Ok(SecretBytes::copy_from(&bytes, ACCESS))
}
