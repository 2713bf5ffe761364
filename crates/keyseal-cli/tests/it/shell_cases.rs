//! Command lines that once lost data or told the wrong reason. They are in `tests/cases`.

#![cfg(unix)]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    thread,
};

use super::support::{Place, WithKms};

/// Runs the script of a case, and returns its output.
fn run(place: &Place, name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let script = fs::read_to_string(folder.join(name).join("run.sh")).unwrap();
    let output = place
        .shell(&format!("exec 2>&1\n{script}"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn contains(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
fn a_folder_that_is_not_decrypted_is_no_success() {
    let said = run(&Place::new(), "decrypt-in-place-with-a-disabled-key");
    contains(
        &said,
        &[
            "is disabled\n",
            "failed 2\ndisabled key: exit 4\n",
            "the keyset has no such key\n",
            "failed 2\nother keyset: exit 4\n",
        ],
    );
    assert!(said.ends_with("\none\ntwo\n"), "{said}");
}

#[test]
fn a_second_run_leaves_ciphertexts_as_they_are() {
    let said = run(&Place::new(), "encrypt-in-place-twice");
    contains(
        &said,
        &[
            "it is already encrypted: key",
            "disabled key: exit 1, 38 bytes\n",
            "other data: exit 1, 38 bytes\n",
        ],
    );
}

#[test]
fn a_wrong_key_encryption_key_is_said_to_be_that() {
    let said = run(&WithKms::new().place, "wrong-kek-of-an-envelope");
    contains(
        &said,
        &[
            "does not unwrap its data key: it is under another key, or is not an envelope",
            "other key: exit 4\n",
            "no envelope: exit 4\n",
        ],
    );
    assert!(!said.contains("associated data"), "{said}");
}

#[test]
fn a_certificate_that_is_not_trusted_is_no_outage() {
    let kms = WithKms::new();
    // A server that speaks no TLS, and one that answers with an alert: unknown authority.
    for (answer, code) in [
        (&b"HTTP/1.0 200 OK\r\n\r\n"[..], "kms_tls"),
        (&[21, 3, 3, 0, 2, 2, 48][..], "kms_tls"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
            }
        });
        let list = ["kek", "list", "--json", "--api-url", &url];
        let output = kms.place.keyseal(&list).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{said}");
        contains(&said, &[code, "SCW_API_URL"]);
        assert!(!said.contains("try again later"), "{said}");
    }
}
