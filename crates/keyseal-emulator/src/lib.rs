//! Scaleway Key Manager for tests: on loopback for any client, or as a value without a socket.
//!
//! The emulator behaves like the service as far as we know it: keys and their life cycle, rotation
//! and re-wrapping, data keys, RSA and elliptic curves, IAM permissions, the service's own error
//! bodies. Scaleway's own clients work with it unchanged. `docs/emulator.md` lists every assumption
//! that we had to make.
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
mod call;
mod clock;
mod control;
mod cryptographic;
mod emulator;
mod errors;
mod exchange;
mod fault;
mod fault_script;
mod http;
mod keys;
mod listing;
mod lock;
mod log;
mod manage;
mod operations;
mod random;
mod reply;
mod routes;
mod server;
mod service;
mod settings;
mod state;
mod state_file;
mod state_file_secrets;
mod symmetric;
mod transport;

pub use self::{
    auth::{Identity, IdentityError, Permission},
    builder::EmulatorBuilder,
    clock::{Clock, ManualClock, SystemClock},
    emulator::{Emulator, EmulatorError, Lock},
    exchange::Exchange,
    fault::{ErrorBody, Fault, FaultRule},
    fault_script::FaultScriptError,
    http::{Delivery, Request, Response},
    random::RandomError,
    routes::Operation,
    server::{ServeError, Server},
    settings::Parsing,
    state_file::{StateError, StateKey},
};
