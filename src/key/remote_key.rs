//! The local part of a key that a service holds.

use super::DekTemplate;

/// How a service takes part in the AEAD of a key.
#[allow(missing_debug_implementations, reason = "not reachable from outside")]
pub enum RemoteKey<'k> {
    /// The service encrypts the messages themselves.
    Kms { key_uri: &'k str },
    /// The service wraps the data-encryption keys of messages.
    Envelope { kek_uri: &'k str, dek: DekTemplate },
}
