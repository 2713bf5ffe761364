//! [`HttpResponse`]: the answer to a request.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use zeroize::Zeroizing;

use crate::error::{KmsError, KmsErrorKind};

/// The longest answer in bytes that a [`Transport`](super::Transport) should read.
///
/// The largest regular one, a page of 100 keys with long descriptions, is well below this limit.
pub const MAX_REPLY_SIZE: usize = 2 << 20;

/// One HTTP answer.
///
/// # Security
/// The body may contain a plaintext: it is wiped on drop and never printed.
pub struct HttpResponse {
    status: u16,
    content_type: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    attempts: u32,
    body: Zeroizing<Vec<u8>>,
}

impl HttpResponse {
    /// Makes an answer with this status and body.
    #[must_use]
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: None,
            request_id: None,
            retry_after: None,
            attempts: 1,
            body: Zeroizing::new(body),
        }
    }

    /// Makes an answer like those of the service, with the content type of JSON.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, body.into()).header("Content-Type", "application/json")
    }

    pub(crate) fn with_body(self, body: Zeroizing<Vec<u8>>) -> Self {
        Self { body, ..self }
    }

    /// Adds a header. Only `Content-Type`, `X-Request-Id` and `Retry-After` (in
    /// seconds, or as a date) matter.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if name.eq_ignore_ascii_case("content-type") {
            self.content_type = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("x-request-id") {
            self.request_id = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("retry-after") {
            self.retry_after = retry_after(value.trim());
        }
        self
    }

    /// Returns the HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header `X-Request-Id`.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns whether the body is labelled as JSON, with or without parameters.
    pub(crate) fn is_json(&self) -> bool {
        let label = self.content_type.as_deref().unwrap_or_default();
        let essence = label.split_once(';').map_or(label, |(essence, _)| essence);
        essence.trim().eq_ignore_ascii_case("application/json")
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("request_id", &self.request_id)
            .field("body_size", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Refuses an answer that is too long.
pub(crate) fn reply_too_long() -> KmsError {
    KmsError::new(KmsErrorKind::InvalidReply)
        .with_message(format!("it is longer than {MAX_REPLY_SIZE} bytes"))
}

/// Reads a number of seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A date in the past asks for no wait.
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}
