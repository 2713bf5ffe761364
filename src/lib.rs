#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

// Floors, lowest first: a module imports only from floors below its own (tests/it/floors.rs).
mod error; // 0
mod rng;
mod secret;

mod cipher; // 1
mod wire;

mod primitive; // 2

pub mod key; // 3

pub mod keyset; // 4

mod aead; // 5

#[cfg(feature = "emulator")]
pub mod emulator; // 6

pub use aead::KeysetAead;
pub use cipher::{Hash, Provider};
pub use error::{DecryptError, EncryptError, KeyError, KeysetError, ParseError, RandomError};
pub use key::{Key, KeyId, KeyTypes, Variant};
pub use keyset::KeysetHandle;
pub use primitive::Aead;
pub use secret::{SecretAccess, SecretBytes};
