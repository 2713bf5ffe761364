//! Tests of envelopes that reuse keys, of re-wrapping, and of what keeps calls to a service few.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod decrypt;
mod encrypt;
#[cfg(feature = "metrics")]
mod export;
mod migration;
mod model;
mod reload;
mod resilience;
mod rewrap;
mod support;
mod usage;
