//! Queries, plans without secrets, and encrypted tables.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod functions;
mod keysets;
mod plans;
mod support;
mod tables;
