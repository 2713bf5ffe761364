//! Errors between this process and a key management service.

use std::{error::Error, fmt, sync::Arc};

/// The largest number of bytes that we keep of a service's message.
pub(crate) const MAX_MESSAGE_SIZE: usize = 1024;

/// A call to a key management service failed or was never made.
///
/// Match on [`kind`](Self::kind). `Display` shows the whole error in one clause, and
/// [`source`](Error::source) gives its cause.
///
/// # Security
/// The error holds no credentials, plaintext, associated data or ciphertext. The service's own
/// message is kept without control characters, up to 1,024 bytes. If you implement a client outside
/// this crate, keep that promise too.
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
    /// The answer was a refusal, which a repetition would get again.
    #[cfg(feature = "scaleway")]
    Refused,
    /// It may have taken effect.
    MayBeDone,
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

    /// Makes an error about the client's settings.
    #[cfg(feature = "kms-client")]
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(KmsErrorKind::Configuration).with_message(message)
    }

    /// Adds the name of the call, such as `decrypt with scw-kms://…`.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.0.context = Some(printable(&context.into()));
        self
    }

    /// Adds the message of the service or of its client.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(printable(&message.into()));
        self
    }

    /// Adds the service's own name for this kind of error.
    #[must_use]
    pub fn with_service_type(mut self, service_type: impl Into<String>) -> Self {
        self.0.service_type = Some(printable(&service_type.into()));
        self
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds the id by which the service's operators can find the call.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.0.request_id = Some(printable(&request_id.into()));
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

    /// Marks a call that must not simply be repeated, because it may have taken effect.
    #[must_use]
    pub fn not_repeatable(mut self) -> Self {
        self.0.repeat = Repeat::MayBeDone;
        self
    }

    /// Marks a call that would be refused again, and changed nothing.
    #[cfg(feature = "scaleway")]
    pub(crate) fn refused(mut self) -> Self {
        self.0.repeat = Repeat::Refused;
        self
    }

    /// Returns the kind of failure.
    #[must_use]
    pub fn kind(&self) -> KmsErrorKind {
        self.0.kind
    }

    /// Returns whether the same call may succeed later and is safe to repeat.
    ///
    /// False for a call such as *create* or *rotate* whose answer may have been lost: first check
    /// whether it took effect.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.repeat == Repeat::AsKind && self.0.kind.is_transient()
    }

    /// Returns whether the call may have taken effect despite this error: a key or a version may
    /// exist that the caller was not told about, so check before you repeat the call.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        self.0.repeat == Repeat::MayBeDone
    }

    /// Returns the HTTP status, or `None` if there was no answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the id by which the service's operators can find the call.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the service's own name for this kind of error, such as `permissions_denied`.
    #[must_use]
    pub fn service_type(&self) -> Option<&str> {
        self.0.service_type.as_deref()
    }

    /// Returns the message of the service or of its client.
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

/// Two errors are equal if they say the same; their sources are not compared.
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

