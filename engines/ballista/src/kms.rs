//! The key services of this process, with the credentials of its environment.

use std::{path::Path, sync::Arc};

use keyseal::{
    KmsError, RemoteAead, SecretAccess,
    kms::{
        KmsClient, KmsClients,
        file::FileKmsClient,
        scaleway::{Environment, Region, ScalewayClient},
    },
};

use crate::role::Role;

/// Finds keys of Scaleway Key Manager, and of files for tests. Paths start at `folder`.
///
/// A client keeps its connections on the runtime that first used it, so each runtime has its own.
pub(crate) fn clients(folder: &Path, role: Role) -> KmsClients {
    KmsClients::new()
        .with(KeyManager::from_env(role))
        .with(FileKmsClient::in_folder(folder, SecretAccess::insecure()))
}

/// Scaleway Key Manager, or the reason that it cannot be used. A process without rights starts: the
/// first query that needs a key gives the reason.
struct KeyManager(Result<ScalewayClient, KmsError>);

impl KeyManager {
    fn from_env(role: Role) -> Self {
        let agent = format!(
            "keyseal-ballista/{} {}",
            env!("CARGO_PKG_VERSION"),
            role.name()
        );
        let client = ScalewayClient::builder()
            .environment(Environment::of_process())
            .user_agent(&agent)
            .build();
        Self(client.map(|client| match client.region() {
            Some(_) => client,
            None => client.in_region(Region::FR_PAR),
        }))
    }
}

impl KmsClient for KeyManager {
    fn remote_aead(&self, uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        match &self.0 {
            Ok(client) => client.remote_aead(uri),
            Err(error) => uri.starts_with("scw-kms://").then(|| Err(error.clone())),
        }
    }
}
