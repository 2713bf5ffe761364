//! Other processes in the same folders: locks, and races for one output.

#![cfg(unix)]

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
    thread,
    time::Duration,
};

use super::support::Place;

const ENCRYPT: [&str; 6] = [
    "encrypt",
    "-r",
    "t",
    "--keyset",
    "k.json",
    "--insecure-cleartext",
];

/// Makes a keyset and a folder with files.
fn with_files(files: usize) -> Place {
    let place = Place::new();
    place.keyset("k.json");
    fs::create_dir(place.path("t")).unwrap();
    for file in 0..files {
        place.write(&format!("t/{file}"), format!("content of {file}"));
    }
    place
}

fn locked(place: &Place, name: &str) -> File {
    let file = File::open(place.path(name)).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn a_wait_for_a_lock_names_the_file() {
    let place = with_files(2);
    for (arguments, file) in [
        (&ENCRYPT[..], "t/1"),
        (
            &[
                "keyset",
                "add",
                "k.json",
                "--template",
                "AES256_GCM",
                "--insecure-cleartext",
            ],
            "k.json",
        ),
    ] {
        let lock = locked(&place, file);
        let mut child = place
            .keyseal(&[arguments, &["--in-place"]].concat())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        stderr.read_line(&mut said).unwrap();
        let expected = format!("waiting for another process, which has locked {file}\n");
        assert_eq!(said, expected);
        drop(lock);
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    }
}

#[test]
fn a_quiet_wait_for_a_lock_says_nothing() {
    let place = with_files(1);
    let lock = locked(&place, "t/0");
    let child = place
        .keyseal(&[&ENCRYPT[..], &["--in-place", "-q"]].concat())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(1500));
    drop(lock);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
