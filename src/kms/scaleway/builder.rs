//! [`ScalewayClientBuilder`]: the settings of a client.

use std::{fmt, path::PathBuf, sync::Arc};

use super::{
    RegionConflict, ScalewayClient,
    config::{self, Environment, Setting, Settings, Sources},
};
use crate::{
    error::KmsError,
    kms::client::{
        HttpTransport, RetryPolicy, Retrying, Timer, TokioTimer, Transport, base_url::BaseUrl,
        http::HttpOptions, proxy::Proxy, trace,
    },
};

impl ScalewayClient {
    /// Reads the settings from the process's environment and the configuration file.
    ///
    /// See [`Environment`] for the variables. To add explicit settings, start with
    /// `ScalewayClient::builder().environment(Environment::of_process())`.
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` if a setting is missing or malformed.
    pub fn from_env() -> Result<Self, KmsError> {
        Self::builder()
            .environment(Environment::of_process())
            .build()
    }

    /// Starts without any settings.
    pub fn builder() -> ScalewayClientBuilder {
        ScalewayClientBuilder::new()
    }
}

/// Collects the settings of a [`ScalewayClient`].
///
/// It reads only the sources that you ask for: without [`environment`](Self::environment), no file,
/// and no variables except those of proxies. Settings made here take precedence over the
/// environment, then the selected profile, then the file's top level.
#[must_use]
pub struct ScalewayClientBuilder {
    explicit: Settings,
    sources: Sources,
    conflict: RegionConflict,
    ca_certificates: Vec<Vec<u8>>,
    max_in_flight: Option<usize>,
    policy: RetryPolicy,
    transport: Option<Box<dyn Transport>>,
    timer: Option<Arc<dyn Timer>>,
}

impl ScalewayClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            explicit: Settings::default(),
            sources: Sources::default(),
            conflict: RegionConflict::default(),
            ca_certificates: Vec::new(),
            max_in_flight: None,
            policy: RetryPolicy::new(),
            transport: None,
            timer: None,
        }
    }

    /// Reads from `environment`, and from the configuration file that it selects.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.sources.environment = Some(environment);
        self
    }

    /// Reads the configuration file at `path`, which must exist.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.config_file = Some(path.into());
        self
    }

    /// Uses the profile of this name, which must exist; `default` is the file's top level.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.sources.profile = Some(name.into());
        self
    }

    /// Sets the secret key: a UUID.
    pub fn secret_key(mut self, secret_key: &str) -> Self {
        self.explicit.secret_key = text(secret_key);
        self
    }

    /// Sets the access key: `SCW` and 17 capital letters or digits.
    ///
    /// It is checked but not used: only the secret key is sent.
    pub fn access_key(mut self, access_key: &str) -> Self {
        self.explicit.access_key = text(access_key);
        self
    }

    /// Sets the organisation whose keys are listed if there is no project.
    pub fn organization_id(mut self, organization_id: &str) -> Self {
        self.explicit.organization_id = text(organization_id);
        self
    }

    /// Sets the project that new keys belong to, and whose keys are listed.
    pub fn project_id(mut self, project_id: &str) -> Self {
        self.explicit.project_id = text(project_id);
        self
    }

    /// Sets the region, such as `fr-par`.
    pub fn region(mut self, region: &str) -> Self {
        self.explicit.region = text(region);
        self
    }

    /// Sets the reaction to a key URI whose region differs from the client's.
    pub fn region_conflict(mut self, conflict: RegionConflict) -> Self {
        self.conflict = conflict;
        self
    }

    /// Sets the base URL: `https://…`, or `http://…` for this machine or the host that
    /// [`insecure_http_host`](Self::insecure_http_host) allows.
    pub fn api_url(mut self, api_url: &str) -> Self {
        self.explicit.api_url = text(api_url);
        self
    }

    /// Allows a base URL with `http://` and this host, such as an emulator in another container.
    /// The client [warns](ScalewayClient::warnings) if it has such a URL.
    ///
    /// # Security
    /// Anyone on the network can read the secret key and every plaintext.
    pub fn insecure_http_host(mut self, host: &str) -> Self {
        self.explicit.http_host = text(host);
        self
    }

    /// Replaces the user agent, `keyseal/<version>`.
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        self.explicit.user_agent = text(user_agent);
        self
    }

    /// Trusts the certificates in `pem` in addition to those of the system.
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates.push(pem.into());
        self
    }

    /// Accepts any certificate from the service.
    ///
    /// # Security
    /// Anyone between you and the service can then read the secret key and every plaintext.
    pub fn insecure_accept_any_certificate(mut self) -> Self {
        self.explicit.insecure = Some(true);
        self
    }

    /// Sets how many requests may run at a time: 64 by default, at least 1. Others wait.
    ///
    /// The client and its clones share this limit.
    pub fn max_in_flight(mut self, max_in_flight: usize) -> Self {
        self.max_in_flight = Some(max_in_flight);
        self
    }

    /// Sets how long calls may take and how often they are retried.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sends requests through `transport` instead of HTTP over reqwest.
    ///
    /// The transport then handles base URL, certificates and proxies itself.
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Box::new(transport));
        self
    }

    /// Uses the clock of `timer` instead of tokio's.
    pub fn timer(mut self, timer: impl Timer + 'static) -> Self {
        self.timer = Some(Arc::new(timer));
        self
    }

    /// Checks the settings and makes the client, without making a call.
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` if a setting is missing or malformed, or if a requested
    /// file cannot be read.
    pub fn build(self) -> Result<ScalewayClient, KmsError> {
        let proxies = self.sources.environment.clone();
        let proxies = proxies.unwrap_or_else(Environment::of_process);
        let mut settings = config::resolve(self.explicit, &self.sources)?;
        if settings.accept_any_certificate {
            let text = "certificates are not checked: whoever is on the way reads everything";
            settings.warnings.push(text.to_owned());
        }
        for text in &settings.warnings {
            trace::warning(text);
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => Box::new(HttpTransport::new(HttpOptions {
                proxy: proxy(&proxies, &settings.api_url)?,
                base_url: settings.api_url.clone(),
                ca_certificates: self.ca_certificates,
                accept_any_certificate: settings.accept_any_certificate,
            })?),
        };
        let timer = self.timer.unwrap_or_else(|| Arc::new(TokioTimer::new()));
        let mut transport = Retrying::new(transport, self.policy, timer);
        if let Some(max_in_flight) = self.max_in_flight {
            transport = transport.max_in_flight(max_in_flight);
        }
        Ok(ScalewayClient::of(transport, settings, self.conflict))
    }
}

impl fmt::Debug for ScalewayClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScalewayClientBuilder")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Returns the proxy for calls to `api_url`, or `None` if they go there directly.
///
/// A call without TLS never uses one, because it only goes to this machine.
fn proxy(environment: &Environment, api_url: &BaseUrl) -> Result<Option<Proxy>, KmsError> {
    match environment.proxy()?.filter(|_| api_url.is_tls()) {
        Some(named) => {
            let exceptions = environment.no_proxy()?.unwrap_or_default();
            Proxy::from_variable(named, exceptions, api_url)
        }
        None => Ok(None),
    }
}

fn text(text: &str) -> Option<Setting> {
    Some(Setting::explicit(text))
}
