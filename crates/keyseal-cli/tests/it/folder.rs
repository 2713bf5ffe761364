//! Runs over files and folders: nothing is lost, doubled or left behind with exit code 0.

#![cfg(unix)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    process::Output,
    thread,
    time::{Duration, SystemTime},
};

use super::support::Place;

const CLEARTEXT: &str = "--insecure-cleartext";

/// Runs a command line, and returns its exit code and standard error.
fn run(place: &Place, line: &str) -> (i32, String) {
    let arguments: Vec<&str> = line.split_whitespace().chain([CLEARTEXT]).collect();
    let Output { status, stderr, .. } = place.keyseal(&arguments).output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    (status.code().unwrap(), said)
}

fn done(place: &Place, line: &str) {
    let (exit, said) = run(place, line);
    assert_eq!(exit, 0, "{line}: {said}");
}

/// Asserts that a command fails with a code and a message.
fn fails(place: &Place, line: &str, exit: i32, says: &str) {
    let (code, said) = run(place, line);
    assert_eq!(code, exit, "{line}: {said}");
    assert!(said.contains(says), "{line}: {said}");
}

fn with_tree() -> Place {
    let place = Place::new();
    for (name, template) in [
        ("a.json", "AES256_GCM"),
        ("b.json", "AES256_GCM"),
        ("raw.json", "AES256_GCM_RAW"),
        ("s.json", "AES256_GCM_HKDF_4KB"),
        ("kek.json", "AES256_GCM"),
    ] {
        let create = format!("keyset create --template {template} -q -o {name}");
        done(&place, &create);
    }
    fs::create_dir_all(place.path("d/deep")).unwrap();
    place.write("d/1", "one");
    place.write("d/deep/2", "two");
    place
}

/// Rotates, and disables the key that was primary.
fn rotate_and_disable(place: &Place, keyset: &str, template: &str) {
    let list = place.keyseal(&["keyset", "list", keyset, CLEARTEXT, "--json"]);
    let list = String::from_utf8({ list }.output().unwrap().stdout).unwrap();
    let id = list.split("\"primary_key_id\": ").nth(1).unwrap();
    let id: String = id.chars().take_while(char::is_ascii_digit).collect();
    done(
        place,
        &format!("keyset rotate {keyset} --template {template} --disable {id} --in-place -q"),
    );
}

fn tree(place: &Place) -> Vec<Vec<u8>> {
    vec![place.read("d/1"), place.read("d/deep/2")]
}

#[test]
fn decryption_with_a_disabled_or_an_unknown_key_fails_and_says_why() {
    let place = with_tree();
    done(&place, "encrypt -r d --in-place --keyset a.json -q");
    let sealed = tree(&place);
    fails(
        &place,
        "decrypt -r d --in-place --keyset b.json",
        4,
        "the keyset has no such key",
    );
    rotate_and_disable(&place, "a.json", "AES256_GCM");
    fails(
        &place,
        "decrypt -r d --in-place --keyset a.json",
        4,
        "is disabled",
    );
    fails(
        &place,
        "decrypt d/1 --in-place --keyset a.json",
        4,
        "is disabled",
    );
    fails(
        &place,
        "decrypt -r d -o out --keyset a.json",
        4,
        "is disabled",
    );
    assert_eq!(tree(&place), sealed);
}

#[test]
fn a_plaintext_is_not_decrypted_and_an_empty_run_is_no_success() {
    let place = with_tree();
    fails(
        &place,
        "decrypt -r d --in-place --keyset a.json",
        4,
        "it is not encrypted with this keyset",
    );
    fails(
        &place,
        "decrypt -r d --in-place --skip-plaintext --keyset a.json",
        4,
        "none of its files is encrypted",
    );
    fails(
        &place,
        "decrypt -r d --in-place --kek file-kms://kek.json",
        4,
        "neither an envelope",
    );
    fs::create_dir(place.path("empty")).unwrap();
    fails(
        &place,
        "encrypt -r empty --in-place --keyset a.json",
        1,
        "no regular file",
    );
    // A run that was interrupted is resumed.
    done(&place, "encrypt d/1 --in-place --keyset a.json -q");
    done(
        &place,
        "decrypt -r d --in-place --skip-plaintext --keyset a.json",
    );
    assert_eq!(tree(&place), [b"one", b"two"]);
}

