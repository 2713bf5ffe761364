//! What can go wrong between this process and a key management service.

use std::{error::Error, fmt, sync::Arc};

/// The longest text in bytes that is kept of what a service says.
pub(crate) const MAX_MESSAGE_SIZE: usize = 1024;

/// A call to a key management service failed, or was never made.
///
/// Match on [`kind`](Self::kind); show the whole with `Display`, which is one clause, and the
/// cause with [`source`](Error::source).
///
/// # Security
/// Holds no credentials, plaintext, associated data or ciphertext. What the service itself said is
/// kept without control characters and up to 1,024 bytes. Whoever implements a client outside this
/// crate keeps that promise too.
///
/// # Example
/// ```
/// use keyseal::{KmsError, KmsErrorKind};
///
/// let error = KmsError::new(KmsErrorKind::RateLimited).with_status(429).with_request_id("7f3a");
/// assert!(error.is_retryable());
/// assert_eq!(error.to_string(), "the service limits the rate of calls (HTTP 429, request 7f3a)");
/// ```
#[derive(Clone)]
pub struct KmsError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: KmsErrorKind,
    repeat: Repeat,
    context: Option<String>,
    service_type: Option<String>,
    message: Option<String>,
    status: Option<u16>,
    request_id: Option<String>,
    attempts: u32,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    AsKind,
    Never,
}

impl KmsError {
    /// Makes an error of `kind`.
    #[must_use]
    pub fn new(kind: KmsErrorKind) -> Self {
        Self(Box::new(Inner {
            kind,
            repeat: Repeat::AsKind,
            context: None,
            service_type: None,
            message: None,
            status: None,
            request_id: None,
            attempts: 1,
            source: None,
        }))
    }

    /// Adds which call it was, such as `decrypt with scw-kms://…`.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.0.context = Some(printable(context.into()));
        self
    }

    /// Adds what is wrong, in the words of the service or of its client.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(printable(message.into()));
        self
    }

    /// Adds the service's own name for this sort of error.
    #[must_use]
    pub fn with_service_type(mut self, service_type: impl Into<String>) -> Self {
        self.0.service_type = Some(printable(service_type.into()));
        self
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds the id under which the service's operators find the call.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.0.request_id = Some(printable(request_id.into()));
        self
    }

    /// Adds how many times the call was tried.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Marks a call that must not simply be made again, because it may have taken effect.
    #[must_use]
    pub fn not_repeatable(mut self) -> Self {
        self.0.repeat = Repeat::Never;
        self
    }

    /// Returns what sort of failure it was.
    #[must_use]
    pub fn kind(&self) -> KmsErrorKind {
        self.0.kind
    }

    /// Returns whether the same call may succeed later and does no harm if made again.
    ///
    /// False for a call such as *create* or *rotate* whose answer may have been lost: look first
    /// what it did.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.repeat == Repeat::AsKind && self.0.kind.is_transient()
    }

    /// Returns the HTTP status, where there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the id under which the service's operators find the call.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the service's own name for this sort of error, such as `permissions_denied`.
    #[must_use]
    pub fn service_type(&self) -> Option<&str> {
        self.0.service_type.as_deref()
    }

    /// Returns what is wrong, in the words of the service or of its client.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// Returns how many times the call was tried: 0 for the kind
    /// [`NotSent`](KmsErrorKind::NotSent).
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
}

/// Equal when they say the same; their sources are not compared.
impl PartialEq for KmsError {
    fn eq(&self, other: &Self) -> bool {
        let said = |error: &Self| (error.kind(), error.is_retryable(), error.to_string());
        said(self) == said(other)
    }
}

impl Eq for KmsError {}

