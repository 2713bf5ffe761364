//! The configuration, and clusters of real processes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod canary;
mod certificates;
mod config;
mod demo;
mod engine;
mod killed;
mod lake;
mod local_equals;
mod nodes;
mod proxy;
mod rights;
mod rotated;
mod tls;
mod tls_files;
mod tls_refused;
