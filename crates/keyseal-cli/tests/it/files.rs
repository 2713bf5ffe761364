//! An output is complete or absent, and the input is untouched.

#![cfg(unix)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::support::Place;

#[test]
fn in_place_keeps_mode_and_owner_and_makes_a_new_file() {
    let place = Place::new();
    place.keyset("k.json");
    let path = place.path("k.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    // Only root may give files away; other users test that they keep their own.
    let given = chown(&path, Some(1234), Some(4321)).is_ok();
    let before = fs::metadata(&path).unwrap();
    place.rotate("k.json");
    let after = fs::metadata(&path).unwrap();
    assert_eq!(after.mode(), before.mode());
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert!(!given || after.uid() == 1234);
    assert_ne!(
        after.ino(),
        before.ino(),
        "the old file is never half a new one"
    );
    assert_eq!(place.names("."), ["k.json"]);
}

#[test]
fn a_full_device_is_an_error_and_not_a_success() {
    let place = Place::new();
    place.keyset("k.json");
    place.write("x", vec![7; 100_000]);
    let arguments = ["encrypt", "x", "--keyset", "k.json", "--insecure-cleartext"];
    for out in [&["-o", "/dev/full"][..], &[]] {
        let mut command = place.keyset_command(&arguments, out);
        if out.is_empty() {
            let full = fs::File::options().write(true).open("/dev/full").unwrap();
            command.stdout(full);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("no space is left"), "{said}");
    }
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_that_is_reported() {
    let place = Place::new();
    place.keyset("k.json");
    fs::create_dir(place.path("d")).unwrap();
    for (name, size) in [("1", 10), ("2", 1 << 20), ("3", 10)] {
        place.write(&format!("d/{name}"), vec![7; size]);
    }
    let line =
        "ulimit -f 8; exec keyseal encrypt -r d -o out -j1 --keyset k.json --insecure-cleartext";
    let output = place.shell(line).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("cannot write out/2.sealed: file too large"),
        "{said}"
    );
    assert!(said.contains("encrypted 2 files"), "{said}");
    assert_eq!(place.names("out"), ["1.sealed", "3.sealed"]);
}

#[test]
fn a_file_with_a_name_of_any_length_is_replaced_and_written() {
    let place = Place::new();
    place.keyset("k.json");
    // The longest name that Linux allows.
    let name = "n".repeat(255);
    place.write(&name, "x");
    let key = ["--keyset", "k.json", "--insecure-cleartext"];
    place.done(&[&["encrypt", &name, "--in-place"], &key[..]].concat());
    let out = "o".repeat(255);
    place.done(&[&["decrypt", &name, "-o", &out], &key[..]].concat());
    assert_eq!(place.read(&out), b"x");
    assert_eq!(place.names("."), ["k.json", &name, &out]);
}

#[test]
fn a_pipe_is_refused_in_place_before_it_is_opened() {
    let place = Place::new();
    place.keyset("k.json");
    assert!(place.shell("mkfifo pipe").status().unwrap().success());
    let key = ["--keyset", "k.json", "--insecure-cleartext"];
    for verb in ["encrypt", "decrypt"] {
        let mut child = place
            .keyset_command(&[verb, "pipe", "--in-place"], &key)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Nobody writes to the pipe, so opening it would wait.
        let end = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("cannot replace pipe: it is not a regular file"),
            "{said}"
        );
    }
}

#[test]
fn a_file_that_appears_meanwhile_is_not_overwritten() {
    let place = Place::new();
    place.keyset("k.json");
    let mut child = place
        .keyset_command(
            &["encrypt", "--keyset", "k.json", "--insecure-cleartext"],
            &["-o", "out"],
        )
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program has seen that there is no `out`, and waits for its input.
    wait_until_it_reads(&child);
    place.write("out", "somebody else's");
    child.stdin.take().unwrap().write_all(b"plaintext").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(place.read("out"), b"somebody else's");
    assert_eq!(place.names("."), ["k.json", "out"]);
}

