//! Other processes in the same folders: locks, races for one output, and folders that are replaced.

#![cfg(unix)]

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::symlink,
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

#[test]
fn runs_that_write_one_folder_at_once_all_succeed() {
    let place = with_files(100);
    let encrypt = [&ENCRYPT[..], &["-o", "sealed"]].concat();
    let mut decrypt = ENCRYPT.to_vec();
    decrypt[0] = "decrypt";
    decrypt[2] = "sealed";
    decrypt.extend(["-o", "back"]);
    for arguments in [encrypt, decrypt] {
        // The second turn finds the output of an older key in its place.
        for _ in 0..2 {
            let start = |_| {
                let mut command = place.keyseal(&arguments);
                command.stderr(Stdio::piped()).spawn().unwrap()
            };
            let children: Vec<_> = (0..4).map(start).collect();
            for child in children {
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
            }
            place.rotate("k.json");
        }
    }
    assert_eq!(place.names("back").len(), 100);
    for name in place.names("t") {
        let (file, back) = (format!("t/{name}"), format!("back/{name}"));
        assert_eq!(place.read(&file), place.read(&back));
    }
}

#[test]
fn a_lost_race_against_another_program_is_a_failure() {
    let place = with_files(1);
    place.write("t/0", vec![7; 64 << 20]);
    let child = place
        .keyseal(&[&ENCRYPT[..], &["-o", "sealed"]].concat())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !place.path("sealed").exists() || place.names("sealed").is_empty() {
        thread::yield_now();
    }
    place.write("sealed/0.sealed", "somebody else's");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("it already exists"), "{said}");
    assert_eq!(place.read("sealed/0.sealed"), b"somebody else's");
    assert_eq!(place.names("sealed"), ["0.sealed"]);
}

/// Starts a run over `t/s` on one thread, and puts a link to `victim` in the place of the folder `s`
/// of `tree` as soon as `has_begun` says so. Returns the exit code and standard error.
fn replaced_by_a_link(
    place: &Place,
    arguments: &[&str],
    tree: &str,
    has_begun: impl Fn() -> bool,
) -> (Option<i32>, String) {
    let child = place
        .keyseal(&[&ENCRYPT[..], &["-j1"], arguments].concat())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !has_begun() {
        thread::yield_now();
    }
    let folder = place.path(tree).join("s");
    fs::rename(&folder, place.path("moved")).unwrap();
    symlink(place.path("victim"), &folder).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// Makes `t/s` with many files, and `victim` with files of the same names if it is `full`.
fn with_victim(full: bool) -> Place {
    let place = with_files(0);
    fs::create_dir(place.path("t/s")).unwrap();
    fs::create_dir(place.path("victim")).unwrap();
    for file in 0..2000 {
        place.write(&format!("t/s/{file}"), "inside");
        if full {
            place.write(&format!("victim/{file}"), "outside");
        }
    }
    place
}

#[test]
fn a_folder_that_becomes_a_link_is_not_followed_in_place() {
    let place = with_victim(true);
    let first = place.path("t/s/0");
    let has_begun = || fs::read(&first).is_ok_and(|bytes| bytes != b"inside");
    let (exit, said) = replaced_by_a_link(&place, &["--in-place"], "t", has_begun);
    assert_eq!(exit, Some(3), "{said}");
    assert!(
        said.contains("a folder of its path has become a link"),
        "{said}"
    );
    for name in place.names("victim") {
        let file = format!("victim/{name}");
        assert_eq!(place.read(&file), b"outside", "{file}");
    }
    assert_eq!(place.names("victim").len(), 2000);
    assert!(!place.names("moved").iter().any(|name| name.contains("tmp")));
}

#[test]
fn a_folder_of_the_output_that_becomes_a_link_is_not_followed() {
    let place = with_victim(false);
    let has_begun = || place.path("out/s/0.sealed").exists();
    let (exit, said) = replaced_by_a_link(&place, &["-o", "out"], "out", has_begun);
    assert_eq!(exit, Some(3), "{said}");
    assert!(
        said.contains("a folder of its path has become a link"),
        "{said}"
    );
    assert!(place.names("victim").is_empty());
    assert!(!place.names("moved").iter().any(|name| name.contains("tmp")));
}

#[test]
fn a_link_in_the_output_folder_is_not_written_through() {
    let place = with_files(1);
    fs::create_dir(place.path("out")).unwrap();
    place.write("victim", "outside");
    symlink(place.path("victim"), place.path("out/0.sealed")).unwrap();
    for force in [&["-o", "out"][..], &["-o", "out", "--force"]] {
        let mut command = place.keyseal(&[&ENCRYPT[..], force].concat());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(
            said.contains("it is a link, and a run over a folder follows none"),
            "{said}"
        );
        assert_eq!(place.read("victim"), b"outside");
    }
    assert!(place.path("out/0.sealed").is_symlink());
}

#[test]
fn the_folders_of_a_run_may_be_links() {
    let place = with_files(1);
    for (name, folder) in [("in", "t"), ("out", "elsewhere")] {
        fs::create_dir_all(place.path(folder)).unwrap();
        symlink(place.path(folder), place.path(name)).unwrap();
    }
    let mut arguments = ENCRYPT.to_vec();
    arguments[2] = "in";
    place.done(&[&arguments[..], &["-o", "out"]].concat());
    place.done(&[&arguments[..], &["--in-place"]].concat());
    assert_eq!(place.names("elsewhere"), ["0.sealed"]);
    assert_ne!(place.read("t/0"), b"content of 0");
}
