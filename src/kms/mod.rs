//! Keys in a key management service.
//!
//! A [`KmsClient`] turns a key URI into a [`RemoteAead`]. There is no global registry: your program
//! keeps its clients in a [`KmsClients`] value and passes it on.

#[cfg(feature = "blocking")]
pub mod blocking;
mod breaker;
#[cfg(feature = "kms-client")]
#[cfg_attr(
    not(feature = "scaleway"),
    allow(dead_code, reason = "no provider calls it")
)]
pub mod client;
mod fallback;
pub mod file;
mod hedged;
mod local;
#[cfg(feature = "scaleway")]
pub mod scaleway;
#[cfg(feature = "testkit")]
pub mod testkit;

use std::{fmt, sync::Arc};

pub use crate::remote::KmsClient;
pub use crate::timer::Timer;
#[cfg(any(feature = "cache", feature = "kms-client"))]
pub use crate::timer::TokioTimer;
pub use breaker::{BreakerPolicy, BreakerState, CircuitBreaker};
pub use fallback::Fallback;
pub use hedged::HedgedDecrypt;
pub use local::{LocalAead, LocalKek};

use crate::{
    error::KmsError,
    remote::{RemoteAead, find},
};

/// A list of clients. The first that recognises a URI serves it.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use keyseal::{KmsError, KmsErrorKind, RemoteAead, kms::{KmsClient, KmsClients}};
///
/// struct NoKeys;
/// impl KmsClient for NoKeys {
///     fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
///         key_uri.starts_with("no-kms://").then(|| Err(KmsErrorKind::NotFound.into()))
///     }
/// }
///
/// let clients = KmsClients::new().with(NoKeys);
/// let kind = |uri| clients.find(uri).err().map(|error| error.kind());
/// assert_eq!(kind("no-kms://1"), Some(KmsErrorKind::NotFound));
/// assert_eq!(kind("other-kms://1"), Some(KmsErrorKind::UnsupportedUri));
/// ```
#[derive(Clone, Default)]
pub struct KmsClients(Vec<Arc<dyn KmsClient>>);

impl KmsClients {
    /// Makes an empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a client at the end of the list.
    #[must_use]
    pub fn with(mut self, client: impl KmsClient + 'static) -> Self {
        self.0.push(Arc::new(client));
        self
    }

    /// Returns the key that `key_uri` names.
    ///
    /// # Errors
    /// [`KmsError`] of kind `UnsupportedUri` if no client recognises the URI; otherwise the error
    /// of the client that does.
    pub fn find(&self, key_uri: &str) -> Result<Arc<dyn RemoteAead>, KmsError> {
        find(self, key_uri)
    }
}

impl KmsClient for KmsClients {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        self.0.iter().find_map(|client| client.remote_aead(key_uri))
    }
}

impl fmt::Debug for KmsClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KmsClients({})", self.0.len())
    }
}
