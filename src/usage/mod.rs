//! Limits on the use of keys: how many messages and bytes a key has encrypted, across restarts.
//!
//! A [`LimitedAead`] counts what another AEAD encrypts, and asks for a rotation at a soft limit. At
//! the hard limit it refuses. Decryption is neither counted nor limited.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//! use keyseal::{Aead, KeysetHandle, usage::{LimitedAead, UsageFile}};
//!
//! # let folder = tempfile::tempdir()?;
//! let keyset = KeysetHandle::generate("AES256_GCM")?;
//! let store = Arc::new(UsageFile::open(folder.path().join("usage"))?);
//! let aead = LimitedAead::of_keyset(&keyset, store)?
//!     .on_soft_limit(|key_id, usage| eprintln!("rotate key {key_id}: {} messages", usage.messages));
//! aead.encrypt(b"4111 1111 1111 1111", b"customer 42")?;
//! assert_eq!(aead.usage().messages, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod file;
mod limited;
mod store;

pub use file::UsageFile;
pub use limited::LimitedAead;
pub use store::{Forgetful, Usage, UsageLimits, UsageStore};
