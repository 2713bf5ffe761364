//! Turns unsuccessful answers into errors.

use std::collections::{BTreeMap, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    error::{
        KmsError, KmsErrorKind,
        kms::{MAX_MESSAGE_SIZE, first_bytes, printable},
    },
    kms::{
        client::{HttpResponse, retry::is_transient},
        scaleway::{call::Call, operation::Operation},
    },
    secret::SecretAccess,
};

/// The shortest input whose repetition in an answer we look for: shorter ones occur by chance.
const SHORTEST_SECRET: usize = 4;
/// This many equal bytes in a row do not occur by chance.
const TELLING_SIZE: usize = 16;

/// The body of an unsuccessful answer. Its type decides which members are present.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    r#type: Option<String>,
    message: Option<String>,
    help_message: Option<String>,
    details: Option<Vec<Detail>>,
    resource: Option<String>,
    resource_id: Option<String>,
    current_state: Option<String>,
    precondition: Option<String>,
    method: Option<String>,
    reason: Option<String>,
}

/// One entry of `details`: about an argument, a permission or a quota.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    argument_name: Option<String>,
    reason: Option<String>,
    help_message: Option<String>,
    action: Option<String>,
    resource: Option<String>,
    quota: Option<u64>,
    current: Option<u64>,
}

/// Turns an answer whose status is not 2xx into an error.
pub(crate) fn of_response(call: &Call, response: &HttpResponse) -> KmsError {
    let body = response
        .is_json()
        .then(|| serde_json::from_slice::<Body>(response.body()).ok())
        .flatten()
        .unwrap_or_default();
    let status = response.status();
    let kind = kind(call.operation(), status, &body);
    let mut error = KmsError::new(kind).with_status(status);
    if !call.request().is_repeatable() && kind.is_transient() {
        error = error.not_repeatable();
    } else if !is_transient(status) {
        error = error.refused();
    }
    if let Some(name) = body
        .r#type
        .as_ref()
        .filter(|name| !echoes_a_secret(call, name))
    {
        error = error.with_service_type(name);
    }
    // Cut it as the error will, so that we check the same text that will be shown.
    let message =
        message(status, kind, &body).map(|text| first_bytes(&text, MAX_MESSAGE_SIZE).to_owned());
    match message {
        Some(text) if echoes_a_secret(call, &text) => {
            error.with_message("the service's message repeats an input and is withheld")
        }
        Some(text) => error.with_message(text),
        None => error,
    }
}

/// Returns whether `text` repeats any part of the secret key or of the encoded inputs in the
/// request's body.
pub(crate) fn echoes_a_secret(call: &Call, text: &str) -> bool {
    // As the error shows it: a space there may stand for a control character, in both.
    let text = alike(printable(text).as_bytes());
    let parts: HashSet<&[u8]> = text.windows(TELLING_SIZE).collect();
    let repeats = |secret: &[u8]| {
        let secret = alike(secret);
        match secret.len() {
            ..SHORTEST_SECRET => false,
            SHORTEST_SECRET..TELLING_SIZE => {
                text.windows(secret.len()).any(|part| *part == **secret)
            }
            _ => secret
                .windows(TELLING_SIZE)
                .any(|part| parts.contains(part)),
        }
    };
    let mut credentials = call
        .request()
        .headers()
        .iter()
        .filter(|one| one.is_secret());
    credentials.any(|one| repeats(one.expose(SecretAccess::insecure())))
        || inputs(call)
            .iter()
            .any(|(base64, plain)| repeats(base64.as_bytes()) || repeats(plain))
}

/// Returns a copy in which what looks alike is alike.
fn alike(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let alike = |byte: &u8| match byte.is_ascii_control() {
        true => b' ',
        false => byte.to_ascii_lowercase(),
    };
    Zeroizing::new(text.iter().map(alike).collect())
}

/// Returns the byte strings of the request, encoded and plain. All copies are wiped.
fn inputs(call: &Call) -> Vec<(&str, Zeroizing<Vec<u8>>)> {
    let has_inputs = matches!(
        call.operation(),
        Operation::Decrypt
            | Operation::Encrypt
            | Operation::ImportKeyMaterial
            | Operation::Sign
            | Operation::UnwrapKey
            | Operation::Verify
            | Operation::WrapKey
    );
    let body = call
        .request()
        .body()
        .filter(|_| has_inputs)
        .unwrap_or(b"{}");
    let fields: BTreeMap<&str, &str> = serde_json::from_slice(body).unwrap_or_default();
    let plain = |base64: &str| {
        let mut bytes = Zeroizing::new(vec![0; base64.len() / 4 * 3]);
        let size = STANDARD
            .decode_slice(base64, &mut bytes)
            .unwrap_or_default();
        bytes.truncate(size);
        bytes
    };
    fields
        .values()
        .map(|base64| (*base64, plain(base64)))
        .collect()
}

