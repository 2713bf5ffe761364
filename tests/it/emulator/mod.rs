//! The emulator, from outside: every route in memory, and the server over loopback.

mod anything;
mod arguments;
mod auth;
mod client;
mod cryptographic;
mod errors;
mod exchanges;
mod faults;
mod life_cycle;
mod listing;
mod server;
mod state;
