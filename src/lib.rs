#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

// Floors, lowest first: a module imports only from floors below its own (tests/it/floors.rs).
mod error; // 0
mod kind;
mod prefix;
mod rng;
mod secret;

mod cipher; // 1
mod segment;
mod text_form;
mod wire;

mod primitive; // 2
mod remote;

pub mod key; // 3

pub mod keyset; // 4

mod aead; // 5
mod daead;
mod derive;
mod envelope;
pub mod kms;
mod mac;
mod prf;
mod sealed_stream;
pub mod streaming;

pub use aead::{KeysetAead, KeysetRemoteAead};
pub use cipher::{Hash, Provider};
pub use daead::KeysetDeterministicAead;
pub use derive::KeysetDeriver;
pub use envelope::KmsEnvelopeAead;
pub use error::{
    DecryptError, EncryptError, KeyError, KeysetError, KmsError, KmsErrorKind, ParseError,
    PrfError, RandomError, VerifyError,
};
pub use key::{Key, KeyId, KeyTypes, Variant};
pub use keyset::KeysetHandle;
pub use mac::{KeysetMac, MacComputation, MacVerification};
pub use prf::KeysetPrfSet;
pub use primitive::{Aead, DeterministicAead, Mac, Prf, StreamingAead};
pub use remote::{BoxFuture, RemoteAead};
pub use sealed_stream::SealedStreamHeader;
pub use secret::{SecretAccess, SecretBytes};
pub use streaming::KeysetStreamingAead;
