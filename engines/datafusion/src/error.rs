//! Errors as sentences: SQL shows text alone.

use std::{error::Error, fmt::Write as _};

/// Writes an error and its causes.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        // Writing to a string does not fail.
        let _ = write!(text, ": {source}");
        next = source.source();
    }
    text
}
