//! [`ClientTls`]: the CAs that a client trusts, and its own certificate.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ballista_core::{
    config::BallistaConfig,
    extension::{EndpointOverrideFn, SessionConfigExt as _},
    utils::{GrpcClientConfig, create_grpc_client_endpoint},
};
use datafusion::prelude::SessionConfig;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use super::{
    error::TlsError,
    files::{Identity, authorities},
    server::{HANDSHAKE, ServerTls},
};

/// The TLS settings of a client; executors are clients too. `Debug` shows paths, and nothing of the files.
#[derive(Clone)]
pub struct ClientTls {
    ca: PathBuf,
    authorities: Certificate,
    identity: Option<Arc<Identity>>,
}

impl ClientTls {
    /// Reads the CAs whose certificates servers must have. No others are trusted: not those of the system
    /// either.
    ///
    /// The process's cryptography for rustls becomes AWS-LC, unless it has one already.
    ///
    /// # Errors
    /// [`TlsError`] if the file cannot be used. It says what to do.
    pub fn read(ca: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            ca: ca.to_owned(),
            authorities: authorities(ca)?,
            identity: None,
        })
    }

    /// Reads a certificate chain and its private key, for servers that demand them.
    ///
    /// # Errors
    /// [`TlsError`] if a file cannot be used. It says which, and what to do.
    pub fn with_identity(mut self, cert: &Path, key: &Path) -> Result<Self, TlsError> {
        self.identity = Some(Arc::new(Identity::read(cert, key)?));
        Ok(self)
    }

    /// Takes the certificate of a server, for a process that is both.
    pub(super) fn with_identity_of(mut self, server: &ServerTls) -> Self {
        self.identity = Some(Arc::clone(server.identity()));
        self
    }

    /// The file of the CAs.
    pub(super) fn ca(&self) -> &Path {
        &self.ca
    }

    /// The file of the client's own certificate.
    pub(super) fn cert(&self) -> Option<&Path> {
        self.identity.as_ref().map(|identity| identity.path())
    }

    /// Makes an endpoint speak TLS, whatever its URL says. tonic speaks it to `https` only, and Ballista
    /// gives it `http` in many places.
    ///
    /// # Errors
    /// tonic's, if the endpoint has no host.
    pub(super) fn secure(
        &self,
        endpoint: Endpoint,
    ) -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
        let uri = endpoint.uri();
        let secure = match (uri.scheme_str(), uri.authority()) {
            (Some("https"), _) => endpoint,
            (_, Some(authority)) => {
                // An endpoint cannot change its URL. Ballista's settings for clients are its defaults here.
                let settings = GrpcClientConfig::from(&BallistaConfig::default());
                create_grpc_client_endpoint(format!("https://{authority}"), Some(&settings))?
            }
            (_, None) => return Err("an endpoint without a host cannot have TLS".into()),
        };
        let mut config = ClientTlsConfig::new()
            .ca_certificate(self.authorities.clone())
            .timeout(HANDSHAKE);
        if let Some(identity) = &self.identity {
            config = config.identity(identity.pem());
        }
        Ok(secure.tls_config(config)?)
    }

    /// For those of Ballista's clients that do not look into a session.
    pub(crate) fn endpoints(&self) -> EndpointOverrideFn {
        let tls = self.clone();
        Arc::new(move |endpoint| tls.secure(endpoint))
    }

    /// Makes Ballista's clients of a session speak TLS. That a session has TLS travels with its queries;
    /// certificates and keys do not.
    #[must_use]
    pub fn apply(&self, config: SessionConfig) -> SessionConfig {
        config
            .with_ballista_use_tls(true)
            .with_ballista_override_create_grpc_client_endpoint(self.endpoints())
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("ca", &self.ca)
            .field("cert", &self.cert())
            .finish_non_exhaustive()
    }
}
