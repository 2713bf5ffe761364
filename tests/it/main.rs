//! Tests of the public API. One binary, so that it links once.

mod key_types;
mod stream;
mod stream_damage;
mod stream_io;
mod stream_keys;
mod stream_parallel;
mod stream_seek;
#[cfg(feature = "tokio")]
mod stream_tokio;
