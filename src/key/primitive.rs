//! The primitive of one key, before it has a prefix.

use super::template::KeyTemplate;
use crate::{
    cipher::{RawAead, RawMac, RawPrf},
    segment::StreamKey,
};

/// The primitive of a key. Its variant is the key's [`KeyKind`](super::KeyKind).
#[allow(missing_debug_implementations, reason = "not reachable from outside")]
pub enum RawPrimitive {
    Aead(Box<dyn RawAead>),
    /// The cipher takes no nonce.
    DeterministicAead(Box<dyn RawAead>),
    KeysetDeriver(RawDeriver),
    Mac(Box<dyn RawMac>),
    Prf(Box<dyn RawPrf>),
    StreamingAead(StreamKey),
}

/// Derives the bytes of keys from salts, for keys of one template.
#[allow(missing_debug_implementations, reason = "not reachable from outside")]
pub struct RawDeriver {
    pub(crate) prf: Box<dyn RawPrf>,
    pub(crate) template: KeyTemplate,
}

/// The service's part in the AEAD of a key that a service holds.
#[allow(missing_debug_implementations, reason = "not reachable from outside")]
pub enum RemoteKey<'k> {
    /// The service encrypts the messages themselves.
    Kms { key_uri: &'k str },
    /// The service wraps the data-encryption keys of messages.
    Envelope {
        kek_uri: &'k str,
        dek_template: &'k KeyTemplate,
    },
}
