//! Spans and events of calls. Without the feature `tracing` they do nothing.
//!
//! A span has the operation, the region and the key id. Each of its events has the number of the
//! attempt, its latency, status and request id. We never record any part of a body or a header.

use std::time::Duration;

use super::transport::{Request, Response};
use crate::error::KmsError;

/// Runs `call` in its own span.
#[cfg(feature = "tracing")]
pub(crate) fn in_span<F: Future>(request: &Request, call: F) -> impl Future<Output = F::Output> {
    use tracing::Instrument as _;

    let span = tracing::info_span!(
        "kms",
        operation = request.operation().name(),
        region = request.region().as_str(),
        key_id = request.key_id().map(|id| id.to_string()),
    );
    call.instrument(span)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn in_span<F: Future>(_request: &Request, call: F) -> F {
    call
}

/// Records the outcome of one attempt.
#[cfg(feature = "tracing")]
pub(crate) fn attempted(attempt: u32, latency: Duration, outcome: &Result<Response, KmsError>) {
    let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Ok(answer) => tracing::debug!(
            attempt,
            latency_ms,
            status = answer.status(),
            request_id = answer.request_id(),
            "answered"
        ),
        Err(error) => tracing::debug!(attempt, latency_ms, kind = ?error.kind(), "not answered"),
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn attempted(_: u32, _: Duration, _: &Result<Response, KmsError>) {}

/// Records that a request will be sent again.
#[cfg(feature = "tracing")]
pub(crate) fn repeats(attempt: u32, wait: Duration) {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(attempt, wait_ms, "will be sent again");
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn repeats(_: u32, _: Duration) {}

/// Records a warning about the settings.
#[cfg(feature = "tracing")]
pub(crate) fn warning(text: &str) {
    tracing::warn!("{text}");
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn warning(_: &str) {}
