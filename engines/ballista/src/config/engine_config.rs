//! [`EngineConfig`]: the file, read and checked.

use std::path::{Path, PathBuf};

use super::{
    check,
    entries::{NamedKeysetConfig, StoreConfig},
    error::ConfigError,
    parse,
};

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
