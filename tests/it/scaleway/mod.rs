//! The client of Scaleway Key Manager, against bodies and servers that know nothing of it.

mod config;
mod errors;
mod http;
mod proxy;
mod retry;
mod scripted;
mod server;
mod tls;
#[cfg(feature = "tracing")]
mod trace;
mod uri;
mod wire;
