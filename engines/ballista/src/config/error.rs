//! [`ConfigError`]: a mistake in the configuration, and its line.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

/// The configuration cannot be used. It never shows a value of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: PathBuf,
    line: Option<usize>,
    problem: String,
    help: Option<String>,
}

impl ConfigError {
    pub(super) fn new(path: &Path, line: Option<usize>, problem: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            problem: problem.into(),
            help: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Returns the line of the mistake, if it has one.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        self.line
    }
}

/// `FILE:LINE: the mistake; the way out`.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.problem)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl Error for ConfigError {}
