//! [`HttpTransport`]: requests over reqwest and rustls.

use std::{
    error::Error,
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use reqwest::{Certificate, Client, Method, header::HeaderValue, redirect::Policy};
use tokio::runtime::Handle;
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    base_url::BaseUrl,
    proxy::Proxy,
    request::{HttpHeader, HttpRequest},
    response::{HttpResponse, MAX_REPLY_SIZE, reply_too_long},
    transport::Transport,
};
use crate::{
    error::{KmsError, KmsErrorKind},
    remote::BoxFuture,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Less than the time after which gateways close an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// The initial size of a reply's buffer if the answer does not give its length.
const FIRST_BUFFER_SIZE: usize = 4096;

/// The connection settings of [`HttpTransport`].
pub(crate) struct HttpOptions {
    pub(crate) base_url: BaseUrl,
    pub(crate) ca_certificates: Vec<Vec<u8>>,
    pub(crate) accept_any_certificate: bool,
    pub(crate) proxy: Option<Proxy>,
}

/// A [`Transport`] over HTTP/2 or HTTP/1.1, by reqwest and rustls.
///
/// Connections are reused. You provide the runtime: tokio, with I/O and time.
///
/// # Security
/// TLS only, except to this machine and to a host that was allowed by name. Redirects are not
/// followed. A proxy only relays TLS, so it sees nothing. We wipe the buffers of this crate, and
/// those that hyper hands over with an answer. We cannot wipe the internal buffers of hyper and
/// rustls: the secret key in a sent header, and plaintexts on their way to or from encryption, may
/// remain in freed memory.
pub struct HttpTransport {
    client: Client,
    base_url: BaseUrl,
    proxy: Option<Proxy>,
}

impl HttpTransport {
    pub(crate) fn new(options: HttpOptions) -> Result<Self, KmsError> {
        let HttpOptions {
            base_url,
            ca_certificates,
            accept_any_certificate,
            proxy,
        } = options;
        // The proxy variables were read with the other settings.
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true);
        if base_url.is_tls() {
            let mut certificates = Vec::new();
            for pem in &ca_certificates {
                let bundle = Certificate::from_pem_bundle(pem).map_err(not_a_certificate)?;
                if bundle.is_empty() {
                    return Err(KmsError::configuration(
                        "there is no certificate in the PEM text",
                    ));
                }
                certificates.extend(bundle);
            }
            builder = builder.https_only(true).tls_certs_merge(certificates);
            if accept_any_certificate {
                builder = builder.tls_danger_accept_invalid_certs(true);
            }
            if let Some(proxy) = &proxy {
                let all = reqwest::Proxy::all(proxy.url()).map_err(|error| {
                    KmsError::configuration(format!(
                        "{} names a proxy that cannot be used",
                        proxy.variable()
                    ))
                    .with_source(error.without_url())
                })?;
                builder = builder.proxy(all);
            }
        } else {
            // We do not leave the name to the resolver, and a machine without root certificates
            // does not need any.
            let here = [
                SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
            ];
            builder = builder
                .resolve_to_addrs("localhost", &here)
                .tls_certs_only([]);
        }
        let client = builder.build().map_err(no_tls_client)?;
        Ok(Self {
            client,
            base_url,
            proxy,
        })
    }

    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, KmsError> {
        if Handle::try_current().is_err() {
            return Err(KmsError::configuration(
                "there is no tokio runtime here: use `kms::blocking`, or a transport of your own",
            ));
        }
        let method = Method::from_bytes(request.method().as_bytes())
            .expect("providers name methods of HTTP");
        let mut call = self
            .client
            .request(method, self.base_url.join(request.target()));
        for header in request.headers() {
            call = call.header(header.name(), value(header));
        }
        if let Some(body) = request.body_bytes() {
            call = call.body(body);
        }
        let mut answer = call.send().await.map_err(|error| self.failed(error))?;

        // The headers share the body's buffer, and would prevent us from wiping it.
        let headers = std::mem::take(answer.headers_mut());
        let texts = headers
            .iter()
            .filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
        let head = texts.fold(
            HttpResponse::new(answer.status().as_u16(), Vec::new()),
            |head, text| head.header(text.0.as_str(), text.1),
        );
        drop(headers);

        let mut body = ReplyBody::new(answer.content_length())?;
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(error))? {
            body.append(&chunk)?;
            wipe(chunk);
        }
        Ok(head.with_body(body.0))
    }
}

