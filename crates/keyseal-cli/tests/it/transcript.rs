//! `tests/cmd/*.txt`: commands and their output.

use std::{fs, path::Path, process::Output};

use super::support::{Place, WithKms};

#[test]
fn keysets_are_created() {
    run("create");
}

#[test]
fn streams_are_written_read_and_wrapped_anew() {
    run("streams");
}

#[test]
fn files_are_encrypted_and_decrypted() {
    run("encrypt");
}

#[test]
fn keysets_are_edited() {
    run("edit");
}

#[test]
fn keysets_are_converted_imported_and_exported() {
    run("convert");
}

#[test]
fn formats_on_tink_are_read() {
    run("formats");
}

#[test]
fn keysets_are_linted() {
    run("lint");
}

#[test]
fn files_are_inspected_and_explained() {
    run("inspect");
}

#[test]
fn an_envelope_and_a_cut_stream_are_explained() {
    run("explain_kek");
}

#[test]
fn messages_say_which_file_and_what_to_do_next() {
    run("next_steps");
}

#[test]
fn tinkeys_verbs_do_what_they_do_there() {
    run("tinkey");
}

#[test]
fn messages_have_their_form() {
    run("messages");
}

#[test]
fn the_quickstart_tells_its_story() {
    run("quickstart");
}

#[test]
fn tags_are_computed_and_verified() {
    run("mac");
}

#[test]
fn keysets_are_derived() {
    run("derive");
}

#[test]
fn data_moves_to_another_key_encryption_key() {
    run("migrate");
}

#[test]
fn keys_of_key_manager_are_managed() {
    run_in("kek", &WithKms::new().place);
}

#[test]
fn data_keys_are_generated_and_unwrapped() {
    run_in("dek", &WithKms::new().place);
}

#[test]
fn keysets_are_kept_under_a_key_of_key_manager() {
    run_in("keyset_kek", &WithKms::new().place);
}

#[test]
fn ciphers_are_measured() {
    run("bench");
}

#[test]
fn the_emulator_refuses_what_it_cannot_serve() {
    run("emulator");
}

#[derive(Default)]
struct Case<'t> {
    line: usize,
    command: &'t str,
    exit: i32,
    stdout: Vec<&'t str>,
    stderr: Vec<&'t str>,
}

fn run(name: &str) {
    run_in(name, &Place::new());
}

fn run_in(name: &str, place: &Place) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cmd/{name}.txt"));
    let text = fs::read_to_string(&path).unwrap();
    let cases = parse(&text);
    assert!(!cases.is_empty());
    for case in cases {
        let output = place.shell(case.command).output().unwrap();
        if let Err(why) = check(&case, &output) {
            panic!(
                "{name}.txt:{}: {}\n{why}\nexit {:?}\nstdout:\n{}\nstderr:\n{}",
                case.line,
                case.command,
                output.status.code(),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            );
        }
    }
}

fn parse(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        if mark == "$ " {
            cases.push(Case {
                line: n + 1,
                command: rest,
                ..Case::default()
            });
            continue;
        }
        let case = cases.last_mut();
        match (mark, case) {
            ("# ", _) | ("", _) => {}
            ("? ", Some(case)) => case.exit = rest.parse().unwrap(),
            ("1 " | "1", Some(case)) => case.stdout.push(rest),
            ("2 " | "2", Some(case)) => case.stderr.push(rest),
            _ => panic!("line {}: {line}", n + 1),
        }
    }
    cases
}

fn check(case: &Case<'_>, output: &Output) -> Result<(), String> {
    if output.status.code() != Some(case.exit) {
        return Err(format!("the exit code is not {}", case.exit));
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    check_lines("standard output", &case.stdout, &stdout)?;
    if case.stderr.is_empty() && (case.exit == 0 || output.stderr.is_empty()) {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    check_lines("standard error", &case.stderr, &stderr)
}

fn check_lines(name: &str, wanted: &[&str], text: &str) -> Result<(), String> {
    let lines: Vec<&str> = text.lines().collect();
    if match_lines(wanted, &lines) {
        Ok(())
    } else {
        Err(format!("{name} is not:\n{}", wanted.join("\n")))
    }
}

fn match_lines(wanted: &[&str], lines: &[&str]) -> bool {
    match (wanted, lines) {
        ([], []) => true,
        ([any, wanted @ ..], _) if any.trim() == "..." => {
            (0..=lines.len()).any(|skip| match_lines(wanted, &lines[skip..]))
        }
        ([first, wanted @ ..], [line, lines @ ..]) => {
            match_line(first, line) && match_lines(wanted, lines)
        }
        _ => false,
    }
}

fn match_line(wanted: &str, line: &str) -> bool {
    match wanted.split_once("[..]") {
        None => wanted == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            (0..=line.len())
                .filter_map(|skip| line.get(skip..))
                .any(|line| match_line(rest, line))
        }),
    }
}

#[test]
fn patterns_match_what_they_say() {
    assert!(match_lines(&["a", "...", "c"], &["a", "b", "b", "c"]));
    assert!(match_lines(&["..."], &[]));
    assert!(!match_lines(&["a", "...", "c"], &["a", "b"]));
    assert!(!match_lines(&[], &["a"]));
    assert!(match_line("a[..]c[..]", "abbc"));
    assert!(!match_line("a[..]c", "abbcd"));
}
