//! Events of a cache, for `tracing` and `metrics`. Without these features they do nothing.
//!
//! Their names are documented in `docs/metrics.md`, and stay as they are.

use std::time::Duration;

#[cfg(feature = "metrics")]
pub(super) use exported::Exported;

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
    counters.exported().retired(used, age);
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

#[cfg(feature = "metrics")]
mod exported {
    use std::time::Duration;

    use metrics::{Histogram, counter, histogram};

    use super::super::{budget::Amount, counters::Counter};

    /// The metrics of one cache, in the order of [`Counter`].
    const COUNTERS: [&str; 14] = [
        "keyseal_cache_encrypt_hits_total",
        "keyseal_cache_encrypt_misses_total",
        "keyseal_cache_encrypt_bypasses_total",
        "keyseal_cache_encrypted_bytes_total",
        "keyseal_cache_wraps_total",
        "keyseal_cache_wrap_failures_total",
        "keyseal_cache_retired_deks_total",
        "keyseal_cache_decrypt_hits_total",
        "keyseal_cache_decrypt_misses_total",
        "keyseal_cache_unwraps_total",
        "keyseal_cache_unwrap_failures_total",
        "keyseal_cache_stale_uses_total",
        "keyseal_cache_evictions_total",
        "keyseal_cache_expirations_total",
    ];

    /// Handles of the recorder that was installed when the cache was made: a look-up for each message
    /// would take longer than the message.
    pub(in super::super) struct Exported {
        counters: [metrics::Counter; COUNTERS.len()],
        wrap_seconds: Histogram,
        unwrap_seconds: Histogram,
        dek_messages: Histogram,
        dek_bytes: Histogram,
        dek_age_seconds: Histogram,
    }

    impl Exported {
        pub(in super::super) fn new(name: &str) -> Self {
            let call = |operation: &'static str| {
                let cache = name.to_owned();
                histogram!("keyseal_cache_kms_call_seconds", "cache" => cache, "operation" => operation)
            };
            let of_deks = |metric: &'static str| histogram!(metric, "cache" => name.to_owned());
            Self {
                counters: COUNTERS.map(|metric| counter!(metric, "cache" => name.to_owned())),
                wrap_seconds: call("wrap"),
                unwrap_seconds: call("unwrap"),
                dek_messages: of_deks("keyseal_cache_dek_messages"),
                dek_bytes: of_deks("keyseal_cache_dek_bytes"),
                dek_age_seconds: of_deks("keyseal_cache_dek_age_seconds"),
            }
        }

        #[inline]
        pub(in super::super) fn add(&self, counter: Counter, number: u64) {
            if let Some(counter) = self.counters.get(counter as usize) {
                counter.increment(number);
            }
        }

        pub(in super::super) fn called(&self, operation: &str, time: Duration) {
            match operation {
                "wrap" => self.wrap_seconds.record(time),
                _ => self.unwrap_seconds.record(time),
            }
        }

        pub(in super::super) fn retired(&self, used: Amount, age: Duration) {
            #[allow(clippy::cast_precision_loss, reason = "a histogram")]
            let (messages, bytes) = (used.messages as f64, used.bytes as f64);
            self.dek_messages.record(messages);
            self.dek_bytes.record(bytes);
            self.dek_age_seconds.record(age);
        }
    }
}