impl HttpTransport {
    fn failed(&self, error: reqwest::Error) -> KmsError {
        let kind = match kind(&error) {
            // The proxy's is then the only name that we resolve.
            KmsErrorKind::UnknownHost if self.proxy.is_some() => KmsErrorKind::Proxy,
            kind => kind,
        };
        let failed = KmsError::new(kind).with_source(error.without_url());
        match &self.proxy {
            Some(proxy) if !kind.may_be_done() => {
                failed.with_message(format!("{} names the proxy", proxy.variable()))
            }
            _ => failed,
        }
    }
}

impl Transport for HttpTransport {
    fn send<'a>(
        &'a self,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
        Box::pin(self.exchange(request))
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("base_url", &self.base_url.as_str())
            .finish()
    }
}

/// Shares a header's own buffer, so that no copy of a secret remains, not even in HTTP/2's
/// compression.
fn value(header: &HttpHeader) -> HeaderValue {
    let mut value = HeaderValue::from_maybe_shared(header.value_bytes())
        .expect("providers check the text of a header");
    value.set_sensitive(header.is_secret());
    value
}

/// Wipes the HTTP library's buffer, if the library no longer uses it.
fn wipe(chunk: Bytes) {
    if let Ok(mut chunk) = chunk.try_into_mut() {
        chunk.as_mut().zeroize();
    }
}

fn kind(error: &reqwest::Error) -> KmsErrorKind {
    use rustls::{CertificateError as Certificate, Error as Tls};

    if !error.is_connect() {
        return match error.is_timeout() {
            true => KmsErrorKind::TimedOut,
            false if error.is_builder() => KmsErrorKind::Configuration,
            false => KmsErrorKind::Interrupted,
        };
    }
    match tls_error(error) {
        Some(Tls::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        )) => KmsErrorKind::CertificateName,
        // The verifier's own type is not part of its interface. A test gets the text from a server.
        Some(Tls::InvalidCertificate(Certificate::Other(other)))
            if other.0.to_string() == "CaUsedAsEndEntity" =>
        {
            KmsErrorKind::CaCertificate
        }
        Some(Tls::InvalidCertificate(_) | Tls::NoCertificatesPresented) => {
            KmsErrorKind::UntrustedCertificate
        }
        Some(_) => KmsErrorKind::Tls,
        None if error.is_dns() => KmsErrorKind::UnknownHost,
        None if is_refused_by_proxy(error) => KmsErrorKind::Proxy,
        None => KmsErrorKind::Unreachable,
    }
}

/// Looks for a TLS error among the causes. `io::Error` hides the error that it wraps from `source`.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => tls_error(wrapped),
        None => tls_error(error.source()?),
    }
}

/// Returns whether we reached a proxy, but it did not connect to the service.
///
/// The error's type is private to hyper-util, so we can only compare its texts. A test gets them
/// from a proxy that refuses.
fn is_refused_by_proxy(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if matches!(
            error.to_string().as_str(),
            "tunnel error: proxy authorization required" | "tunnel error: unsuccessful"
        ) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn no_tls_client(error: reqwest::Error) -> KmsError {
    KmsError::configuration("TLS cannot be set up with the trusted certificates of this machine, or those of SSL_CERT_FILE").with_source(error)
}

fn not_a_certificate(error: reqwest::Error) -> KmsError {
    KmsError::configuration("a certificate is not PEM").with_source(error)
}

/// A body that wipes the old buffer whenever it outgrows it.
struct ReplyBody(Zeroizing<Vec<u8>>);

impl ReplyBody {
    fn new(announced: Option<u64>) -> Result<Self, KmsError> {
        let size = match announced {
            None => FIRST_BUFFER_SIZE,
            Some(size) => usize::try_from(size)
                .ok()
                .filter(|size| *size <= MAX_REPLY_SIZE)
                .ok_or_else(reply_too_long)?,
        };
        Ok(Self(Zeroizing::new(Vec::with_capacity(size))))
    }

    fn append(&mut self, chunk: &[u8]) -> Result<(), KmsError> {
        let size = self.0.len() + chunk.len();
        if size > MAX_REPLY_SIZE {
            return Err(reply_too_long());
        }
        if size > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(size.next_power_of_two()));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(chunk);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_grows_to_its_limit_and_not_beyond() {
        let mut body = ReplyBody::new(None).expect("nothing is announced");
        let chunk = vec![7; 100_000];
        while body.0.len() + chunk.len() <= MAX_REPLY_SIZE {
            body.append(&chunk).expect("it is below the limit");
        }
        assert!(body.append(&chunk).is_err());
        assert!(ReplyBody::new(Some(MAX_REPLY_SIZE as u64)).is_ok());
        assert!(ReplyBody::new(Some(MAX_REPLY_SIZE as u64 + 1)).is_err());
    }
}
