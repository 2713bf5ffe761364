//! [`BaseUrl`]: the host that a client calls.

use url::{Host, Url};

/// The base URL of the service: with TLS, or without it for this machine or the one allowed host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(Url);

impl BaseUrl {
    /// Parses a base URL and removes one slash at its end.
    ///
    /// `http_host` may be called without TLS.
    pub(crate) fn parse(text: &str, http_host: Option<&str>) -> Result<Self, &'static str> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        if url.host().is_none() || text.ends_with('/') {
            return Err("must be https://<host>, without a slash at its end");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user name or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not have a query or a fragment");
        }
        let url = Self(url);
        match url.0.scheme() {
            "https" => Ok(url),
            "http" if url.is_loopback() || url.is_host(http_host) => Ok(url),
            "http" => Err(
                "without TLS must name this machine (localhost, 127.0.0.1 or [::1]) or the one \
                 host that KEYSEAL_INSECURE_HTTP_HOST names",
            ),
            _ => Err("must begin with https://"),
        }
    }

    fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(domain)) => domain == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Returns whether the URL is plain HTTP to another machine.
    pub(crate) fn is_exposed(&self) -> bool {
        !self.is_tls() && !self.is_loopback()
    }

    fn is_host(&self, host: Option<&str>) -> bool {
        // An IPv6 address has brackets in a URL, but may lack them in a setting.
        let bare = |host: &str| host.trim_matches(['[', ']']).to_ascii_lowercase();
        host.zip(self.0.host_str())
            .is_some_and(|(allowed, own)| bare(allowed) == bare(own))
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn join(&self, target: &str) -> String {
        format!("{}{target}", self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_tls_or_this_machine() {
        for (text, joined) in [
            ("https://api.scaleway.com", "https://api.scaleway.com/x"),
            ("https://api.scaleway.com/", "https://api.scaleway.com/x"),
            (
                "https://gateway.example:8443/scw",
                "https://gateway.example:8443/scw/x",
            ),
            ("http://localhost:8080", "http://localhost:8080/x"),
            ("http://LOCALHOST", "http://localhost/x"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/x"),
            ("http://127.9.9.9:1", "http://127.9.9.9:1/x"),
            ("http://[::1]:1", "http://[::1]:1/x"),
        ] {
            assert_eq!(BaseUrl::parse(text, None).expect(text).join("/x"), joined);
        }
        for bad in [
            "",
            "api.scaleway.com",
            "http://api.scaleway.com",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://0.0.0.0",
            "http://10.0.0.1",
            "http://localhost@example.com",
            "https://user@api.scaleway.com",
            "https://user:password@api.scaleway.com",
            "https://api.scaleway.com//",
            "https://api.scaleway.com?x=1",
            "https://api.scaleway.com#x",
            "ftp://api.scaleway.com",
            "file:///etc/passwd",
            "https://",
        ] {
            assert!(BaseUrl::parse(bad, None).is_err(), "{bad}");
        }
    }
}
