//! The whole command line.

use clap::Parser;

use crate::{
    cmd::Command,
    context::{Context, Globals},
    error::Failure,
    exit::Exit,
};

/// Encrypt data with Tink's keysets, and manage the keysets.
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
    pub(crate) globals: Globals,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Start here:
  keyseal quickstart README.md";

impl Cli {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        self.command.run(context)
    }
}
