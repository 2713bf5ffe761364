//! Tests of the public API. One binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod corpus;
mod floors;
mod key_types;
mod known_answers;
mod malformed_vectors;
mod readme;
mod support;
mod tink_vectors;
