//! Values and keysets cross to the official Tink and back.
//!
//! `TINK_PYTHON` names an interpreter that has `tink`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use datafusion::{logical_expr::ColumnarValue, scalar::ScalarValue};

use crate::support::{Functions, binary, bytes, hex, scalar, usual};

fn tink(command: &str, kind: &str, keyset: &str, data: &str, input: &[u8]) -> Vec<u8> {
    let program = std::env::var("TINK_PYTHON").expect("TINK_PYTHON is not set");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tink_column.py");
    let mut child = Command::new(program)
        .args([script, command, kind, &hex(data.as_bytes()), keyset])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{command} {kind}");
    output.stdout
}

fn text(value: ColumnarValue) -> String {
    let array = value.into_array(1).unwrap();
    match ScalarValue::try_from_array(&array, 0).unwrap() {
        ScalarValue::Utf8(Some(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn cross(functions: &Functions, kind: &str, keyset: ColumnarValue) {
    let (encrypt, decrypt) = match kind {
        "aead" => ("AEAD.ENCRYPT", "AEAD.DECRYPT"),
        _ => ("deterministic_encrypt", "deterministic_decrypt"),
    };
    let (to_string, to_bytes) = match kind {
        "aead" => ("_STRING", "_BYTES"),
        _ => ("_string", "_bytes"),
    };
    let json = functions.call("KEYS.KEYSET_TO_JSON", vec![keyset.clone()]);
    let json = text(json.unwrap());
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
            let opened = tink("decrypt", kind, &json, data, &sealed);
            assert!(opened == plaintext.as_bytes());
        }
        let sealed = tink("encrypt", kind, &json, data, plaintext.as_bytes());
        let arguments = vec![keyset.clone(), binary(sealed), scalar(data)];
        let opened = functions.call(&format!("{decrypt}{to_string}"), arguments.clone());
        assert!(text(opened.unwrap()) == plaintext);
        let opened = functions.call(&format!("{decrypt}{to_bytes}"), arguments);
        assert!(bytes(opened.unwrap()) == plaintext.as_bytes());
    }
}

#[test]
#[ignore = "needs the official Tink: engines/ci installs it"]
fn values_cross_to_the_official_tink_and_back() {
    let functions = usual();
    for (kind, key_type) in [
        ("aead", "AEAD_AES_GCM_256"),
        ("deterministic", "DETERMINISTIC_AEAD_AES_SIV_CMAC_256"),
    ] {
        let keyset = functions.call("KEYS.NEW_KEYSET", vec![scalar(key_type)]);
        cross(&functions, kind, binary(bytes(keyset.unwrap())));
    }
}

#[test]
#[ignore = "needs the official Tink: engines/ci installs it"]
fn the_official_tink_uses_the_keyset_of_bigquery_as_we_do() {
    cross(&usual(), "aead", binary(crate::keys::of_bigquery()));
}
