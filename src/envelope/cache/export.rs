//! Events of a cache, for `tracing` and `metrics`. Without these features they do nothing.
//!
//! Their names are documented in `docs/metrics.md`, and stay as they are.

use std::time::Duration;

use super::{budget::Amount, counters::Counters};
use crate::error::KmsError;

/// The target of all events.
#[cfg(feature = "tracing")]
const TARGET: &str = "keyseal::cache";

/// Records a call to the service. `operation` is `wrap` or `unwrap`.
#[allow(unused_variables, reason = "without features")]
pub(super) fn called(
    counters: &Counters,
    operation: &'static str,
    time: Duration,
    error: Option<&KmsError>,
) {
    #[cfg(feature = "metrics")]
    counters.exported().called(operation, time);
    #[cfg(feature = "tracing")]
    {
        let latency_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        match error {
            None => {
                tracing::debug!(target: TARGET, operation, latency_ms, "data-encryption key fetched")
            }
            Some(error) => tracing::warn!(
                target: TARGET,
                operation,
                latency_ms,
                kind = ?error.kind(),
                "data-encryption key not fetched"
            ),
        }
    }
}

/// Records that a key encrypts no more. `reason` is `age`, `cleared`, `evicted`, `limit` or
/// `messages`.
#[allow(unused_variables, reason = "without features")]
pub(super) fn retired(counters: &Counters, used: Amount, age: Duration, reason: &'static str) {
    #[cfg(feature = "metrics")]
    counters.exported().retired(used.messages, used.bytes, age);
    #[cfg(feature = "tracing")]
    {
        let Amount { messages, bytes } = used;
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(
            messages,
            bytes,
            age_ms,
            reason,
            "data-encryption key retired"
        );
    }
}

/// Records that a key was used past its age.
pub(super) fn stale_use() {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: TARGET, "data-encryption key used past its age: the service does not answer");
}
