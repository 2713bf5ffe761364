//! [`ServerTls`]: the certificate that a server shows, and those that it demands.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{client::verify_server_name, pki_types::ServerName, server::ParsedCertificate};
use tonic::transport::{Certificate, ServerTlsConfig};

use super::{
    error::TlsError,
    files::{Identity, authorities},
};

/// How long the other end may take for the handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);

/// The TLS settings of a server. `Debug` shows paths, and nothing of the files.
#[derive(Clone)]
pub struct ServerTls {
    identity: Arc<Identity>,
    clients: Option<(PathBuf, Certificate)>,
}

impl ServerTls {
    /// Reads a certificate chain and its private key. With the CAs of clients, the server refuses
    /// every client without a certificate from them.
    ///
    /// The process's cryptography for rustls becomes AWS-LC, unless it has one already.
    ///
    /// # Errors
    /// [`TlsError`] if a file cannot be used. It says which, and what to do.
    pub fn read(cert: &Path, key: &Path, client_ca: Option<&Path>) -> Result<Self, TlsError> {
        let clients = client_ca.map(|path| Ok((path.to_owned(), authorities(path)?)));
        Ok(Self {
            identity: Arc::new(Identity::read(cert, key)?),
            clients: clients.transpose()?,
        })
    }

    /// Returns whether clients must have a certificate (mutual TLS).
    #[must_use]
    pub const fn demands_certificates(&self) -> bool {
        self.clients.is_some()
    }

    /// Checks that clients that call the server by this name or address will accept the certificate.
    ///
    /// # Errors
    /// [`TlsError`] if they will not.
    pub fn check_name(&self, host: &str) -> Result<(), TlsError> {
        let name = ServerName::try_from(host).map_err(|_| {
            let help = "give a name of the DNS or an IP address as --external-host";
            TlsError::new(host, "is not a valid server name", help)
        })?;
        let path = self.identity.path();
        let checked = ParsedCertificate::try_from(self.identity.leaf())
            .and_then(|leaf| verify_server_name(&leaf, &name));
        checked.map_err(|error| {
            let problem =
                format!("does not fit {host}, by which others call this process: {error}");
            let help = "have the CA name it as a subject alternative name (DNS or IP), or change \
                        --external-host";
            TlsError::of_file(path, problem, help)
        })
    }

    pub(super) const fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(crate) fn config(&self) -> ServerTlsConfig {
        let config = ServerTlsConfig::new()
            .identity(self.identity.pem())
            .timeout(HANDSHAKE);
        match &self.clients {
            Some((_, authorities)) => config.client_ca_root(authorities.clone()),
            None => config,
        }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("cert", &self.identity.path())
            .field("client_ca", &self.clients.as_ref().map(|(path, _)| path))
            .finish_non_exhaustive()
    }
}
