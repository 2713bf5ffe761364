//! [Ballista](ballista)'s scheduler, executors and client, with encrypted tables and BigQuery's AEAD
//! functions.
//!
//! Each process has the same stores and functions, from a file without secrets, `keyseal-engine.toml`,
//! and its own credentials, from its environment. A plan that travels holds URLs, names of keysets,
//! key URIs and wrapped keysets: nothing that decrypts.
//!
//! # Security
//!
//! **Shuffle and spill files hold decrypted columns.** Put the executors' working folders in memory or on
//! an encrypted disk.
//!
//! **The processes talk in clear until you give them certificates.** [`ServerTlsArgs`], [`NodeTlsArgs`] and
//! [`ClientTlsArgs`] are the options. With them, each connection between the processes has TLS. With the
//! CAs of clients, each end must show a certificate.
//!
//! `docs/engines.md` has the whole list.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

// A module uses only those above it.
mod config;
mod meter;
mod role;
mod tls;
mod work_dir;

mod kms;
mod plain;

mod place;

mod store_kek;

mod engine;

mod flight_service;
mod scheduler_service;

mod client;
mod executor;
mod scheduler;
mod statements;

#[doc(hidden)]
pub mod local;

pub use client::{connect, connect_with_tls};
pub use config::{
    ConfigError, EngineConfig, KeysetLocation, NamedKeysetConfig, StoreConfig, WrappedKeyset,
};
pub use engine::Engine;
pub use executor::{ExecutorArgs, run_executor};
pub use meter::Meter;
pub use role::Role;
pub use scheduler::{SchedulerArgs, run_scheduler};
pub use statements::run_statements;
pub use tls::{
    ClientTls, ClientTlsArgs, IdentityArgs, NodeTlsArgs, ServerTls, ServerTlsArgs, TlsError,
};
pub use work_dir::WorkDir;
