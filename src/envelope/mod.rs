//! Envelope encryption: data under a data-encryption key (DEK), which a key-encryption key (KEK)
//! wraps.

mod aead;
#[cfg(feature = "cache")]
mod cache;
mod format;
#[cfg(any(feature = "blocking", feature = "cache", feature = "scaleway"))]
mod long_message;

pub use aead::KmsEnvelopeAead;
#[cfg(feature = "cache")]
pub use cache::{
    CachePolicy, CachePolicyError, CacheStats, CachedEnvelopeAead, DecryptCache, DekUsage,
    EncryptCache,
};
pub use format::Envelope;
#[cfg(feature = "blocking")]
pub(crate) use long_message::on_blocking_thread;
