//! Sealed streams: files of any size that are decrypted with a key-encryption key (KEK) alone.
//!
//! [`seal`] and [`open`] convert a whole stream in one call. With the feature `tokio`,
//! `seal_remote` and `open_remote` do the same asynchronously, under a KEK that a service holds. For
//! anything else there is the [`SealedStreamHeader`]: it gives you the [`KeysetStreamingAead`] of a
//! stream, with which you can seek, use threads, or read a part.
//!
//! # Example
//! ```
//! use keyseal::{Error, KeysetAead, KeysetHandle, sealed_stream};
//!
//! # fn main() -> Result<(), Error> {
//! let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
//!
//! let mut sealed = Vec::new(); // or a file
//! sealed_stream::seal(&kek, &b"a lot of data"[..], &mut sealed, b"backup 7")?;
//!
//! let mut plaintext = Vec::new();
//! sealed_stream::open(&kek, &sealed[..], &mut plaintext, b"backup 7")?;
//! assert_eq!(plaintext, b"a lot of data");
//! # Ok(())
//! # }
//! ```
//!
//! [`KeysetStreamingAead`]: crate::KeysetStreamingAead

mod header;
#[cfg(feature = "tokio")]
mod tokio;
mod whole;

#[cfg(feature = "tokio")]
pub use self::tokio::{open_remote, seal_remote};
pub use header::SealedStreamHeader;
pub use whole::{open, seal};
