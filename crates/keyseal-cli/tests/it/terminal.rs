//! The bytes that reach a terminal.

#![cfg(target_os = "linux")]

use std::{
    fs::File,
    io::Read as _,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    thread,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::support::Place;

/// Opens a terminal: the screen's side and the program's side.
fn terminal() -> (File, OwnedFd) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    let program = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    (screen.into(), program.into())
}

/// Runs a command with one of its streams on a terminal, and returns the content of the screen.
fn shown(mut command: Command, on: fn(&mut Command, Stdio)) -> (Option<i32>, String, Vec<u8>) {
    let (mut screen, program) = terminal();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    on(&mut command, program.into());
    let child = command.spawn().unwrap();
    // The command holds the other side. Drop it, so that the screen ends with the child.
    drop(command);
    let reader = thread::spawn(move || {
        let mut seen = Vec::new();
        // The end of a terminal is an error.
        let _ = screen.read_to_end(&mut seen);
        seen
    });
    let output = child.wait_with_output().unwrap();
    let seen = String::from_utf8_lossy(&reader.join().unwrap()).into_owned();
    let mut other = output.stdout;
    other.extend(output.stderr);
    (output.status.code(), seen, other)
}

fn on_stdout(command: &mut Command, terminal: Stdio) {
    command.stdout(terminal);
}

fn on_stderr(command: &mut Command, terminal: Stdio) {
    command.stderr(terminal);
}

#[test]
fn binary_is_refused_and_text_is_not() {
    let place = Place::new();
    place.keyset("k.json");
    place.write("text", "plain text\n");
    place.write("binary", [0, 1, 2, 0xff]);
    let keyset = ["--keyset", "k.json", "--insecure-cleartext"];
    for name in ["text", "binary"] {
        let sealed = format!("{name}.sealed");
        let arguments = [&["encrypt", name, "-o", &sealed][..], &keyset].concat();
        place.done(&arguments);
    }
    let refused: &[&[&str]] = &[
        &[
            "encrypt",
            "text",
            "--keyset",
            "k.json",
            "--insecure-cleartext",
        ],
        &[
            "encrypt",
            "text",
            "-o",
            "-",
            "--keyset",
            "k.json",
            "--insecure-cleartext",
        ],
        &[
            "decrypt",
            "binary.sealed",
            "--keyset",
            "k.json",
            "--insecure-cleartext",
        ],
        &[
            "keyset",
            "convert",
            "k.json",
            "--format",
            "binary",
            "--insecure-cleartext",
        ],
    ];
    for arguments in refused {
        let (code, seen, said) = shown(place.keyseal(arguments), on_stdout);
        let said = String::from_utf8_lossy(&said);
        assert_eq!((code, &*seen), (Some(2), ""), "{arguments:?} {said}");
        assert!(
            said.contains("cannot write to the terminal: the output is binary"),
            "{said}"
        );
        assert!(
            said.contains("hint: write to a file with -o FILE"),
            "{said}"
        );
    }
    let arguments = [&["decrypt", "text.sealed"][..], &keyset].concat();
    let (code, seen, _) = shown(place.keyseal(&arguments), on_stdout);
    assert_eq!((code, &*seen), (Some(0), "plain text\r\n"));
    let arguments = [&["decrypt", "binary.sealed", "--force"][..], &keyset].concat();
    let (code, seen, _) = shown(place.keyseal(&arguments), on_stdout);
    assert_eq!((code, seen.len() >= 4), (Some(0), true));
}

