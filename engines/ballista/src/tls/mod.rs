//! TLS between the processes of a cluster.
//!
//! Ballista has no switch for it, but lets us replace its servers and change its clients. There is one
//! server that it does not let us replace: that of executors for tasks. With TLS, executors ask the
//! scheduler for tasks, and do not start that server.

// A module uses only those above it.
mod error;

mod files;

mod server;

mod client;

mod handshake;

mod args;

pub use args::{ClientTlsArgs, IdentityArgs, NodeTlsArgs, ServerTlsArgs};
pub use client::ClientTls;
pub use error::TlsError;
pub(crate) use handshake::meet;
pub use server::ServerTls;