#[test]
fn an_interruption_while_reading_leaves_nothing() {
    let place = Place::new();
    place.keyset("k.json");
    for signal in ["INT", "TERM"] {
        let mut child = place
            .keyset_command(
                &["encrypt", "--keyset", "k.json", "--insecure-cleartext"],
                &["-o", "out"],
            )
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until_it_reads(&child);
        // If the input ended, the run would end by itself.
        let input = child.stdin.take();
        interrupt(&child, signal);
        let output = child.wait_with_output().unwrap();
        drop(input);
        assert_eq!(output.status.code(), Some(130));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "error: interrupted: nothing half-written is left\n");
        assert_eq!(place.names("."), ["k.json"]);
    }
}

#[test]
fn an_interruption_while_writing_leaves_nothing_and_the_input_as_it_was() {
    let place = Place::new();
    place.keyset("k.json");
    place.write("large", vec![7; 48 << 20]);
    let before = fs::metadata(place.path("large")).unwrap();
    let caught = (0..20).any(|_| {
        let mut child = place
            .keyset_command(
                &[
                    "encrypt",
                    "large",
                    "--keyset",
                    "k.json",
                    "--insecure-cleartext",
                    "-q",
                ],
                &["--in-place"],
            )
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let seen = until(&mut child, || {
            place
                .names(".")
                .iter()
                .any(|name| name.ends_with(".keyseal-tmp"))
        });
        if seen {
            interrupt(&child, "INT");
        }
        let status = child.wait().unwrap();
        assert_eq!(
            place.names("."),
            ["k.json", "large"],
            "nothing else is there"
        );
        if status.code() == Some(130) {
            return true;
        }
        // It was faster, and its output is whole. Try again.
        place.done(&[
            "decrypt",
            "large",
            "--keyset",
            "k.json",
            "--insecure-cleartext",
            "--in-place",
        ]);
        false
    });
    assert!(
        caught,
        "not once in twenty times was it caught while writing"
    );
    let after = fs::metadata(place.path("large")).unwrap();
    assert_eq!(after.len(), before.len());
    assert!(place.read("large").iter().all(|byte| *byte == 7));
}

#[test]
fn an_interrupted_quickstart_removes_its_folder() {
    let place = Place::new();
    place.write("large", vec![7; 48 << 20]);
    fs::create_dir(place.path("tmp")).unwrap();
    let mut child = place
        .keyset_command(&["quickstart", "large"], &[])
        .env("TMPDIR", place.path("tmp"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let seen = until(&mut child, || {
        let folders = place.names("tmp");
        let inside = folders.first().and_then(|folder| {
            fs::read_dir(place.path("tmp").join(folder))
                .ok()
                .map(Iterator::count)
        });
        inside.is_some_and(|files| files >= 2)
    });
    assert!(seen, "it ended before it was interrupted");
    interrupt(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(place.names("tmp"), [""; 0]);
}

impl Place {
    fn keyset_command(&self, arguments: &[&str], more: &[&str]) -> Command {
        let mut command = self.keyseal(arguments);
        command.args(more);
        command
    }
}

/// Waits for something, and returns false when the child has ended before.
fn until(child: &mut Child, happened: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        if happened() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        thread::sleep(Duration::from_micros(200));
    }
    panic!("nothing happened for a minute");
}

/// Waits until the child sleeps in a read of its standard input.
fn wait_until_it_reads(child: &Child) {
    let start = Instant::now();
    let path = format!("/proc/{}/syscall", child.id());
    while start.elapsed() < Duration::from_secs(60) {
        // "0" is `read` on x86-64, "63" on aarch64; its first argument is the descriptor.
        let call = fs::read_to_string(&path).unwrap_or_default();
        if call.starts_with("0 0x0 ") || call.starts_with("63 0x0 ") {
            return;
        }
        if call.is_empty() {
            // This system has no such file: wait for the longest time that it needs.
            thread::sleep(Duration::from_secs(2));
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("it did not read for a minute");
}

fn interrupt(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill")
        .args(["-s", signal, &id])
        .status()
        .unwrap();
    assert!(sent.success());
}
