//! Tests of the public API. One binary, so that it links once.

#[cfg(feature = "cli")]
mod cli;
mod key_types;
