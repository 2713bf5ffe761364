//! The functions on arrays, the registry of stores, and the official Tink.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod arrays;
mod interop;
mod keys;
mod registry;
mod routes;
mod support;
mod uses;
