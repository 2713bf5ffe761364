//! Application-level encryption with key rotation built in, on Google Tink's wire format.
//!
//! A *keyset* holds several keys. The primary one encrypts, and all enabled ones decrypt, so you
//! can rotate without re-encrypting anything. Keysets and ciphertexts are those of the official
//! Tink libraries for C++, Go, Java and Python, byte for byte.
//!
//! # Example
//! ```
//! use keyseal::{Aead, Key, KeysetAead, KeysetHandle};
//!
//! let mut keyset = KeysetHandle::generate("AES256_GCM")?;
//! let aead: KeysetAead = keyset.primitive()?;
//! let ciphertext = aead.encrypt(b"4111 1111 1111 1111", b"customer 42")?;
//!
//! keyset.rotate(Key::generate("AES256_GCM")?)?; // new messages use the new key
//! let aead: KeysetAead = keyset.primitive()?;
//! assert_eq!(aead.decrypt(&ciphertext, b"customer 42")?, b"4111 1111 1111 1111");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to start
//!
//! | you want to | use |
//! |---|---|
//! | create, load, rotate and store keys | [`KeysetHandle`] |
//! | encrypt a message | [`KeysetAead`], which implements [`Aead`] |
//! | encrypt so that equal plaintexts stay searchable | [`KeysetDeterministicAead`] |
//! | encrypt a file or a stream of any size | [`sealed_stream`], [`KeysetStreamingAead`], [`streaming`] |
//! | authenticate without encrypting | [`KeysetMac`] |
//! | derive pseudorandom bytes, or a keyset per tenant | [`KeysetPrfSet`], [`KeysetDeriver`] |
//! | keep the key in a service | [`KmsEnvelopeAead`], [`kms`] |
//! | store a keyset file so that a crash loses nothing | [`keyset_file`] |
//! | use a key file, or several services | [`kms::file`], [`kms::KmsClients`] |
//! | call the service less often, or move to another key | [`envelope`], [`rewrap`] |
//! | import a key, or choose parameters | [`Key`], [`key`], [`templates`] |
//! | use `?` across all of these, and log the reason | [`Error`], [`error_chain`] |
//!
//! # Status
//!
//! Not audited. `SECURITY.md` in the repository has the threat model, and says which memory is
//! wiped and which cannot be.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

// Floors, lowest first: a module imports only from floors below its own (tests/it/floors.rs).
mod any_error; // 0
mod error;
mod kind;
mod prefix;
mod rng;
mod secret;
pub mod templates;
mod text_form;

mod cipher; // 1
mod segment;
mod wire;

mod primitive; // 2
mod remote;
mod timer;

pub mod key; // 3

pub mod keyset; // 4

mod aead; // 5
mod daead;
mod derive;
pub mod envelope;
pub mod keyset_file;
pub mod kms;
mod mac;
mod prf;
#[cfg(feature = "cache")]
pub mod reload;
pub mod rewrap;
pub mod sealed_stream;
pub mod streaming;
pub mod usage;

pub use aead::{KeysetAead, KeysetRemoteAead};
pub use any_error::{Error, ErrorKind};
pub use cipher::{Hash, Provider};
pub use daead::KeysetDeterministicAead;
pub use derive::KeysetDeriver;
pub use envelope::{Envelope, KmsEnvelopeAead};
pub use error::{
    DecryptError, EncryptError, KeyError, KeysetError, KmsError, KmsErrorKind, ParseError,
    PrfError, RandomError, VerifyError, error_chain,
};
pub use key::{Key, KeyId, KeyTypes, Variant};
pub use keyset::KeysetHandle;
pub use mac::{KeysetMac, MacComputation, MacVerification};
pub use prf::KeysetPrfSet;
pub use primitive::{Aead, DeterministicAead, Mac, Prf, StreamingAead};
pub use remote::{BoxFuture, Decrypted, Freshness, RemoteAead};
pub use sealed_stream::SealedStreamHeader;
pub use secret::{SecretAccess, SecretBytes};
pub use streaming::KeysetStreamingAead;

/// The README's examples are tests.
#[cfg(all(doctest, feature = "scaleway", feature = "blocking"))]
#[doc = include_str!("../README.md")]
mod readme {}

/// The cookbook's recipes are tests.
#[cfg(all(doctest, feature = "cache", feature = "scaleway"))]
#[doc = include_str!("../docs/cookbook.md")]
mod cookbook {}

/// The examples for people who move to keyseal are tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/migrating.md")]
mod migrating {}

/// The examples for services are tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/errors.md")]
mod errors {}
