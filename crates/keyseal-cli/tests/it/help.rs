//! The help texts are those of `tests/cmd/help`.

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
    "keyset migrate",
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
fn the_short_help_fits_a_screen() {
    let place = Place::new();
    for command in COMMANDS {
        let arguments: Vec<&str> = command.split_whitespace().chain(["-h"]).collect();
        let mut run = place.keyseal(&arguments);
        let shown = String::from_utf8(run.env("COLUMNS", "80").output().unwrap().stdout).unwrap();
        assert!(
            shown.lines().count() <= 40,
            "{command}: {}",
            shown.lines().count()
        );
        assert!(!shown.contains("--region"), "{command}");
    }
    let long = String::from_utf8(place.done(&["encrypt", "--help"]).stdout).unwrap();
    assert!(
        long.contains("--region") && long.contains("[env: KEYSEAL_KEK]"),
        "{long}"
    );
}

#[test]
fn manual_pages_have_examples_and_exit_codes_under_headings() {
    let place = Place::new();
    place.done(&["man", "pages"]);
    for page in place.names("pages") {
        let text = String::from_utf8(place.read(&format!("pages/{page}"))).unwrap();
        let headings: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with(".SH"))
            .collect();
        assert!(
            text.contains("EXIT STATUS") && !text.contains(".SH EXTRA"),
            "{page}: {headings:?}"
        );
        let is_group = ["keyseal-keyset.1", "keyseal-kek.1", "keyseal-dek.1"].contains(&&*page);
        assert!(
            is_group || text.contains(".SH EXAMPLES"),
            "{page}: {headings:?}"
        );
    }
}

/// Returns the candidates that a shell gets for the last word of a line.
fn candidates(place: &Place, words: &[&str]) -> Vec<String> {
    let line = [&["--", "keyseal"], words].concat();
    let mut run = place.keyseal(&line);
    let index = words.len().to_string();
    run.env("KEYSEAL_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", index)
        .env("_CLAP_IFS", "\n");
    let output = run.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn completions_know_templates_and_the_keys_of_a_keyset() {
    let place = Place::new();
    place.keyset("k.json");
    let list = place.done(&["keyset", "list", "k.json", "--json"]).stdout;
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    let id = list["primary_key_id"].to_string();
    for words in [
        &["keyset", "promote", "k.json", "--key-id", ""][..],
        &["keyset", "rotate", "k.json", "--disable", ""],
    ] {
        assert_eq!(candidates(&place, words), [id.as_str()], "{words:?}");
    }
    let templates = candidates(&place, &["keyset", "create", "--template", "AES256_GCM_S"]);
    assert!(
        templates
            .iter()
            .any(|name| name.starts_with("AES256_GCM_SIV")),
        "{templates:?}"
    );
    let verbs = candidates(&place, &[""]);
    assert!(verbs.iter().any(|verb| verb == "encrypt"), "{verbs:?}");
    assert!(
        !verbs.iter().any(|verb| verb == "rotate-keyset"),
        "{verbs:?}"
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = String::from_utf8(place.done(&["completions", shell]).stdout).unwrap();
        assert!(script.contains("KEYSEAL_COMPLETE"), "{shell}");
    }
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
