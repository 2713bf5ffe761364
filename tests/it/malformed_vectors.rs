//! `tests/vectors/malformed`: one fault or oddity in each file, and what must come of it.

use std::collections::BTreeMap;

use keyseal::{Aead as _, KeysetAead, KeysetError, KeysetHandle, Provider, keyset::Format};
use serde_json::Value;

use crate::{
    corpus::{Corpus, list, text},
    support::read,
};

/// What every ciphertext of the folder is of, and its key.
struct Good {
    keyset: Vec<u8>,
    plaintext: Vec<u8>,
    associated_data: Vec<u8>,
    ciphertext: Vec<u8>,
}

#[test]
fn every_malformed_file_gets_its_verdict() {
    let mut corpus = Corpus::open("malformed");
    let manifest = corpus.json("manifest.json");
    let good = Good {
        keyset: corpus.bytes(text(&manifest, "keyset")),
        plaintext: text(&manifest, "plaintext").into(),
        associated_data: text(&manifest, "associated_data").into(),
        ciphertext: corpus.bytes(text(&manifest, "ciphertext")),
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in list(&manifest, "cases") {
        let bytes = corpus.bytes(text(case, "file"));
        let expected = text(case, "expected");
        for &provider in Provider::ALL {
            let verdict = verdict(case, &bytes, &good, provider);
            if verdict != expected {
                wrong.push(format!("{provider:?} says {verdict}: {case}"));
            }
        }
        *counts.entry(expected).or_default() += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for verdict in ["accepted", "load", "primitive", "use"] {
        assert!(counts.contains_key(verdict), "no case of {verdict}");
    }
    corpus.assert_all_read();
    println!("cases by verdict: {counts:?}");
}

fn verdict(case: &Value, bytes: &[u8], good: &Good, provider: Provider) -> &'static str {
    let (keyset, ciphertext) = match text(case, "format") {
        "ciphertext" => (read(&good.keyset, Format::Binary), bytes),
        "binary" => (load(case, bytes, Format::Binary, good), &*good.ciphertext),
        "json" => (load(case, bytes, Format::Json, good), &*good.ciphertext),
        other => panic!("no format {other}"),
    };
    let Ok(keyset) = keyset else { return "load" };
    let Ok(aead) = keyset.primitive_with::<KeysetAead>(provider) else {
        return "primitive";
    };
    let associated_data = &good.associated_data;
    let own;
    let ciphertext = if case["opens_ciphertext"].as_bool().unwrap() {
        ciphertext
    } else {
        own = aead.encrypt(&good.plaintext, associated_data).unwrap();
        &own
    };
    match aead.decrypt(ciphertext, associated_data) {
        Ok(opened) => {
            assert_eq!(opened, good.plaintext, "{case}");
            "accepted"
        }
        Err(_) => "use",
    }
}

fn load(
    case: &Value,
    bytes: &[u8],
    format: Format,
    good: &Good,
) -> Result<KeysetHandle, KeysetError> {
    match case.get("encrypted_with_associated_data") {
        None => read(bytes, format),
        Some(associated_data) => {
            let kek: KeysetAead = read(&good.keyset, Format::Binary)?.primitive()?;
            let associated_data = associated_data.as_str().unwrap().as_bytes();
            KeysetHandle::read_encrypted(bytes, format, &kek, associated_data)
        }
    }
}
