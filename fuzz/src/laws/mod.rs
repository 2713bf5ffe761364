//! The laws of the library without services.

pub mod ciphertext;
pub mod deriver;
pub mod deterministic_aead;
pub mod encrypted_keyset;
pub mod envelope;
pub mod keys;
pub mod keyset_binary;
pub mod keyset_edits;
pub mod keyset_file;
pub mod keyset_json;
pub mod mac;
pub mod prf;
pub mod sealed_stream;
pub mod small_streams;
pub mod stream;
pub mod stream_damage;
pub mod stream_positions;

use super::input::Input;
