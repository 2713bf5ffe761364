//! [`SecretKey`]: the secret half of an API key.

use std::fmt;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::Uuid;
use crate::wire;

/// The secret half of a Scaleway API key, sent in the header `X-Auth-Token`.
///
/// Clones share it without copying. It is wiped when the last is dropped, and never printed.
#[derive(Clone)]
pub(crate) struct SecretKey(Bytes);

impl SecretKey {
    /// Copies a secret key, which must be a UUID in upper or lower case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // Keep the case: the service compares the text.
        Uuid::is_well_formed(text)
            .then(|| Self(wire::secret(Zeroizing::new(text.as_bytes().to_vec()))))
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}
