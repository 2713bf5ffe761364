//! The service's own errors: status and body, the recorded ones byte for byte.

use std::borrow::Cow;

use keyseal::kms::scaleway::Uuid;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::http::Response;
use crate::random::RandomError;

/// Why the service refuses a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ApiError {
    InvalidArgument {
        name: &'static str,
        reason: Reason,
        help: Cow<'static, str>,
    },
    DeniedAuthentication {
        method: &'static str,
        reason: &'static str,
    },
    PermissionsDenied {
        action: &'static str,
        resource: &'static str,
    },
    QuotaExceeded {
        resource: &'static str,
        quota: usize,
        current: usize,
    },
    NotFound {
        resource: &'static str,
        id: String,
    },
    PreconditionFailed {
        precondition: &'static str,
        help: &'static str,
    },
    Locked {
        resource: &'static str,
        id: Uuid,
    },
    TooManyRequests {
        quota: u64,
        reset_seconds: u64,
        reset_at: String,
    },
    UnknownRoute,
    BodyTooLarge,
    /// An injected failure of the service.
    Injected {
        status: u16,
    },
    /// The emulator itself failed: it had no randomness, or could not write the state file.
    Internal(&'static str),
}

/// The fault of an argument, in the service's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Constraint,
    Format,
    Required,
}

impl ApiError {
    pub(super) const fn constraint(name: &'static str, help: &'static str) -> Self {
        let help = Cow::Borrowed(help);
        Self::InvalidArgument {
            name,
            reason: Reason::Constraint,
            help,
        }
    }

    pub(super) const fn format(name: &'static str, help: &'static str) -> Self {
        Self::InvalidArgument {
            name,
            reason: Reason::Format,
            help: Cow::Borrowed(help),
        }
    }

    pub(super) const fn required(name: &'static str) -> Self {
        Self::InvalidArgument {
            name,
            reason: Reason::Required,
            help: Cow::Borrowed(""),
        }
    }

    /// The recorded answer to a ciphertext that does not decrypt, for whatever reason.
    pub(super) const fn does_not_open() -> Self {
        Self::constraint("ciphertext", "cipher: message authentication failed")
    }

    pub(super) fn key_not_found(id: impl ToString) -> Self {
        Self::NotFound {
            resource: "key",
            id: id.to_string(),
        }
    }

    pub(super) const fn state(help: &'static str) -> Self {
        Self::PreconditionFailed {
            precondition: "unknown_precondition",
            help,
        }
    }

    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::InvalidArgument { .. } => 400,
            Self::DeniedAuthentication { .. } => 401,
            Self::PermissionsDenied { .. } | Self::QuotaExceeded { .. } => 403,
            Self::NotFound { .. } | Self::UnknownRoute => 404,
            Self::PreconditionFailed { .. } => 412,
            Self::BodyTooLarge => 413,
            Self::Locked { .. } => 423,
            Self::TooManyRequests { .. } => 429,
            Self::Injected { status } => *status,
            Self::Internal(_) => 500,
        }
    }

    pub(super) fn response(&self) -> Response {
        Response::json(
            self.status(),
            Zeroizing::new(self.body().to_string().into_bytes()),
        )
    }

    /// The members are written in alphabetical order, as the service does.
    fn body(&self) -> Value {
        match self {
            Self::InvalidArgument { name, reason, help } => json!({
                "details": [
                    {"argument_name": name, "help_message": help, "reason": reason.name()},
                ],
                "message": "invalid argument(s)",
                "type": "invalid_arguments",
            }),
            Self::DeniedAuthentication { method, reason } => json!({
                "message": "authentication is denied",
                "method": method,
                "reason": reason,
                "type": "denied_authentication",
            }),
            Self::PermissionsDenied { action, resource } => json!({
                "details": [{"action": action, "resource": resource}],
                "message": "insufficient permissions",
                "type": "permissions_denied",
            }),
            Self::QuotaExceeded {
                resource,
                quota,
                current,
            } => json!({
                "details": [{"current": current, "quota": quota, "resource": resource}],
                "message": "quota(s) exceeded for this resource",
                "type": "quotas_exceeded",
            }),
            Self::NotFound { resource, id } => {
                of_resource("resource is not found", resource, id, "not_found")
            }
            Self::PreconditionFailed { precondition, help } => json!({
                "help_message": help,
                "message": "precondition is not respected",
                "precondition": precondition,
                "type": "precondition_failed",
            }),
            Self::Locked { resource, id } => {
                of_resource("resource is locked", resource, &id.to_string(), "locked")
            }
            Self::TooManyRequests {
                quota,
                reset_seconds,
                reset_at,
            } => json!({
                "help_message": "retry later",
                "limit": {"quota": quota, "window_seconds": reset_seconds},
                "message": "too many requests",
                "reset_at": reset_at,
                "reset_seconds": reset_seconds,
                "type": "too_many_requests",
            }),
            Self::UnknownRoute => simple("route is not found", "unknown_route"),
            Self::BodyTooLarge => simple("request body is too large", "request_too_large"),
            Self::Injected { .. } => simple("injected failure", "internal_error"),
            Self::Internal(message) => simple(message, "internal_error"),
        }
    }
}

impl From<RandomError> for ApiError {
    fn from(_: RandomError) -> Self {
        Self::Internal("no randomness")
    }
}

impl Reason {
    const fn name(self) -> &'static str {
        match self {
            Self::Constraint => "constraint",
            Self::Format => "format",
            Self::Required => "required",
        }
    }
}

fn of_resource(message: &str, resource: &str, id: &str, kind: &str) -> Value {
    json!({"message": message, "resource": resource, "resource_id": id, "type": kind})
}

fn simple(message: &str, kind: &str) -> Value {
    json!({"message": message, "type": kind})
}
