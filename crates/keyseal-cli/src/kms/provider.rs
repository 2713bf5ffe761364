//! The functions of a provider of keys.

use std::{fmt, path::PathBuf, sync::Arc};

use keyseal::{
    RemoteAead,
    kms::{KmsClients, blocking::Worker},
};

use crate::{context::Context, error::Failure, exit::Exit};

/// A service, or a kind of file, that holds keys. Its functions take the part of a URI that follows
/// the scheme, and whether the user allows cleartext.
pub(crate) struct Provider {
    /// The scheme of its URIs, in lower case.
    pub(crate) scheme: &'static str,
    /// Its URIs, for a message.
    pub(crate) example: &'static str,
    /// Finds every fault of a URI that can be found without settings.
    pub(crate) check: fn(&str) -> Result<(), Failure>,
    /// Returns the file that holds a key, if one does.
    pub(crate) file: fn(&str) -> Option<PathBuf>,
    pub(crate) open: fn(&str, bool, &Context) -> Result<OpenKey, Failure>,
    /// Finds every fault of a key that a keyset names, without asking a service: its client says less
    /// about it.
    pub(crate) check_key: fn(&str, bool, &Context) -> Result<(), Failure>,
    /// Adds a client for all its keys.
    pub(crate) client: fn(KmsClients, &Context) -> Result<Client, Failure>,
}

/// A key that was opened.
pub(crate) struct OpenKey {
    pub(crate) key: Arc<dyn RemoteAead>,
    /// Waits for the key's answers: its connections stay with this worker.
    pub(crate) worker: Worker,
    /// The one canonical URI of the key.
    pub(crate) canonical: String,
}

/// Clients, with one that was added.
pub(crate) struct Client {
    pub(crate) clients: KmsClients,
    /// Waits for the client's answers, if it needs a separate one.
    pub(crate) worker: Option<Worker>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme)
    }
}

/// Starts a thread that waits for answers.
pub(crate) fn new_worker() -> Result<Worker, Failure> {
    Worker::new().map_err(|error| {
        Failure::new(
            Exit::Failed,
            "thread",
            "cannot wait for a key management service",
            error.to_string(),
        )
    })
}
