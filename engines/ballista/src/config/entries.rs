//! The entries of the file: stores and keysets.

use keyseal_datafusion::KeyUse;

use super::location::KeysetLocation;

/// An encrypted store: `[[store]]`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreConfig {
    /// The start of its tables' URLs, such as `sealed+s3://lake/`. The longest that fits counts.
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
