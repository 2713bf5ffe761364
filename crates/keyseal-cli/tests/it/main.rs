//! The program, from outside.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod concurrent;
mod emulator;
mod files;
mod folder;
mod folder_kms;
mod help;
mod hostile;
mod json;
mod keyset_cases;
mod keyset_edits;
mod kill;
mod kms;
mod messages;
mod model;
mod quickstart;
mod secrets;
mod shell_cases;
mod support;
mod terminal;
mod transcript;
mod variables;
