//! [`Stats`]: counts for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts since the store was built, shared by its clones. For a metrics exporter.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                Stats { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

stats! {
    /// Reads that found the object's key in the header cache.
    cache_hits,
    /// Reads that did not.
    cache_misses,
    /// Calls to the key-encryption key, successful or not. A KEK given as a keyset takes none.
    kms_calls,
    /// Segments decrypted.
    segments_opened,
    /// Segments encrypted.
    segments_sealed,
    /// Bytes of ciphertext decrypted.
    ciphertext_bytes_read,
    /// Bytes of plaintext delivered to readers.
    plaintext_bytes_read,
    /// Bytes of plaintext encrypted.
    plaintext_bytes_written,
    /// Bytes of ciphertext given to the wrapped store.
    ciphertext_bytes_written,
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}
