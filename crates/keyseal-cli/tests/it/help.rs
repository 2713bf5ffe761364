//! The help texts are what `tests/cmd/help` says.

use std::{env, fs, path::Path};

use super::support::Place;

const COMMANDS: &[&str] = &[
    "",
    "quickstart",
    "rewrap",
    "encrypt",
    "decrypt",
    "inspect",
    "explain",
    "keyset",
    "keyset create",
    "keyset list",
    "keyset add",
    "keyset rotate",
    "keyset promote",
    "keyset enable",
    "keyset disable",
    "keyset destroy",
    "keyset delete",
    "keyset convert",
    "keyset derive",
    "keyset import",
    "keyset export",
    "keyset lint",
    "mac",
    "verify-mac",
    "templates",
    "kek",
    "kek create",
    "kek list",
    "kek show",
    "kek update",
    "kek rotate",
    "kek rotations",
    "kek enable",
    "kek disable",
    "kek protect",
    "kek unprotect",
    "kek delete",
    "kek restore",
    "kek import",
    "kek delete-material",
    "kek sign",
    "kek verify",
    "kek public-key",
    "kek algorithms",
    "dek",
    "dek generate",
    "dek decrypt",
    "emulator",
    "bench",
    "completions",
    "man",
];

#[test]
fn help_texts_are_as_written_down() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/help");
    let mut changed = Vec::new();
    for command in COMMANDS {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let shown = place.done(&arguments).stdout;
        let name = match *command {
            "" => "keyseal".to_owned(),
            command => command.replace(' ', "-"),
        };
        let file = folder.join(name).with_extension("txt");
        if env::var_os("KEYSEAL_BLESS").is_some() {
            fs::write(&file, &shown).unwrap();
        } else if fs::read(&file).ok() != Some(shown) {
            changed.push(*command);
        }
    }
    assert_eq!(changed, [""; 0], "KEYSEAL_BLESS=1 writes them again");
}

#[test]
fn every_command_is_written_down_and_has_an_example() {
    let place = Place::new();
    for within in ["", "keyset", "kek", "dek"] {
        let arguments: Vec<&str> = within.split_whitespace().chain(["--help"]).collect();
        let help = String::from_utf8(place.done(&arguments).stdout).unwrap();
        let list = help.split("Commands:\n").nth(1).unwrap();
        let lines = list.lines().take_while(|line| !line.is_empty());
        // A description that is too long goes on below, further to the right.
        for line in lines.filter(|line| !line.starts_with("   ")) {
            let verb = line.split_whitespace().next().unwrap();
            let command = format!("{within} {verb}");
            let command = command.trim();
            assert!(verb == "help" || COMMANDS.contains(&command), "{command}");
        }
    }
    for command in COMMANDS
        .iter()
        .filter(|command| !matches!(**command, "" | "keyset" | "kek" | "dek"))
    {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = String::from_utf8(place.done(&arguments).stdout).unwrap();
        let example = help.split("\nExample").nth(1);
        assert!(
            example.is_some_and(|text| text.contains(command)),
            "{command}"
        );
    }
}