#[test]
fn a_ciphertext_is_not_encrypted_again() {
    let kek = "--kek file-kms://kek.json";
    for (first, then) in [
        ("--keyset a.json", "--keyset a.json --aad other"),
        ("--keyset s.json", "--keyset s.json --aad other"),
        ("--keyset s.json --aad x", "--keyset s.json"),
        (kek, "--kek file-kms://kek.json --aad other"),
        (kek, "--kek file-kms://kek.json --no-stream --aad other"),
        (kek, "--keyset a.json"),
        (kek, "--keyset s.json"),
        (
            "--kek file-kms://kek.json --no-stream",
            "--kek file-kms://kek.json --aad other",
        ),
        (
            "--kek file-kms://kek.json --template XCHACHA20_POLY1305",
            "--kek file-kms://kek.json",
        ),
    ] {
        let place = with_tree();
        done(&place, &format!("encrypt -r d --in-place -q {first}"));
        let sealed = tree(&place);
        for line in [
            format!("encrypt -r d --in-place {then}"),
            format!("encrypt d/1 --in-place {then}"),
            format!("encrypt d/1 -o out {then}"),
            format!("encrypt -r d -o tree {then}"),
        ] {
            // A stream with other associated data cannot be recognised for certain.
            if then.contains("s.json") && first.contains("s.json") && !line.contains("-r d --in") {
                continue;
            }
            fails(&place, &line, 1, "already encrypted");
        }
        assert_eq!(tree(&place), sealed, "{first}, {then}");
        // The same command again has nothing left to do.
        done(&place, &format!("encrypt -r d --in-place {first}"));
        assert_eq!(tree(&place), sealed, "{first}");
        fails(
            &place,
            &format!("encrypt d/1 --in-place {first}"),
            1,
            "already encrypted, with the same key",
        );
        done(
            &place,
            &format!("encrypt d/1 --in-place --allow-nested {then}"),
        );
        assert_ne!(tree(&place)[0], sealed[0]);
    }
}

#[test]
fn a_ciphertext_of_a_key_that_is_disabled_is_not_encrypted_again() {
    for (keyset, template) in [("a.json", "AES256_GCM"), ("s.json", "AES256_GCM_HKDF_4KB")] {
        let place = with_tree();
        done(
            &place,
            &format!("encrypt -r d --in-place -q --keyset {keyset}"),
        );
        let sealed = tree(&place);
        done(
            &place,
            &format!("keyset rotate {keyset} --template {template} --in-place -q"),
        );
        fails(
            &place,
            &format!("encrypt -r d --in-place --keyset {keyset}"),
            1,
            "it is already encrypted, with key",
        );
        rotate_and_disable(&place, keyset, template);
        for line in [
            "-r d --in-place",
            "d/1 --in-place",
            "-r d -o out",
            "d/1 -o out1",
        ] {
            let line = format!("encrypt {line} --keyset {keyset}");
            fails(&place, &line, 1, "already encrypted");
        }
        assert_eq!(tree(&place), sealed);
    }
}

#[test]
fn what_cannot_be_told_is_refused_in_place() {
    let place = with_tree();
    fails(
        &place,
        "encrypt -r d --in-place --keyset raw.json",
        2,
        "is RAW",
    );
    assert_eq!(tree(&place), [b"one", b"two"]);
    done(&place, "encrypt -r d -o out --keyset raw.json");
    done(&place, "encrypt -r d -o out --keyset raw.json");
    // A file that decrypts is recognised all the same.
    done(&place, "encrypt d/1 --in-place --keyset raw.json -q");
    fails(
        &place,
        "encrypt d/1 --in-place --keyset raw.json",
        1,
        "already encrypted",
    );
    done(
        &place,
        "encrypt -r d --in-place --allow-nested --keyset raw.json",
    );
    done(&place, "decrypt -r d --in-place --keyset raw.json");
    assert_eq!(tree(&place), [b"one", b"two"]);
}

#[test]
fn ciphertexts_from_a_pipe_are_recognised_by_their_start() {
    let place = with_tree();
    for keys in [
        "--keyset a.json",
        "--keyset s.json",
        "--kek file-kms://kek.json",
    ] {
        for options in ["", "--no-stream"] {
            if keys.contains("s.json") && !options.is_empty() {
                continue;
            }
            let line = format!(
                "keyseal encrypt d/1 {keys} {options} {CLEARTEXT} -q | cat \
                 | keyseal encrypt {keys} {CLEARTEXT} -q"
            );
            let output = place.shell(&line).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("already encrypted"), "{line}: {said}");
            assert!(output.stdout.is_empty());
        }
    }
}

#[test]
fn files_that_hold_keys_are_never_replaced() {
    for uri in [
        "file-kms://kek.json",
        "FILE-KMS://kek.json",
        "File-Kms://./deep/../kek.json",
        "file-kms://link.json",
    ] {
        let place = with_tree();
        for name in ["kek.json", "a.json"] {
            fs::copy(place.path(name), place.path("d").join(name)).unwrap();
        }
        symlink("kek.json", place.path("d/link.json")).unwrap();
        let before = place.read("d/kek.json");
        let uri_in_folder = uri.to_owned();
        let line =
            format!("cd d && keyseal encrypt -r . --in-place --kek {uri_in_folder} {CLEARTEXT}");
        let output = place.shell(&line).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains("kek.json: it is also an input"), "{said}");
        assert!(said.contains("outside the folder"), "{said}");
        assert!(!said.contains("--in-place"), "{said}");
        assert_eq!(place.read("d/kek.json"), before, "{line}");
        for target in ["kek.json", "./kek.json"] {
            let line = format!(
                "cd d && keyseal encrypt deep/2 -o {target} --force --no-stream --kek {uri} {CLEARTEXT} --allow-nested"
            );
            assert_eq!(place.shell(&line).output().unwrap().status.code(), Some(2));
            assert_eq!(place.read("d/kek.json"), before, "{line}");
        }
    }
}

