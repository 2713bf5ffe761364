//! `man`: manual pages.

use std::{fs, io, path::PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use crate::{
    Cli,
    context::Context,
    error::Failure,
    exit::Exit,
    files::{Holds, Output},
    input::Place,
    text::{count, printable},
};

/// Write manual pages into a folder
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal man ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The folder; made if there is none
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Replace existing pages
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: ManArgs, context: &Context) -> Result<Exit, Failure> {
    let mut pages = Vec::new();
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    render(&program, &mut pages).map_err(|error| Failure::io("cannot make the manual", &error))?;
    fs::create_dir_all(&args.folder)
        .map_err(|error| Failure::file("make the folder", &args.folder, &error))?;
    // All of them are planned before the first is written.
    let outputs = pages
        .iter()
        .map(|(name, _)| {
            let place = Place::File(args.folder.join(format!("{name}.1")));
            Output::new(&place, &[], Holds::Data, args.force.into(), context)
        })
        .collect::<Result<Vec<_>, _>>()?;
    for (output, (_, page)) in outputs.into_iter().zip(&pages) {
        output.write(page)?;
    }
    context.note(&format!(
        "wrote {} to {}",
        count(pages.len(), "page"),
        printable(args.folder.display())
    ));
    Ok(Exit::Done)
}

fn render(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    // `build` has given each command below the first a name of its own, such as
    // `keyseal-keyset-create`.
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    pages.push((name.to_owned(), page));
    command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .try_for_each(|inner| render(inner, pages))
}
