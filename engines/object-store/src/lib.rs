//! Any [`ObjectStore`](object_store::ObjectStore), encrypted: your bucket holds ciphertext, and the
//! key stays in your key management service.
//!
//! **Names are not encrypted.** Anyone who can list the bucket sees the path, the size and the time of
//! every object, and its attributes and tags.
//!
//! Each object is a [sealed stream](keyseal::SealedStreamHeader) with its own key, which the
//! key-encryption key (KEK) wraps. `keyseal decrypt --kek` and every official Tink open it. The
//! stream is bound to the object's path: an object that was moved or exchanged in the bucket does not
//! decrypt. Range reads fetch and decrypt only the segments they touch, so engines that read columns
//! out of Parquet files work as before.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use keyseal::{KeysetAead, KeysetHandle};
//! use keyseal_object_store::EncryptedStore;
//! use object_store::{ObjectStoreExt as _, memory::InMemory, path::Path};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In earnest: KeysetHandle::read_encrypted_remote with a key of your KMS.
//! let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
//! let bucket = Arc::new(InMemory::new());
//! let store = EncryptedStore::builder(bucket.clone())
//!     .kek_keyset(kek)
//!     .context("lake/orders")
//!     .build()
//!     .await?;
//!
//! let path = Path::from("2026/orders.csv");
//! store.put(&path, "4111 1111 1111 1111".into()).await?;
//! assert_eq!(store.get_range(&path, 5..9).await?, "1111");
//!
//! let stored = bucket.get(&path).await?.bytes().await?;
//! assert!(stored.starts_with(b"keyseal"));
//! # Ok(())
//! # }
//! ```
//!
//! # Attackers
//!
//! | someone who can write the bucket | [`Binding::Path`] | [`Binding::Context`] |
//! |---|---|---|
//! | reads, changes, cuts or extends a plaintext | no | no |
//! | exchanges two objects of the data set | no | **yes** |
//! | restores an older version of the same object, or deletes it | **yes** | **yes** |
//! | learns sizes, names, times, access patterns, and that two versions differ | **yes** | **yes** |
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod builder;
mod cache;
mod chunks;
mod copy;
mod error;
mod kek;
mod list;
mod methods;
mod object;
mod open;
mod read;
mod rewrap;
mod settings;
mod stats;
mod store;
mod upload;
mod write;

pub use builder::EncryptedStoreBuilder;
pub use error::{StoreError, StoreErrorKind};
pub use rewrap::Rewrapped;
pub use settings::{Binding, CacheLimits, ListSizes, Unsealed};
pub use stats::Stats;
pub use store::EncryptedStore;