#[test]
fn a_key_that_a_keyset_names_is_never_replaced() {
    let place = with_tree();
    let keyset = r#"{"primaryKeyId":7,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.KmsEnvelopeAeadKey","value":"Ek8KE2ZpbGUta21zOi8va2VrLmpzb24SOAowdHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUuY3J5cHRvLnRpbmsuQWVzR2NtS2V5EgIQEBgB","keyMaterialType":"REMOTE"},"status":"ENABLED","keyId":7,"outputPrefixType":"TINK"}]}"#;
    place.write("env.json", keyset);
    let before = place.read("kek.json");
    fails(
        &place,
        "encrypt kek.json --in-place --keyset env.json",
        2,
        "it is also an input",
    );
    fails(
        &place,
        "encrypt d/1 -o kek.json --force --keyset env.json",
        2,
        "it is also an input",
    );
    fails(
        &place,
        "encrypt -r . --in-place --keyset env.json",
        2,
        "kek.json: it is also an input",
    );
    assert_eq!(place.read("kek.json"), before);
    assert_eq!(place.read("env.json"), keyset.as_bytes());
}

#[test]
fn an_output_is_skipped_only_if_it_is_younger_and_under_the_key_of_now() {
    for (keys, rotated) in [
        ("--keyset a.json", Some("a.json")),
        ("--keyset raw.json", Some("raw.json")),
        ("--keyset s.json", Some("s.json")),
        ("--kek file-kms://kek.json", Some("kek.json")),
    ] {
        let place = with_tree();
        let encrypt = format!("encrypt -r d -o out {keys}");
        thread::sleep(Duration::from_millis(20));
        done(&place, &encrypt);
        let (_, said) = run(&place, &encrypt);
        assert!(said.contains("encrypted 0 files"), "{keys}: {said}");
        assert!(said.contains("skipped 2, failed 0"), "{keys}: {said}");
        // Changed content whose time of modification is older than the output.
        place.write("d/1", "changed");
        let old = SystemTime::now() - Duration::from_secs(100_000);
        let file = fs::File::options()
            .write(true)
            .open(place.path("d/1"))
            .unwrap();
        file.set_modified(old).unwrap();
        let (_, said) = run(&place, &encrypt);
        assert!(said.contains("encrypted 1 file "), "{keys}: {said}");
        done(&place, &format!("decrypt out/1.sealed -o back {keys}"));
        assert_eq!(place.read("back"), b"changed");
        // With other associated data, nothing shows whose ciphertexts they are.
        let other = format!("{encrypt} --aad other");
        fails(&place, &other, 3, "it already exists");
        let (_, said) = run(&place, &format!("{other} --force"));
        assert!(said.contains("encrypted 2 files"), "{keys}: {said}");
        fails(&place, &encrypt, 3, "it already exists");
        done(&place, &format!("{encrypt} --force"));
        if let Some(keyset) = rotated {
            let template = match keyset {
                "raw.json" => "AES256_GCM_RAW",
                "s.json" => "AES256_GCM_HKDF_4KB",
                _ => "AES256_GCM",
            };
            thread::sleep(Duration::from_millis(20));
            done(
                &place,
                &format!("keyset rotate {keyset} --template {template} --in-place -q"),
            );
            let (_, said) = run(&place, &encrypt);
            assert!(said.contains("encrypted 2 files"), "{keys}: {said}");
        }
    }
}

#[test]
fn an_output_is_replaced_only_if_a_key_of_the_keyset_decrypts_it() {
    let place = with_tree();
    let random: Vec<u8> = (0..3000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8)
        .collect();
    for (first, keys) in [
        (0x01, "--keyset a.json"),
        (0x00, "--keyset s.json"),
        (0x28, "--keyset s.json"),
        (0x01, "--kek file-kms://kek.json"),
    ] {
        // Another program's file.
        let foreign = [&[first], &random[..]].concat();
        fs::create_dir_all(place.path("out")).unwrap();
        place.write("out/1.sealed", &foreign);
        fails(
            &place,
            &format!("encrypt -r d -o out {keys}"),
            3,
            "out/1.sealed: it already exists",
        );
        assert_eq!(place.read("out/1.sealed"), foreign);
        fs::remove_dir_all(place.path("out")).unwrap();
    }
    // Ciphertexts of other files, under another key.
    done(&place, "encrypt -r d -o out --keyset b.json");
    let before = place.read("out/1.sealed");
    for keys in ["--keyset a.json", "--kek file-kms://kek.json"] {
        fails(
            &place,
            &format!("encrypt -r d -o out {keys}"),
            3,
            "does not decrypt with these keys",
        );
    }
    assert_eq!(place.read("out/1.sealed"), before);
    fs::remove_dir_all(place.path("out")).unwrap();

    // Under a key that was disabled since, it is ours, and is encrypted again.
    for (keyset, template) in [
        ("a.json", "AES256_GCM"),
        ("raw.json", "AES256_GCM_RAW"),
        ("s.json", "AES256_GCM_HKDF_4KB"),
    ] {
        let encrypt = format!("encrypt -r d -o out-{keyset} --keyset {keyset}");
        thread::sleep(Duration::from_millis(20));
        done(&place, &encrypt);
        let name = format!("out-{keyset}/1.sealed");
        let before = place.read(&name);
        rotate_and_disable(&place, keyset, template);
        let (exit, said) = run(&place, &encrypt);
        assert_eq!(exit, 0, "{said}");
        assert!(said.contains("encrypted 2 files"), "{said}");
        assert_ne!(place.read(&name), before);
    }
}

