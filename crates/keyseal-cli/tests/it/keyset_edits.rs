//! Edits of one keyset by several processes: none is lost, and none waits for a process that is
//! gone.

#![cfg(unix)]

use std::{
    collections::HashSet,
    fs::{self, File},
    os::unix::fs::symlink,
    process::{Child, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use keyseal_emulator::{Fault, FaultRule, Operation};

use super::support::{Place, WithKms};

const CLEARTEXT: &[&str] = &["--insecure-cleartext"];

fn rotate<'a>(keyset: &'a str, access: &[&'a str]) -> Vec<&'a str> {
    let verb = [
        "keyset",
        "rotate",
        keyset,
        "--template",
        "AES128_GCM",
        "--in-place",
    ];
    [&verb, access].concat()
}

fn start(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.keyseal(arguments);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.stdin(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

/// Returns the ids of a keyset's keys.
fn ids(place: &Place, keyset: &str, access: &[&str]) -> HashSet<u64> {
    let listed = place.done(&[&["keyset", "list", keyset, "--json"], access].concat());
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let keys = listed["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["key_id"].as_u64().unwrap())
        .collect()
}

/// Returns the id that a rotation reported.
fn told(output: &Output) -> u64 {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let id = said
        .split("key ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    id.unwrap().parse().unwrap()
}

#[test]
fn a_hundred_parallel_edits_keep_a_hundred_keys() {
    let place = Place::new();
    place.keyset("k.json");
    let mut expected = ids(&place, "k.json", CLEARTEXT);
    // Half of them reach the file through a link.
    symlink(place.path("k.json"), place.path("link.json")).unwrap();
    for name in ["k.json", "link.json"].repeat(10).chunks(20) {
        for _ in 0..5 {
            let arguments = name.iter().map(|name| rotate(name, CLEARTEXT));
            let children: Vec<Child> = arguments.map(|one| start(&place, &one)).collect();
            expected.extend(children.into_iter().map(|child| told(&ended(child))));
        }
    }
    assert_eq!(expected.len(), 101);
    assert_eq!(ids(&place, "k.json", CLEARTEXT), expected);
    assert_eq!(place.names("."), ["k.json", "link.json"]);
}

#[test]
fn edits_of_every_verb_wait_for_each_other() {
    let place = Place::new();
    place.keyset("k.json");
    let first = *ids(&place, "k.json", CLEARTEXT).iter().next().unwrap();
    place.write("key", [7; 16]);
    let other = told(&ended(start(&place, &rotate("k.json", CLEARTEXT)))).to_string();
    let first = first.to_string();
    let edits: &[&[&str]] = &[
        &["keyset", "add", "k.json", "--template", "AES128_GCM"],
        &[
            "keyset",
            "import",
            "k.json",
            "--type",
            "AES128_GCM",
            "--key-file",
            "key",
        ],
        &["keyset", "disable", "k.json", "--key-id", &first],
        &["keyset", "enable", "k.json", "--key-id", &first],
        &["keyset", "promote", "k.json", "--key-id", &other],
        &["keyset", "convert", "k.json"],
        &[
            "keyset",
            "rotate",
            "k.json",
            "--template",
            "AES128_GCM",
            "--promote",
            &other,
        ],
    ];
    // The last one is refused, and changes nothing.
    let (refused, edits) = edits.split_last().unwrap();
    let before = ids(&place, "k.json", CLEARTEXT);
    let with_place =
        |edit: &[&str]| -> Child { start(&place, &[edit, CLEARTEXT, &["--in-place"]].concat()) };
    let held = File::open(place.path("k.json")).unwrap();
    held.lock().unwrap();
    let mut waiting: Vec<Child> = edits.iter().map(|edit| with_place(edit)).collect();
    thread::sleep(Duration::from_millis(500));
    for child in &mut waiting {
        assert!(
            child.try_wait().unwrap().is_none(),
            "an edit did not wait for the lock"
        );
    }
    drop(held);
    for child in waiting {
        let output = ended(child);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    assert_eq!(ended(with_place(refused)).status.code(), Some(2));
    let after = ids(&place, "k.json", CLEARTEXT);
    assert_eq!(after.len(), before.len() + 2);
    assert!(after.is_superset(&before));
}

#[test]
fn edits_under_a_kms_key_wait_for_each_other() {
    let kms = WithKms::new();
    let place = &kms.place;
    let access = ["--keyset-kek", &kms.kek];
    place.done(
        &[
            &[
                "keyset",
                "create",
                "--template",
                "AES128_GCM",
                "-o",
                "k.json",
            ][..],
            &access,
        ]
        .concat(),
    );
    let mut expected = ids(place, "k.json", &access);
    let children: Vec<Child> = (0..10)
        .map(|_| start(place, &rotate("k.json", &access)))
        .collect();
    expected.extend(children.into_iter().map(|child| told(&ended(child))));
    assert_eq!(expected.len(), 11);
    assert_eq!(ids(place, "k.json", &access), expected);
}

/// Starts an edit that has read its keyset and waits for its key, and the other end of that wait.
fn half_done(place: &Place) -> Child {
    let import = [
        "keyset",
        "import",
        "k.json",
        "--type",
        "AES128_GCM",
        "--key-file",
        "-",
    ];
    let child = start(place, &[&import, CLEARTEXT, &["--in-place"]].concat());
    let file = File::open(place.path("k.json")).unwrap();
    let begun = Instant::now();
    while file.try_lock().is_ok() {
        file.unlock().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(10));
    }
    // It reads the keyset right after it has locked it.
    thread::sleep(Duration::from_millis(300));
    child
}

#[test]
fn a_killed_edit_blocks_nobody() {
    let place = Place::new();
    place.keyset("k.json");
    let mut child = half_done(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    told(&ended(start(&place, &rotate("k.json", CLEARTEXT))));
    assert_eq!(ids(&place, "k.json", CLEARTEXT).len(), 2);
}

#[test]
fn a_keyset_that_another_program_changes_meanwhile_is_not_replaced() {
    type Change = fn(&Place);
    let changes: [Change; 3] = [
        // Written into, with the same size and times.
        |place| {
            let old = place.read("k.json");
            let new = String::from_utf8(old)
                .unwrap()
                .replace("ENABLED", "ENABLEX");
            let times = fs::metadata(place.path("k.json"))
                .unwrap()
                .modified()
                .unwrap();
            place.write("k.json", new);
            let file = File::options()
                .write(true)
                .open(place.path("k.json"))
                .unwrap();
            file.set_modified(times).unwrap();
        },
        // Replaced by a file with the same content.
        |place| {
            place.write("new", place.read("k.json"));
            fs::rename(place.path("new"), place.path("k.json")).unwrap();
        },
        // Removed.
        |place| fs::remove_file(place.path("k.json")).unwrap(),
    ];
    for change in changes {
        let place = Place::new();
        place.keyset("k.json");
        let mut child = half_done(&place);
        change(&place);
        let left = fs::read(place.path("k.json")).ok();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), &[7; 16]).unwrap();
        let output = ended(child);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("it was changed while it was read"), "{said}");
        assert_eq!(fs::read(place.path("k.json")).ok(), left);
        assert!(place.names(".").iter().all(|name| name == "k.json"));
    }
}

#[test]
fn a_keyset_that_the_service_has_spoiled_replaces_nothing() {
    let kms = WithKms::new();
    let place = &kms.place;
    let kek = &*kms.kek;
    let create = [
        "keyset",
        "create",
        "--template",
        "AES256_GCM",
        "--keyset-kek",
        kek,
    ];
    let verbs: [(&[&str], Operation); 2] = [
        (
            &[
                "keyset",
                "rotate",
                "k.json",
                "--template",
                "AES256_GCM",
                "--in-place",
                "--keyset-kek",
                kek,
            ],
            Operation::Encrypt,
        ),
        // The answer to a decryption has the new ciphertext.
        (
            &["rewrap", "k.json", "--in-place", "--kek", kek],
            Operation::Decrypt,
        ),
    ];
    for (verb, operation) in verbs {
        place.done(&[&create[..], &["-o", "k.json", "--force"]].concat());
        place.done(&["kek", "rotate", kek]);
        let before = place.read("k.json");
        kms.emulator.inject(
            FaultRule::new(Fault::CorruptedCiphertext)
                .on(operation)
                .times(1),
        );
        let output = place.keyseal(verb).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{verb:?}: {said}");
        assert!(
            said.contains("does not decrypt what it has just encrypted"),
            "{said}"
        );
        assert_eq!(place.read("k.json"), before);
        place.done(verb);
        place.done(&["keyset", "list", "k.json", "--keyset-kek", kek]);
    }
}
