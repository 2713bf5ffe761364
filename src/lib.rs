#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

// Floors, lowest first: a module imports only from floors below its own (tests/it/floors.rs).
mod error; // 0
mod rng;
mod secret;

mod wire; // 1

mod primitive; // 2

/// Keys.
pub mod key; // 3

#[cfg(feature = "emulator")]
pub mod emulator; // 6

pub use error::{DecryptError, EncryptError, KeyError, KeysetError, ParseError, RandomError};
pub use primitive::Aead;
pub use secret::{SecretAccess, SecretBytes};
