//! [`HttpRequest`]: one call to a service.

use std::{fmt, time::Duration};

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::{secret::SecretAccess, wire};

/// One HTTP request to a service.
///
/// # Security
/// Holds credentials in its headers, and a body that may contain a plaintext. Neither is ever
/// printed, and both are wiped when their last user is dropped.
#[derive(Clone)]
pub struct HttpRequest {
    operation: &'static str,
    region: Option<String>,
    key_id: Option<String>,
    method: &'static str,
    target: String,
    headers: Vec<HttpHeader>,
    body: Option<Bytes>,
    is_repeatable: bool,
    deadline: Option<Duration>,
}

impl HttpRequest {
    /// Starts a request that is never repeated once any part of it has been sent.
    pub(crate) const fn new(operation: &'static str, method: &'static str, target: String) -> Self {
        Self {
            operation,
            region: None,
            key_id: None,
            method,
            target,
            headers: Vec::new(),
            body: None,
            is_repeatable: false,
            deadline: None,
        }
    }

    /// Sets whether repeating the request has the same effect as sending it once.
    pub(crate) fn repeatable(self, is_repeatable: bool) -> Self {
        Self {
            is_repeatable,
            ..self
        }
    }

    /// Names the region and the key for spans.
    pub(crate) fn about(self, region: &str, key_id: Option<String>) -> Self {
        Self {
            region: Some(region.to_owned()),
            key_id,
            ..self
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<Bytes>) -> Self {
        self.headers.push(HttpHeader {
            name,
            value: value.into(),
            is_secret: false,
        });
        self
    }

    /// Adds a header whose value is never printed. The caller's buffer is shared, not copied.
    pub(crate) fn secret_header(mut self, name: &'static str, value: Bytes) -> Self {
        self.headers.push(HttpHeader {
            name,
            value,
            is_secret: true,
        });
        self
    }

    /// Sets the body, and the header that labels it as JSON.
    pub(crate) fn json_body(mut self, json: Zeroizing<Vec<u8>>) -> Self {
        self.body = Some(wire::secret(json));
        self.header("Content-Type", "application/json")
    }

    /// Sets the time by which the request must be answered, by the clock of the client's timer.
    pub(crate) fn until(self, deadline: Option<Duration>) -> Self {
        Self { deadline, ..self }
    }

    pub(crate) const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Returns the operation in words, such as `generate data key`.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns the region, or `None` if the service has none.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns the id of the key, or `None` if the request names none.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Returns the HTTP method, such as `POST`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        self.method
    }

    /// Returns path and query, to append to the base URL.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns all headers to send, with the credentials and, for a body, its content type.
    #[must_use]
    pub fn headers(&self) -> &[HttpHeader] {
        &self.headers
    }

    /// Returns the body to send, or `None` for a request without one.
    ///
    /// # Security
    /// May contain a plaintext.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Returns whether repeating the request has the same effect as sending it once.
    ///
    /// If not, it is never repeated once any part of it has been sent.
    #[must_use]
    pub const fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    /// Shares the body without copying it.
    pub(crate) fn body_bytes(&self) -> Option<Bytes> {
        self.body.clone()
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("body_size", &self.body.as_ref().map(Bytes::len))
            .finish_non_exhaustive()
    }
}

/// One header of a request. `Debug` does not show its value.
#[derive(Clone)]
pub struct HttpHeader {
    name: &'static str,
    value: Bytes,
    is_secret: bool,
}

impl HttpHeader {
    /// Returns the name, such as `X-Auth-Token`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns whether the value is a credential. Mark it as such in your HTTP library, so that it
    /// is neither logged nor kept in a compression table.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        self.is_secret
    }

    /// Shows the value, which may be a credential.
    #[must_use]
    pub fn expose(&self, _access: SecretAccess) -> &[u8] {
        &self.value
    }

    /// Shares the value without copying it.
    pub(crate) fn value_bytes(&self) -> Bytes {
        self.value.clone()
    }
}

impl fmt::Debug for HttpHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpHeader").field(&self.name).finish()
    }
}
