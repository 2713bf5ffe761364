//! The proxy between the client and the service.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::base_url::BaseUrl;
use crate::error::KmsError;

/// A proxy from a variable. Its URL may contain a password and is never printed.
#[derive(Clone)]
pub(crate) struct Proxy {
    variable: &'static str,
    url: Url,
}

impl Proxy {
    /// Returns the proxy that `variable` names for calls to `base_url`, or `None` if the list of
    /// `exceptions` sends them there directly.
    pub(crate) fn from_variable(
        (variable, text): (&'static str, &str),
        exceptions: &str,
        base_url: &BaseUrl,
    ) -> Result<Option<Self>, KmsError> {
        let any = Matcher::builder().all("http://proxy").no(exceptions);
        let is_exception = match base_url.join("/").parse() {
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
            KmsError::configuration(format!(
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
