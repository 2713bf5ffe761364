//! Envelope encryption: data under a data-encryption key (DEK), which a key-encryption key (KEK)
//! wraps.

mod aead;
mod format;
#[cfg(any(feature = "blocking", feature = "scaleway"))]
mod long_message;

pub use aead::KmsEnvelopeAead;
pub use format::Envelope;
#[cfg(feature = "blocking")]
pub(crate) use long_message::on_blocking_thread;