#[test]
fn arguments_that_would_be_ignored_or_cut_the_file_are_refused() {
    let place = with_tree();
    done(
        &place,
        "encrypt d/1 --in-place --stream --kek file-kms://kek.json",
    );
    let before = place.read("d/1");
    fails(
        &place,
        "decrypt d/1 --in-place --range 0-1 --kek file-kms://kek.json",
        2,
        "cannot be used with",
    );
    assert_eq!(place.read("d/1"), before);
    fails(
        &place,
        "encrypt d/deep/2 -o out --keyset a.json --template NONSENSE",
        2,
        "cannot be used with",
    );
}

#[test]
fn a_plaintext_that_was_edited_is_not_overwritten() {
    let place = with_tree();
    done(&place, "encrypt -r d -o in --keyset a.json -q");
    thread::sleep(Duration::from_millis(20));
    done(&place, "decrypt -r in -o out --keyset a.json");
    place.write("out/1", "edited");
    // A change of permissions counts as a change of the ciphertext.
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(place.path("in/1.sealed"), mode).unwrap();
    fails(
        &place,
        "decrypt -r in -o out --keyset a.json",
        3,
        "out/1: it already exists",
    );
    assert_eq!(place.read("out/1"), b"edited");
    done(&place, "decrypt -r in -o out --force --keyset a.json");
    assert_eq!(place.read("out/1"), b"one");
    // With the wrong keyset, an existing output is not a success.
    fails(
        &place,
        "decrypt -r in -o out --keyset b.json",
        4,
        "no such key",
    );
}

#[test]
fn two_inputs_with_one_output_are_refused_before_anything_is_written() {
    let place = with_tree();
    place.write("d/1.sealed", "x");
    fails(
        &place,
        "decrypt -r d -o out --keyset a.json",
        2,
        "d/1 have the same output",
    );
    assert_eq!(place.names("out"), [""; 0]);
}

#[test]
fn a_file_that_changes_while_it_is_encrypted_stays_as_it_is() {
    let place = with_tree();
    place.write("log", vec![b'x'; 30 << 20]);
    let path = place.path("log");
    let mut child = place
        .keyseal(&[
            "encrypt",
            "log",
            "--in-place",
            "--keyset",
            "s.json",
            CLEARTEXT,
        ])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // While there is a temporary file, the input has been opened and is not yet replaced.
    let begun = || {
        place
            .names(".")
            .iter()
            .any(|name| name.ends_with(".keyseal-tmp"))
    };
    while !begun() {
        assert_eq!(child.try_wait().unwrap(), None, "it was too fast");
    }
    let mut log = fs::File::options().append(true).open(&path).unwrap();
    log.write_all(b"appended meanwhile").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("it was changed while it was read"), "{said}");
    assert!(place.read("log").ends_with(b"appended meanwhile"));
    assert!(!begun());
}

