//! The encrypted store, over stores in memory, on disk and behind S3's protocol.

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
