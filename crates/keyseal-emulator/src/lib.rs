//! Scaleway Key Manager for tests: on loopback for any client, or as a value without a socket.
//!
//! The emulator behaves like the service as far as we know it: keys and their life cycle, rotation
//! and re-wrapping, data keys, RSA and elliptic curves, IAM permissions, the service's own error
//! bodies. Scaleway's own clients work with it unchanged. `docs/emulator.md` lists every assumption
//! we had to make.
//!
//! It is for tests and development. It holds keys in the memory of an ordinary process, and it
//! speaks plain HTTP.
//!
//! # Example
//! ```
//! use keyseal::SecretAccess;
//! use keyseal_emulator::{Emulator, Request};
//!
//! let emulator = Emulator::new()?;
//! let key_id = emulator.seed_key("orders")?;
//! let token = emulator.identity().secret_key(SecretAccess::insecure()).to_owned();
//!
//! let path = format!("/key-manager/v1alpha1/regions/fr-par/keys/{key_id}/encrypt");
//! let request = Request::new("POST", &path)
//!     .with_header("X-Auth-Token", &token)
//!     .with_body(br#"{"plaintext":"aGVsbG8="}"#);
//! assert_eq!(emulator.handle(request).status(), 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod algorithm;
mod asymmetric;
mod auth;
mod body;
mod builder;
mod control;
mod crypto;
mod cryptographic;
mod errors;
mod exchange;
mod fault;
mod fault_script;
mod http;
mod id;
mod keys;
mod listing;
mod log;
mod manage;
mod operations;
mod random;
mod reply;
mod routes;
mod server;
mod state;
mod store;
mod time;
mod transport;

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use keyseal::SecretAccess;
use zeroize::Zeroizing;

pub use self::{
    auth::{Identity, IdentityError, Permission},
    builder::{EmulatorBuilder, EmulatorError, Parsing},
    exchange::Exchange,
    fault::{ErrorBody, Fault, FaultRule},
    fault_script::FaultScriptError,
    http::{Delivery, Request, Response},
    random::RandomError,
    routes::Operation,
    server::{ServeError, Server},
    store::{StateError, StateKey},
    time::{Clock, ManualClock, SystemClock},
};
use self::{
    errors::ApiError,
    fault::Faults,
    keys::Key,
    reply::Reply,
    routes::{CONTROL, Route},
    state::State,
    store::{AddError, StateFile},
    time::{Seconds, Timestamp},
};

/// The longest request body, in bytes. The longest valid one is a ciphertext of 131,071 bytes
/// with associated data, both in base64.
const MAX_BODY: usize = 1 << 20;
/// How many exchanges are remembered.
const MAX_EXCHANGES: usize = 10_000;

/// Serves Key Manager's API to tests. Clones are the same emulator.
///
/// [`handle`](Self::handle) is a function of the request, the state and the clock. It waits only
/// for the state file, if there is one. You can call it from many threads.
#[derive(Clone)]
pub struct Emulator(Arc<Shared>);

impl Emulator {
    /// Makes an emulator without keys, with the system's clock and one API key of full access.
    ///
    /// # Errors
    /// [`EmulatorError::Random`] when the operating system gives no randomness.
    pub fn new() -> Result<Self, EmulatorError> {
        Self::builder().build()
    }

