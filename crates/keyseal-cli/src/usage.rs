//! What clap has to say, in the form of all other messages.

use std::ffi::OsString;

use clap::error::ErrorKind;

use crate::{command_line::parse, display::printable, error::Failure, exit::Exit, style::Style};

/// Prints help where it was asked for, and a failure where the arguments are wrong.
pub(crate) fn report(error: &clap::Error, arguments: &[OsString]) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe is not worth a word.
            let _ = error.print();
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Exit::Usage
        }
        _ => {
            let as_json = arguments.iter().any(|argument| argument == "--json");
            let quoting = printable_arguments(arguments);
            failure(quoting.as_ref().unwrap_or(error)).report(Style::detect(), as_json);
            Exit::Usage
        }
    }
}

/// Returns the same error about arguments in printable form. clap quotes them in its text, which
/// is taken apart by line.
fn printable_arguments(arguments: &[OsString]) -> Option<clap::Error> {
    let printable = arguments
        .iter()
        .map(|word| printable(word.display()).into());
    parse(&printable.collect::<Vec<_>>()).err()
}

/// Takes clap's text apart: a first paragraph, tips, the usage.
fn failure(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut why = String::new();
    let mut hints = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            hints.push(tip.to_owned());
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            hints.push(format!("usage: {usage}"));
        } else if line.starts_with("For more information") {
            hints.push("--help says more".to_owned());
        } else if !line.is_empty() && hints.is_empty() {
            if !why.is_empty() {
                why.push(' ');
            }
            why.push_str(line.strip_prefix("error: ").unwrap_or(line));
        }
    }
    hints
        .into_iter()
        .fold(Failure::usage("usage", "command line", why), Failure::hint)
}
