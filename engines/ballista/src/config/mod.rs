//! `keyseal-engine.toml`: which tables are encrypted, and under which keys. It holds no secret.

mod check;
mod engine_config;
mod entries;
mod error;
mod location;
mod parse;
mod secrets;

pub use engine_config::EngineConfig;
pub use entries::{NamedKeysetConfig, StoreConfig, WrappedKeyset};
pub use error::ConfigError;
pub use location::KeysetLocation;