/// The kind of failure that a [`KmsError`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum KmsErrorKind {
    /// The service presents the certificate of a certificate authority as its own. It cannot be
    /// trusted, even by adding it. Nothing was sent.
    #[error("the server presents the certificate of a certificate authority as its own")]
    CaCertificate,
    /// The service's certificate is valid, but for a different host name. Nothing was sent.
    #[error("the certificate is for another name")]
    CertificateName,
    /// The client's settings are malformed or contradictory, or a setting other than the
    /// credentials is missing. No call was made.
    #[error("the settings of the client are not usable")]
    Configuration,
    /// The resource already exists, or is being changed.
    #[error("the resource already exists or is being changed")]
    Conflict,
    /// The ciphertext cannot be decrypted: the key or the associated data is different, or it is
    /// damaged.
    ///
    /// No more precise reason is given, by design.
    #[error("decryption failed")]
    DecryptionFailed,
    /// The connection broke before the whole answer arrived. The call may have taken effect.
    #[error("the connection broke before the answer was complete")]
    Interrupted,
    /// An input is outside the service's limits, such as an empty plaintext.
    #[error("an input is not acceptable")]
    InvalidInput,
    /// The answer is not one that the service documents: a proxy's page, a redirect, a truncated
    /// body.
    #[error("the answer is not one that the service documents")]
    InvalidReply,
    /// The signature was not made by this key over this digest.
    #[error("the signature is not valid")]
    InvalidSignature,
    /// The key URI has this client's scheme, but is malformed.
    #[error("the key URI is not usable")]
    InvalidUri,
    /// The local half of the encryption failed: the data-encryption key of an envelope could not be
    /// generated or used.
    #[error("the local half of the encryption failed")]
    Local,
    /// The service's operators have locked the resource.
    #[error("the resource is locked by the service")]
    Locked,
    /// No source of settings provides credentials. No call was made.
    #[error("there are no credentials")]
    MissingCredentials,
    /// The key does not exist, at least not in this region.
    #[error("the resource does not exist")]
    NotFound,
    /// The call ran out of time while it was queued. Nothing was sent.
    #[error("the call was not sent in time")]
    NotSent,
    /// The credentials are valid, but do not permit this call.
    #[error("the credentials do not allow this call")]
    PermissionDenied,
    /// The key's state does not allow the call: disabled, protected, or waiting for material or
    /// deletion.
    #[error("the state of the resource forbids this call")]
    PreconditionFailed,
    /// The proxy could not be found, requires other credentials or refuses to connect. The service
    /// was not reached.
    #[error("the proxy does not let the call through")]
    Proxy,
    /// The account has used up a quota.
    #[error("a quota is used up")]
    QuotaExceeded,
    /// Too many calls were made in too short a time.
    #[error("the service limits the rate of calls")]
    RateLimited,
    /// The service refused the call for a reason that no other kind covers.
    #[error("the service refused the call")]
    Refused,
    /// The answer did not arrive in time. The call may have taken effect.
    #[error("the answer did not come in time")]
    TimedOut,
    /// Client and server do not agree on TLS. Often the port speaks another protocol. Nothing was
    /// sent.
    #[error("TLS cannot be set up")]
    Tls,
    /// The service does not know the credentials, or they have expired.
    #[error("the service does not accept the credentials")]
    Unauthenticated,
    /// The service, or a gateway in between, reports an internal failure.
    #[error("the service is not available")]
    Unavailable,
    /// The host name cannot be resolved. Nothing was sent.
    #[error("the host is not known")]
    UnknownHost,
    /// No connection could be made. Nothing was sent.
    #[error("the service cannot be reached")]
    Unreachable,
    /// No client handles key URIs with this scheme.
    #[error("no client serves this key URI")]
    UnsupportedUri,
    /// The service's certificate was not issued by a trusted authority, has expired, or is invalid
    /// for another reason. Nothing was sent.
    #[error("the certificate is not trusted")]
    UntrustedCertificate,
}

impl KmsErrorKind {
    /// Returns whether such a failure may go away by itself after a short while.
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

    /// Returns whether the service gave no answer that says anything about the key: it was not
    /// reached, did not answer in time, or limits the rate of calls.
    #[must_use]
    pub const fn is_outage(self) -> bool {
        self.is_transient() || matches!(self, Self::UnknownHost)
    }

    /// Returns whether a call with the same client and key but a different input would fail in the
    /// same way, until somebody changes the settings, the credentials or the key.
    ///
    /// If you process many files, you can stop at the first such error. Transient kinds are not
    /// included: whether to continue after one depends on how often the client has already tried.
    #[must_use]
    pub const fn is_input_independent(self) -> bool {
        matches!(
            self,
            Self::CaCertificate
                | Self::CertificateName
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

    /// Returns whether a request that is not safe to repeat may have taken effect despite the
    /// failure.
    #[cfg_attr(not(feature = "scaleway"), allow(dead_code, reason = "no client asks"))]
    pub(crate) const fn may_be_done(self) -> bool {
        !matches!(
            self,
            Self::CaCertificate
                | Self::CertificateName
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
pub(crate) fn printable(text: &str) -> String {
    let harmless = |c: char| match c {
        // Characters that change the writing direction could make one text look like another.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    first_bytes(text, MAX_MESSAGE_SIZE)
        .chars()
        .map(harmless)
        .collect()
}

/// Returns the longest prefix of `text` that fits into `size` bytes.
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
            assert!(!KmsError::new(kind).may_have_taken_effect());
            let lost = KmsError::new(kind).not_repeatable();
            assert!(!lost.is_retryable() && lost.may_have_taken_effect());
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
