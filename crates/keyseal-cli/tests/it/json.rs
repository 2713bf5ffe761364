//! With `--json` a run writes one document, and docs/json.md describes it.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use super::support::{Place, WithKms};

/// The members of a report, with the page's text about each.
type Members = BTreeMap<String, String>;

/// Reads the tables of the page, by heading.
fn page() -> BTreeMap<String, Members> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    let mut sections: BTreeMap<String, Members> = BTreeMap::new();
    let mut heading = String::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut heading);
            sections.insert(heading.clone(), Members::new());
        } else if let Some(other) = line
            .strip_prefix("As `")
            .and_then(|rest| rest.strip_suffix("`."))
        {
            let members = sections[other].clone();
            sections.insert(heading.clone(), members);
        } else if let Some((names, text)) = line
            .strip_prefix("| `")
            .and_then(|row| row.split_once(" | "))
        {
            let names = names.trim_end_matches('`').split("`, `").map(str::to_owned);
            let members = names.map(|name| (name, text.to_owned()));
            sections.get_mut(&heading).unwrap().extend(members);
        }
    }
    sections
}

/// Runs a command line with `--json`, and returns its one document.
fn document(place: &Place, line: &str, expected: i32) -> Value {
    let line = format!("keyseal {line} --json");
    let output = place.shell(&line).output().unwrap();
    let texts =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(output.status.code(), Some(expected), "{line}: {texts:?}");
    let parse = |text: &String| serde_json::from_str::<Value>(text).ok();
    let mut documents: Vec<Value> = texts.iter().filter_map(parse).collect();
    assert_eq!(documents.len(), 1, "{line}: {texts:?}");
    // If the report is on standard output, nothing else is there, and standard error is empty.
    // Otherwise it is all of standard error.
    assert!(
        texts[1].is_empty() || parse(&texts[1]).is_some(),
        "{line}: {texts:?}"
    );
    documents.remove(0)
}

/// Compares a document with a section of the page.
fn check(sections: &BTreeMap<String, Members>, section: &str, line: &str, document: &Value) {
    let members = sections
        .get(section)
        .unwrap_or_else(|| panic!("no section {section}"));
    let object = document
        .as_object()
        .unwrap_or_else(|| panic!("{line}: {document}"));
    for (name, value) in object {
        if let Some(text) = members
            .get(name)
            .filter(|text| text.contains("objects with"))
        {
            check_objects(text, line, value);
        }
        let known = members.contains_key(name) || name == "warnings";
        // The service's own objects are documented by the service.
        assert!(
            known || section.starts_with("kek "),
            "{line}: {name} is not on the page"
        );
    }
    for (name, text) in members {
        assert!(
            text.starts_with("optional") || object.contains_key(name),
            "{line}: {name} is missing: {document}"
        );
    }
}

/// Compares the objects of a list with their members on the page, unless it names only some of them.
fn check_objects(text: &str, line: &str, list: &Value) {
    let objects = list.as_array().into_iter().flatten();
    for name in objects
        .filter_map(Value::as_object)
        .flat_map(|one| one.keys())
    {
        assert!(
            text.contains(&format!("`{name}`")) || text.contains("and more"),
            "{line}: {name} is not on the page: {text}"
        );
    }
}

#[test]
fn the_page_has_every_verb() {
    let place = Place::new();
    let sections = page();
    for within in ["", "keyset", "kek", "dek"] {
        let arguments: Vec<&str> = within.split_whitespace().chain(["--help"]).collect();
        let help = String::from_utf8(place.done(&arguments).stdout).unwrap();
        let list = help.split("Commands:\n").nth(1).unwrap();
        for line in list.lines().take_while(|line| !line.is_empty()) {
            let verb = line.split_whitespace().next().unwrap();
            let name = format!("{within} {verb}").trim().to_owned();
            let is_group = ["keyset", "kek", "dek", "help"].contains(&verb);
            assert!(
                is_group || sections.contains_key(&name),
                "{name} is not on the page"
            );
        }
    }
}

