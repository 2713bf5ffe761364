//! Tests of the public API. One binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod daead;
#[cfg(feature = "emulator")]
mod emulator;
mod floors;
mod key_types;
mod known_answers;
mod limits;
mod mac;
mod prf;
mod readme;
mod stream;
mod stream_damage;
mod stream_io;
mod stream_keys;
mod stream_parallel;
mod stream_seek;
#[cfg(feature = "tokio")]
mod stream_tokio;
mod support;
mod tink_vectors;
mod wycheproof;
mod wycheproof_mac;
