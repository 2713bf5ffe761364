//! Which standard streams were closed when the program started.
//!
//! Rust opens `/dev/null` in their place before `main`, so that no other file gets their number. What
//! a program then writes to standard output is lost without an error. From inside, that looks like a
//! caller that asked for `/dev/null`, as Python's `DEVNULL` and Node's `ignore` do. So we look before
//! Rust does.
//!
//! That takes code before `main`, which is `unsafe` to ask for: the one place in the program's crates,
//! and `ctor` writes it.
#![deny(missing_docs)]

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no others")]
pub enum Stream {
    /// Standard input.
    Input,
    /// Standard output.
    Output,
}

/// Returns whether a stream was closed when the program started. Elsewhere than on Unix, it is false.
#[must_use]
pub fn was_closed(stream: Stream) -> bool {
    at_start::was_closed(stream)
}

#[cfg(unix)]
mod at_start {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use rustix::{
        io::{Errno, fcntl_getfd},
        stdio::{stdin, stdout},
    };

    use super::Stream;

    static INPUT_CLOSED: AtomicBool = AtomicBool::new(false);
    static OUTPUT_CLOSED: AtomicBool = AtomicBool::new(false);

    // Before main there is no Rust runtime. This takes two system calls and two stores, and neither
    // allocates nor panics.
    ctor::declarative::ctor! {
        #[ctor(unsafe)]
        fn look() {
            INPUT_CLOSED.store(fcntl_getfd(stdin()) == Err(Errno::BADF), Relaxed);
            OUTPUT_CLOSED.store(fcntl_getfd(stdout()) == Err(Errno::BADF), Relaxed);
        }
    }

    pub(super) fn was_closed(stream: Stream) -> bool {
        match stream {
            Stream::Input => INPUT_CLOSED.load(Relaxed),
            Stream::Output => OUTPUT_CLOSED.load(Relaxed),
        }
    }
}

#[cfg(not(unix))]
mod at_start {
    pub(super) fn was_closed(_: super::Stream) -> bool {
        false
    }
}
