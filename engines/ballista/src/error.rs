//! Errors of the verbs, as sentences.

use std::error::Error;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Writes an error and its causes.
pub(crate) fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let cause = source.to_string();
        // Many errors write their cause themselves.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        next = source.source();
    }
    text
}
