//! Tests of the public API. One binary, so that it links once.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

#[path = "../canary/mod.rs"]
mod canary;
mod corpus;
mod daead;
mod debug;
mod derive;
mod derive_refused;
mod envelope;
mod errors;
mod fake_kms;
mod floors;
mod formats_on_tink;
mod fuzz_smoke;
mod key_import;
mod key_selection;
mod key_types;
mod keyset_edit;
mod keyset_file;
mod keyset_format;
mod kinds;
#[cfg(feature = "blocking")]
mod kms_blocking;
mod kms_clients;
#[cfg(feature = "testkit")]
mod kms_local;
#[cfg(feature = "testkit")]
mod kms_testkit;
mod known_answers;
mod limits;
mod mac;
mod malformed_vectors;
mod nonces;
mod prf;
mod readme;
#[cfg(feature = "scaleway")]
mod scaleway;
mod sealed_stream;
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
