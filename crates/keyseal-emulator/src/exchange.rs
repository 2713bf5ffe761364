//! The log of requests, for tests that count them.

use super::{http::Request, routes::Operation};

/// Records one request and the status of its answer, without body, query and token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    method: String,
    path: String,
    operation: Option<Operation>,
    status: u16,
    request_id: String,
    user_agent: String,
}

impl Exchange {
    pub(super) fn new(
        request: &Request,
        operation: Option<Operation>,
        status: u16,
        request_id: String,
    ) -> Self {
        Self {
            method: request.method().to_owned(),
            path: request.path().to_owned(),
            operation,
            status,
            request_id,
            user_agent: request.header("User-Agent").unwrap_or_default().to_owned(),
        }
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Returns the path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the operation, or `None` for a path that does not exist.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        self.operation
    }

    /// Returns the status of the answer, delivered or not.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the `X-Request-Id` of the answer.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Returns the client's `User-Agent`.
    #[must_use]
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }
}
