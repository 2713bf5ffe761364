//! `completions`: for a shell.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::{Cli, context::Context, error::Failure, exit::Exit};

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal completions bash > ~/.local/share/bash-completion/completions/keyseal")]
pub(crate) struct CompletionsArgs {
    shell: Shell,
}

pub(crate) fn run(args: CompletionsArgs, context: &Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "keyseal", &mut script);
    context.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
