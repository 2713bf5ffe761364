//! Injected faults, as they happen between a client and the service.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use keyseal::kms::scaleway::{Seconds, Timestamp};
use zeroize::Zeroizing;

use super::{
    errors::ApiError,
    http::{Delivery, Response},
    routes::Operation,
};

/// Names one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The answer comes late. Combines with other faults.
    Latency(Duration),
    /// The clock jumps forward before the request is handled. Combines with other faults.
    ClockJump(Duration),
    /// The connection is reset; the request was not handled.
    ResetBefore,
    /// The request is handled, then the connection is reset.
    ResetAfter,
    /// 429 as recorded: no body, no content type, `X-Envoy-Ratelimited: true`.
    RateLimited,
    /// 429 with a JSON body and `Retry-After`.
    RateLimitedJson {
        /// The delay before a retry. Fractions of a second are dropped.
        retry_after: Duration,
    },
    /// A status from the gateway; the request was not handled.
    ServerError {
        /// The status, such as 500, 502, 503 or 504.
        status: u16,
        /// The body.
        body: ErrorBody,
    },
    /// The request is handled, and half of the JSON is sent, with a matching length.
    TruncatedJson,
    /// The request is handled, and the connection closes in the middle of the body.
    CutBody,
    /// The request is handled, and the answer has this content type.
    WrongContentType(String),
    /// 401, as for an API key that does not exist; the request was not handled.
    DeniedAuthentication,
    /// 403, as while IAM has not yet heard of a permission; the request was not handled.
    PermissionsDenied,
    /// 404, as while a region has not yet heard of a key; the request was not handled.
    NotFound,
    /// The request is handled, and one bit of every ciphertext in the answer is wrong.
    CorruptedCiphertext,
    /// The request is handled, and the answer names another key.
    WrongKeyId,
}

/// Names the body of an injected [`Fault::ServerError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorBody {
    /// A page of the gateway, `text/html`.
    Html,
    /// `{"message":…,"type":"internal_error"}`.
    Json,
    /// Nothing, without a content type.
    Empty,
}

/// Says when a [`Fault`] happens: on which operation, after how many requests, how often.
///
/// # Example
/// ```
/// use keyseal_emulator::{Emulator, Fault, FaultRule, Operation, Request};
///
/// let emulator = Emulator::new()?;
/// emulator.inject(FaultRule::new(Fault::RateLimited).on(Operation::GetMetadata).times(1));
/// assert_eq!(emulator.handle(Request::new("GET", "/metadata")).status(), 429);
/// assert_eq!(emulator.handle(Request::new("GET", "/metadata")).status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    fault: Fault,
    operation: Option<Operation>,
    after: u64,
    times: Option<u64>,
}

impl FaultRule {
    /// Makes a rule that affects every request.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            after: 0,
            times: None,
        }
    }

    /// Restricts the rule to one operation.
    #[must_use]
    pub const fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Lets this many requests of the operation pass first.
    #[must_use]
    pub const fn after(mut self, requests: u64) -> Self {
        self.after = requests;
        self
    }

    /// Ends the rule after it has affected this many requests.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Returns the fault.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Returns the operation that it affects, or `None` if it affects all.
    #[must_use]
    pub const fn operation(&self) -> Option<Operation> {
        self.operation
    }

    /// Returns how many more requests it affects, or `None` if there is no limit.
    #[must_use]
    pub const fn remaining(&self) -> Option<u64> {
        self.times
    }

    /// Counts one request, and returns whether the fault affects it.
    fn strikes(&mut self, operation: Operation) -> bool {
        if self.operation.is_some_and(|wanted| wanted != operation) || self.times == Some(0) {
            return false;
        }
        if let Some(left) = self.after.checked_sub(1) {
            self.after = left;
            return false;
        }
        self.times = self.times.map(|times| times.saturating_sub(1));
        true
    }
}

/// The rules in force, in the order in which they were added.
#[derive(Default)]
pub(super) struct Faults(Vec<FaultRule>);

