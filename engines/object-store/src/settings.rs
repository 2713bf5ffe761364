//! The choices that a store is built with.

use std::time::Duration;

use keyseal::SecretAccess;

/// The place that an object is bound to: it decrypts nowhere else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binding {
    /// To the context and the path, as the store is called with it. Copying and renaming re-encrypt.
    #[default]
    Path,
    /// To the context. Copying and renaming happen on the server, and anyone who can write the bucket
    /// can exchange two objects of the context.
    Context,
}

/// How listings find the size of a plaintext.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListSizes {
    /// From the stored size, without a request: right for objects that a store of the same segment
    /// size and header size wrote. For others the listing is wrong; reading never relies on it.
    #[default]
    Derived,
    /// From the header of each object that is not in the cache, 16 at once: one request and one unwrap
    /// per object. Choose it after you changed a size, until the old objects are rewritten.
    Exact,
}

/// What to do with an object that is not a sealed stream.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum Unsealed {
    /// Refuse it.
    #[default]
    Refuse,
    /// Return it as it is, while you migrate a bucket. Anyone who can write the bucket can then put a
    /// plaintext where you expect a sealed object: hence the token.
    PassThrough(SecretAccess),
}

/// The limits of the header cache, which keeps the keys of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    entries: u64,
    time_to_live: Duration,
}

impl CacheLimits {
    /// Takes the number of objects, and how long each is kept.
    ///
    /// A task on the tokio runtime wipes keys at most a second after their time; a read that goes on
    /// keeps its key until it ends. The runtime needs its timer (`enable_time`). Without a runtime, the
    /// next use of the store wipes them.
    #[must_use]
    pub const fn new(entries: u64, time_to_live: Duration) -> Self {
        Self {
            entries,
            time_to_live,
        }
    }

    pub(crate) const fn entries(&self) -> u64 {
        self.entries
    }

    pub(crate) const fn time_to_live(&self) -> Duration {
        self.time_to_live
    }
}

/// 10,000 objects, 5 minutes each.
impl Default for CacheLimits {
    fn default() -> Self {
        Self::new(10_000, Duration::from_secs(5 * 60))
    }
}
