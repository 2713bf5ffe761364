//! Hints, which name only flags that the current command has.
//!
//! A failure does not know the command in which it occurs: a failure of a key management service
//! can occur in any. So we choose the hints when we report it. A hint that names a flag says
//! nothing else, and is left out if the command lacks the flag. A hint about another command
//! contains the whole command line, starting with `keyseal`.

use std::collections::BTreeSet;

use clap::{ArgMatches, Command};

/// The flags of one command, such as `--retries`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags(BTreeSet<String>);

impl Flags {
    /// Returns the flags of the command that the program was started with.
    pub(crate) fn of(command: &Command, matches: &ArgMatches) -> Self {
        Self(of_verb(command, matches))
    }

    /// Returns whether every flag in `hint` is one of these, or of the command line in it.
    pub(crate) fn allow(&self, hint: &str) -> bool {
        hint.contains("keyseal ") || flags_in(hint).all(|flag| self.0.contains(flag))
    }
}

fn of_verb(command: &Command, matches: &ArgMatches) -> BTreeSet<String> {
    match matches.subcommand() {
        Some((name, matches)) => match command.find_subcommand(name) {
            Some(verb) => of_verb(verb, matches),
            None => BTreeSet::new(),
        },
        None => own(command),
    }
}

fn own(verb: &Command) -> BTreeSet<String> {
    let names = verb
        .get_arguments()
        .filter_map(clap::Arg::get_long_and_visible_aliases);
    names.flatten().map(|name| format!("--{name}")).collect()
}

fn flags_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '(' | '=' | '`'));
    words
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(|word| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kms_failure::hints_by_kind;

    /// Calls `see` with the path and the flags of every command.
    fn each_verb(command: &Command, path: &str, see: &mut dyn FnMut(&str, &Flags)) {
        if !command.has_subcommands() {
            see(path, &Flags(own(command)));
        }
        for verb in command.get_subcommands() {
            each_verb(verb, &format!("{path} {}", verb.get_name()), see);
        }
    }

    fn built() -> Command {
        let mut command = crate::command_line::command();
        command.build();
        command
    }

    #[test]
    fn a_hint_that_names_a_flag_is_for_verbs_that_have_it() {
        let mut seen = 0;
        each_verb(&built(), "keyseal", &mut |path, flags| {
            seen += 1;
            let hints = hints_by_kind().into_iter().flatten();
            for hint in hints.filter(|hint| flags.allow(hint)) {
                for flag in flags_in(hint) {
                    assert!(flags.0.contains(flag), "{path}: {hint}");
                }
            }
        });
        assert!(seen > 40, "{seen}");
    }

    #[test]
    fn every_verb_gets_a_hint_for_every_kind_of_failure_that_has_hints() {
        each_verb(&built(), "keyseal", &mut |path, flags| {
            for hints in hints_by_kind() {
                assert!(
                    hints.iter().any(|hint| flags.allow(hint)),
                    "{path}: {hints:?}"
                );
            }
        });
    }

    /// Help names no flag that only another verb has, where a value or a sentence is shared.
    #[test]
    fn the_help_of_a_verb_names_only_flags_that_it_has() {
        fn check(command: &Command, path: &str) {
            let flags = own(command);
            let texts = command.get_arguments().flat_map(|arg| {
                let long = arg.get_long_help().map(ToString::to_string);
                [arg.get_help().map(ToString::to_string), long]
            });
            for text in texts.flatten() {
                // `--help` also shows hidden items, such as the forms of one option.
                for flag in flags_in(&text) {
                    assert!(flags.contains(flag), "{path}: {text}");
                }
            }
            for verb in command.get_subcommands() {
                check(verb, &format!("{path} {}", verb.get_name()));
            }
        }
        check(&built(), "keyseal");
    }

    /// A heading goes on for all arguments that follow, unless they have their own.
    #[test]
    fn the_options_of_key_manager_are_the_same_in_every_verb_and_no_argument_is_among_them() {
        fn collect(command: &Command, path: &str, seen: &mut BTreeMap<BTreeSet<String>, String>) {
            let mut options = BTreeSet::new();
            for arg in command.get_arguments() {
                let heading = arg.get_help_heading();
                match arg.get_long() {
                    Some(flag) if heading.is_some_and(|text| text.starts_with("Key Manager")) => {
                        options.insert(flag.to_owned());
                    }
                    Some(_) => {}
                    None => assert_eq!(heading, None, "{path}: {}", arg.get_id()),
                }
            }
            if !options.is_empty() {
                seen.insert(options, path.to_owned());
            }
            for verb in command.get_subcommands() {
                collect(verb, &format!("{path} {}", verb.get_name()), seen);
            }
        }
        let mut seen = BTreeMap::new();
        collect(&built(), "keyseal", &mut seen);
        assert_eq!(seen.len(), 1, "{seen:?}");
    }

    /// Texts of hints in the sources, with the flags that they name.
    #[test]
    fn every_flag_that_a_hint_names_exists() {
        let mut known = BTreeSet::new();
        each_verb(&built(), "keyseal", &mut |_, flags| {
            known.extend(flags.0.clone())
        });
        let mut folders = vec![std::path::PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src"
        ))];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let text = std::fs::read_to_string(entry.path()).unwrap();
                for call in text.split(".hint(").skip(1) {
                    // The first string literal of the call.
                    let Some(hint) = call.split('"').nth(1) else {
                        continue;
                    };
                    for flag in flags_in(hint) {
                        seen += 1;
                        assert!(known.contains(flag), "{}: {hint}", entry.path().display());
                    }
                }
            }
        }
        assert!(seen > 10, "{seen}");
    }
}
