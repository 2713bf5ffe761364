//! `tests/vectors/malformed`: one fault or oddity in each file, and what must come of it.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
};

use keyseal::{
    Aead as _, KeysetAead, KeysetError, KeysetHandle, KeysetRemoteAead, KeysetStreamingAead,
    Provider, RemoteAead as _, keyset::Format,
};
use serde_json::Value;

use crate::{
    corpus::{Corpus, list, text},
    fake_kms::{FakeKms, block_on},
    support::{bytes_of, read},
};

/// What is spoiled in a case: a good keyset and its ciphertext.
struct Base {
    primitive: String,
    keyset: Vec<u8>,
    plaintext: Vec<u8>,
    ciphertext: Vec<u8>,
}

struct Good {
    bases: BTreeMap<String, Base>,
    associated_data: Vec<u8>,
}

impl Good {
    fn of(manifest: &Value, corpus: &mut Corpus) -> Self {
        let mut bases = BTreeMap::new();
        for (name, base) in manifest["bases"].as_object().unwrap() {
            let base = Base {
                primitive: text(base, "primitive").into(),
                keyset: corpus.bytes(text(base, "keyset")),
                plaintext: bytes_of(text(base, "plaintext")),
                ciphertext: corpus.bytes(text(base, "ciphertext")),
            };
            bases.insert(name.clone(), base);
        }
        Self {
            bases,
            associated_data: text(manifest, "associated_data").into(),
        }
    }
}

#[test]
fn every_malformed_file_gets_its_verdict() {
    let mut corpus = Corpus::open("malformed");
    let manifest = corpus.json("manifest.json");
    let good = Good::of(&manifest, &mut corpus);
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in list(&manifest, "cases") {
        let bytes = corpus.bytes(text(case, "file"));
        let expected = text(case, "expected");
        let base = &good.bases[text(case, "base")];
        for &provider in Provider::ALL {
            let verdict = verdict(case, &bytes, base, &good, provider);
            if verdict != expected {
                wrong.push(format!("{provider:?} says {verdict}: {case}"));
            }
        }
        *counts.entry((&base.primitive, expected)).or_default() += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for primitive in ["aead", "streaming", "envelope"] {
        for verdict in ["accepted", "load", "use"] {
            assert!(
                counts.contains_key(&(primitive, verdict)),
                "no {verdict} of {primitive}"
            );
        }
    }
    corpus.assert_all_read();
    println!("cases by primitive and verdict: {counts:?}");
}

fn verdict(
    case: &Value,
    bytes: &[u8],
    base: &Base,
    good: &Good,
    provider: Provider,
) -> &'static str {
    let (keyset, ciphertext) = match text(case, "format") {
        "ciphertext" => (read(&base.keyset, Format::Binary), bytes),
        "binary" => (load(case, bytes, Format::Binary, good), &*base.ciphertext),
        "json" => (load(case, bytes, Format::Json, good), &*base.ciphertext),
        other => panic!("no format {other}"),
    };
    let Ok(keyset) = keyset else { return "load" };
    let Some(primitive) = Made::of(&keyset, &base.primitive, provider) else {
        return "primitive";
    };
    let associated_data = &good.associated_data;
    let own;
    let ciphertext = if case["opens_ciphertext"].as_bool().unwrap() {
        ciphertext
    } else {
        own = primitive.encrypt(&base.plaintext, associated_data);
        &own
    };
    match primitive.decrypt(ciphertext, associated_data) {
        Some(opened) => {
            assert_eq!(opened, base.plaintext, "{case}");
            "accepted"
        }
        None => "use",
    }
}

enum Made {
    Aead(KeysetAead),
    Streaming(KeysetStreamingAead),
    Remote(KeysetRemoteAead),
}

impl Made {
    fn of(keyset: &KeysetHandle, primitive: &str, provider: Provider) -> Option<Self> {
        match primitive {
            "aead" => keyset.primitive_with(provider).ok().map(Self::Aead),
            "streaming" => keyset.primitive_with(provider).ok().map(Self::Streaming),
            "envelope" => KeysetRemoteAead::with_provider(keyset, &FakeKms, provider)
                .ok()
                .map(Self::Remote),
            other => panic!("no primitive {other}"),
        }
    }

    fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Vec<u8> {
        match self {
            Self::Aead(aead) => aead.encrypt(plaintext, associated_data).unwrap(),
            Self::Streaming(streaming) => {
                let writer = streaming.encrypting_writer(Vec::new(), associated_data);
                let mut writer = writer.unwrap();
                writer.write_all(plaintext).unwrap();
                writer.finish().unwrap()
            }
            Self::Remote(remote) => block_on(remote.encrypt(plaintext, associated_data)).unwrap(),
        }
    }

    fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Aead(aead) => aead.decrypt(ciphertext, associated_data).ok(),
            Self::Streaming(streaming) => {
                let mut plaintext = Vec::new();
                let mut reader = streaming.decrypting_reader(ciphertext, associated_data);
                reader.read_to_end(&mut plaintext).ok()?;
                Some(plaintext)
            }
            Self::Remote(remote) => block_on(remote.decrypt(ciphertext, associated_data)).ok(),
        }
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
            let kek: KeysetAead = read(&good.bases["aead"].keyset, Format::Binary)?.primitive()?;
            let associated_data = associated_data.as_str().unwrap().as_bytes();
            KeysetHandle::read_encrypted(bytes, format, &kek, associated_data)
        }
    }
}
