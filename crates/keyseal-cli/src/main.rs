//! The `keyseal` program: the library's public API on a command line.

#![forbid(unsafe_code)]

mod args;
mod byte_range;
mod cli;
mod cmd;
mod command_line;
mod comparison;
mod completion;
mod context;
mod cryptor;
mod display;
mod duration;
mod encoding;
mod error;
mod exit;
mod files;
mod first_bytes;
mod folder;
mod format_name;
mod hints;
mod input;
mod interrupt;
mod job;
mod kek;
mod kek_uri;
mod keyset_failure;
mod keysets;
mod kms;
mod kms_args;
mod kms_failure;
mod lock;
mod open_folder;
mod plan;
mod primitive;
mod progress;
mod report;
mod standard;
mod style;
mod terminal;
mod usage;

use std::{env, ffi::OsString, process::ExitCode};

use crate::{
    cli::Cli, command_line::PROGRAM, context::Context, exit::Exit, hints::Flags,
    interrupt::Leftovers,
};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    if completion::complete(&arguments) {
        return ExitCode::SUCCESS;
    }
    let exit = match command_line::parse(&arguments) {
        Ok((cli, flags)) => start(cli, flags),
        Err(error) => usage::report(&error, &arguments),
    };
    ExitCode::from(exit.code())
}

fn start(cli: Cli, flags: Flags) -> Exit {
    let leftovers = Leftovers::default();
    let context = Context::new(&cli.globals, flags, PROGRAM, leftovers.clone());
    let outcome = leftovers
        .remove_on_signal(context.style, context.json)
        .and_then(|()| cli.run(&context));
    context.finish(outcome)
}
