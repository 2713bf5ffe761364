//! `man`: manual pages.

use std::{fs, io, path::PathBuf};

use clap::{Args, Command};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use serde_json::json;

use crate::{
    context::Context,
    display::{count, printable},
    error::Failure,
    exit::Exit,
    files::{Content, Output},
    input::FileArg,
};

/// Write manual pages into a folder
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal man ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The folder; it is created if it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Replace existing pages
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: ManArgs, context: &Context) -> Result<Exit, Failure> {
    let mut pages = Vec::new();
    let mut program = (context.program.command)().disable_help_subcommand(true);
    program.build();
    render(&program, &mut pages).map_err(|error| Failure::io("cannot make the manual", &error))?;
    fs::create_dir_all(&args.folder)
        .map_err(|error| Failure::file("make the folder", &args.folder, &error))?;
    // All of them are planned before the first is written.
    let outputs = pages
        .iter()
        .map(|(name, _)| {
            let place = FileArg::File(args.folder.join(format!("{name}.1")));
            Output::new(&place, &[], Content::Data, args.force.into(), context)
        })
        .collect::<Result<Vec<_>, _>>()?;
    for (output, (_, page)) in outputs.into_iter().zip(&pages) {
        output.write(page)?;
    }
    let folder = printable(args.folder.display());
    context.report(
        &format!("wrote {} to {folder}", count(pages.len(), "page")),
        &json!({ "folder": folder, "pages": pages.len() }),
        false,
    )?;
    Ok(Exit::Done)
}

fn render(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    // `build` has given each subcommand its own full name, such as `keyseal-keyset-create`.
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    pages.push((name.to_owned(), page(command)?));
    command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .try_for_each(|inner| render(inner, pages))
}

/// Returns a page. The examples and the exit codes, which follow the options in the help, get
/// separate headings.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let help = command.get_after_long_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let examples = help.split("Exit codes:").next().unwrap_or_default().trim();
    if !examples.is_empty() {
        as_it_is("EXAMPLES", without_heading(examples)).to_writer(&mut page)?;
    }
    let mut codes = Roff::new();
    codes.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        codes.control("TP", []);
        codes.text([bold(exit.code().to_string())]);
        codes.text([roman(exit.meaning())]);
    }
    codes.to_writer(&mut page)?;
    if command.get_version().is_some() {
        man.render_version_section(&mut page)?;
    }
    Ok(page)
}

/// Returns a section whose lines are kept unchanged.
fn as_it_is(heading: &str, text: &str) -> Roff {
    let mut section = Roff::new();
    section.control("SH", [heading]);
    section.control("nf", []);
    for line in text.lines() {
        match line {
            "" => section.control("sp", []),
            line => section.text([roman(line)]),
        };
    }
    section.control("fi", []);
    section
}

/// Removes the heading that the examples have in the help.
fn without_heading(examples: &str) -> &str {
    let body = examples.strip_prefix("Examples:\n");
    body.or_else(|| examples.strip_prefix("Example:\n"))
        .unwrap_or(examples)
}
