//! The proxy between the client and the service.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::{
    config::{Environment, refused},
    http::ApiUrl,
};
use crate::error::KmsError;

/// A proxy from a variable. Its URL may contain a password and is never printed.
#[derive(Clone)]
pub(crate) struct Proxy {
    variable: &'static str,
    url: Url,
}

impl Proxy {
    /// Returns the proxy for calls to `api_url`, or `None` if they go there directly.
    ///
    /// A call without TLS never uses one, because it only goes to this machine.
    pub(crate) fn of(
        environment: &Environment,
        api_url: &ApiUrl,
    ) -> Result<Option<Self>, KmsError> {
        let Some((variable, text)) = environment.proxy()?.filter(|_| api_url.is_tls()) else {
            return Ok(None);
        };
        let exceptions = environment.no_proxy()?.unwrap_or_default().to_owned();
        let any = Matcher::builder().all("http://proxy").no(exceptions);
        let is_exception = match api_url.join("/").parse() {
            Ok(uri) => any.build().intercept(&uri).is_none(),
            Err(_) => false,
        };
        match is_exception {
            true => Ok(None),
            false => Self::parse(variable, text).map(Some),
        }
    }

    /// Parses a proxy as curl does: without a scheme it is an HTTP proxy.
    fn parse(variable: &'static str, text: &str) -> Result<Self, KmsError> {
        let url = match text.contains("://") {
            true => Url::parse(text),
            false => Url::parse(&format!("http://{text}")),
        };
        let bad = |why| {
            refused(format!(
                "{variable} names a proxy that cannot be used: {why}"
            ))
        };
        let url = url.map_err(|_| bad("it must be http://<host>:<port>"))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self { variable, url }),
            "http" | "https" => Err(bad("it has no host")),
            scheme if scheme.starts_with("socks") => Err(bad("SOCKS is not supported")),
            _ => Err(bad("it must begin with http:// or https://")),
        }
    }

    pub(crate) const fn variable(&self) -> &'static str {
        self.variable
    }

    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.variable).finish()
    }
}
