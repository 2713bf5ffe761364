//! [`KeysetLocation`]: where a wrapped keyset is kept.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use url::Url;

/// A file, or an object of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "the schemes of plain stores")]
pub enum KeysetLocation {
    /// A path.
    File(PathBuf),
    /// `s3://bucket/path`.
    Object(Url),
}

impl KeysetLocation {
    /// Parses `s3://bucket/path`, `file:///path`, or a path that starts at `folder`.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Self, &'static str> {
        if !text.contains("://") {
            return match text.is_empty() {
                true => Err("is empty"),
                false => Ok(Self::File(folder.join(text))),
            };
        }
        let url = Url::parse(text).map_err(|_| "is no URL")?;
        match url.scheme() {
            "file" => url
                .to_file_path()
                .map(Self::File)
                .map_err(|()| "names no file of this machine"),
            "s3" if url.host_str().is_some() && url.path().len() > 1 => Ok(Self::Object(url)),
            "s3" => Err("names no object"),
            _ => Err("has a scheme that is neither s3 nor file"),
        }
    }
}

impl fmt::Display for KeysetLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Object(url) => url.fmt(f),
        }
    }
}
