//! The lines of the demonstration.

use std::io::Write as _;

/// Prints a line. There is nobody to tell if standard output is closed.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
