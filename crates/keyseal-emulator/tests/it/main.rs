//! The emulator, from outside: every route in memory, and the server over loopback.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod anything;
mod arguments;
mod auth;
mod client;
mod client_emulator;
mod cryptographic;
mod errors;
mod exchanges;
mod faults;
mod fuzz_smoke;
mod life_cycle;
mod listing;
mod server;
mod state;
