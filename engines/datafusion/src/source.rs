//! [`WrappedKeysetSource`]: a place that keeps a wrapped keyset, read again when it may have changed.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use keyseal::BoxFuture;

/// Where a wrapped keyset is kept: a file, an object of a bucket, a secret manager.
pub trait WrappedKeysetSource: Send + Sync {
    /// Reads the wrapped keyset, in one of the forms that
    /// [`KeyRing::wrapped_keyset`](crate::KeyRing::wrapped_keyset) takes.
    fn read(&self) -> BoxFuture<'_, Result<Vec<u8>, Box<dyn Error + Send + Sync>>>;
}

/// A source, with what it said last.
pub(crate) struct KeptKeyset {
    source: Box<dyn WrappedKeysetSource>,
    last: Mutex<Option<Last>>,
}

struct Last {
    wrapped: Arc<[u8]>,
    read_at: Instant,
}

impl KeptKeyset {
    pub(crate) fn new(source: impl WrappedKeysetSource + 'static) -> Self {
        Self {
            source: Box::new(source),
            last: Mutex::default(),
        }
    }

    /// Returns the wrapped keyset, as it was at most `age` ago. `read` waits for the source.
    ///
    /// The lock is held meanwhile, so threads that want one keyset read it once. A source that does
    /// not answer leaves the last keyset in use.
    pub(crate) fn wrapped(
        &self,
        age: Duration,
        read: impl FnOnce(&dyn WrappedKeysetSource) -> Result<Vec<u8>, String>,
    ) -> Result<Arc<[u8]>, String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &*last
            && last.read_at.elapsed() < age
        {
            return Ok(Arc::clone(&last.wrapped));
        }
        let wrapped = match (read(&*self.source), &*last) {
            (Ok(wrapped), _) => wrapped.into(),
            (Err(_), Some(last)) => Arc::clone(&last.wrapped),
            (Err(error), None) => return Err(error),
        };
        let read_at = Instant::now();
        let newest = last.insert(Last { wrapped, read_at });
        Ok(Arc::clone(&newest.wrapped))
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
    fn a_source_is_read_again_after_the_age() {
        let kept = KeptKeyset::new(Unused);
        let long = Duration::from_secs(3600);
        let unread = |_: &dyn WrappedKeysetSource| Err("unread".to_owned());
        assert_eq!(kept.wrapped(long, unread), Err("unread".to_owned()));
        assert_eq!(*kept.wrapped(long, |_| Ok(vec![1])).unwrap(), [1]);
        assert_eq!(*kept.wrapped(long, |_| Ok(vec![2])).unwrap(), [1]);
        assert_eq!(*kept.wrapped(Duration::ZERO, |_| Ok(vec![2])).unwrap(), [2]);
        assert_eq!(*kept.wrapped(Duration::ZERO, unread).unwrap(), [2]);
    }
}
