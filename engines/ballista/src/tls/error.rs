//! [`TlsError`]: a fault in a certificate, a key, or the other end.

use std::{error::Error, fmt, path::Path};

use ballista_core::error::BallistaError;
use datafusion::error::DataFusionError;

/// Paths longer than this, or with a line break, are not paths: somebody gave the key itself.
const LONGEST_PATH: usize = 1024;

/// The digits of the shortest key in base64: Ed25519 has 48 bytes.
const SHORTEST_KEY: usize = 64;

/// TLS cannot be used. It names a file, an option or a server, the fault, and the next step.
/// It never shows the content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    subject: String,
    problem: String,
    help: String,
}

impl TlsError {
    pub(super) fn new(
        subject: impl Into<String>,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            subject: subject.into(),
            problem: problem.into(),
            help: help.into(),
        }
    }

    pub(super) fn of_file(
        path: &Path,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::new(shown(path), problem, help)
    }
}

/// `FILE: the mistake; the way out`.
impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.subject, self.problem, self.help)
    }
}

impl Error for TlsError {}

impl From<TlsError> for BallistaError {
    fn from(error: TlsError) -> Self {
        Self::General(error.to_string())
    }
}

impl From<TlsError> for DataFusionError {
    fn from(error: TlsError) -> Self {
        Self::External(Box::new(error))
    }
}

/// Returns whether this is a path, not a key or a certificate in its place.
pub(super) fn is_path(path: &Path) -> bool {
    let text = path.to_string_lossy();
    // A key in either base64 or hexadecimal may stand on one line, with spaces, colons or quotation marks.
    let is_of_a_key = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_: \"'".contains(&byte);
    let is_key = text.len() >= SHORTEST_KEY && text.bytes().all(is_of_a_key) && !path.exists();
    !is_key
        && text.len() <= LONGEST_PATH
        && !text.contains(['\n', '\r'])
        && !text.contains("-----BEGIN")
}

/// A path, for messages.
pub(super) fn shown(path: &Path) -> String {
    match is_path(path) {
        true => path.display().to_string(),
        false => "a value that is not a path".to_owned(),
    }
}
