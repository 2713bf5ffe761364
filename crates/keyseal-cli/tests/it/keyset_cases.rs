//! Keyset files from elsewhere that are nearly right: each is refused with a message that names its
//! form and claims nothing that was not checked. The files are in `tests/cases`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::support::Place;

/// Copies the files of a case, readable by everyone.
fn case(name: &str) -> Place {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(name);
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        place.write(&name, fs::read(file.path()).unwrap());
        fs::set_permissions(place.path(&name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    place.write("x", "plaintext");
    place
}

/// Runs the program, and returns its exit code and both outputs.
fn run(place: &Place, arguments: &[&str]) -> (i32, String) {
    let output = place.keyseal(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code().unwrap(), text)
}

/// Runs the program, and checks its exit code and each part of its messages.
fn says(place: &Place, arguments: &[&str], exit: i32, parts: &[&str]) -> String {
    let (code, text) = run(place, arguments);
    assert_eq!(code, exit, "{arguments:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "{arguments:?}: no {part:?} in {text}");
    }
    text
}

#[test]
fn a_cleartext_keyset_called_encrypted_is_found() {
    let place = case("cleartext-keyset-called-encrypted");
    let lint = ["keyset", "lint", "keyset.json"];
    says(
        &place,
        &lint,
        8,
        &["error [encrypted-in-name-only]", "warning [file-mode]"],
    );
    let said = says(&place, &["inspect", "keyset.json"], 0, &["cleartext"]);
    assert!(!said.contains("encrypted keyset,"), "{said}");
    place.keyset("kek.json");
    for verb in [
        &["keyset", "list"][..],
        &["keyset", "lint"],
        &["keyset", "convert"],
    ] {
        let kek = [
            "--keyset-kek",
            "file-kms://kek.json",
            "--insecure-cleartext",
        ];
        let (code, said) = run(&place, &[verb, &["keyset.json"], &kek].concat());
        assert!(matches!(code, 5 | 8), "{verb:?}: {code}, {said}");
        assert!(
            said.contains("in cleartext where its ciphertext should be"),
            "{said}"
        );
    }
}

#[test]
fn a_keyset_in_another_text_form_is_named() {
    let place = case("keyset-in-another-text-encoding");
    let utf16 = place.read("utf16.json");
    let swapped = utf16.chunks(2).flat_map(|unit| unit.iter().rev().copied());
    place.keyset("kek.json");
    place.write("utf16-swapped.json", swapped.collect::<Vec<u8>>());
    place.write("utf16-without-mark.json", &utf16[2..]);
    let swapped = place.read("utf16-swapped.json");
    place.write("utf16-swapped-without-mark.json", &swapped[2..]);
    for (file, name, code) in [
        ("utf16-swapped.json", "UTF-16", "text-utf-16"),
        ("utf16-without-mark.json", "UTF-16", "text-utf-16"),
        ("utf16-swapped-without-mark.json", "UTF-16", "text-utf-16"),
        ("bom.json", "byte order mark", "json-mark"),
        ("utf16.json", "UTF-16", "text-utf-16"),
        ("keyset.hex", "hexadecimal", "text-hexadecimal"),
        ("keyset.b64", "base64", "text-base64"),
        ("config-list.json", "JSON list", "json-list"),
        ("wrapped-in-string.json", "JSON string", "json-string"),
        ("textproto.txt", "text format of protobuf", "text-proto"),
    ] {
        let clear = "--insecure-cleartext";
        says(
            &place,
            &["encrypt", "x", "--keyset", file, clear],
            5,
            &[name],
        );
        says(&place, &["keyset", "list", file], 5, &[name]);
        let kek = [
            "keyset",
            "list",
            file,
            "--keyset-kek",
            "file-kms://kek.json",
        ];
        says(&place, &kek, 5, &[name]);
        let lint = says(&place, &["keyset", "lint", file, clear], 8, &[name]);
        assert!(lint.contains(&format!("error [{code}]")), "{lint}");
        let errors = lint.matches("error [").count();
        assert_eq!(errors, 1, "{lint}");
        says(
            &place,
            &["inspect", file],
            0,
            &["meant as a keyset, and none", name],
        );
    }
}

#[test]
fn other_text_is_not_taken_for_a_keyset() {
    let place = Place::new();
    for (file, text) in [
        ("list.json", "[1, 2, 3]"),
        ("string.json", "\"a string\""),
        ("hex", "00112233445566778899aabbccddeeff"),
        ("base64", "AAECAwQFBgcICQoLDA0ODw=="),
        ("note", "key for the door: under the mat"),
    ] {
        place.write(file, text);
        says(
            &place,
            &["inspect", file],
            0,
            &["text, but not a keyset; encrypted files are binary"],
        );
    }
}

#[test]
fn a_damaged_encrypted_keyset_is_said_to_be_that() {
    let place = case("damaged-encrypted-keyset");
    let kek = [
        "--keyset-kek",
        "file-kms://kek.json",
        "--insecure-cleartext",
    ];
    let list = [&["keyset", "list", "keyset.json"][..], &kek].concat();
    let said = says(&place, &list, 5, &["expected base64 at byte 20"]);
    assert!(!said.contains("this is an encrypted keyset"), "{said}");
    for end in [300, 60, 30] {
        let whole = place.read("keyset.json");
        place.write("cut.json", &whole[..end]);
        fs::set_permissions(place.path("cut.json"), fs::Permissions::from_mode(0o644)).unwrap();
        for file in ["keyset.json", "cut.json"] {
            let said = says(&place, &["keyset", "lint", file], 8, &["error [json-"]);
            assert!(!said.contains("file-mode"), "{said}");
        }
    }
}

#[test]
fn a_keyset_without_secrets_is_said_to_hold_none() {
    let place = case("keyset-of-a-foreign-kms");
    for file in ["gcp.json", "public.json"] {
        let said = says(&place, &["inspect", file], 0, &["holds no secret"]);
        assert!(!said.contains("has its keys"), "{said}");
        says(
            &place,
            &["inspect", file, "--json"],
            0,
            &["\"holds_secret\": false"],
        );
        let (_, lint) = run(&place, &["keyset", "lint", file]);
        assert!(!lint.contains("file-mode"), "{lint}");
    }
    place.keyset("secret.json");
    says(&place, &["inspect", "secret.json"], 0, &["has its keys"]);
    says(
        &place,
        &["inspect", "secret.json", "--json"],
        0,
        &["\"holds_secret\": true"],
    );
}

#[test]
fn the_lint_names_a_service_that_this_build_does_not_serve() {
    let place = case("keyset-of-a-foreign-kms");
    let lint = ["keyset", "lint", "gcp.json"];
    says(&place, &lint, 8, &["warning [kms-scheme]", "gcp-kms://"]);
}

#[test]
fn a_keyset_of_millions_of_keys_is_one_finding() {
    let place = Place::new();
    place.write(
        "k.json",
        format!("{{\"key\":[{}{{}}]}}", "{},".repeat(1_000_000)),
    );
    place.write("k.bin", [0x12, 0].repeat(1_000_000));
    for file in ["k.json", "k.bin"] {
        says(&place, &["inspect", file], 0, &["more than 10000 keys"]);
        let lint = says(
            &place,
            &["keyset", "lint", file],
            8,
            &["error [too-many-keys]"],
        );
        assert_eq!(lint.matches("error [").count(), 1, "{lint}");
        let list = ["keyset", "list", file, "--insecure-cleartext"];
        says(&place, &list, 5, &["more than 10000 keys"]);
    }
}

#[test]
fn faults_are_counted_and_not_listed() {
    let place = Place::new();
    let members: String = (0..100_000).map(|n| format!("\"m{n}\":0,")).collect();
    place.write("k.json", format!("{{{members}\"key\":[]}}"));
    let lint = ["keyset", "lint", "k.json"];
    let said = says(&place, &lint, 8, &["`m0`", "and 99999 more like it"]);
    assert!(said.len() < 2000, "{}", said.len());
    says(
        &place,
        &["keyset", "lint", "k.json", "--json"],
        8,
        &["\"count\": 100000"],
    );
}

#[test]
fn a_keyset_that_does_not_decrypt_leads_to_the_options_it_may_need() {
    let place = Place::new();
    place.keyset("kek.json");
    let create = ["keyset", "create", "--template", "AES256_GCM"];
    let kek = ["--keyset-kek", "file-kms://kek.json", "--keyset-aad", "a"];
    place.done(&[&create[..], &kek, &["-o", "e.json"]].concat());
    let kek = ["--keyset-kek", "envelope+file-kms://kek.json"];
    place.done(&[&create[..], &kek, &["-o", "envelope.json"]].concat());
    fs::create_dir(place.path("d")).unwrap();
    for name in ["e.json", "envelope.json"] {
        fs::copy(place.path(name), place.path("d").join(name)).unwrap();
        let rewrap = ["rewrap", name, "--in-place", "--kek", "file-kms://kek.json"];
        let hints = ["--keyset-aad", "written with envelope+URI"];
        says(&place, &rewrap, 4, &hints);
        let kek = ["--keyset-kek", "file-kms://kek.json"];
        let list = [&["keyset", "list", name][..], &kek].concat();
        says(&place, &list, 4, &hints);
        says(
            &place,
            &[&list[..], &["--keyset-aad", "b"]].concat(),
            4,
            &hints,
        );
    }
    let folder = [
        "rewrap",
        "-r",
        "d",
        "--in-place",
        "--kek",
        "file-kms://kek.json",
    ];
    let said = says(&place, &folder, 4, &["written with envelope+URI"]);
    assert_eq!(said.matches("--keyset-aad").count(), 2, "{said}");
}