impl From<KmsErrorKind> for KmsError {
    fn from(kind: KmsErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(context) = &inner.context {
            write!(f, "{context}: ")?;
        }
        write!(f, "{}", inner.kind)?;
        if let Some(message) = &inner.message {
            write!(f, ": {message}")?;
        }
        let mut details = Vec::new();
        details.extend(inner.status.map(|status| format!("HTTP {status}")));
        details.extend(inner.request_id.as_ref().map(|id| format!("request {id}")));
        details.extend((inner.attempts > 1).then(|| format!("tried {} times", inner.attempts)));
        if !details.is_empty() {
            write!(f, " ({})", details.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsError")
            .field("kind", &self.0.kind)
            .field("retryable", &self.is_retryable())
            .field("text", &self.to_string())
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for KmsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// What sort of failure a [`KmsError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum KmsErrorKind {
    /// The service's certificate is good, but for another name than the one that was called.
    /// Nothing was sent.
    #[error("the certificate is for another name")]
    CertificateName,
    /// The client's settings are malformed or contradictory, or one is missing that is not the
    /// credentials. No call was made.
    #[error("the settings of the client are not usable")]
    Configuration,
    /// The resource exists already, or is changing.
    #[error("the resource is in another state than the call needs")]
    Conflict,
    /// The ciphertext does not open: another key, other associated data, or damaged.
    ///
    /// There is no closer reason, by design.
    #[error("decryption failed")]
    DecryptionFailed,
    /// The connection broke before the whole answer was there. The call may have taken effect.
    #[error("the connection broke before the answer was complete")]
    Interrupted,
    /// An input is outside the service's limits, such as an empty plaintext.
    #[error("an input is not acceptable")]
    InvalidInput,
    /// The answer is not what the service documents: a proxy's page, a redirect, a truncated body.
    #[error("the answer is not one that the service documents")]
    InvalidReply,
    /// The signature is not one of this key over this digest.
    #[error("the signature is not valid")]
    InvalidSignature,
    /// The key URI has the scheme of this client, but is malformed.
    #[error("the key URI is not usable")]
    InvalidUri,
    /// The half of the encryption that is done here failed: the data-encryption key of an envelope
    /// could not be made, or not be used.
    #[error("the local half of the encryption failed")]
    Local,
    /// The service's operators have locked the resource.
    #[error("the resource is locked by the service")]
    Locked,
    /// No source of settings names credentials. No call was made.
    #[error("there are no credentials")]
    MissingCredentials,
    /// There is no such key, at least not in this region.
    #[error("the resource does not exist")]
    NotFound,
    /// The call's time was over before its turn came. Nothing was sent.
    #[error("the call was not sent in time")]
    NotSent,
    /// The credentials are good, and are not allowed to do this.
    #[error("the credentials do not allow this call")]
    PermissionDenied,
    /// The key's state forbids the call: disabled, protected, waiting for material or deletion.
    #[error("the state of the resource forbids this call")]
    PreconditionFailed,
    /// The proxy on the way is not known, wants other credentials or refuses to connect. The service
    /// was not reached.
    #[error("the proxy does not let the call through")]
    Proxy,
    /// A quota of the account is used up.
    #[error("a quota is used up")]
    QuotaExceeded,
    /// There were too many calls in too short a time.
    #[error("the service limits the rate of calls")]
    RateLimited,
    /// The service refused the call for a reason that has no kind of its own.
    #[error("the service refused the call")]
    Refused,
    /// The answer was not there in time. The call may have taken effect.
    #[error("the answer did not come in time")]
    TimedOut,
    /// Client and server do not agree on TLS: often the port speaks another protocol. Nothing was
    /// sent.
    #[error("TLS cannot be set up")]
    Tls,
    /// The service does not know the credentials, or they have expired.
    #[error("the service does not accept the credentials")]
    Unauthenticated,
    /// The service or a gateway before it reports a failure of its own.
    #[error("the service is not available")]
    Unavailable,
    /// The host's name cannot be resolved. Nothing was sent.
    #[error("the host is not known")]
    UnknownHost,
    /// No connection could be made. Nothing was sent.
    #[error("the service cannot be reached")]
    Unreachable,
    /// No client serves key URIs of this scheme.
    #[error("no client serves this key URI")]
    UnsupportedUri,
    /// The service's certificate is not one of a trusted authority, has expired, or is otherwise
    /// not valid. Nothing was sent.
    #[error("the certificate is not trusted")]
    UntrustedCertificate,
}

impl KmsErrorKind {
    /// Returns whether such a failure may be gone by itself a little later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Interrupted
                | Self::NotSent
                | Self::RateLimited
                | Self::TimedOut
                | Self::Unavailable
                | Self::Unreachable
        )
    }

    /// Returns whether a call with the same client and key, but another input, would fail in the
    /// same way until somebody changes the settings, the credentials or the key.
    ///
    /// A run over many files can end at the first such error. Transient kinds are not among them:
    /// whether to go on after one depends on how often the client has tried already.
    #[must_use]
    pub const fn is_input_independent(self) -> bool {
        matches!(
            self,
            Self::CertificateName
                | Self::Configuration
                | Self::InvalidUri
                | Self::Locked
                | Self::MissingCredentials
                | Self::NotFound
                | Self::PermissionDenied
                | Self::PreconditionFailed
                | Self::Proxy
                | Self::QuotaExceeded
                | Self::Tls
                | Self::Unauthenticated
                | Self::UnknownHost
                | Self::UnsupportedUri
                | Self::UntrustedCertificate
        )
    }

    /// Returns whether a request that is not safe to repeat may have been done all the same.
    pub(crate) const fn may_be_done(self) -> bool {
        !matches!(
            self,
            Self::CertificateName
                | Self::Configuration
                | Self::NotSent
                | Self::Proxy
                | Self::Tls
                | Self::UnknownHost
                | Self::Unreachable
                | Self::UntrustedCertificate
        )
    }
}

/// Keeps foreign text from breaking a terminal or filling a log.
fn printable(text: String) -> String {
    let harmless = |c: char| match c {
        // What turns the direction of writing could make one text look like another.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    first_bytes(&text, MAX_MESSAGE_SIZE)
        .chars()
        .map(harmless)
        .collect()
}

/// Returns as much of the beginning of `text` as fits into `size` bytes.
pub(crate) fn first_bytes(text: &str, size: usize) -> &str {
    let end = (0..=size.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_bounded_and_has_no_control_characters() {
        let text = format!("a\r\n\u{1b}[31m\u{202e}{}", "é".repeat(2000));
        let error = KmsError::new(KmsErrorKind::Refused).with_message(text);
        let message = error.message().expect("it was set");
        assert!(message.starts_with("a   [31m é"), "{message}");
        assert!(message.len() <= MAX_MESSAGE_SIZE);
    }

    #[test]
    fn only_transient_kinds_are_retryable_and_not_where_repeating_harms() {
        let transient = [
            KmsErrorKind::Interrupted,
            KmsErrorKind::NotSent,
            KmsErrorKind::RateLimited,
            KmsErrorKind::TimedOut,
            KmsErrorKind::Unavailable,
            KmsErrorKind::Unreachable,
        ];
        for kind in transient {
            assert!(KmsError::new(kind).is_retryable());
            assert!(!KmsError::new(kind).not_repeatable().is_retryable());
        }
        for kind in [KmsErrorKind::NotFound, KmsErrorKind::DecryptionFailed] {
            assert!(!KmsError::new(kind).is_retryable());
        }
    }

    #[test]
    fn the_source_is_in_the_chain_and_not_in_the_text() {
        let error = KmsError::new(KmsErrorKind::Unreachable).with_source(fmt::Error);
        assert!(
            error
                .source()
                .is_some_and(|source| source.is::<fmt::Error>())
        );
        assert_eq!(error.to_string(), "the service cannot be reached");
    }

    #[test]
    fn display_names_call_status_request_and_attempts() {
        let error = KmsError::new(KmsErrorKind::NotFound)
            .with_context("get key")
            .with_message("resource is not found")
            .with_status(404)
            .with_request_id("77")
            .with_attempts(2);
        assert_eq!(
            error.to_string(),
            "get key: the resource does not exist: resource is not found \
             (HTTP 404, request 77, tried 2 times)"
        );
    }
}