    /// Starts to describe an emulator.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

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
        let shared = &*self.0;
        if request.path().starts_with(CONTROL) {
            let mut response = respond(control::serve(shared, &request));
            response.headers.extend(common_headers(&new_request_id()));
            return response;
        }
        let route = Route::parse(request.method(), request.path());
        let mut response = match &route {
            Ok(route) => shared.answer(&request, route),
            Err(error) => error.response(),
        };
        let request_id = new_request_id();
        response.headers.extend(common_headers(&request_id));
        let operation = route.ok().map(|route| route.operation);
        shared.log(Exchange::new(
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

/// The part that all clones of an emulator share.
struct Shared {
    clock: Box<dyn Clock>,
    settings: builder::Settings,
    first_identity: Identity,
    identities: Mutex<Vec<Arc<Identity>>>,
    state: Mutex<State>,
    file: Option<StateFile>,
    faults: Mutex<Faults>,
    exchanges: Mutex<VecDeque<Exchange>>,
}

impl Shared {
    fn answer(&self, request: &Request, route: &Route<'_>) -> Response {
        let strike = self.faults().strike(route.operation);
        if strike.clock_jump > Duration::ZERO
            && let Err(error) = self.advance_clock(strike.clock_jump)
        {
            return error.response();
        }
        let mut response = match strike.instead(route.id, self.now()) {
            Some(response) => response,
            None if request.body().len() > MAX_BODY => ApiError::BodyTooLarge.response(),
            None => respond(operations::serve(self, request, route)),
        };
        strike.spoil(&mut response);
        response
    }

    fn now(&self) -> Timestamp {
        let offset = self.state().clock_offset;
        Timestamp::from(self.clock.now()).plus(offset.0)
    }

    /// Reads the current state.
    fn read<T>(
        &self,
        look: impl FnOnce(&State, Timestamp) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut state = self.state();
        let now = Timestamp::from(self.clock.now()).plus(state.clock_offset.0);
        if state.is_behind(now) {
            let mut next = state.clone();
            next.catch_up(now)?;
            self.save(&state, &next)?;
            *state = next;
        }
        look(&state, now)
    }

    /// Changes the state completely, on disk too, or not at all.
    fn transact<T>(
        &self,
        change: impl FnOnce(&mut State, Timestamp) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut state = self.state();
        let now = Timestamp::from(self.clock.now()).plus(state.clock_offset.0);
        let mut next = state.clone();
        if next.is_behind(now) {
            next.catch_up(now)?;
        }
        let value = change(&mut next, now)?;
        self.save(&state, &next)?;
        *state = next;
        Ok(value)
    }

    fn save(&self, before: &State, after: &State) -> Result<(), ApiError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let change = after.changes_since(before)?;
        file.add(&change, || after.to_bytes())
            .map_err(|error| match error {
                AddError::State(error) => error,
                AddError::NotSaved => ApiError::Internal("the state file cannot be written"),
            })
    }

    fn advance_clock(&self, step: Duration) -> Result<(), ApiError> {
        self.transact(|state, _| {
            state.clock_offset = Seconds(state.clock_offset.0.saturating_add(step).min(MAX_OFFSET));
            Ok(())
        })
    }

    fn set_locked(&self, key_id: &str, locked: bool) -> Result<Arc<Key>, ApiError> {
        let id = key_id
            .parse()
            .map_err(|_| ApiError::key_not_found(key_id))?;
        self.transact(|state, now| {
            state.change(id, |key| {
                key.locked = locked;
                key.updated_at = now.in_micros();
                Ok(())
            })
        })
    }

    fn add_identity(&self, identity: Identity) {
        lock(&self.identities).push(Arc::new(identity));
    }

    fn identities(&self) -> Vec<Arc<Identity>> {
        lock(&self.identities).clone()
    }

    fn log(&self, exchange: Exchange) {
        let mut exchanges = self.exchanges();
        if exchanges.len() == MAX_EXCHANGES {
            exchanges.pop_front();
        }
        exchanges.push_back(exchange);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    fn exchanges(&self) -> MutexGuard<'_, VecDeque<Exchange>> {
        lock(&self.exchanges)
    }
}

/// How far the clock can be moved forward: a century. A key that rotates daily then has 36,500
/// rotations, which is enough for any test.
const MAX_OFFSET: Duration = Duration::from_secs(876_000 * 3_600);

/// Every change under a lock is complete before it ends, so that a panic leaves nothing half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn respond(outcome: Result<Reply, ApiError>) -> Response {
    match outcome {
        Ok(Reply::Json(body)) => Response::json(200, body),
        Ok(Reply::NoContent) => Response::json(204, Zeroizing::default()),
        Err(error) => error.response(),
    }
}

fn new_request_id() -> String {
    id::Uuid::unique()
        .map(|id| id.to_string())
        .unwrap_or_default()
}

fn common_headers(request_id: &str) -> [(&'static str, String); 2] {
    [
        ("Server", "Scaleway API Gateway (emulator)".to_owned()),
        ("X-Request-Id", request_id.to_owned()),
    ]
}
