//! The encrypted store, over stores in memory, on disk and behind S3's protocol.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::single_range_in_vec_init,
    reason = "tests"
)]

mod damage;
mod integration;
mod interop;
mod listing;
mod moving;
mod ranges;
mod replaced;
mod requests;
mod rewrap;
mod support;
mod uploads;
