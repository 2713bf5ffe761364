//! Files of up to 16 MiB that are made to cost memory or time, against every verb that reads them.

#![cfg(target_os = "linux")]

use std::{env, fmt::Write as _, fs};

use super::support::Place;

/// The size of the files in bytes: that of the largest keyset, with `KEYSEAL_HOSTILE_MIB=16`.
///
/// Without optimization that takes an hour, so an ordinary run has smaller files.
fn largest() -> usize {
    let named = env::var("KEYSEAL_HOSTILE_MIB").map(|size| size.parse::<usize>().unwrap() << 20);
    named.unwrap_or(256 << 10)
}

/// The memory that a run may take, in KiB: eight times the largest file, and the program itself.
fn memory() -> usize {
    ((8 * largest()) >> 10) + (8 << 10)
}

/// The memory for a configuration file of at most 1 MiB, in KiB.
const YAML_MEMORY: usize = 64 << 10;

/// The processor time that a run may take, in seconds.
const SECONDS: u32 = 20;

/// Runs a line within the limits, and returns its exit code and its output.
fn run(place: &Place, line: &str) -> (Option<i32>, Vec<u8>) {
    // What a program writes counts as its data only if it is mapped privately, as memory is.
    let limits = format!("ulimit -d {}; ulimit -t {SECONDS}; ulimit -c 0", memory());
    let mut shell = place.shell(&format!("{limits}; exec keyseal {line} </dev/null"));
    let output = shell.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), text)
}

/// Runs a line, and checks that it ends with an exit code of the program.
fn ends(place: &Place, line: &str) -> Vec<u8> {
    let (code, text) = run(place, line);
    let start = String::from_utf8_lossy(&text[..text.len().min(500)]).into_owned();
    let of_the_program = code.is_some_and(|code| (0..=8).contains(&code));
    assert!(of_the_program, "{line}: {code:?}, {start}");
    for fault in ["panicked", "does not fit into memory"] {
        assert!(!start.contains(fault), "{line}: {start}");
    }
    text
}

/// Repeats a text up to the largest size, between a start and an end.
fn filled(start: &str, part: &str, end: &str) -> Vec<u8> {
    let count = (largest() - start.len() - end.len()) / part.len();
    [start, &part.repeat(count), end].concat().into_bytes()
}

/// A field of a protobuf message.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![(number << 3) | 2];
    let mut length = content.len();
    while length > 127 {
        bytes.push(((length & 127) as u8) | 128);
        length >>= 7;
    }
    bytes.push(length as u8);
    [&bytes, content].concat()
}

fn json_keysets() -> Vec<(&'static str, Vec<u8>)> {
    let key = |url: &str, value: &str| {
        format!(
            "{{\"primaryKeyId\": 1, \"key\": [{{\"keyData\": {{\"typeUrl\": \"{url}\", \"value\": \
             \"{value}\", \"keyMaterialType\": \"SYMMETRIC\"}}, \"status\": \"ENABLED\", \
             \"keyId\": 1, \"outputPrefixType\": \"TINK\"}}]}}"
        )
    };
    let long = "A".repeat(largest() - 4096);
    let gcm = "type.googleapis.com/google.crypto.tink.AesGcmKey";
    let mut keys = String::from("{\"primaryKeyId\": 1, \"key\": [");
    let mut id = 0;
    while keys.len() < largest() - 400 {
        id += 1;
        let comma = if id > 1 { "," } else { "" };
        write!(
            keys,
            "{comma}{{\"keyData\": {{\"typeUrl\": \"{gcm}\", \"value\": \"GhA\", \
             \"keyMaterialType\": \"SYMMETRIC\"}}, \"status\": \"ENABLED\", \"keyId\": {id}, \
             \"outputPrefixType\": \"TINK\"}}"
        )
        .unwrap();
    }
    keys.push_str("]}");
    vec![
        ("lists", filled("", "[", "")),
        ("objects", filled("", "{\"a\":", "")),
        (
            "nested-key",
            filled("{\"key\":[{\"keyData\":", "{\"keyData\":", ""),
        ),
        (
            "empty-keys",
            filled("{\"primaryKeyId\":1,\"key\":[{}", ",{}", "]}"),
        ),
        ("members", filled("{\"a\":1", ",\"a\":1", "}")),
        ("keys", keys.into_bytes()),
        ("string", filled("{\"primaryKeyId\": \"", "9", "\"}")),
        (
            "escapes",
            filled("{\"encryptedKeyset\": \"", "\\u0041", "\"}"),
        ),
        ("value", key(gcm, &long).into_bytes()),
        ("url", key(&long, "GhA").into_bytes()),
        (
            "encrypted",
            filled("{\"encryptedKeyset\": \"", "AQAA", "\"}"),
        ),
        (
            "encrypted-info",
            filled(
                "{\"encryptedKeyset\": \"AQAA\", \"keysetInfo\": {\"primaryKeyId\": 1, \
                 \"keyInfo\": [{}",
                ",{}",
                "]}}",
            ),
        ),
        ("list-of-keysets", filled("[{\"keyData\":1}", ",{}", "]")),
        ("hexadecimal", filled("", "08", "")),
        ("base64", filled("", "CAES", "")),
    ]
}

