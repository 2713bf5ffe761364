//! The file as TOML: entries and their places, not yet checked.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

use super::{error::ConfigError, secrets::names_a_secret};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default, rename = "store")]
    pub(super) stores: Vec<Store>,
    #[serde(default, rename = "keyset")]
    pub(super) keysets: Vec<Keyset>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) prefix: Spanned<String>,
    pub(super) kek: Spanned<String>,
    pub(super) keyset: Option<Spanned<String>>,
    pub(super) context: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keyset {
    pub(super) name: Spanned<String>,
    pub(super) kek: Spanned<String>,
    pub(super) file: Option<Spanned<String>>,
    pub(super) wrapped: Option<Spanned<String>>,
    pub(super) allow: Option<Vec<Spanned<String>>>,
}

/// Finds the line of a place in the file.
pub(super) struct Lines<'a> {
    text: &'a str,
    path: PathBuf,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str, path: &Path) -> Self {
        Self {
            text,
            path: path.to_owned(),
        }
    }

    /// An error about a place.
    pub(super) fn error(&self, place: &Range<usize>, problem: impl Into<String>) -> ConfigError {
        let before = self.text.get(..place.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        ConfigError::new(&self.path, Some(line), problem)
    }
}

pub(super) fn parse(text: &str, path: &Path) -> Result<File, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let lines = Lines::new(text, path);
        let problem = without_values(error.message());
        let help = match unknown_entry(error.message()) {
            Some(name) if names_a_secret(name) => {
                "no secret belongs in this file: each process takes its credentials from its \
                 environment, such as SCW_SECRET_KEY and AWS_SECRET_ACCESS_KEY"
            }
            Some(_) => "remove it, or correct its name",
            None => "docs/engines.md has an example",
        };
        match error.span() {
            Some(place) => lines.error(&place, problem).help(help),
            None => ConfigError::new(path, None, problem).help(help),
        }
    })
}

fn unknown_entry(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

/// A value of the wrong type may be a secret in the wrong place: the error shows the expected type alone.
fn without_values(message: &str) -> String {
    // Other messages are about the syntax, and show nothing of the file.
    let shows_value = [
        "invalid type",
        "invalid value",
        "invalid length",
        "unknown variant",
    ]
    .iter()
    .any(|start| message.starts_with(start));
    match message.rsplit_once(", expected ") {
        Some((_, expected)) if shows_value => format!("a value is not {expected}"),
        _ if shows_value => "a value is not of its type".to_owned(),
        _ => message.lines().next().unwrap_or_default().to_owned(),
    }
}
