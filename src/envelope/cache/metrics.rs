//! The metrics of one cache, as handles of the recorder.

use std::time::Duration;

use metrics::{Histogram, counter, histogram};

/// The counters of one cache, in the order of `Counter`.
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
pub(super) struct Exported {
    counters: [metrics::Counter; COUNTERS.len()],
    wrap_seconds: Histogram,
    unwrap_seconds: Histogram,
    dek_messages: Histogram,
    dek_bytes: Histogram,
    dek_age_seconds: Histogram,
}

impl Exported {
    pub(super) fn new(name: &str) -> Self {
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
    pub(super) fn add(&self, counter: usize, number: u64) {
        if let Some(counter) = self.counters.get(counter) {
            counter.increment(number);
        }
    }

    pub(super) fn called(&self, operation: &str, time: Duration) {
        match operation {
            "wrap" => self.wrap_seconds.record(time),
            _ => self.unwrap_seconds.record(time),
        }
    }

    pub(super) fn retired(&self, messages: u64, bytes: u64, age: Duration) {
        #[allow(clippy::cast_precision_loss, reason = "a histogram")]
        let (messages, bytes) = (messages as f64, bytes as f64);
        self.dek_messages.record(messages);
        self.dek_bytes.record(bytes);
        self.dek_age_seconds.record(age);
    }
}