fn binary_keysets() -> Vec<(&'static str, Vec<u8>)> {
    let primary = [8, 1];
    let long = vec![b'A'; largest() - 4096];
    let key = |url: &[u8], value: &[u8]| {
        let data = [field(1, url), field(2, value), vec![24, 1]].concat();
        let key = [field(1, &data), vec![16, 1, 24, 1, 32, 1]].concat();
        [&primary[..], &field(2, &key)].concat()
    };
    let gcm = b"type.googleapis.com/google.crypto.tink.AesGcmKey";
    let mut nested = Vec::new();
    while nested.len() < largest() / 64 {
        nested = field(2, &nested);
    }
    vec![
        (
            "empty-keys.bin",
            [&primary[..], &[18, 0].repeat(largest() / 2 - 1)].concat(),
        ),
        ("value.bin", key(gcm, &long)),
        ("url.bin", key(&long, b"\x1a\x00")),
        ("nested.bin", nested),
        ("groups.bin", vec![19; largest()]),
        ("claims.bin", [8, 1, 18, 255, 255, 255, 255, 7].to_vec()),
        ("encrypted.bin", field(2, &long)),
        ("zeros.bin", vec![0; largest()]),
        ("ones.bin", vec![1; largest()]),
    ]
}

/// Ciphertexts whose headers claim more than there is.
fn ciphertexts(place: &Place) -> Vec<(&'static str, Vec<u8>)> {
    place.write("x", "x");
    place.done(&[
        "encrypt",
        "x",
        "--stream",
        "-o",
        "sealed",
        "--kek",
        "file-kms://kek.json",
        "--insecure-cleartext",
    ]);
    let magic = place.read("sealed")[..8].to_vec();
    let claim = |size: u32| [&magic[..], &size.to_be_bytes(), &[1; 1000]].concat();
    vec![
        ("sealed-4g", claim(u32::MAX)),
        ("sealed-1m", claim(1 << 20)),
        ("sealed-0", claim(0)),
        ("sealed-cut", magic.clone()),
        ("envelope-4k", [&[0, 0, 16, 0][..], &[7; 5000]].concat()),
        ("stream", [&[40][..], &vec![7; 1 << 20]].concat()),
    ]
}

fn with_keys() -> Place {
    let place = Place::new();
    place.keyset("k.json");
    place.keyset("kek.json");
    place
}

