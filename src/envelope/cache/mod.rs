//! A cache of data-encryption keys (DEKs) around an envelope AEAD.

mod aead;
mod budget;
mod core;
mod counters;
mod export;
mod flight;
#[cfg(feature = "metrics")]
mod metrics;
mod opening;
mod outage;
mod policy;
mod sealing;
mod slot;
mod store;
mod sweeper;
mod sync;

pub use aead::CachedEnvelopeAead;
pub use counters::{CacheStats, DekUsage};
pub use policy::{CachePolicy, CachePolicyError, DecryptCache, EncryptCache};

#[cfg(test)]
mod tests;
