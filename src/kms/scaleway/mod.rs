//! Scaleway Key Manager.
//!
//! [`ScalewayClient`] reads the settings of Scaleway's own tools and finds keys. [`ScalewayKey`] is
//! one key and its operations. There are three layers, each replaceable: `api` (requests and
//! answers, without I/O), [`Retrying`] (time-outs and retries), [`Transport`] (HTTP).
//!
//! # Security
//! Only the secret key is sent, in a header, over TLS, to the configured host and nowhere else. We
//! wipe our own buffers that held it or a plaintext. Some internal buffers of the HTTP and TLS
//! libraries are not wiped: see [`HttpTransport`]. Errors, `Debug` and `tracing` never show a
//! secret key, a plaintext, associated data or a ciphertext.
//!
//! # Example
//! ```no_run
//! use keyseal::{RemoteAead, kms::scaleway::ScalewayClient};
//!
//! # async fn example() -> Result<(), keyseal::KmsError> {
//! let client = ScalewayClient::from_env()?;
//! let uri = "scw-kms://regions/fr-par/keys/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10".parse()?;
//! let key = client.key(&uri)?;
//! let ciphertext = key.encrypt(b"attack at dawn", b"letter 7").await?;
//! assert_eq!(key.decrypt(&ciphertext, b"letter 7").await?, b"attack at dawn");
//! # Ok(())
//! # }
//! ```

mod api;
mod as_text;
mod builder;
mod client;
mod config;
mod data_key;
mod http;
mod info;
mod key;
mod proxy;
mod retry;
mod rotation;
mod secret_key;
mod time;
mod trace;
mod transport;
mod uri;
mod uuid;

pub use api::{
    crypto::{Decrypted, ImportParameters, KeyMaterial, MAX_CIPHERTEXT_SIZE, MAX_PLAINTEXT_SIZE},
    key::{CreateKey, KeyOrder, ListKeys, RotationPolicy, UpdateKey},
};
pub use builder::ScalewayClientBuilder;
pub use client::{RegionConflict, ScalewayClient};
pub use config::Environment;
pub use data_key::{DataKey, DataKeySecret, WrappedDataKey};
pub use http::HttpTransport;
pub use info::{
    Algorithm, KeyInfo, KeyPage, KeyState, KeyUsage, OfferedAlgorithm, ProtectionLevel, UsageKind,
};
pub use key::ScalewayKey;
pub use retry::{RetryPolicy, Retrying, Timer, TokioTimer};
pub use rotation::{KeyRotation, RotationStatus};
pub use secret_key::SecretKey;
pub use time::{Seconds, Timestamp};
pub use transport::{MAX_REPLY_SIZE, Operation, Request, Response, Transport};
pub use uri::{KeyUri, Region};
pub use uuid::Uuid;
