//! Integration tests, in one binary that links once.

#[cfg(feature = "blocking")]
mod kms_blocking;
mod kms_clients;
#[cfg(feature = "testkit")]
mod kms_testkit;
#[cfg(feature = "scaleway")]
mod scaleway;
