//! `completions`: for a shell.

use clap::Args;
use clap_complete::{Shell, env::Shells};

use crate::{context::Context, display::Lines, error::Failure, exit::Exit};

/// With this variable, which the script sets, the program completes a line and does nothing else.
pub(crate) const VARIABLE: &str = "KEYSEAL_COMPLETE";

/// Print a completion script for a shell
///
/// The script asks the program itself for candidates. It completes names of templates and, after a
/// keyset file, the ids of its keys.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal completions bash > ~/.local/share/bash-completion/completions/keyseal")]
pub(crate) struct CompletionsArgs {
    shell: Shell,
}

pub(crate) fn run(args: CompletionsArgs, context: &Context) -> Result<Exit, Failure> {
    let failed = |error| Failure::io("cannot write a completion script", &error);
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let name = args.shell.to_string();
    let Some(shell) = shells.completer(&name) else {
        return Err(failed(std::io::ErrorKind::Unsupported.into()));
    };
    shell
        .write_registration(VARIABLE, "keyseal", "keyseal", "keyseal", &mut script)
        .map_err(failed)?;
    context.print(Lines::of_text(&String::from_utf8_lossy(&script)))?;
    Ok(Exit::Done)
}
