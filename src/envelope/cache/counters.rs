//! [`CacheStats`], and the counters behind them.

use std::{sync::OnceLock, thread::available_parallelism, time::Duration};

use super::sync::{AtomicU64, Ordering};

/// The state of a cache at one moment. Counters start with the cache, and only grow.
///
/// The feature `metrics` exports them under the names in `docs/metrics.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Messages that were encrypted without waiting for the service.
    pub encrypt_hits: u64,
    /// Messages that had to wait for a data-encryption key (DEK), including those that failed.
    pub encrypt_misses: u64,
    /// Messages longer than `max_bytes`, each with its own DEK.
    pub encrypt_bypasses: u64,
    /// Bytes of plaintext that were encrypted under shared DEKs.
    pub encrypted_bytes: u64,
    /// Calls to the service to wrap a DEK, including those that failed.
    pub wraps: u64,
    /// Calls to wrap a DEK that failed.
    pub wrap_failures: u64,
    /// DEKs that were wiped after they encrypted: at a limit, or for lack of room.
    pub retired_deks: u64,
    /// Messages that were decrypted with a cached DEK within its age.
    pub decrypt_hits: u64,
    /// Messages that had to wait for the service, including those that failed.
    pub decrypt_misses: u64,
    /// Calls to the service to unwrap a DEK, including those that failed.
    pub unwraps: u64,
    /// Calls to unwrap a DEK that failed.
    pub unwrap_failures: u64,
    /// Messages that were decrypted with a DEK past its age, because the service was down.
    pub stale_uses: u64,
    /// Unwrapped DEKs and partitions that were wiped for lack of room.
    pub evictions: u64,
    /// Unwrapped DEKs that were wiped because of their age, or because the service refused them.
    pub expirations: u64,
    /// Unwrapped DEKs in the cache now.
    pub decrypt_entries: usize,
    /// The memory in bytes that they count as.
    pub decrypt_bytes: usize,
    /// Partitions in the cache now, beside the unnamed one.
    pub partitions: usize,
}

/// The use of a DEK that encrypts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DekUsage {
    /// Messages that it encrypted.
    pub messages: u64,
    /// Bytes of plaintext that it encrypted.
    pub bytes: u64,
    /// The time since the service wrapped it.
    pub age: Duration,
}

/// The names of the counters.
#[derive(Clone, Copy)]
pub(super) enum Counter {
    EncryptHits,
    EncryptMisses,
    EncryptBypasses,
    EncryptedBytes,
    Wraps,
    WrapFailures,
    RetiredDeks,
    DecryptHits,
    DecryptMisses,
    Unwraps,
    UnwrapFailures,
    StaleUses,
    Evictions,
    Expirations,
}

const COUNTERS: usize = Counter::Expirations as usize + 1;

/// Counters that threads add to without disturbing each other.
pub(super) struct Counters {
    stripes: Box<[Stripe]>,
    #[cfg(feature = "metrics")]
    exported: super::metrics::Exported,
}

#[repr(align(128))]
#[derive(Default)]
struct Stripe([AtomicU64; COUNTERS]);

impl Counters {
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "a label"))]
    pub(super) fn new(name: &str) -> Self {
        Self {
            stripes: (0..stripes()).map(|_| Stripe::default()).collect(),
            #[cfg(feature = "metrics")]
            exported: super::metrics::Exported::new(name),
        }
    }

    #[inline]
    pub(super) fn add(&self, counter: Counter, number: u64) {
        let stripe = self.stripes.get(thread_number() & (self.stripes.len() - 1));
        if let Some(count) = stripe.and_then(|stripe| stripe.0.get(counter as usize)) {
            count.fetch_add(number, Ordering::Relaxed);
        }
        #[cfg(feature = "metrics")]
        self.exported.add(counter as usize, number);
    }

    #[cfg(feature = "metrics")]
    pub(super) const fn exported(&self) -> &super::metrics::Exported {
        &self.exported
    }

    pub(super) fn read(&self) -> CacheStats {
        let sum = |counter: Counter| {
            let counts = self
                .stripes
                .iter()
                .filter_map(|stripe| stripe.0.get(counter as usize));
            counts.map(|count| count.load(Ordering::Relaxed)).sum()
        };
        CacheStats {
            encrypt_hits: sum(Counter::EncryptHits),
            encrypt_misses: sum(Counter::EncryptMisses),
            encrypt_bypasses: sum(Counter::EncryptBypasses),
            encrypted_bytes: sum(Counter::EncryptedBytes),
            wraps: sum(Counter::Wraps),
            wrap_failures: sum(Counter::WrapFailures),
            retired_deks: sum(Counter::RetiredDeks),
            decrypt_hits: sum(Counter::DecryptHits),
            decrypt_misses: sum(Counter::DecryptMisses),
            unwraps: sum(Counter::Unwraps),
            unwrap_failures: sum(Counter::UnwrapFailures),
            stale_uses: sum(Counter::StaleUses),
            evictions: sum(Counter::Evictions),
            expirations: sum(Counter::Expirations),
            ..CacheStats::default()
        }
    }
}

/// Returns how many stripes keep the threads of this machine apart: a power of two. Threads that
/// come and go share some, so there are more than processors.
pub(super) fn stripes() -> usize {
    static STRIPES: OnceLock<usize> = OnceLock::new();
    *STRIPES.get_or_init(|| {
        let processors = available_parallelism().map_or(1, usize::from);
        (processors * 4).next_power_of_two().min(64)
    })
}

/// Returns a small number that differs between threads that start one after the other.
#[inline]
pub(super) fn thread_number() -> usize {
    use std::sync::atomic::AtomicUsize;

    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    // While a thread ends its number is gone.
    NUMBER.try_with(|number| *number).unwrap_or_default()
}
