//! [`WrappedKeysetSource`]: a place that keeps a wrapped keyset, read again when it may have changed.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use keyseal::BoxFuture;

/// Where a wrapped keyset is kept: a file, an object of a bucket, a secret manager.
pub trait WrappedKeysetSource: Send + Sync {
    /// Reads the wrapped keyset, in one of the forms that
    /// [`KeyRing::wrapped_keyset`](crate::KeyRing::wrapped_keyset) takes.
    fn read(&self) -> BoxFuture<'_, Result<Vec<u8>, Box<dyn Error + Send + Sync>>>;
}

/// The least time between two reads of a source.
const INTERVAL: Duration = Duration::from_millis(100);

/// A source, with its last answer.
pub(crate) struct KeptKeyset {
    source: Box<dyn WrappedKeysetSource>,
    last: Mutex<Option<Last>>,
}

struct Last {
    wrapped: Arc<[u8]>,
    read_at: Instant,
    /// Why the source did not answer then, if it did not.
    unread: Option<String>,
}

impl KeptKeyset {
    pub(crate) fn new(source: impl WrappedKeysetSource + 'static) -> Self {
        Self {
            source: Box::new(source),
            last: Mutex::default(),
        }
    }

    /// Returns a wrapped keyset that was read at `since` or later. `read` waits for the source. If the
    /// source does not answer, returns the last keyset, and why there is no newer one.
    ///
    /// The lock is held meanwhile, so threads that want one keyset read it once.
    pub(crate) fn wrapped(
        &self,
        since: Instant,
        read: impl FnOnce(&dyn WrappedKeysetSource) -> Result<Vec<u8>, String>,
    ) -> Result<(Arc<[u8]>, Option<String>), String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &*last {
            if last.read_at >= since {
                return Ok((Arc::clone(&last.wrapped), last.unread.clone()));
            }
            // Ciphertexts of unknown keys must not become a storm of reads.
            thread::sleep(INTERVAL.saturating_sub(last.read_at.elapsed()));
        }
        let read_at = Instant::now();
        let (wrapped, unread) = match (read(&*self.source), &*last) {
            (Ok(wrapped), _) => (wrapped.into(), None),
            (Err(error), Some(last)) => (Arc::clone(&last.wrapped), Some(error)),
            (Err(error), None) => return Err(error),
        };
        let newest = last.insert(Last {
            wrapped,
            read_at,
            unread,
        });
        Ok((Arc::clone(&newest.wrapped), newest.unread.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Unused;

    impl WrappedKeysetSource for Unused {
        fn read(&self) -> BoxFuture<'_, Result<Vec<u8>, Box<dyn Error + Send + Sync>>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }

    #[test]
    fn a_source_is_read_again_for_a_later_time() {
        let kept = KeptKeyset::new(Unused);
        let start = Instant::now();
        let unread = |_: &dyn WrappedKeysetSource| Err("unread".to_owned());
        let good = |byte| Ok((Arc::from([byte]), None));
        let late = Instant::now;
        assert_eq!(kept.wrapped(start, unread), Err("unread".to_owned()));
        assert_eq!(kept.wrapped(start, |_| Ok(vec![1])), good(1));
        assert_eq!(kept.wrapped(start, |_| Ok(vec![2])), good(1));
        assert_eq!(kept.wrapped(late(), |_| Ok(vec![2])), good(2));
        let old = Ok((Arc::from([2]), Some("unread".to_owned())));
        assert_eq!(kept.wrapped(late(), unread), old);
        assert_eq!(kept.wrapped(start, |_| Ok(vec![3])), old);
        assert!(start.elapsed() >= INTERVAL * 2);
    }
}
