//! Standard input and output that were closed when the program started.

use std::io;
#[cfg(unix)]
use std::os::fd::AsFd;

use crate::{error::Failure, exit::Exit};

/// Refuses to read a closed standard input.
pub(crate) fn check_input() -> Result<(), Failure> {
    match was_closed(io::stdin()) {
        true => Err(closed("cannot read standard input")
            .hint("name a file, or /dev/null for an empty input")),
        false => Ok(()),
    }
}

/// Refuses to write data to a closed standard output.
pub(crate) fn check_output() -> Result<(), Failure> {
    match was_closed(io::stdout()) {
        true => Err(closed("cannot write standard output")
            .hint("write to a file, or to /dev/null to discard the output")),
        false => Ok(()),
    }
}

fn closed(what: &str) -> Failure {
    Failure::new(Exit::InputOutput, "closed", what, "it is closed")
}

/// Returns whether the standard library has opened a stream in place of one that was closed.
///
/// It opens `/dev/null` to read and to write, so that no other file gets the number of the stream.
/// Data would be lost there, and an input would be empty, without a word. A shell opens
/// `>/dev/null` only to write and `</dev/null` only to read.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn was_closed(stream: impl AsFd) -> bool {
    use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, stat};
    let flags = fcntl_getfl(&stream);
    let (Ok(opened), Ok(null), Ok(flags)) = (fstat(&stream), stat("/dev/null"), flags) else {
        return false;
    };
    FileType::from_raw_mode(opened.st_mode) == FileType::CharacterDevice
        && opened.st_rdev == null.st_rdev
        && flags & OFlags::RWMODE == OFlags::RDWR
}

/// Returns false, because other systems do not tell.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn was_closed(_: impl AsFd) -> bool {
    false
}

/// Returns false, because this system does not tell.
#[cfg(not(unix))]
fn was_closed<S>(_: S) -> bool {
    false
}
