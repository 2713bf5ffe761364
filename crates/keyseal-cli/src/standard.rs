//! Standard input and output that were closed when the program started.

use keyseal_stdio::{input_was_closed, output_was_closed};

use crate::{error::Failure, exit::Exit};

/// Refuses to read a closed standard input.
pub(crate) fn check_input() -> Result<(), Failure> {
    match input_was_closed() {
        true => Err(closed("cannot read standard input")
            .hint("name a file, or /dev/null for an empty input")),
        false => Ok(()),
    }
}

/// Refuses to write data to a closed standard output.
pub(crate) fn check_output() -> Result<(), Failure> {
    match output_was_closed() {
        true => Err(closed("cannot write standard output")
            .hint("write to a file, or to /dev/null to discard the output")),
        false => Ok(()),
    }
}

fn closed(what: &str) -> Failure {
    Failure::new(Exit::InputOutput, "closed", what, "it is closed")
}
