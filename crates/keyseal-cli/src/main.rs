//! The `keyseal` program: the library's public API on a command line.

#![forbid(unsafe_code)]

mod args;
mod cipher;
mod cmd;
mod command_line;
mod comparison;
mod completion;
mod context;
mod cryptor;
mod duration;
mod encoding;
mod error;
mod exit;
mod files;
mod folder;
mod hints;
mod input;
mod interrupt;
mod job;
mod kek;
mod kek_uri;
mod keysets;
mod kms;
mod plan;
mod progress;
mod range;
mod report;
mod shape;
mod standard;
mod style;
mod terminal;
mod text;
mod usage;

use std::{env, ffi::OsString, process::ExitCode};

use clap::Parser;

use crate::{
    args::Globals, cmd::Command, context::Context, exit::Exit, hints::Flags, interrupt::Leftovers,
};

/// Encrypts with Tink's keysets, and takes care of them.
#[derive(Debug, Parser)]
#[command(
    name = "keyseal",
    version,
    max_term_width = 100,
    after_help = format!("{EXAMPLES}\n\n{}", Exit::table()),
    arg_required_else_help = true,
    subcommand_required = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Start here:
  keyseal quickstart README.md";

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
    let context = Context::new(&cli.globals, flags, leftovers.clone());
    let outcome = leftovers
        .remove_on_signal(context.style, context.json)
        .and_then(|()| cli.command.run(&context));
    context.finish(outcome)
}