#[test]
fn reports_are_as_the_page_says() {
    let place = Place::new();
    let sections = page();
    place.write("in", "text");
    fs::create_dir(place.path("tree")).unwrap();
    place.write("tree/a", "text");
    place.done(&[
        "keyset",
        "create",
        "--template",
        "HMAC_SHA256_256BITTAG",
        "--insecure-cleartext",
        "-o",
        "m.json",
    ]);
    place.done(&[
        "keyset",
        "create",
        "--template",
        "AES256_GCM",
        "--insecure-cleartext",
        "-o",
        "kek.json",
    ]);
    let keyset = "--keyset k.json --insecure-cleartext";
    let kek = "--kek file-kms://kek.json";
    let lines = [
        (
            "keyset create",
            "--template AES256_GCM --insecure-cleartext -o k.json".to_owned(),
        ),
        ("keyset list", "k.json".to_owned()),
        (
            "keyset add",
            "k.json --template AES256_GCM --insecure-cleartext -o a.json".to_owned(),
        ),
        (
            "keyset rotate",
            "k.json --template AES256_GCM --insecure-cleartext -o r.json".to_owned(),
        ),
        (
            "keyset convert",
            "k.json --format binary --insecure-cleartext -o b.bin".to_owned(),
        ),
        (
            "keyset migrate",
            "file-kms://old.json file-kms://new.json -o e.json".to_owned(),
        ),
        ("keyset lint", "k.json".to_owned()),
        ("inspect", "k.json".to_owned()),
        ("inspect", "in".to_owned()),
        ("encrypt", format!("in {keyset} -o in.sealed")),
        ("encrypt", format!("in {keyset}")),
        ("encrypt", format!("in {kek} -o in.envelope")),
        ("inspect", "in.sealed".to_owned()),
        ("inspect", "in.envelope".to_owned()),
        ("explain", format!("in.sealed {keyset}")),
        ("decrypt", format!("in.sealed {keyset} -o out")),
        ("rewrap", format!("in.envelope {kek} -o in.rewrapped")),
        ("mac", "in --keyset m.json --insecure-cleartext".to_owned()),
        ("templates", String::new()),
        ("bench", "AES256_GCM --time 10ms".to_owned()),
        ("man", "pages".to_owned()),
        ("completions", "bash".to_owned()),
        ("quickstart", "in".to_owned()),
    ];
    for (verb, rest) in lines {
        let line = format!("{verb} {rest}");
        let document = document(&place, &line, 0);
        check(&sections, verb, &line, &document);
    }
    let line = format!("encrypt -r tree {keyset} -o tree.sealed");
    check(&sections, "folders", &line, &document(&place, &line, 0));
}

#[test]
fn a_finding_and_a_failed_file_are_as_the_page_says() {
    let place = Place::new();
    let sections = page();
    place.keyset("k.json");
    place.write("empty.json", "{}");
    let line = "keyset lint empty.json";
    let found = document(&place, line, 8);
    assert!(!found["findings"].as_array().unwrap().is_empty(), "{found}");
    check(&sections, "keyset lint", line, &found);
    fs::create_dir(place.path("tree")).unwrap();
    place.write("tree/plain", "text");
    let line = "decrypt -r tree --keyset k.json --insecure-cleartext -o out";
    let report = document(&place, line, 4);
    assert_eq!(report["failed"].as_array().unwrap().len(), 1, "{report}");
    check(&sections, "folders", line, &report);
}

#[test]
fn reports_about_key_manager_are_as_the_page_says() {
    let kms = WithKms::new();
    let sections = page();
    let kek = &kms.kek;
    for (verb, rest) in [
        ("kek create", "--name other"),
        ("kek show", kek),
        ("kek rotate", kek),
        ("kek protect", kek),
        ("kek unprotect", kek),
        ("kek algorithms", ""),
        ("dek generate", kek),
        ("kek delete", kek),
        ("kek restore", kek),
    ] {
        let line = format!("{verb} {rest}");
        check(&sections, verb, &line, &document(&kms.place, &line, 0));
    }
    assert!(document(&kms.place, "kek list", 0).is_array());
}

#[test]
fn every_failure_is_one_document() {
    let kms = WithKms::new();
    let place = &kms.place;
    let sections = page();
    place.keyset("k.json");
    place.write("in", "text");
    for (line, exit) in [
        ("encrypt in --nonsense", 2),
        ("encrypt missing --keyset k.json --insecure-cleartext", 3),
        ("encrypt in --keyset k.json --insecure-cleartext -o in", 2),
        ("encrypt in --keyset k.json", 2),
        ("decrypt in --keyset k.json --insecure-cleartext -v", 4),
        ("decrypt in --keyset in --insecure-cleartext", 5),
        ("mac in --keyset k.json --insecure-cleartext", 5),
        (
            "keyset promote k.json --key-id 1 --insecure-cleartext --in-place",
            2,
        ),
        ("kek show 11111111-1111-4111-8111-111111111111", 6),
        ("kek show nonsense", 2),
        ("kek list --api-url http://127.0.0.1:1 --retries 0", 7),
        ("encrypt in --kek gcp-kms://key", 2),
        ("templates NO", 2),
    ] {
        let said = document(place, line, exit);
        check(&sections, "Failures", line, &said);
        assert_eq!(said["exit"], exit, "{line}");
    }
}

#[test]
fn warnings_are_in_the_document() {
    let mut kms = WithKms::new();
    kms.place.keyset("s.json");
    kms.place.write("in", "text");
    // `--stream-output` to a pipe warns.
    let place = &mut kms.place;
    let create =
        "keyset create --template AES128_GCM_HKDF_4KB --insecure-cleartext --force -o s.json";
    document(place, create, 0);
    document(
        place,
        "encrypt in --keyset s.json --insecure-cleartext -o in.sealed",
        0,
    );
    let said = document(
        place,
        "decrypt in.sealed --keyset s.json --insecure-cleartext --stream-output",
        0,
    );
    assert_eq!(said["warnings"].as_array().unwrap().len(), 1, "{said}");
    let cut = "decrypt in --keyset s.json --insecure-cleartext --stream-output";
    let said = document(place, cut, 4);
    assert_eq!(said["warnings"].as_array().unwrap().len(), 1, "{said}");
}
