//! BigQuery's AEAD functions in [DataFusion](datafusion), on Tink keysets whose keys are rooted in a
//! KMS, and tables in encrypted object stores.
//!
//! A query copied from BigQuery runs as it is, on the keysets and ciphertexts that BigQuery made:
//! `AEAD.*`, `DETERMINISTIC_*`, `KEYS.*`, and `SAFE.*` for `NULL` instead of an error. Each function
//! also has a name without dots, such as `aead_encrypt`.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use keyseal::KeysetHandle;
//! use keyseal_datafusion::KeyRing;
//!
//! // In earnest: KeyRing::wrapped_keyset, and KeyRing::kms with a client of your KMS.
//! let ring = KeyRing::new().keyset("pii", KeysetHandle::generate("AES256_GCM")?);
//! let functions = keyseal_datafusion::functions(&Arc::new(ring));
//! // Or keyseal_datafusion::register(&ctx, …), and then:
//! // SELECT AEAD.DECRYPT_STRING(keyset('pii'), email, 'people.email') FROM people
//! assert!(functions.iter().any(|function| function.name() == "aead_decrypt_string"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to start
//!
//! | you want to | use |
//! |---|---|
//! | run the functions | [`KeyRing`], [`register`] |
//! | read and write `sealed+s3://` tables | [`SealedRegistry`] |
//!
//! # Security
//!
//! **No secret is in a plan.** A plan has URLs, key names, key URIs and wrapped keysets. Keysets are
//! unwrapped in the process that runs the function, with that process's credentials. Calls that
//! decrypt are volatile, so that DataFusion does not evaluate them when it plans.
//!
//! An engine spills and shuffles decrypted rows to its own disk, which nothing here encrypts.
//! Plaintexts in batches are not wiped.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

// A module uses only those above it.
mod key_type;
mod key_use;
mod output;
mod reference;
mod source;

mod column;
mod parsed;
mod ring;

mod call;
mod function;

mod crypt;

mod aead;
mod deterministic;
mod keysets;
mod references;
mod wrapped;

mod register;

mod routes;

mod registry;

pub use key_use::KeyUse;
pub use register::{functions, register};
pub use registry::SealedRegistry;
pub use ring::KeyRing;
pub use source::WrappedKeysetSource;
