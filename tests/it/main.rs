//! Tests of the public API. One binary, so that it links once.

#[cfg(feature = "cli")]
mod cli;
mod cli_import;
mod key_types;
