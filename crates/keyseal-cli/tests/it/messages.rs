//! Unwritable standard error, output that is cut short, ignored signals, and text from elsewhere in
//! messages.

#![cfg(target_os = "linux")]

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::support::{Place, WithKms};

const KEYSET: &str = "--keyset k.json --insecure-cleartext";

fn code(mut command: Command) -> Option<i32> {
    command.output().unwrap().status.code()
}

/// Returns a folder with a streaming keyset, a large file and its stream.
fn with_stream() -> Place {
    let place = Place::new();
    let create =
        "keyseal keyset create --template AES128_GCM_HKDF_4KB --insecure-cleartext -o k.json";
    assert_eq!(code(place.shell(create)), Some(0));
    place.write("big", vec![b'x'; 3_000_000]);
    let encrypt = format!("keyseal encrypt big {KEYSET} -o big.sealed");
    assert_eq!(code(place.shell(&encrypt)), Some(0));
    place
}

#[test]
fn data_for_a_closed_output_is_a_failure_and_a_report_is_not() {
    let place = with_stream();
    place.keyset("m.json");
    for (line, exit) in [
        (format!("encrypt big {KEYSET} >&-"), 3),
        (format!("decrypt big.sealed {KEYSET} >&-"), 3),
        (
            format!("decrypt big.sealed {KEYSET} --stream-output >&-"),
            3,
        ),
        (
            "keyset create --template AES256_GCM --insecure-cleartext >&-".into(),
            3,
        ),
        (format!("encrypt {KEYSET} -o none <&-"), 3),
        ("keyset list - --insecure-cleartext <&-".into(), 3),
        // A file is written whatever standard output is.
        (format!("encrypt big {KEYSET} -o out --force >&- 2>&-"), 0),
        ("keyset list m.json >&-".into(), 0),
        ("templates >&- 2>&-".into(), 0),
        // Somebody wants no output, or an empty input.
        (format!("encrypt big {KEYSET} >/dev/null"), 0),
        (format!("decrypt big.sealed {KEYSET} >/dev/null"), 0),
        (format!("encrypt big {KEYSET} --force -o /dev/null >&-"), 0),
        (format!("encrypt {KEYSET} -o empty </dev/null"), 0),
        // As Python's DEVNULL and Node's "ignore" open it.
        (format!("decrypt big.sealed {KEYSET} 1<>/dev/null"), 0),
        (format!("encrypt {KEYSET} -o empty2 0<>/dev/null"), 0),
    ] {
        let output = place.shell(&format!("keyseal {line}")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{line}: {said}");
        assert!(exit == 0 || said.contains("it is closed"), "{line}: {said}");
    }
    assert!(!place.path("none").exists());
}

#[test]
fn data_that_nobody_reads_is_a_failure() {
    let place = with_stream();
    for verb in [
        "encrypt big",
        "decrypt big.sealed",
        "decrypt big.sealed --stream-output",
        "decrypt big.sealed --range 10-2900000",
    ] {
        let line = format!("{{ keyseal {verb} {KEYSET}; echo $? >&2; }} | head -c 1000 > part");
        let said = place.shell(&line).output().unwrap().stderr;
        let said = String::from_utf8(said).unwrap();
        assert!(
            said.ends_with("\n3\n") && !said.contains("panic"),
            "{verb}: {said}"
        );
        assert!(
            said.contains("cannot write standard output"),
            "{verb}: {said}"
        );
    }
    // The reader of a named pipe goes away.
    let line = format!(
        "mkfifo pipe && head -c 1000 pipe > part & sleep 0.2; keyseal encrypt big {KEYSET} -o pipe"
    );
    assert_eq!(code(place.shell(&line)), Some(3));
}

#[test]
fn reports_that_nobody_reads_to_the_end_are_a_success() {
    let place = with_stream();
    for verb in [
        "templates",
        "templates --json",
        "keyset list k.json",
        "inspect k.json --json",
        "completions bash",
    ] {
        let line = format!("{{ sleep 0.1; keyseal {verb}; echo $? >&2; }} | true");
        let said = place.shell(&line).output().unwrap().stderr;
        assert_eq!(String::from_utf8(said).unwrap(), "0\n", "{verb}");
    }
}

#[test]
fn a_wrapped_key_that_nobody_reads_is_a_failure() {
    let kms = WithKms::new();
    for more in ["", "--json"] {
        let line = format!(
            "{{ sleep 0.1; keyseal dek generate {} {more}; echo $? >&2; }} | true",
            kms.kek
        );
        let said = String::from_utf8(kms.place.shell(&line).output().unwrap().stderr).unwrap();
        assert!(said.ends_with("\n3\n"), "{said}");
    }
}

#[test]
fn standard_error_that_cannot_be_written_changes_nothing() {
    let kms = WithKms::new();
    let kek = &kms.kek;
    let verbs = [
        format!("encrypt in {KEYSET} --force -o out"),
        format!("encrypt in --kek {kek} --force -o out -v"),
        format!("encrypt in --kek {kek} --force -o out --json"),
        format!("encrypt -r tree {KEYSET} --force -o tree.out -v"),
        format!("encrypt -r . {KEYSET} --in-place --nonsense"),
        format!("decrypt in {KEYSET}"),
        format!("decrypt in {KEYSET} --json"),
        format!("rewrap in --kek {kek} --force -o out"),
        "keyset list missing".to_owned(),
        "keyset lint k.json -v".to_owned(),
        "keyset rotate k.json --template AES256_GCM --insecure-cleartext --force -o r.json"
            .to_owned(),
        format!("mac in {KEYSET}"),
        format!("kek show {kek} -v"),
        format!("kek rotate {kek}"),
        "kek show scw-kms://regions/fr-par/keys/none".to_owned(),
        format!("dek generate {kek} -v"),
        "templates".to_owned(),
        "templates NO".to_owned(),
        "emulator -v -- true".to_owned(),
        "emulator -v -- sh -c \"exit 9\"".to_owned(),
        "quickstart".to_owned(),
        "man pages --force".to_owned(),
        "--help".to_owned(),
        "".to_owned(),
        "nonsense".to_owned(),
    ];
    let place = &kms.place;
    place.keyset("k.json");
    place.write("in", "text");
    std::fs::create_dir(place.path("tree")).unwrap();
    for name in ["tree/a", "tree/b"] {
        place.write(name, "text");
    }
    for verb in verbs {
        let expected = code(place.shell(&format!("keyseal {verb}")));
        assert_ne!(expected, Some(101));
        for redirection in ["2>/dev/full", "2>&-"] {
            let line = format!("keyseal {verb} {redirection}");
            assert_eq!(code(place.shell(&line)), expected, "{line}");
        }
        let line = format!("{{ sleep 0.05; keyseal {verb} >out.txt; echo $? >code; }} 2>&1 | true");
        place.shell(&line).output().unwrap();
        let status = String::from_utf8(place.read("code")).unwrap();
        assert_eq!(status.trim().parse().ok(), expected, "{verb}");
    }
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let place = Place::new();
    place.keyset("k.json");
    for signal in ["HUP", "INT", "TERM"] {
        for ignored in [true, false] {
            let trap = if ignored { "trap '' HUP INT TERM;" } else { "" };
            let line = format!("{trap} exec keyseal encrypt {KEYSET} --force -o out");
            let mut command = place.shell(&line);
            command.stdin(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(b"one part").unwrap();
            thread::sleep(Duration::from_millis(400));
            let kill = format!("kill -{signal} {}", child.id());
            assert_eq!(code(place.shell(&kill)), Some(0));
            thread::sleep(Duration::from_millis(200));
            let _ = input.write_all(b"another");
            drop(input);
            let expected = if ignored { 0 } else { 130 };
            assert_eq!(
                child.wait().unwrap().code(),
                Some(expected),
                "{signal} {ignored}"
            );
        }
    }
}

#[test]
fn an_emulator_in_the_background_outlives_ctrl_c() {
    let place = Place::new();
    // A shell without job control starts background jobs with SIGINT ignored.
    let line = "eval \"$(keyseal emulator --seed-key k -q &)\"; \
                kill -INT $KEYSEAL_EMULATOR_PID; sleep 0.3; \
                keyseal kek show \"$SCW_KM_KEY_URI\"; code=$?; \
                kill $KEYSEAL_EMULATOR_PID; exit $code";
    assert_eq!(code(place.shell(line)), Some(0));
}

#[test]
fn names_and_arguments_forge_no_line_and_move_no_terminal() {
    let place = Place::new();
    place.keyset("k.json");
    let evil = "a\nerror: forged\u{1b}[2J\u{9b}31m\u{7f}\u{202e}";
    place.write(evil, "text");
    let out = format!("{evil}.sealed");
    let keyset = ["--keyset", "k.json", "--insecure-cleartext"];
    let lines: &[&[&str]] = &[
        &["encrypt", evil, "-o", &out, "--force"],
        &["encrypt", "-r", ".", "-o", "out", "-v", "--force"],
        &["decrypt", evil],
        &["encrypt", "missing\nhint: forged\u{1b}[2J"],
    ];
    let others: &[&[&str]] = &[
        &["inspect", evil],
        &["keyset", "list", evil],
        &["keyset", "lint", evil],
        &["keyset", "list", "k.json", &format!("--{evil}")],
        &["templates", evil],
        &[evil],
        &[
            "keyset",
            "create",
            "--template",
            evil,
            "--insecure-cleartext",
        ],
        &["encrypt", "k.json", "--kek", evil],
        &["encrypt", "k.json", "--kek", &format!("file-kms://{evil}")],
        &["kek", "show", evil],
    ];
    let with_keyset = lines.iter().map(|line| [*line, &keyset[..]].concat());
    for line in with_keyset.chain(others.iter().map(|line| line.to_vec())) {
        for json in [false, true] {
            let mut line = line.clone();
            line.extend(json.then_some("--json"));
            let output = place.keyseal(&line).output().unwrap();
            for bytes in [output.stdout, output.stderr] {
                // Ciphertext is not text for people.
                let Ok(text) = String::from_utf8(bytes) else {
                    continue;
                };
                let moves = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
                assert!(!text.contains(moves), "{line:?}: {text:?}");
                let forged = |line: &str| {
                    line.starts_with("error: forged") || line.starts_with("hint: forged")
                };
                assert!(!text.lines().any(forged), "{line:?}: {text}");
            }
        }
    }
}

#[test]
fn a_message_of_a_service_moves_no_terminal() {
    use std::net::TcpListener;
    let mut place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let body = "{\"message\":\"no\\nerror: forged\\u001b[2J\u{9b}\",\"type\":\"denied\"}";
            let _ = write!(
                connection,
                "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    place.set("SCW_API_URL", &url);
    place.set("SCW_SECRET_KEY", "00000000-0000-4000-8000-000000000000");
    let output = place
        .keyseal(&["kek", "show", "11111111-1111-4111-8111-111111111111"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(
        !said.contains(|c: char| c.is_control() && c != '\n'),
        "{said:?}"
    );
    assert!(
        !said.lines().any(|line| line.starts_with("error: forged")),
        "{said}"
    );
}
