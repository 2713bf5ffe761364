//! Tink's stream format, without input and output.
//!
//! Shape: `header ‖ segment 0 ‖ segment 1 ‖ …`, where
//! - `header = byte(header size) ‖ salt(16 or 32) ‖ nonce prefix(7)`, 24 or 40 bytes;
//! - every segment is ciphertext and tag, and header and segment 0 together, and every other
//!   segment but the last, are exactly the segment size long;
//! - the keys of a stream are `HKDF(key, salt = the header's, info = the associated data)`;
//! - the nonce of segment `i` is `nonce prefix ‖ u32be(i) ‖ 01 if it is the last one, else 00`.
//!
//! So nobody can move, repeat, omit or insert a segment, and nobody can cut or extend a stream.
//!
//! # Source
//! Hoang, Reyhanitabar, Rogaway, Vizár: *Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance* (CRYPTO 2015); Tink's `aes_gcm_hkdf_streaming.proto` and
//! `aes_ctr_hmac_streaming.proto`.

mod layout;
mod numbered;
mod opener;
mod random;
mod sealer;
mod stream;

pub(crate) use layout::in_memory;
pub use layout::{RangePlan, StreamLayout, StreamMap};
pub use numbered::SegmentSealer;
pub use opener::Opener;
pub use random::SegmentOpener;
pub use sealer::Sealer;
pub(crate) use stream::{Place, StreamCipher, StreamKey};