#[test]
fn two_runs_on_one_tree_encrypt_each_file_once() {
    let place = with_tree();
    for n in 0..150 {
        place.write(&format!("d/{n}"), format!("file {n}"));
    }
    let run = || {
        place
            .keyseal(&[
                "encrypt",
                "-r",
                "d",
                "--in-place",
                "--keyset",
                "a.json",
                CLEARTEXT,
            ])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let runs = [run(), run(), run()];
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    done(&place, "decrypt -r d --in-place --keyset a.json");
    for n in 0..150 {
        let plaintext = place.read(&format!("d/{n}"));
        assert_eq!(plaintext, format!("file {n}").as_bytes());
    }
}

#[test]
fn a_file_of_which_the_system_knows_no_size_is_encrypted_whole() {
    let Ok(expected) = fs::read("/proc/filesystems") else {
        return;
    };
    let place = with_tree();
    for keys in [
        "--keyset a.json",
        "--keyset s.json",
        "--kek file-kms://kek.json",
    ] {
        done(
            &place,
            &format!("encrypt /proc/filesystems -o sealed --force {keys}"),
        );
        done(&place, &format!("decrypt sealed -o back --force {keys}"));
        assert_eq!(place.read("back"), expected, "{keys}");
    }
}

#[test]
fn an_unreadable_folder_is_one_failure_at_its_place() {
    let place = with_tree();
    let locked = place.path("d/locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let line = "encrypt -r d --in-place --keyset a.json --insecure-cleartext";
    // Root reads every folder, unless it lacks the capability.
    let as_user = match fs::read_dir(&locked).is_ok() {
        true => "setpriv --bounding-set=-dac_override,-dac_read_search ",
        false => "",
    };
    let output = place.shell(&format!("exec {as_user}keyseal {line}"));
    let Output { status, stderr, .. } = { output }.output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(
        said.contains("cannot read d/locked: permission denied"),
        "{said}"
    );
    assert!(said.contains("encrypted 2 files"), "{said}");
}

#[test]
fn a_folder_that_is_too_deep_is_one_failure_at_its_place() {
    let place = with_tree();
    let name = "n".repeat(250);
    let made = place
        .shell(&format!(
            "cd d && for n in $(seq 20); do mkdir {name} && cd -P {name} || exit 1; done"
        ))
        .status();
    assert!(made.unwrap().success());
    let (exit, said) = run(&place, "encrypt -r d --in-place --keyset a.json");
    assert_eq!(exit, 3, "{said}");
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    assert!(said.contains("encrypted 2 files"), "{said}");
}

#[test]
fn what_is_left_out_is_counted_and_named() {
    let place = with_tree();
    symlink("1", place.path("d/link")).unwrap();
    fs::create_dir(place.path("d/empty")).unwrap();
    let made = place.shell("mkfifo d/fifo").status().unwrap();
    assert!(made.success());
    let (exit, said) = run(&place, "encrypt -r d -o out -v --keyset a.json");
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("left out 3"), "{said}");
    for line in [
        "left out: d/link: it is a link",
        "left out: d/empty: it is an empty folder",
        "left out: d/fifo: it is not a regular file",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn a_file_with_other_names_is_replaced_only_if_that_is_asked_for() {
    let place = with_tree();
    fs::hard_link(place.path("d/1"), place.path("other")).unwrap();
    for line in ["encrypt d/1 --in-place", "encrypt -r d --in-place"] {
        let line = format!("{line} --keyset a.json");
        fails(&place, &line, 3, "the file has 2 names");
    }
    assert_eq!(place.read("d/1"), b"one");
    done(
        &place,
        "encrypt d/1 --in-place --break-hard-links --keyset a.json",
    );
    assert_eq!(place.read("other"), b"one");
    assert_ne!(place.read("d/1"), b"one");
}

#[test]
fn an_output_is_no_more_readable_than_its_input() {
    let place = with_tree();
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().mode() & 0o777;
    let set = |name: &str, mode| {
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for wanted in [0o600, 0o640, 0o700] {
        set("d/1", wanted);
        for keys in ["--keyset a.json", "--kek file-kms://kek.json --stream"] {
            done(&place, &format!("encrypt d/1 -o sealed --force {keys}"));
            assert_eq!(mode("sealed"), wanted & !0o022);
            fs::remove_file(place.path("sealed")).unwrap();
        }
        done(&place, "encrypt -r d -o out --force --keyset a.json");
        assert_eq!(mode("out/1.sealed"), wanted);
        done(&place, "decrypt out/1.sealed -o back --keyset a.json");
        assert_eq!(mode("back"), wanted);
        fs::remove_file(place.path("back")).unwrap();
        fs::remove_dir_all(place.path("out")).unwrap();
    }
    // A file replaced by force was not readable by everybody either, and a link stays a link.
    set("d/1", 0o644);
    place.write("secret", "x");
    set("secret", 0o600);
    symlink("secret", place.path("link")).unwrap();
    for output in ["secret", "link"] {
        done(
            &place,
            &format!("encrypt d/1 -o {output} --force --keyset a.json"),
        );
        assert_eq!(mode("secret"), 0o600);
        assert!(place.path("link").is_symlink());
        done(&place, "decrypt secret -o back --force --keyset a.json");
        assert_eq!(place.read("back"), b"one");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn extended_attributes_stay_in_place() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    let place = with_tree();
    let path = place.path("d/1");
    if setxattr(&path, "user.label", b"blue", XattrFlags::empty()).is_err() {
        // Not every file system has them.
        return;
    }
    done(&place, "encrypt d/1 --in-place --keyset a.json");
    let mut value = [0; 16];
    let size = getxattr(&path, "user.label", &mut value[..]).unwrap();
    assert_eq!(&value[..size], b"blue");
}

#[test]
fn a_wrong_key_encryption_key_is_named() {
    let place = with_tree();
    done(&place, "encrypt d/1 -o sealed --kek file-kms://kek.json");
    done(
        &place,
        "encrypt d/1 --stream -o stream --kek file-kms://kek.json",
    );
    for input in ["sealed", "stream"] {
        let line = format!("decrypt {input} --kek file-kms://b.json");
        let (exit, said) = run(&place, &line);
        assert_eq!(exit, 4);
        assert!(said.contains("file-kms://b.json does not "), "{said}");
        assert!(said.contains("another key"), "{said}");
        assert!(
            !said.contains("associated data") && !said.contains("--aad"),
            "{said}"
        );
    }
    let (exit, said) = run(&place, "decrypt d/1 --kek file-kms://kek.json");
    assert_eq!(exit, 4);
    assert!(said.contains("it is neither an envelope"), "{said}");
    assert!(!said.contains("--aad"), "{said}");
}

#[test]
fn an_output_is_that_of_its_input_only_if_the_content_is_the_same() {
    for keys in [
        "--keyset a.json",
        "--keyset s.json",
        "--kek file-kms://kek.json",
        "--kek file-kms://kek.json --no-stream",
        "--kek file-kms://kek.json --stream",
    ] {
        let place = with_tree();
        let opening = keys.replace(" --no-stream", "").replace(" --stream", "");
        done(&place, &format!("encrypt -r d -o sealed {keys}"));
        let decrypt = format!("decrypt -r sealed -o out {opening}");
        done(&place, &decrypt);
        let (exit, said) = run(&place, &decrypt);
        assert_eq!(exit, 0, "{said}");
        assert!(
            said.contains("decrypted 0 files (0 bytes), skipped 2"),
            "{said}"
        );
        // It is younger than its input, and has the right name. Older ones are no better.
        for content in ["One", "on", "ones", ""] {
            for age in [0, 1000] {
                place.write("out/1", content);
                let file = fs::File::options().write(true).open(place.path("out/1"));
                let time = SystemTime::now() - Duration::from_secs(age);
                file.unwrap().set_modified(time).unwrap();
                fails(&place, &decrypt, 3, "already exists");
                assert_eq!(place.read("out/1"), content.as_bytes());
            }
        }
        done(&place, &format!("{decrypt} --force"));
        assert_eq!(place.read("out/1"), b"one");
        // What does not decrypt is a failure, with an output or without.
        let sealed = place.read("sealed/1.sealed");
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        place.write("sealed/1.sealed", damaged);
        assert_eq!(run(&place, &decrypt).0, 4);
        assert_eq!(place.read("out/1"), b"one");
        place.write("sealed/1.sealed", sealed);

        // A second tree has other files with the same names, which are older than the outputs.
        fs::create_dir_all(place.path("e/deep")).unwrap();
        place.write("e/1", "another");
        place.write("e/deep/2", "two");
        done(&place, &format!("encrypt -r d -o sealed --force {keys}"));
        let before = place.read("sealed/1.sealed");
        let again = format!("encrypt -r e -o sealed {keys}");
        fails(&place, &again, 3, "the ciphertext of a different input");
        assert_eq!(place.read("sealed/1.sealed"), before);
        let (exit, said) = run(&place, &format!("encrypt -r d -o sealed {keys}"));
        assert_eq!(exit, 0, "{said}");
        assert!(
            said.contains("encrypted 0 files (0 bytes), skipped 2"),
            "{said}"
        );
    }
}

#[test]
fn re_wrapping_skips_only_the_same_file_under_the_newest_key() {
    let place = with_tree();
    let kek = "--kek file-kms://kek.json";
    fs::create_dir(place.path("in")).unwrap();
    done(&place, &format!("encrypt d/1 -o in/envelope {kek}"));
    done(&place, &format!("encrypt d/1 -o in/stream --stream {kek}"));
    let keyset = "keyset create --template AES256_GCM --keyset-kek file-kms://kek.json";
    done(&place, &format!("{keyset} -o in/keyset"));
    done(&place, &format!("{keyset} -o in/wrapped --format wrapped"));
    let rewrap = format!("rewrap -r in -o out {kek}");
    done(&place, &rewrap);
    let (exit, said) = run(&place, &rewrap);
    assert_eq!(exit, 0, "{said}");
    assert!(
        said.contains("re-wrapped 0 files (0 bytes), skipped 4"),
        "{said}"
    );

    // Outputs of the same key that are younger, and of other inputs.
    for name in ["envelope", "stream", "keyset", "wrapped"] {
        let out = format!("out/{name}");
        let kept = place.read(&out);
        match name {
            "envelope" => done(&place, &format!("encrypt d/deep/2 -o {out} --force {kek}")),
            "stream" => {
                let line = format!("encrypt d/deep/2 -o {out} --stream --force {kek}");
                done(&place, &line);
            }
            _ => done(
                &place,
                &format!(
                    "keyset rotate {out} --template AES256_GCM --in-place \
                     --keyset-kek file-kms://kek.json"
                ),
            ),
        }
        let other = place.read(&out);
        fails(&place, &rewrap, 3, "it is another file than this input");
        assert_eq!(place.read(&out), other, "{name}");
        place.write(&out, kept);
    }
    // Under an older version they are done again.
    done(
        &place,
        "keyset rotate kek.json --template AES256_GCM --in-place",
    );
    let (exit, said) = run(&place, &rewrap);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("re-wrapped 4 files"), "{said}");
}

#[test]
fn a_dry_run_makes_no_folder() {
    let place = with_tree();
    let kek = "--kek file-kms://kek.json";
    done(&place, &format!("encrypt -r d -o sealed --no-stream {kek}"));
    done(
        &place,
        "keyset rotate kek.json --template AES256_GCM --in-place",
    );
    let (exit, said) = run(
        &place,
        &format!("rewrap -r sealed -o out/deep --dry-run {kek}"),
    );
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("would re-wrap 2 files"), "{said}");
    assert!(!place.path("out").exists());
    done(&place, &format!("rewrap -r sealed -o out/deep {kek}"));
    done(&place, &format!("decrypt -r out/deep -o back {kek}"));
    assert_eq!(place.read("back/deep/2"), b"two");
}

#[test]
fn ciphertexts_of_a_key_that_is_not_at_hand_are_not_encrypted_again() {
    // Two files show that they have one key. An envelope shows it alone.
    for (first, then, shows_alone) in [
        ("--keyset a.json", "--kek file-kms://kek.json", false),
        ("--keyset a.json", "--keyset b.json", false),
        ("--keyset a.json", "--keyset s.json", false),
        ("--keyset a.json", "--keyset raw.json", false),
        (
            "--kek file-kms://kek.json --no-stream",
            "--keyset a.json",
            true,
        ),
        (
            "--kek file-kms://kek.json --no-stream",
            "--keyset s.json",
            true,
        ),
        (
            "--kek file-kms://kek.json --no-stream",
            "--kek file-kms://a.json",
            true,
        ),
        (
            "--kek file-kms://kek.json --stream",
            "--kek file-kms://a.json",
            true,
        ),
    ] {
        let place = with_tree();
        done(&place, &format!("encrypt -r d --in-place -q {first}"));
        let sealed = tree(&place);
        fails(
            &place,
            &format!("encrypt -r d -o out {then}"),
            1,
            "already encrypted",
        );
        if !then.contains("raw") {
            let line = format!("encrypt -r d --in-place {then}");
            fails(&place, &line, 1, "already encrypted");
        }
        assert_eq!(tree(&place), sealed, "{first}, {then}");
        for line in ["d/1 -o out1", "d/1 --in-place"].map(|line| format!("encrypt {line} {then}")) {
            let (exit, said) = run(&place, &line);
            match shows_alone {
                true => assert_eq!(exit, 1, "{line}: {said}"),
                false => assert_eq!(exit, 0, "{line}: {said}"),
            }
            let warns = said.contains("warning: d/1 ") || then.contains("raw");
            assert!(shows_alone || warns, "{line}: {said}");
        }
        done(
            &place,
            &format!("encrypt -r d -o out --allow-nested {then}"),
        );
    }
    // The key that encrypted was deleted from the keyset.
    let place = with_tree();
    done(&place, "encrypt -r d --in-place -q --keyset a.json");
    let sealed = tree(&place);
    let list = place.done(&["keyset", "list", "a.json"]).stdout;
    let list = String::from_utf8(list).unwrap();
    let id = list
        .split('*')
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    done(
        &place,
        &format!("keyset rotate a.json --template AES256_GCM --delete {id} --in-place"),
    );
    fails(
        &place,
        "encrypt -r d --in-place --keyset a.json",
        1,
        "already encrypted",
    );
    assert_eq!(tree(&place), sealed);
}

#[test]
fn a_stream_of_another_keyset_is_encrypted_with_a_warning() {
    let place = with_tree();
    done(
        &place,
        "keyset create --template AES128_GCM_HKDF_4KB -o t.json",
    );
    done(&place, "encrypt d/1 --in-place -q --keyset s.json");
    for then in [
        "--kek file-kms://kek.json",
        "--keyset a.json",
        "--keyset t.json",
    ] {
        let (exit, said) = run(&place, &format!("encrypt -r d -o out --force {then}"));
        assert_eq!(exit, 0, "{said}");
        assert!(
            said.contains("warning: d/1 may be a ciphertext"),
            "{then}: {said}"
        );
    }
}

#[test]
fn files_that_only_start_like_a_ciphertext_are_encrypted() {
    let place = with_tree();
    let mut table = b"\0\x01\0\0\0\x10\x01\0\0\x04\0\0".to_vec();
    for name in [
        b"DSIG", b"GDEF", b"GPOS", b"GSUB", b"cmap", b"glyf", b"head", b"hhea",
    ] {
        table.extend(
            [
                &name[..],
                &[0x9a, 0x2f, 0x51, 0xe3, 0, 0, 7, 0x1c, 0, 0, 0x12, 8],
            ]
            .concat(),
        );
    }
    let film = [
        &b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0\x08free"[..],
        &[0; 3000],
    ];
    for (name, content) in [
        ("film.mp4", film.concat()),
        ("font.ttf", table),
        (
            "program.wasm",
            b"\0asm\x01\0\0\0\x01\x05\x01`\0\x01\x7f\x03\x02\x01\0".repeat(9),
        ),
        (
            "note.txt",
            "(The na\u{ef}ve note goes on \u{2026}) "
                .repeat(400)
                .into_bytes(),
        ),
        ("zeros", vec![0; 5000]),
        ("ones", vec![1; 5000]),
    ] {
        place.write(&format!("d/{name}"), content);
    }
    for keys in [
        "--keyset a.json",
        "--keyset s.json",
        "--kek file-kms://kek.json",
    ] {
        done(&place, &format!("encrypt -r d -o out --force {keys}"));
    }
}

#[test]
fn a_file_under_a_disabled_raw_key_is_recognised() {
    let place = with_tree();
    done(&place, "encrypt -r d -o out --keyset raw.json");
    done(&place, "encrypt d/1 --in-place --keyset raw.json");
    let sealed = place.read("d/1");
    rotate_and_disable(&place, "raw.json", "AES256_GCM_RAW");
    fails(
        &place,
        "encrypt d/1 --in-place --keyset raw.json",
        1,
        "is disabled",
    );
    assert_eq!(place.read("d/1"), sealed);
    // The outputs of the old key are done again.
    place.write("d/1", "one");
    let old = place.read("out/deep/2.sealed");
    done(&place, "encrypt -r d -o out --keyset raw.json");
    assert_ne!(place.read("out/deep/2.sealed"), old);
    done(&place, "decrypt -r out -o back --keyset raw.json");
    assert_eq!(place.read("back/deep/2"), b"two");
}

#[test]
fn a_hint_of_one_file_names_only_flags_of_the_verb() {
    let place = with_tree();
    let large = fs::File::create(place.path("d/large")).unwrap();
    large.set_len(3 << 30).unwrap();
    let (exit, said) = run(&place, "decrypt -r d -o out --keyset a.json");
    assert_eq!(exit, 4, "{said}");
    assert!(said.contains("the limit for one message"), "{said}");
    assert!(!said.contains("--no-stream"), "{said}");
    let (_, said) = run(&place, "encrypt -r d -o out --keyset a.json");
    assert!(said.contains("--no-stream"), "{said}");
}

#[test]
fn other_spellings_of_one_key_re_wrap_nothing_twice() {
    let place = with_tree();
    symlink("kek.json", place.path("link.json")).unwrap();
    let kek = "--kek file-kms://kek.json";
    done(
        &place,
        &format!("encrypt -r d --in-place {kek} --no-stream"),
    );
    fs::copy(place.path("kek.json"), place.path("copy.json")).unwrap();
    let sealed = tree(&place);
    for to in [
        "file-kms://./kek.json",
        "FILE-KMS://link.json",
        "file-kms://d/../kek.json",
        "file-kms://copy.json",
    ] {
        let (exit, said) = run(&place, &format!("rewrap -r d --in-place {kek} --to {to}"));
        assert_eq!(exit, 0, "{said}");
        assert!(said.contains("skipped 2"), "{to}: {said}");
        assert_eq!(tree(&place), sealed);
    }
}

#[test]
fn keysets_of_every_form_are_re_wrapped() {
    let place = with_tree();
    fs::create_dir(place.path("keysets")).unwrap();
    let create = "keyset create --template AES256_GCM";
    for (kek, name, format) in [
        ("file-kms://kek.json", "json", "json"),
        ("file-kms://kek.json", "binary", "binary"),
        ("file-kms://kek.json", "wrapped", "wrapped"),
        ("envelope+file-kms://kek.json", "in-envelope", "json"),
    ] {
        let line = format!("{create} --keyset-kek {kek} --format {format} -o keysets/{name}");
        done(&place, &line);
    }
    let list = |name: &str, kek: &str| {
        let line = format!("keyset list keysets/{name} --keyset-kek {kek} --insecure-cleartext");
        let arguments: Vec<&str> = line.split_whitespace().collect();
        place.done(&arguments).stdout
    };
    let before = list("wrapped", "file-kms://kek.json");
    done(
        &place,
        "keyset rotate kek.json --template AES256_GCM --in-place",
    );
    for (name, kek) in [
        ("json", "file-kms://kek.json"),
        ("binary", "file-kms://kek.json"),
        ("wrapped", "file-kms://kek.json"),
        ("in-envelope", "envelope+file-kms://kek.json"),
    ] {
        let rewrap = format!("rewrap keysets/{name} --in-place --kek {kek}");
        let (exit, said) = run(&place, &rewrap);
        assert_eq!(exit, 0, "{name}: {said}");
        assert!(said.contains("re-wrapped"), "{name}: {said}");
        let (exit, said) = run(&place, &rewrap);
        assert_eq!(exit, 0, "{name}: {said}");
        assert!(said.contains("newest version"), "{name}: {said}");
        list(name, kek);
        let lint = format!("keyset lint keysets/{name} --keyset-kek {kek}");
        let (exit, said) = run(&place, &lint);
        assert_eq!(exit, 0, "{name}: {said}");
    }
    assert_eq!(list("wrapped", "file-kms://kek.json"), before);
    // To another key, and between a key and an envelope under it.
    let to_other =
        "rewrap keysets/wrapped --in-place --kek file-kms://kek.json --to file-kms://b.json";
    done(&place, to_other);
    done(&place, to_other);
    assert_eq!(list("wrapped", "file-kms://b.json"), before);
    done(
        &place,
        "rewrap keysets/json --in-place --kek file-kms://kek.json --to envelope+file-kms://kek.json",
    );
    list("json", "envelope+file-kms://kek.json");
    fails(
        &place,
        "rewrap keysets/wrapped --in-place --kek file-kms://kek.json",
        1,
        "nor a wrapped keyset under file-kms://kek.json",
    );
}

#[test]
fn the_lint_looks_into_a_wrapped_keyset() {
    let place = with_tree();
    done(
        &place,
        "keyset create --template AES256_GCM --keyset-kek file-kms://kek.json --format wrapped \
         -o wrapped",
    );
    done(
        &place,
        "keyset add wrapped --template AES256_GCM --keyset-kek file-kms://kek.json --in-place",
    );
    let line = "keyset lint wrapped --keyset-kek file-kms://kek.json";
    let (exit, said) = run(&place, line);
    assert_eq!(exit, 0, "{said}");
    fails(
        &place,
        "keyset lint wrapped --keyset-kek file-kms://b.json",
        4,
        "file-kms://b.json does not decrypt it",
    );
    fails(&place, "keyset lint wrapped", 8, "");
}
