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

    /// Returns a wrapped keyset that was read at `since` or later. `read` waits for the source.
    ///
    /// The lock is held meanwhile, so threads that want one keyset read it once. A source that does
    /// not answer leaves the last keyset in use.
    pub(crate) fn wrapped(
        &self,
        since: Instant,
        read: impl FnOnce(&dyn WrappedKeysetSource) -> Result<Vec<u8>, String>,
    ) -> Result<Arc<[u8]>, String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &*last {
            if last.read_at >= since {
                return Ok(Arc::clone(&last.wrapped));
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
        Ok(Arc::clone(&newest.wrapped))
    }

    /// Returns why the source did not answer the last time, if it did not.
    pub(crate) fn unread(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref()?.unread.clone()
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
        assert_eq!(kept.wrapped(start, unread), Err("unread".to_owned()));
        assert_eq!(*kept.wrapped(start, |_| Ok(vec![1])).unwrap(), [1]);
        assert_eq!(*kept.wrapped(start, |_| Ok(vec![2])).unwrap(), [1]);
        assert_eq!(*kept.wrapped(Instant::now(), |_| Ok(vec![2])).unwrap(), [2]);
        assert_eq!(kept.unread(), None);
        assert_eq!(*kept.wrapped(Instant::now(), unread).unwrap(), [2]);
        assert_eq!(kept.unread().as_deref(), Some("unread"));
        assert!(start.elapsed() >= INTERVAL * 2);
    }
}
