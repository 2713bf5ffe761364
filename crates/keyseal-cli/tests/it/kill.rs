//! `kill -9` at any moment: a file is always either the old one or the new one.
//!
//! `KEYSEAL_KILLS=1000` sets the total number of kills.

use std::{
    env, fs,
    io::Write as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use super::support::Place;

/// Kills in an ordinary run.
const KILLS: u32 = 60;
const SIZE: usize = 8 << 20;

#[test]
fn whatever_is_killed_leaves_the_old_file_or_the_new_one() {
    let kills = env::var("KEYSEAL_KILLS").map_or(KILLS, |number| number.parse().unwrap());
    let place = Place::new();
    let create = |template, name| {
        let options = [
            "--template",
            template,
            "--insecure-cleartext",
            "-q",
            "-o",
            name,
        ];
        place.done(&[&["keyset", "create"][..], &options].concat());
    };
    create("AES256_GCM_HKDF_1MB", "s.json");
    create("AES256_GCM", "kek.json");
    let plaintext: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
    place.write("plain", &plaintext);
    let ways: [&[&str]; 2] = [
        &["--keyset", "s.json", "--insecure-cleartext", "-q"],
        &["--kek", "file-kms://kek.json", "--insecure-cleartext", "-q"],
    ];
    for (way, sealed) in ways.into_iter().zip(["by-keyset", "by-kek"]) {
        place.done(&[&["encrypt", "plain", "-o", sealed][..], way].concat());
        // How long a whole run takes decides when to kill.
        let start = Instant::now();
        place.done(&[&["encrypt", "plain", "--force", "-o", "out"][..], way].concat());
        let whole = start.elapsed() * 5 / 4;
        let opens = |name: &str| {
            let run = [&["decrypt", name][..], way].concat();
            let output = place.keyseal(&run).output().unwrap();
            output.status.success() && output.stdout == plaintext
        };

        let rounds = kills / 8;
        for round in 0..rounds {
            let after = whole * round / rounds;
            // A new file is complete, or it does not exist.
            let _ = fs::remove_file(place.path("out"));
            kill(
                &place,
                &[&["encrypt", "plain", "-o", "out"][..], way].concat(),
                after,
            );
            let there = place.path("out").exists();
            assert!(!there || opens("out"), "encrypt, killed after {after:?}");

            let _ = fs::remove_file(place.path("out"));
            kill(
                &place,
                &[&["decrypt", sealed, "-o", "out"][..], way].concat(),
                after,
            );
            let there = place.path("out").exists();
            assert!(
                !there || place.read("out") == plaintext,
                "decrypt, killed after {after:?}"
            );

            // A file that is replaced is the old one or the new one.
            place.write("both", &plaintext);
            kill(
                &place,
                &[&["encrypt", "both", "--in-place"][..], way].concat(),
                after,
            );
            let is_old = place.read("both") == plaintext;
            assert!(
                is_old || opens("both"),
                "encrypt in place, killed after {after:?}"
            );

            fs::copy(place.path(sealed), place.path("both")).unwrap();
            kill(
                &place,
                &[&["decrypt", "both", "--in-place"][..], way].concat(),
                after,
            );
            let is_new = place.read("both") == plaintext;
            assert!(
                is_new || place.read("both") == place.read(sealed),
                "killed after {after:?}"
            );
        }
        // The inputs were never written to.
        assert_eq!(place.read("plain"), plaintext);
        assert!(opens(sealed));
        // A killed run leaves a file whose name tells its origin.
        for name in place.names(".") {
            let known = [
                "both",
                "by-kek",
                "by-keyset",
                "kek.json",
                "out",
                "plain",
                "s.json",
            ];
            assert!(
                known.contains(&&*name) || name.ends_with(".keyseal-tmp"),
                "{name}"
            );
        }
    }
}

/// The random kills above come when they come. These come before a run ends and after it has.
#[test]
fn a_run_that_is_killed_half_way_leaves_no_output() {
    let place = Place::new();
    place.done(&[
        "keyset",
        "create",
        "--template",
        "AES256_GCM_HKDF_4KB",
        "--insecure-cleartext",
        "-o",
        "s.json",
    ]);
    let encrypt = ["encrypt", "-", "-o", "out", "--keyset", "s.json", "-q"];
    for is_killed in [true, false] {
        let mut child = place
            .keyseal(&encrypt)
            .arg("--insecure-cleartext")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&[7; 3 << 20]).unwrap();
        // It has read more than fits into a pipe, and has written that to a file of another name.
        let is_begun = |name: &String| {
            name.ends_with(".keyseal-tmp") && place.path(name).metadata().unwrap().len() > 1 << 20
        };
        while !place.names(".").iter().any(is_begun) {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!place.path("out").exists());
        if is_killed {
            child.kill().unwrap();
        }
        drop(input);
        assert_eq!(child.wait().unwrap().success(), !is_killed);
        assert_eq!(place.path("out").exists(), !is_killed);
        for name in place.names(".") {
            assert!(is_killed || !name.ends_with(".keyseal-tmp"), "{name}");
            if name.ends_with(".keyseal-tmp") {
                fs::remove_file(place.path(&name)).unwrap();
            }
        }
    }
    let decrypt = [
        "decrypt",
        "out",
        "--keyset",
        "s.json",
        "--insecure-cleartext",
    ];
    assert_eq!(place.done(&decrypt).stdout, [7; 3 << 20]);
}

fn kill(place: &Place, arguments: &[&str], after: Duration) {
    let mut child = place
        .keyseal(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(after);
    // It may have ended.
    let _ = child.kill();
    child.wait().unwrap();
}
