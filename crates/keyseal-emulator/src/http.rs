//! A request and its answer, as values, so that the emulator works without a socket.

use std::{fmt, time::Duration};

use zeroize::Zeroizing;

/// The longest request body, in bytes. The longest valid one is a ciphertext of 131,071 bytes
/// with associated data, both in base64.
pub(super) const MAX_BODY: usize = 1 << 20;

/// Holds one HTTP request.
///
/// The body and the header values are wiped when the request is dropped.
///
/// # Example
/// ```
/// use keyseal_emulator::{Emulator, Request};
///
/// let emulator = Emulator::new()?;
/// let response = emulator.handle(Request::new("GET", "/metadata"));
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.header("content-type"), Some("application/json"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, Zeroizing<String>)>,
    body: Zeroizing<Vec<u8>>,
}

impl Request {
    /// Makes a request without headers and body. `target` is the path, with the query if any.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Zeroizing::default(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_owned(), Zeroizing::new(value.to_owned())));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Zeroizing::new(body.into());
        self
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Returns the path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&*self.target, |(path, _)| path)
    }

    /// Returns the query, without the `?`, or an empty text.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Returns the first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Tells how much of a [`Response`] reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// All of it.
    Whole,
    /// The head and this many bytes of the body; then the connection closes.
    Cut {
        /// The number of body bytes that are sent.
        after: usize,
    },
    /// Nothing: the connection is reset.
    Reset,
}

/// Holds one HTTP answer, and how it is to be delivered.
///
/// The body is wiped when the response is dropped.
#[derive(Clone)]
pub struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Zeroizing<Vec<u8>>,
    pub(super) latency: Duration,
    pub(super) delivery: Delivery,
}

impl Response {
    pub(super) fn json(status: u16, body: Zeroizing<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    pub(super) fn new(status: u16, content_type: &str, body: Zeroizing<Vec<u8>>) -> Self {
        Self {
            headers: vec![("Content-Type", content_type.to_owned())],
            ..Self::bare(status, body)
        }
    }

    /// Makes an answer without any header.
    pub(super) fn bare(status: u16, body: Zeroizing<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            latency: Duration::ZERO,
            delivery: Delivery::Whole,
        }
    }

    /// Returns the status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Returns all headers but `Content-Length` and `Date`, which the server adds.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// Returns the whole body, even if [`delivery`](Self::delivery) cuts it.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns how long an injected fault delays the answer.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.latency
    }

    /// Returns how much of the answer reaches the client.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body_len", &self.body.len())
            .field("latency", &self.latency)
            .field("delivery", &self.delivery)
            .finish()
    }
}
