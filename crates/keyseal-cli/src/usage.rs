//! What clap has to say, in the form of all other messages.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{
    command_line::{parse, similar_flag},
    display::printable,
    error::Failure,
    exit::Exit,
    style::Style,
};

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
            let failure = failure(quoting.as_ref().unwrap_or(error), arguments);
            failure.report(Style::detect(), as_json);
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

/// The standard library's message for a number that it cannot read, and advice for the user.
const NUMBERS: [(&str, &str); 4] = [
    ("invalid digit found in string", "it is not a whole number"),
    (
        "cannot parse integer from empty string",
        "it is empty, and not a number",
    ),
    (
        "number too large to fit in target type",
        "the number is too large",
    ),
    ("number would be zero for non-zero type", "the least is 1"),
];

/// Takes clap's text apart: a first paragraph, tips, the usage.
fn failure(error: &clap::Error, arguments: &[OsString]) -> Failure {
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
    for (theirs, ours) in NUMBERS {
        if let Some(start) = why.strip_suffix(theirs) {
            why = format!("{start}{ours}");
        }
    }
    if let Some(flag) = meant(error, arguments) {
        // Instead of how to pass the flag as a value, which nobody means then.
        hints.retain(|hint| !hint.starts_with("to pass "));
        hints.insert(0, format!("did you mean {flag}?"));
    }
    hints
        .into_iter()
        .fold(Failure::usage("usage", "command line", why), Failure::hint)
}

/// Returns the flag that was most likely meant by an unknown one, where clap suggests none.
fn meant(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let suggested = error.get(ContextKind::SuggestedArg);
    match (error.kind(), error.get(ContextKind::InvalidArg), suggested) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(wrong)), None)
            if wrong.starts_with("--") =>
        {
            similar_flag(arguments, wrong)
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::{collections::BTreeSet, env, time::Duration, time::Instant};

    use clap::Command;
    use proptest::{
        prelude::*,
        test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
    };

    use super::*;
    use crate::{command_line::command, display::Lines};

    /// The words that the program knows: commands, flags and the values that they take.
    fn vocabulary(command: &Command, words: &mut BTreeSet<String>) {
        words.insert(command.get_name().to_owned());
        for arg in command.get_arguments() {
            words.extend(arg.get_long().map(|long| format!("--{long}")));
            words.extend(arg.get_long().map(|long| format!("--{long}=")));
            words.extend(arg.get_short().map(|short| format!("-{short}")));
            let values = arg.get_possible_values();
            words.extend(values.iter().map(|value| value.get_name().to_owned()));
        }
        for inner in command.get_subcommands() {
            vocabulary(inner, words);
        }
    }

    /// A command and its inner ones, then words of all commands, and of none.
    fn lines() -> impl Strategy<Value = Vec<OsString>> {
        let mut known = BTreeSet::new();
        vocabulary(&command(), &mut known);
        let known: Vec<String> = known.into_iter().collect();
        let word = prop_oneof![
            6 => proptest::sample::select(known),
            1 => "[a-zA-Z0-9./:=-]{0,12}",
            1 => any::<String>(),
            1 => "(AES256_GCM|-1|0|4294967296|1-|--|-|k.json|file-kms://k.json|scw-kms://x)",
        ];
        let word = word.prop_map(OsString::from);
        #[cfg(unix)]
        let word = {
            use std::os::unix::ffi::OsStringExt as _;
            prop_oneof![20 => word, 1 => any::<Vec<u8>>().prop_map(OsString::from_vec)]
        };
        let line = proptest::collection::vec(word, 0..10);
        (proptest::sample::select(paths()), line).prop_map(|(path, words)| {
            let path = ["keyseal".to_owned()].into_iter().chain(path);
            path.map(OsString::from).chain(words).collect()
        })
    }

    /// The ways to each command.
    fn paths() -> Vec<Vec<String>> {
        fn visit(command: &Command, path: &[String], paths: &mut Vec<Vec<String>>) {
            paths.push(path.to_vec());
            for inner in command.get_subcommands() {
                visit(
                    inner,
                    &[path, &[inner.get_name().to_owned()]].concat(),
                    paths,
                );
            }
        }
        let mut paths = Vec::new();
        visit(&command(), &[], &mut paths);
        paths
    }

    /// With `KEYSEAL_FUZZ_SECONDS`, it takes that long: the law of `fuzz/` for arguments.
    #[test]
    fn any_arguments_are_taken_or_refused_in_one_line() {
        let seconds = env::var("KEYSEAL_FUZZ_SECONDS").map(|seconds| seconds.parse().unwrap());
        let time = seconds.map_or(Duration::ZERO, Duration::from_secs);
        let start = Instant::now();
        let config = Config {
            failure_persistence: None,
            ..Config::with_cases(300)
        };
        let mut random = TestRng::deterministic_rng(RngAlgorithm::default());
        loop {
            // A runner runs its cases once.
            let mut runner = TestRunner::new_with_rng(config.clone(), random);
            let outcome = runner.run(&lines(), |line| {
                let Err(error) = parse(&line) else {
                    return Ok(());
                };
                prop_assert_eq!(parse(&line).unwrap_err().kind(), error.kind());
                if matches!(
                    error.kind(),
                    ErrorKind::DisplayHelp
                        | ErrorKind::DisplayVersion
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                ) {
                    return Ok(());
                }
                let quoting = printable_arguments(&line);
                let failure = failure(quoting.as_ref().unwrap_or(&error), &line);
                prop_assert_eq!(failure.exit(), Exit::Usage);
                let message = failure.message();
                prop_assert!(message.len() > "command line: ".len(), "{}", message);
                let shown = Lines::from(message.as_str()).to_string();
                let (line, rest) = shown.split_once('\n').unwrap();
                prop_assert_eq!(rest, "");
                prop_assert!(!line.chars().any(char::is_control), "{:?}", line);
                Ok(())
            });
            outcome.unwrap();
            random = runner.new_rng();
            if start.elapsed() >= time {
                break;
            }
        }
    }
}
