//! Tests of the public API. One binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[cfg(feature = "emulator")]
mod emulator;
mod key_types;
mod readme;
