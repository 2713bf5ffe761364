//! `keyseal-engine.toml`: which tables are encrypted, and under which keys. It holds no secret.

mod check;
mod error;
mod location;
mod parse;
mod secrets;

use std::path::{Path, PathBuf};

use keyseal_datafusion::KeyUse;

pub use error::ConfigError;
pub use location::KeysetLocation;

/// The encrypted stores and named keysets of a process.
///
/// # Example
/// ```
/// use std::path::Path;
///
/// use keyseal_ballista::EngineConfig;
///
/// let text = r#"
/// [[store]]
/// prefix = "sealed+s3://lake/"
/// kek = "scw-kms://regions/fr-par/keys/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10"
/// keyset = "s3://lake/_keyseal/kek.json"
/// context = "lake"
/// "#;
/// let config = EngineConfig::parse(text, Path::new("keyseal-engine.toml"))?;
/// assert_eq!(config.stores().len(), 1);
///
/// let error = EngineConfig::parse("[[store]]\nsecret = 1", Path::new("keyseal-engine.toml"));
/// assert!(error.unwrap_err().to_string().starts_with("keyseal-engine.toml:2: "));
/// # Ok::<(), keyseal_ballista::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EngineConfig {
    folder: PathBuf,
    stores: Vec<StoreConfig>,
    keysets: Vec<NamedKeysetConfig>,
}

/// An encrypted store: `[[store]]`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreConfig {
    /// The scheme and host of its tables, such as `sealed+s3://lake/`.
    pub prefix: String,
    /// The URI of its key-encryption key.
    pub kek: String,
    /// The keyset that wraps the keys of objects, encrypted under `kek`. Without it, each object is a
    /// call to the key service.
    pub keyset: Option<KeysetLocation>,
    /// The data set that objects are bound to.
    pub context: String,
}

/// A keyset for columns: `[[keyset]]`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NamedKeysetConfig {
    /// Its name in SQL: `keyset('name')`.
    pub name: String,
    /// The URI of the key that wraps it.
    pub kek: String,
    /// The keyset itself, or where it is kept.
    pub wrapped: WrappedKeyset,
    /// What functions may do with it in this process.
    pub allow: Vec<KeyUse>,
}

/// A wrapped keyset.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "the file has these two entries")]
pub enum WrappedKeyset {
    /// In the configuration.
    Inline(Vec<u8>),
    /// In a file or an object, which is read again when it may have changed.
    Kept(KeysetLocation),
}

impl EngineConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read, is malformed, or has something that looks like a
    /// secret. It names the file and the line, and says what to do.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::new(path, None, format!("cannot be read: {error}"))
                .help("name another with --config, or with KEYSEAL_ENGINE_CONFIG")
        })?;
        Self::parse(&text, path)
    }

    /// Parses the text of the file at `path`. Relative paths in it start at the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`] as [`read`](Self::read).
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let folder = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
        let file = parse::parse(text, path)?;
        let (stores, keysets) = check::check(file, &folder, &parse::Lines::new(text, path))?;
        Ok(Self {
            folder,
            stores,
            keysets,
        })
    }

    /// Returns the encrypted stores.
    #[must_use]
    pub fn stores(&self) -> &[StoreConfig] {
        &self.stores
    }

    /// Returns the keysets for columns.
    #[must_use]
    pub fn keysets(&self) -> &[NamedKeysetConfig] {
        &self.keysets
    }

    /// Returns the folder of the file, where relative paths start.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
