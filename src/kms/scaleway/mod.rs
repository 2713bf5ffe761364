//! Scaleway Key Manager.
//!
//! [`ScalewayClient`] reads the settings of Scaleway's own tools and finds keys. [`ScalewayKey`] is
//! one key and its operations. `api` writes requests and reads answers without I/O;
//! [`client`](super::client) sends them.
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
mod call;
mod client;
mod config;
mod connection;
mod data_key;
mod info;
mod key;
mod operation;
mod pages;
mod rotation;
mod secret_key;
mod time;
mod uri;
mod uuid;

pub use api::{
    crypto::{ImportParameters, KeyMaterial, MAX_CIPHERTEXT_SIZE, MAX_PLAINTEXT_SIZE},
    key::{CreateKey, KeyOrder, ListKeys, UpdateKey},
};
pub use builder::ScalewayClientBuilder;
pub use client::{RegionConflict, ScalewayClient};
pub use config::Environment;
pub use data_key::{DataKey, DataKeySecret, WrappedDataKey};
pub use info::{
    Algorithm, KeyMetadata, KeyPage, KeyState, KeyUsage, OfferedAlgorithm, ProtectionLevel,
    RotationPolicy, UsageKind,
};
pub use key::ScalewayKey;
pub use rotation::{KeyRotation, RotationStatus};
pub use time::{Seconds, Timestamp};
pub use uri::{KeyUri, Region};
pub use uuid::Uuid;

pub use super::client::{
    HttpRequest, HttpResponse, HttpTransport, MAX_REPLY_SIZE, RetryPolicy, Retrying, Timer,
    TokioTimer, Transport,
};
