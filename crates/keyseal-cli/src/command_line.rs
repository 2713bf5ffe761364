//! The command line: variables that set flags, and the options in the short help.

use std::{env, ffi::OsString};

use clap::{
    Command, CommandFactory as _, FromArgMatches as _,
    builder::Resettable,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{
    cli::Cli,
    context::{Context, Program},
    display::closest,
    error::Failure,
    exit::Exit,
    hints::Flags,
    kms_args::RETRIES,
};

/// The program, for commands that show it or run others of its commands.
pub(crate) const PROGRAM: Program = Program { command, run };

/// The start of the headings of options that only `--help` shows.
const LONG_HELP: [&str; 3] = ["Key Manager", "More edits", "Parameters"];
/// The start of the help of options that are another form of the previous option.
const OTHER_FORM: &str = "The same, ";

/// Returns the program's command line, as help, completions and manual pages show it.
pub(crate) fn command() -> Command {
    with_short_help(Cli::command())
}

/// Parses a command line, with the variables that apply to it, and returns the flags that its
/// command has.
pub(crate) fn parse(arguments: &[OsString]) -> Result<(Cli, Flags), clap::Error> {
    let given = Given(arguments);
    let mut command = match given.help() {
        // Help shows the variables that a flag can have, whatever else is on this line.
        true => command(),
        false => with_variables(command(), &given),
    };
    let matches = command.try_get_matches_from_mut(arguments);
    let matches = matches.map_err(|error| match is_about_variables(&error, &given) {
        true => two_variables(&mut given.verb(command.clone())),
        false => error,
    })?;
    let flags = Flags::of(&command, &matches);
    Ok((Cli::from_arg_matches(&matches)?, flags))
}

/// Runs a command line.
fn run(arguments: &[OsString], context: &Context) -> Result<Exit, Failure> {
    let (cli, _) = parse(arguments).map_err(|error| {
        let what = "a command line was not understood";
        Failure::new(Exit::Failed, "usage", what, error.to_string())
    })?;
    cli.run(context)
}

fn with_short_help(command: Command) -> Command {
    let has = |id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
    let command = match has("retries") && !has("recursive") {
        true => command.mut_arg("retries", |arg| arg.help(RETRIES)),
        false => command,
    };
    let command = command.mut_args(|arg| {
        let heading = arg.get_help_heading().unwrap_or_default();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let is_long = LONG_HELP.iter().any(|start| heading.starts_with(start));
        match is_long || help.starts_with(OTHER_FORM) {
            true => arg.hide_short_help(true),
            false => arg,
        }
    });
    let command = match command.get_after_help().cloned() {
        Some(examples) => command
            .after_long_help(examples)
            .after_help("--help shows all options, and examples."),
        None => command,
    };
    command.mut_subcommands(with_short_help)
}

/// Ignores variables that must not set a flag: an empty one, and one that another flag of this
/// command line overrules. Clap treats a variable like its flag, so `--kek` would conflict with the
/// keyset that a variable names.
fn with_variables(command: Command, given: &Given<'_>) -> Command {
    let has = |id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
    let takes_both = has("keyset") && has("kek");
    let mut unwanted: Vec<&str> = Vec::new();
    if takes_both && given.flag("--keyset") {
        unwanted.push("kek");
    }
    if takes_both && given.flag("--kek") {
        unwanted.push("keyset");
    }
    // A key-encryption key of keysets is of no use without one.
    let names_keyset = given.flag("--keyset") || is_set("KEYSEAL_KEYSET");
    if takes_both && (given.flag("--kek") || !names_keyset) {
        unwanted.push("keyset_kek");
    }
    let command = command.mut_args(|arg| {
        let is_empty = |name| env::var_os(name).is_some_and(|value| value.is_empty());
        let is_empty = arg.get_env().is_some_and(is_empty);
        match is_empty || unwanted.contains(&arg.get_id().as_str()) {
            true => arg.env(Resettable::Reset),
            false => arg,
        }
    });
    command.mut_subcommands(|inner| with_variables(inner, given))
}

/// Returns whether the keyset and the key-encryption key that conflict come from variables.
fn is_about_variables(error: &clap::Error, given: &Given<'_>) -> bool {
    let names = |kind, flag: &str| matches!(error.get(kind), Some(ContextValue::String(name)) if name.starts_with(flag));
    let kinds = [ContextKind::InvalidArg, ContextKind::PriorArg];
    error.kind() == ErrorKind::ArgumentConflict
        && ["--keyset <", "--kek <"]
            .iter()
            .all(|flag| kinds.iter().any(|kind| names(*kind, flag)))
        && !given.flag("--keyset")
        && !given.flag("--kek")
}

/// The error for variables that name a keyset and a key-encryption key.
fn two_variables(command: &mut Command) -> clap::Error {
    command.error(
        ErrorKind::ArgumentConflict,
        "KEYSEAL_KEYSET and KEYSEAL_KEK are both set, but only one of them can be used\n\n  \
         tip: unset one of them, or name --keyset or --kek, which overrules the other's variable",
    )
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Returns the flag of the command on a line that is spelt most like `wrong`, without its value.
pub(crate) fn similar_flag(arguments: &[OsString], wrong: &str) -> Option<String> {
    let verb = Given(arguments).verb(command());
    let flags = verb.get_arguments().filter_map(clap::Arg::get_long);
    let flags: Vec<String> = flags.map(|flag| format!("--{flag}")).collect();
    let (wrong, _) = wrong.split_once('=').unwrap_or((wrong, ""));
    closest(wrong, flags.iter().map(String::as_str)).map(str::to_owned)
}

/// The words of a command line.
struct Given<'a>(&'a [OsString]);

impl Given<'_> {
    /// Returns whether the line asks for help, and so does nothing else.
    fn help(&self) -> bool {
        self.0.get(1).is_some_and(|word| word == "help") || self.flag("-h") || self.flag("--help")
    }

    /// Returns the command that the line names, or the program itself.
    fn verb(&self, mut program: Command) -> Command {
        // The names in its usage.
        program.build();
        let mut verb = &program;
        for word in self.0.iter().skip(1).filter_map(|word| word.to_str()) {
            verb = verb.find_subcommand(word).unwrap_or(verb);
        }
        verb.clone()
    }

    /// Returns whether a flag is present, with its value in the same word or in the next.
    fn flag(&self, name: &str) -> bool {
        let words = self.0.iter().map(|word| word.as_encoded_bytes());
        words.take_while(|word| word != b"--").any(|word| {
            word.strip_prefix(name.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
        })
    }
}
