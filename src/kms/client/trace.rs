//! Spans and events of calls. Without the feature `tracing` they do nothing.
//!
//! A span has the operation, the region and the key id. Each of its events has the number of the
//! attempt, its latency, status and request id. We never record any part of a body or a header.

use std::time::Duration;

use super::{request::HttpRequest, response::HttpResponse};
use crate::error::KmsError;

/// Runs `call` in its own span.
#[cfg(feature = "tracing")]
pub(crate) fn in_span<F: Future>(
    request: &HttpRequest,
    call: F,
) -> impl Future<Output = F::Output> {
    use tracing::Instrument as _;

    let span = tracing::info_span!(
        "kms",
        operation = request.operation(),
        region = request.region(),
        key_id = request.key_id(),
    );
    call.instrument(span)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn in_span<F: Future>(_request: &HttpRequest, call: F) -> F {
    call
}

/// Records the outcome of one attempt.
#[cfg(feature = "tracing")]
pub(crate) fn attempted(attempt: u32, latency: Duration, outcome: &Result<HttpResponse, KmsError>) {
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
pub(crate) fn attempted(_: u32, _: Duration, _: &Result<HttpResponse, KmsError>) {}

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
