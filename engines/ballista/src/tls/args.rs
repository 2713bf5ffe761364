//! The options of a process for TLS.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{client::ClientTls, error::TlsError, server::ServerTls};

/// The certificate of a process.
#[derive(Args, Clone, Debug, Default)]
#[non_exhaustive]
pub struct IdentityArgs {
    /// The certificate of this process in PEM, followed by those between it and the CA: servers need one
    /// for TLS
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSEAL_TLS_CERT",
        hide_env_values = true
    )]
    pub tls_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSEAL_TLS_KEY",
        hide_env_values = true
    )]
    pub tls_key: Option<PathBuf>,
}

/// The options of a server. Without them, it serves in clear.
#[derive(Args, Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerTlsArgs {
    /// Its certificate and key, which turn TLS on.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// The CAs of clients in PEM: a client without a certificate from them is refused (mutual TLS)
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSEAL_TLS_CLIENT_CA",
        hide_env_values = true
    )]
    pub tls_client_ca: Option<PathBuf>,
}

/// The options of a process that is a server and a client. Without them, it talks in clear.
#[derive(Args, Clone, Debug, Default)]
#[non_exhaustive]
pub struct NodeTlsArgs {
    /// Its side as a server.
    #[command(flatten)]
    pub server: ServerTlsArgs,
    /// The CAs, in PEM, that issued the certificates of the scheduler and the other executors
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSEAL_TLS_CA",
        hide_env_values = true
    )]
    pub tls_ca: Option<PathBuf>,
}

/// The options of a client. Without them, it talks in clear.
#[derive(Args, Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientTlsArgs {
    /// The CAs, in PEM, that issued the certificates of the scheduler and the executors: turns TLS on
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSEAL_TLS_CA",
        hide_env_values = true
    )]
    pub tls_ca: Option<PathBuf>,
    /// Its own certificate and key, for servers that demand one.
    #[command(flatten)]
    pub identity: IdentityArgs,
}

impl IdentityArgs {
    /// Both files or none.
    fn paths(&self) -> Result<Option<(&Path, &Path)>, TlsError> {
        let help = "give both, or KEYSEAL_TLS_CERT and KEYSEAL_TLS_KEY";
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(TlsError::new("--tls-cert", "is without --tls-key", help)),
            (None, Some(_)) => Err(TlsError::new("--tls-key", "is without --tls-cert", help)),
        }
    }
}

impl ServerTlsArgs {
    /// Reads the files. `None` means that the server should serve in clear.
    ///
    /// # Errors
    /// [`TlsError`] if an option is missing, or a file cannot be used.
    pub fn read(&self) -> Result<Option<ServerTls>, TlsError> {
        let client_ca = self.tls_client_ca.as_deref();
        match self.identity.paths()? {
            Some((cert, key)) => ServerTls::read(cert, key, client_ca).map(Some),
            None if client_ca.is_none() => Ok(None),
            None => Err(TlsError::new(
                "--tls-client-ca",
                "is without a certificate for the server",
                "give --tls-cert and --tls-key too",
            )),
        }
    }
}

impl NodeTlsArgs {
    /// Reads the files. `None` means that the process should talk in clear.
    ///
    /// # Errors
    /// [`TlsError`] if an option is missing, or a file cannot be used.
    pub fn read(&self) -> Result<Option<(ServerTls, ClientTls)>, TlsError> {
        match (self.server.read()?, &self.tls_ca) {
            (Some(server), Some(ca)) => {
                let client = ClientTls::read(ca)?.with_identity_of(&server);
                Ok(Some((server, client)))
            }
            (None, None) => Ok(None),
            (Some(_), None) => Err(TlsError::new(
                "--tls-cert",
                "is without --tls-ca",
                "an executor calls the scheduler and other executors: give the CA of their certificates",
            )),
            (None, Some(_)) => Err(TlsError::new(
                "--tls-ca",
                "is without --tls-cert and --tls-key",
                "an executor is called too: give it a certificate and its key",
            )),
        }
    }
}

impl ClientTlsArgs {
    /// Reads the files. `None` means that the client should talk in clear.
    ///
    /// # Errors
    /// [`TlsError`] if an option is missing, or a file cannot be used.
    pub fn read(&self) -> Result<Option<ClientTls>, TlsError> {
        match (&self.tls_ca, self.identity.paths()?) {
            (Some(ca), Some((cert, key))) => {
                ClientTls::read(ca)?.with_identity(cert, key).map(Some)
            }
            (Some(ca), None) => ClientTls::read(ca).map(Some),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(TlsError::new(
                "--tls-cert",
                "is without --tls-ca",
                "give the CA that issued the certificates of the scheduler and the executors",
            )),
        }
    }
}
