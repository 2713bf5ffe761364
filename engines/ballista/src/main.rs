//! `keyseal-ballista`: the scheduler, an executor, a client, and a demonstration of all of them.

#![forbid(unsafe_code)]

mod args;
mod demo;
mod error;
mod logging;
mod run;

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match run::run(args) {
        Ok(code) => code,
        Err(error) => {
            // There is nowhere to say that standard error is closed.
            let _ = writeln!(
                std::io::stderr(),
                "keyseal-ballista: {}",
                error::sentence(&*error)
            );
            ExitCode::FAILURE
        }
    }
}
