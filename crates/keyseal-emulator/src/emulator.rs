//! [`Emulator`]: the service as a value.

use std::{fmt, sync::Arc, time::Duration};

use keyseal::SecretAccess;
use zeroize::Zeroizing;

use super::{
    auth::Identity,
    control,
    errors::ApiError,
    exchange::Exchange,
    fault::FaultRule,
    http::{MAX_BODY, Request, Response},
    operations,
    random::{self, RandomError},
    reply::Reply,
    routes::{CONTROL, Route},
    service::Service,
    state_file::StateError,
};

/// Serves Key Manager's API to tests. Clones are the same emulator.
///
/// [`handle`](Self::handle) is a function of the request, the state and the clock. It waits only
/// for the state file, if there is one. You can call it from many threads.
#[derive(Clone)]
pub struct Emulator(pub(super) Arc<Service>);

impl Emulator {
    /// Answers one request.
    ///
    /// There is always an answer: an internal error gives a 500 with a JSON body. This call does
    /// not wait for an injected latency, which is a property of the answer.
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a request is used up, and wiped"
    )]
    pub fn handle(&self, request: Request) -> Response {
        let service = &*self.0;
        if request.path().starts_with(CONTROL) {
            let mut response = respond(control::serve(service, &request));
            response.headers.extend(common_headers(&new_request_id()));
            return response;
        }
        let route = Route::parse(request.method(), request.path());
        let mut response = match &route {
            Ok(route) => answer(service, &request, route),
            Err(error) => error.response(),
        };
        let request_id = new_request_id();
        response.headers.extend(common_headers(&request_id));
        let operation = route.ok().map(|route| route.operation);
        service.log(Exchange::new(
            &request,
            operation,
            response.status,
            request_id,
        ));
        response
    }

    /// Returns the first API key: the generated one if none was given.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.0.first_identity.clone()
    }

    /// Adds an API key.
    pub fn add_identity(&self, identity: Identity) {
        self.0.add_identity(identity.created_at(self.0.now()));
    }

    /// Creates an unprotected AES-256-GCM key in `fr-par`, in the default project of the first API
    /// key, and returns its id.
    ///
    /// # Errors
    /// [`EmulatorError::Seed`] when the emulator refuses, for example because of a quota.
    pub fn seed_key(&self, name: &str) -> Result<String, EmulatorError> {
        let identity = self.identity();
        let body = serde_json::json!({
            "project_id": identity.project_id(),
            "name": name,
            "usage": {"symmetric_encryption": "aes_256_gcm"},
            "unprotected": true,
        });
        let request = Request::new("POST", "/key-manager/v1alpha1/regions/fr-par/keys")
            .with_header(
                "X-Auth-Token",
                identity.secret_key(SecretAccess::insecure()),
            )
            .with_body(body.to_string());
        let route = Route::parse(request.method(), request.path());
        let created = route.and_then(|route| operations::serve(&self.0, &request, &route));
        let id = match &created {
            Ok(Reply::Json(body)) => serde_json::from_slice::<serde_json::Value>(body).ok(),
            Ok(Reply::NoContent) | Err(_) => None,
        };
        let id = id
            .as_ref()
            .and_then(|key| key.get("id"))
            .and_then(|id| id.as_str());
        id.map(str::to_owned).ok_or(EmulatorError::Seed)
    }

    /// Adds a fault rule after those in force.
    pub fn inject(&self, rule: FaultRule) {
        self.0.faults().add(rule);
    }

    /// Drops all fault rules.
    pub fn clear_faults(&self) {
        self.0.faults().clear();
    }

    /// Moves the emulator's time forward: it stays this much ahead of its clock. All calls together
    /// can move it by a century, 876,000 hours.
    ///
    /// # Errors
    /// [`EmulatorError::NotSaved`] when the state file could not be written; the time is then
    /// unchanged.
    pub fn advance_clock(&self, step: Duration) -> Result<(), EmulatorError> {
        self.0
            .advance_clock(step)
            .map_err(|_| EmulatorError::NotSaved)
    }

    /// Locks or unlocks a key, as only Scaleway itself can: a locked key can only be read.
    ///
    /// # Errors
    /// [`EmulatorError::UnknownKey`] when there is no such key; [`EmulatorError::NotSaved`].
    pub fn set_locked(&self, key_id: &str, lock: Lock) -> Result<(), EmulatorError> {
        match self.0.set_locked(key_id, lock == Lock::Locked) {
            Ok(_) => Ok(()),
            Err(ApiError::Internal(_)) => Err(EmulatorError::NotSaved),
            Err(_) => Err(EmulatorError::UnknownKey),
        }
    }

    /// Returns the last exchanges, oldest first, at most 10,000.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.0.exchanges().iter().cloned().collect()
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("file", &self.0.file)
            .finish_non_exhaustive()
    }
}

/// Names the effect of [`Emulator::set_locked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a key is locked or it is not")]
pub enum Lock {
    /// The key can only be read.
    Locked,
    /// The key can be used and changed.
    Unlocked,
}

/// An emulator could not be built or controlled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The state file cannot be used.
    #[error("the state of the emulator cannot be read")]
    State(#[source] StateError),
    /// The state file could not be written.
    #[error("the state of the emulator cannot be saved")]
    NotSaved,
    /// The operating system gave no randomness.
    #[error("no randomness for an API key")]
    Random(#[source] RandomError),
    /// The key could not be created.
    #[error("the emulator refused to create the key")]
    Seed,
    /// No key has this id.
    #[error("the emulator has no such key")]
    UnknownKey,
}

fn answer(service: &Service, request: &Request, route: &Route<'_>) -> Response {
    let strike = service.faults().strike(route.operation);
    if strike.clock_jump > Duration::ZERO
        && let Err(error) = service.advance_clock(strike.clock_jump)
    {
        return error.response();
    }
    let mut response = match strike.instead(route.id, service.now()) {
        Some(response) => response,
        None if request.body().len() > MAX_BODY => ApiError::BodyTooLarge.response(),
        None => respond(operations::serve(service, request, route)),
    };
    strike.spoil(&mut response);
    response
}

fn respond(outcome: Result<Reply, ApiError>) -> Response {
    match outcome {
        Ok(Reply::Json(body)) => Response::json(200, body),
        Ok(Reply::NoContent) => Response::json(204, Zeroizing::default()),
        Err(error) => error.response(),
    }
}

fn new_request_id() -> String {
    random::uuid().map(|id| id.to_string()).unwrap_or_default()
}

fn common_headers(request_id: &str) -> [(&'static str, String); 2] {
    [
        ("Server", "Scaleway API Gateway (emulator)".to_owned()),
        ("X-Request-Id", request_id.to_owned()),
    ]
}
