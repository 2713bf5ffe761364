//! Values and keysets cross to the official Tinks and back.
//!
//! `TINK_LANGUAGES` names those of Tink, such as `python go java`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use datafusion::{logical_expr::ColumnarValue, scalar::ScalarValue};

use crate::support::{Functions, binary, bytes, hex, scalar, usual};

/// A keyset of a test, in a file, for the official Tink of a language.
struct Tink<'a> {
    language: &'a str,
    primitive: &'a str,
    keyset: tempfile::NamedTempFile,
}

impl Tink<'_> {
    fn run(&self, command: &str, data: &str, input: &[u8]) -> Vec<u8> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tink");
        let mut tink = Command::new(script);
        tink.args([
            self.language,
            command,
            self.primitive,
            &hex(data.as_bytes()),
        ]);
        tink.arg(self.keyset.path());
        pipe(&mut tink, input)
    }
}

fn pipe(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

fn text(value: ColumnarValue) -> String {
    let array = value.into_array(1).unwrap();
    match ScalarValue::try_from_array(&array, 0).unwrap() {
        ScalarValue::Utf8(Some(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn cross(language: &str, functions: &Functions, kind: &str, keyset: ColumnarValue) {
    let (encrypt, decrypt) = match kind {
        "aead" => ("AEAD.ENCRYPT", "AEAD.DECRYPT"),
        _ => ("deterministic_encrypt", "deterministic_decrypt"),
    };
    let (to_string, to_bytes) = match kind {
        "aead" => ("_STRING", "_BYTES"),
        _ => ("_string", "_bytes"),
    };
    let json = functions.call("KEYS.KEYSET_TO_JSON", vec![keyset.clone()]);
    let keyset_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&keyset_file, text(json.unwrap())).unwrap();
    let tink = Tink {
        language,
        primitive: kind,
        keyset: keyset_file,
    };
    let long = "0123456789abcdef".repeat(65_536);
    for (plaintext, data) in [
        ("", ""),
        ("a", "people.email"),
        ("Ünïcode", ""),
        (&long, "x"),
    ] {
        for input in [scalar(plaintext), binary(plaintext)] {
            let arguments = vec![keyset.clone(), input, scalar(data)];
            let sealed = bytes(functions.call(encrypt, arguments).unwrap());
            let opened = tink.run("decrypt", data, &sealed);
            assert!(opened == plaintext.as_bytes(), "{language}");
        }
        let sealed = tink.run("encrypt", data, plaintext.as_bytes());
        let arguments = vec![keyset.clone(), binary(sealed), scalar(data)];
        let opened = functions.call(&format!("{decrypt}{to_string}"), arguments.clone());
        assert!(text(opened.unwrap()) == plaintext);
        let opened = functions.call(&format!("{decrypt}{to_bytes}"), arguments);
        assert!(bytes(opened.unwrap()) == plaintext.as_bytes());
    }
}

fn languages() -> Vec<String> {
    let names = std::env::var("TINK_LANGUAGES").expect("TINK_LANGUAGES is not set");
    let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
    assert!(!names.is_empty(), "TINK_LANGUAGES is empty");
    names
}

#[test]
#[ignore = "needs the official Tinks: engines/ci installs them"]
fn values_cross_to_the_official_tinks_and_back() {
    let functions = usual();
    for language in languages() {
        for (kind, key_type) in [
            ("aead", "AEAD_AES_GCM_256"),
            ("daead", "DETERMINISTIC_AEAD_AES_SIV_CMAC_256"),
        ] {
            let keyset = functions.call("KEYS.NEW_KEYSET", vec![scalar(key_type)]);
            let keyset = binary(bytes(keyset.unwrap()));
            cross(&language, &functions, kind, keyset);
        }
    }
}

#[test]
#[ignore = "needs the official Tinks: engines/ci installs them"]
fn the_official_tinks_use_the_keyset_of_bigquery_as_we_do() {
    for language in languages() {
        cross(
            &language,
            &usual(),
            "aead",
            binary(crate::keys::of_bigquery()),
        );
    }
}
