//! Tests of the public API. One binary, so that it links once.

#[path = "../canary/mod.rs"]
mod canary;
mod debug;
mod floors;
mod key_selection;
mod key_types;
mod keyset_edit;
mod keyset_format;
mod known_answers;
mod limits;
mod support;
mod wycheproof;