impl Faults {
    pub(super) fn add(&mut self, rule: FaultRule) {
        self.0.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn rules(&self) -> &[FaultRule] {
        &self.0
    }

    /// Decides the faults of one request. Latencies and clock jumps add up; of the other faults,
    /// the first that matches applies, and later ones wait.
    pub(super) fn strike(&mut self, operation: Operation) -> Strike {
        let mut strike = Strike::default();
        for rule in &mut self.0 {
            let is_additive = matches!(rule.fault, Fault::Latency(_) | Fault::ClockJump(_));
            if (strike.fault.is_some() && !is_additive) || !rule.strikes(operation) {
                continue;
            }
            match &rule.fault {
                Fault::Latency(latency) => strike.latency = strike.latency.saturating_add(*latency),
                Fault::ClockJump(step) => {
                    strike.clock_jump = strike.clock_jump.saturating_add(*step)
                }
                fault => strike.fault = Some(fault.clone()),
            }
        }
        self.0.retain(|rule| rule.times != Some(0));
        strike
    }
}

/// The faults of one request.
#[derive(Default)]
pub(super) struct Strike {
    pub(super) latency: Duration,
    pub(super) clock_jump: Duration,
    fault: Option<Fault>,
}

impl Strike {
    /// Returns the answer that replaces handling the request, if there is one.
    pub(super) fn instead(&self, id: &str, now: Timestamp) -> Option<Response> {
        let error = match self.fault.as_ref()? {
            Fault::ResetBefore => {
                let mut response = Response::bare(503, Zeroizing::default());
                response.delivery = Delivery::Reset;
                return Some(response);
            }
            Fault::RateLimited => {
                let mut response = Response::bare(429, Zeroizing::default());
                response
                    .headers
                    .push(("X-Envoy-Ratelimited", "true".to_owned()));
                return Some(response);
            }
            Fault::RateLimitedJson { retry_after } => {
                let seconds = retry_after.as_secs();
                let reset_at = now.saturating_add(Duration::from_secs(seconds)).to_string();
                let mut response = ApiError::TooManyRequests {
                    quota: 100,
                    reset_seconds: seconds,
                    reset_at,
                }
                .response();
                response.headers.push(("Retry-After", seconds.to_string()));
                return Some(response);
            }
            Fault::ServerError { status, body } => match body {
                ErrorBody::Json => ApiError::Injected { status: *status },
                ErrorBody::Empty => return Some(Response::bare(*status, Zeroizing::default())),
                ErrorBody::Html => {
                    let page = format!("<html><body><h1>{status}</h1></body></html>\n");
                    let body = Zeroizing::new(page.into_bytes());
                    return Some(Response::new(*status, "text/html", body));
                }
            },
            Fault::DeniedAuthentication => ApiError::DeniedAuthentication {
                method: "api_key",
                reason: "not_found",
            },
            Fault::PermissionsDenied => ApiError::PermissionsDenied {
                action: "write",
                resource: "key",
            },
            Fault::NotFound => ApiError::key_not_found(id),
            _ => return None,
        };
        Some(error.response())
    }

    /// Corrupts the answer to a request that was handled.
    pub(super) fn spoil(&self, response: &mut Response) {
        match &self.fault {
            Some(Fault::ResetAfter) => response.delivery = Delivery::Reset,
            Some(Fault::TruncatedJson) => {
                let half = response.body.len() / 2;
                response.body.truncate(half);
            }
            Some(Fault::CutBody) => {
                response.delivery = Delivery::Cut {
                    after: response.body.len() / 2,
                };
            }
            Some(Fault::WrongContentType(content_type)) => {
                response.headers.retain(|(name, _)| *name != "Content-Type");
                response
                    .headers
                    .push(("Content-Type", content_type.clone()));
            }
            Some(Fault::CorruptedCiphertext) => {
                replace_text(&mut response.body, "ciphertext", |text| {
                    let mut bytes = BASE64_STANDARD.decode(text).ok()?;
                    *bytes.last_mut()? ^= 1;
                    Some(BASE64_STANDARD.encode(bytes))
                });
            }
            Some(Fault::WrongKeyId) => {
                let other = crate::random::uuid().map(|id| id.to_string()).ok();
                for member in ["key_id", "id"] {
                    replace_text(&mut response.body, member, |_| other.clone());
                }
            }
            _ => {}
        }
        response.latency = self.latency;
    }
}

/// Replaces the text value of a member wherever it occurs, by one of the same length.
fn replace_text(
    body: &mut Zeroizing<Vec<u8>>,
    member: &str,
    replace: impl Fn(&[u8]) -> Option<String>,
) {
    let opening = format!("\"{member}\":\"");
    let mut place = 0;
    while let Some(found) = body
        .get(place..)
        .and_then(|rest| find(rest, opening.as_bytes()))
    {
        let start = place + found + opening.len();
        let Some(length) = body.get(start..).and_then(|rest| find(rest, b"\"")) else {
            return;
        };
        let Some(value) = body.get_mut(start..start + length) else {
            return;
        };
        if let Some(other) = replace(value).filter(|other| other.len() == length) {
            value.copy_from_slice(other.as_bytes());
        }
        place = start + length;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

impl Fault {
    /// Returns the name that scripts use.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::ClockJump(_) => "clock-jump",
            Self::ResetBefore => "reset-before",
            Self::ResetAfter => "reset-after",
            Self::RateLimited => "rate-limited",
            Self::RateLimitedJson { .. } => "rate-limited-json",
            Self::ServerError { .. } => "server-error",
            Self::TruncatedJson => "truncated-json",
            Self::CutBody => "cut-body",
            Self::WrongContentType(_) => "wrong-content-type",
            Self::DeniedAuthentication => "denied-authentication",
            Self::PermissionsDenied => "permissions-denied",
            Self::NotFound => "not-found",
            Self::CorruptedCiphertext => "corrupted-ciphertext",
            Self::WrongKeyId => "wrong-key-id",
        }
    }

    /// Returns the duration of a fault that has one, as scripts write it.
    pub(super) fn duration(&self) -> Option<Seconds> {
        match self {
            Self::Latency(duration) | Self::ClockJump(duration) => Some((*duration).into()),
            Self::RateLimitedJson { retry_after } => Some((*retry_after).into()),
            _ => None,
        }
    }
}