fn kind(operation: Operation, status: u16, body: &Body) -> KmsErrorKind {
    let decrypts = matches!(operation, Operation::Decrypt | Operation::UnwrapKey);
    match (body.r#type.as_deref(), status) {
        // For statuses that gateways return, the status takes precedence over the body.
        (_, 300..=399) => KmsErrorKind::InvalidReply,
        (_, 429) => KmsErrorKind::RateLimited,
        (Some("invalid_arguments"), 400..=499) if decrypts && names_the_ciphertext(body) => {
            KmsErrorKind::DecryptionFailed
        }
        // Callers take it for a refusal, which the service's own failures are not.
        (Some("invalid_arguments" | "invalid_request_error"), ..=499) => KmsErrorKind::InvalidInput,
        (Some("denied_authentication"), _) => KmsErrorKind::Unauthenticated,
        (Some("permissions_denied"), _) => KmsErrorKind::PermissionDenied,
        (Some("quotas_exceeded"), _) => KmsErrorKind::QuotaExceeded,
        (Some("not_found" | "unknown_resource" | "resource_expired" | "expired"), _) => {
            KmsErrorKind::NotFound
        }
        (Some("transient_state" | "already_exists"), _) => KmsErrorKind::Conflict,
        (Some("precondition_failed"), _) => KmsErrorKind::PreconditionFailed,
        (Some("locked"), _) => KmsErrorKind::Locked,
        (Some("out_of_stock"), _) => KmsErrorKind::Unavailable,
        (Some("too_many_requests"), _) => KmsErrorKind::RateLimited,
        (_, 400 | 413 | 422) => KmsErrorKind::InvalidInput,
        (_, 401) => KmsErrorKind::Unauthenticated,
        (_, 403) => KmsErrorKind::PermissionDenied,
        (_, 404 | 410) => KmsErrorKind::NotFound,
        (_, 409) => KmsErrorKind::Conflict,
        (_, 412) => KmsErrorKind::PreconditionFailed,
        (_, 423) => KmsErrorKind::Locked,
        (_, 501) => KmsErrorKind::Refused,
        (_, 500..=599) => KmsErrorKind::Unavailable,
        (_, 400..=499) => KmsErrorKind::Refused,
        _ => KmsErrorKind::InvalidReply,
    }
}

/// Returns whether the service rejected the ciphertext. Its size has already been checked.
fn names_the_ciphertext(body: &Body) -> bool {
    let details = body.details.as_deref().unwrap_or_default();
    details
        .iter()
        .any(|detail| detail.argument_name.as_deref() == Some("ciphertext"))
}

/// Combines the service's messages into one clause.
fn message(status: u16, kind: KmsErrorKind, body: &Body) -> Option<String> {
    match (kind, status) {
        // An attacker who can submit ciphertexts would learn from knowing which check failed.
        (KmsErrorKind::DecryptionFailed, _) => return None,
        (_, 300..=399) => return Some("it is a redirect, which is never followed".to_owned()),
        _ => {}
    }
    let mut parts = Vec::new();
    parts.extend(body.message.clone());
    match (&body.resource, &body.resource_id) {
        (Some(resource), Some(id)) => parts.push(format!("{resource} {id}")),
        (Some(resource), None) => parts.push(resource.clone()),
        (None, _) => {}
    }
    parts.extend(
        body.current_state
            .as_ref()
            .map(|state| format!("its state is {state}")),
    );
    parts.extend(body.precondition.clone());
    if let (Some(method), Some(reason)) = (&body.method, &body.reason) {
        parts.push(format!("{method} {reason}"));
    }
    parts.extend(body.help_message.clone());
    parts.extend(body.details.iter().flatten().filter_map(Detail::text));
    (!parts.is_empty()).then(|| parts.join(", "))
}

impl Detail {
    fn text(&self) -> Option<String> {
        let resource = self.resource.as_deref().unwrap_or("resource");
        if let Some(argument) = &self.argument_name {
            let fault = match self.reason.as_deref() {
                Some("required") => "is missing",
                Some("format") => "is malformed",
                Some("constraint") => "is outside its limits",
                _ => "is not acceptable",
            };
            let help = self.help_message.as_deref().filter(|help| !help.is_empty());
            let help = help.map_or(String::new(), |help| format!(" ({help})"));
            return Some(format!("{argument} {fault}{help}"));
        }
        if let Some(action) = &self.action {
            return Some(format!("missing the permission to {action} a {resource}"));
        }
        let quota = self.quota?;
        Some(format!(
            "{resource}: {} of {quota} used",
            self.current.unwrap_or(quota)
        ))
    }
}