#[test]
fn no_keyset_costs_more_than_its_size_allows() {
    let place = with_keys();
    for (name, bytes) in json_keysets().into_iter().chain(binary_keysets()) {
        assert!(bytes.len() <= largest(), "{name}");
        place.write(name, bytes);
        let open = "--insecure-cleartext";
        let kek = "--keyset-kek file-kms://kek.json --insecure-cleartext";
        for line in [
            format!("inspect {name}"),
            format!("keyset list {name} {open}"),
            format!("keyset lint {name} {open}"),
            format!("keyset lint {name} {kek}"),
            format!("keyset convert {name} {open} -o converted --force"),
            format!("keyset list {name} {kek}"),
            format!("keyset rotate {name} --template AES256_GCM {open} -o rotated --force"),
            format!("encrypt kek.json --keyset {name} {open} -o out --force"),
            format!("decrypt {name} --keyset k.json {open} -o out --force"),
            format!("decrypt kek.json --kek file-kms://{name} {open} -o out --force"),
            format!("explain {name} --keyset k.json {open}"),
            format!("rewrap {name} --kek file-kms://kek.json {open} -o out --force"),
            format!("list-keyset --in {name}"),
        ] {
            let said = ends(&place, &line);
            assert!(said.len() < 64 << 10, "{line}: {} bytes", said.len());
        }
        for encoding in ["", "--hex", "--base64", "--serialized"] {
            ends(
                &place,
                &format!(
                    "keyset import --type AES256_GCM --key-file {name} {encoding} {open} -o new \
                     --force"
                ),
            );
        }
        fs::remove_file(place.path(name)).unwrap();
    }
}

#[test]
fn no_header_makes_room_for_what_it_claims() {
    let place = with_keys();
    let create = "keyset create --template AES256_GCM_HKDF_1MB --insecure-cleartext -o s.json";
    ends(&place, create);
    for (name, bytes) in ciphertexts(&place) {
        place.write(name, bytes);
        for line in [
            format!("inspect {name}"),
            format!("decrypt {name} --kek file-kms://kek.json --insecure-cleartext -o out --force"),
            format!("decrypt {name} --keyset s.json --insecure-cleartext -o out --force"),
            format!("decrypt {name} --keyset k.json --insecure-cleartext -o out --force"),
            format!("encrypt {name} --kek file-kms://kek.json --insecure-cleartext -o out --force"),
            format!("explain {name} --keyset s.json --insecure-cleartext"),
            format!("rewrap {name} --kek file-kms://kek.json --insecure-cleartext -o out --force"),
        ] {
            ends(&place, &line);
        }
    }
}

#[test]
fn no_configuration_file_grows_when_it_is_read() {
    let mut place = Place::new();
    // A file of 2 KiB that stands for ten to the ninth power of words.
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for n in 1..9 {
        let tens = vec![format!("*a{}", n - 1); 10].join(", ");
        writeln!(laughs, "a{n}: &a{n} [{tens}]").unwrap();
    }
    laughs.push_str("access_key: *a8\n");
    let maps = (0..24).fold(String::from("b0: &b0 {x: y}\n"), |text, n| {
        format!("{text}b{}: &b{} {{p: *b{n}, q: *b{n}}}\n", n + 1, n + 1)
    });
    let merges = (0..24).fold(String::from("b0: &b0 {x: y}\n"), |text, n| {
        format!("{text}b{}: &b{} {{<<: [*b{n}, *b{n}]}}\n", n + 1, n + 1)
    });
    for (name, text) in [
        ("laughs", laughs),
        ("maps", maps),
        ("merges", merges),
        ("deep", "[".repeat(1 << 20)),
        ("flow", "{a: ".repeat(1 << 20)),
        ("long", format!("access_key: {}", "A".repeat(8 << 20))),
    ] {
        place.write(name, text);
        place.set("SCW_CONFIG_PATH", name);
        // YAML has a budget for all that its aliases stand for.
        let line = format!("ulimit -d {YAML_MEMORY}; ulimit -t {SECONDS}; exec keyseal kek list");
        let output = place.shell(&line).output().unwrap();
        let (code, said) = (output.status.code(), output.stderr);
        let said = String::from_utf8_lossy(&said[..said.len().min(2000)]).into_owned();
        // 2 for settings that are not understood, 6 for settings without a secret key.
        assert!(matches!(code, Some(2 | 3 | 6)), "{name}: {code:?}, {said}");
    }
}