#[test]
fn a_decrypted_stream_sends_no_control_characters() {
    let place = Place::new();
    for (template, more) in [
        ("AES128_GCM_HKDF_4KB", &["--stream-output"][..]),
        ("AES128_GCM_HKDF_4KB", &["--range", "9000-"]),
        ("AES128_GCM_HKDF_4KB", &[]),
        ("AES256_GCM", &[]),
    ] {
        place.done(&[
            "keyset",
            "create",
            "--template",
            template,
            "--insecure-cleartext",
            "--force",
            "-o",
            "k.json",
        ]);
        let keyset = ["--keyset", "k.json", "--insecure-cleartext"];
        for (end, is_text) in [
            ("\u{1b}[2J", false),
            ("\u{9b}2J", false),
            ("\u{20ac}\r\n", true),
        ] {
            place.write("in", format!("{}{end}", "text\n".repeat(2000)));
            place.done(
                &[
                    &["encrypt", "in", "--force", "-o", "in.sealed"][..],
                    &keyset,
                ]
                .concat(),
            );
            let decrypt = [&["decrypt", "in.sealed"][..], &keyset, more].concat();
            let (code, seen, said) = shown(place.keyseal(&decrypt), on_stdout);
            let said = String::from_utf8_lossy(&said);
            let moves = |c: char| c.is_control() && !matches!(c, '\n' | '\r');
            assert!(!seen.contains(moves), "{decrypt:?}: {seen:?}");
            assert_eq!(
                code,
                Some(if is_text { 0 } else { 2 }),
                "{decrypt:?}: {said}"
            );
            assert!(
                is_text || said.contains("cannot write to the terminal"),
                "{said}"
            );
        }
    }
}

#[test]
fn errors_have_colours_on_a_terminal_unless_they_are_not_wanted() {
    let place = Place::new();
    let failing = || place.keyseal(&["templates", "NO"]);
    let (_, coloured, _) = shown(failing(), on_stderr);
    assert!(
        coloured.contains("\u{1b}[1;31merror:\u{1b}[0m cannot use template NO"),
        "{coloured}"
    );
    let mut plain = failing();
    plain.env("NO_COLOR", "1");
    let (_, plain, _) = shown(plain, on_stderr);
    assert!(
        plain.starts_with("error: cannot use template NO"),
        "{plain}"
    );
    let mut dumb = failing();
    dumb.env("TERM", "dumb");
    let (_, dumb, _) = shown(dumb, on_stderr);
    assert!(!dumb.contains('\u{1b}'), "{dumb}");
    let piped = failing().output().unwrap().stderr;
    assert!(!piped.contains(&0x1b));
}

#[test]
fn an_input_from_the_terminal_is_announced() {
    let place = Place::new();
    place.keyset("k.json");
    let (screen, program) = terminal();
    let child = place
        .keyseal(&[
            "encrypt",
            "--keyset",
            "k.json",
            "--insecure-cleartext",
            "-o",
            "out",
        ])
        .stdin(program)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::Write as _;
    (&screen).write_all(b"a line\n\x04").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.starts_with("reading from the terminal; Ctrl-D ends the input\n"),
        "{said}"
    );
    assert_eq!(place.read("out").len(), 7 + 33);
}

#[test]
fn progress_fits_forty_columns_and_is_for_terminals_alone() {
    let place = Place::new();
    let create = "keyset create --template HMAC_SHA256_256BITTAG --insecure-cleartext -o m.json";
    place.done(&create.split(' ').collect::<Vec<_>>());
    let slowly = "{ head -c 3000000 /dev/zero; sleep 2; head -c 3000000 /dev/zero; }";
    let line = format!("{slowly} | keyseal mac --keyset m.json --insecure-cleartext");
    let on_narrow = format!("stty rows 10 cols 40 <&2; {line}");
    let (code, seen, tag) = shown(place.shell(&on_narrow), on_stderr);
    assert_eq!((code, tag.len()), (Some(0), 75), "{seen:?}");
    assert!(seen.contains("2.86 MiB") && seen.contains("/s"), "{seen:?}");
    for part in seen.split(['\r', '\n', '\u{1b}']) {
        assert!(part.chars().count() <= 44, "{part:?}");
    }
    assert!(!seen.contains('\n'), "{seen:?}");
    let piped = place.shell(&line).output().unwrap();
    assert_eq!(piped.stderr, b"", "no terminal, no progress");
}
