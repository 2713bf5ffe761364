//! Keys, plaintext and associated data never appear in a message, in any form.

use super::support::Place;

const KEY_HEX: &str = "8f3c1de05b7742a69d10c4fe2b93a7585e6f01bd2c9e4471b80adf3365c2e99a";
const PLAINTEXT: &str = "the plaintext of this test";
const AAD: &str = "the associated data of this test";

#[test]
fn messages_and_reports_show_no_secret() {
    let place = Place::new();
    place.write("key.hex", KEY_HEX);
    place.write("plain", PLAINTEXT);
    place.write("aad", AAD);
    place.keyset("kek.json");
    let open = "--insecure-cleartext";
    place.done(&[
        "keyset",
        "import",
        "--type",
        "AES256_GCM",
        "--key-id",
        "7",
        "--key-file",
        "key.hex",
        "--hex",
        open,
        "-o",
        "k.json",
    ]);
    let json = String::from_utf8(place.read("k.json")).unwrap();
    let value = json
        .split("\"value\": \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let key: Vec<u8> = (0..32)
        .map(|n| u8::from_str_radix(&KEY_HEX[2 * n..2 * n + 2], 16).unwrap())
        .collect();
    let debug = format!("{:?}", &key[..8]);
    let secrets = [
        value,
        KEY_HEX,
        PLAINTEXT,
        AAD,
        debug.trim_matches(['[', ']']),
    ];
    place.write("bad.json", json.replace("\"ENABLED\"", "\"ENABLE\""));
    place.write(
        "odd.json",
        json.replace("\"status\"", "\"value2\": \"x\", \"status\""),
    );
    place.write("cut.json", &json[..json.len() - 20]);
    place.write("size.json", json.replace(value, &value[..value.len() - 8]));

    let keyset = ["--keyset", "k.json", open];
    let commands: &[&[&str]] = &[
        &[
            "encrypt",
            "plain",
            "--aad-file",
            "aad",
            "-o",
            "sealed",
            "-v",
        ],
        &[
            "encrypt",
            "plain",
            "--aad-file",
            "aad",
            "-o",
            "sealed",
            "-v",
        ],
        &["decrypt", "sealed", "--aad", AAD, "-o", "opened", "-v"],
        &["decrypt", "sealed", "--aad", "wrong", "-v"],
        &["decrypt", "plain", "-v", "--json"],
        &["explain", "sealed", "-v"],
        &["explain", "sealed", "--aad", AAD, "--json"],
    ];
    let mut runs: Vec<Vec<&str>> = commands
        .iter()
        .map(|command| [command, &keyset[..]].concat())
        .collect();
    for file in [
        "k.json",
        "bad.json",
        "odd.json",
        "cut.json",
        "size.json",
        "key.hex",
        "plain",
    ] {
        for json in [&["-v"][..], &["--json"]] {
            runs.push([&["inspect", file][..], json].concat());
            runs.push([&["keyset", "list", file][..], json].concat());
            runs.push([&["keyset", "lint", file][..], json].concat());
            runs.push(
                [
                    &["encrypt", "plain", "-o", "no", "--keyset", file, open][..],
                    json,
                ]
                .concat(),
            );
            let add = [
                "keyset",
                "add",
                file,
                "--template",
                "AES256_GCM",
                open,
                "--in-place",
            ];
            runs.push([&add[..], json].concat());
            let kek = [
                "keyset",
                "convert",
                file,
                open,
                "--new-keyset-kek",
                "file-kms://kek.json",
            ];
            runs.push([&kek[..], &["-o", "sealed.json", "--force"], json].concat());
        }
        runs.push(vec![
            "keyset",
            "import",
            "--type",
            "AES128_GCM",
            "--key-file",
            file,
            open,
            "-o",
            "no",
        ]);
    }
    for run in runs {
        let output = place.keyseal(&run).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        for secret in secrets {
            assert!(!said.contains(secret), "{run:?} shows {secret}:\n{said}");
        }
    }
    assert_eq!(place.read("opened"), PLAINTEXT.as_bytes());
}

#[cfg(unix)]
#[test]
fn every_file_with_keys_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.keyset("kek.json");
    let kek = [
        "--keyset-kek",
        "file-kms://kek.json",
        "--insecure-cleartext",
    ];
    let create = [
        "keyset",
        "create",
        "--template",
        "AES256_GCM",
        "-o",
        "sealed.json",
    ];
    place.done(&[&create[..], &kek].concat());
    let export = ["keyset", "export", "sealed.json", "-o", "plain.json"];
    place.done(&[&export[..], &kek].concat());
    let add = [
        "keyset",
        "add",
        "plain.json",
        "--template",
        "AES128_GCM",
        "-o",
        "more.bin",
    ];
    place.done(&[&add[..], &["--format", "binary", "--insecure-cleartext"]].concat());
    for name in ["kek.json", "sealed.json", "plain.json", "more.bin"] {
        let mode = std::fs::metadata(place.path(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
