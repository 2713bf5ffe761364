//! Integration tests, in one binary that links once.

mod kms_clients;
#[cfg(feature = "scaleway")]
mod scaleway;
