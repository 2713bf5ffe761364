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

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static INPUT_CLOSED: AtomicBool = AtomicBool::new(false);
static OUTPUT_CLOSED: AtomicBool = AtomicBool::new(false);

// Before main there is no Rust runtime. This takes two system calls and two stores, and neither
// allocates nor panics.
#[cfg(unix)]
ctor::declarative::ctor! {
    #[ctor(unsafe)]
    fn look() {
        use rustix::{
            io::{Errno, fcntl_getfd},
            stdio::{stdin, stdout},
        };
        INPUT_CLOSED.store(fcntl_getfd(stdin()) == Err(Errno::BADF), Relaxed);
        OUTPUT_CLOSED.store(fcntl_getfd(stdout()) == Err(Errno::BADF), Relaxed);
    }
}

/// Returns whether standard input was closed when the program started. On systems other than Unix, it
/// is false.
#[must_use]
pub fn input_was_closed() -> bool {
    INPUT_CLOSED.load(Relaxed)
}

/// Returns whether standard output was closed when the program started. On systems other than Unix, it
/// is false.
#[must_use]
pub fn output_was_closed() -> bool {
    OUTPUT_CLOSED.load(Relaxed)
}
