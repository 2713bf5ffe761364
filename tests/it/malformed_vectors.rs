//! `tests/vectors/malformed`: one fault or oddity in each file, and the expected outcome.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
};

use keyseal::{
    Aead as _, DeterministicAead as _, KeysetAead, KeysetDeriver, KeysetDeterministicAead,
    KeysetError, KeysetHandle, KeysetMac, KeysetPrfSet, KeysetRemoteAead, KeysetStreamingAead,
    Mac as _, Provider, RemoteAead as _, keyset::Format,
};
use serde_json::Value;

use crate::{
    corpus::{Corpus, list, text},
    fake_kms::{FakeKms, block_on},
    support::{bytes_of, read, write},
};

/// The intact input of a case: a good keyset and its ciphertext.
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
                // Derivation has no ciphertext: its output is derived again.
                ciphertext: base["ciphertext"]
                    .as_str()
                    .map(|file| corpus.bytes(file))
                    .unwrap_or_default(),
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
    for primitive in ["aead", "streaming", "envelope", "daead", "mac", "prf"] {
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
        match primitive.produce(&base.plaintext, associated_data) {
            Some(output) => own = output,
            None => return "use",
        }
        &own
    };
    if primitive.takes(ciphertext, &base.plaintext, associated_data) {
        "accepted"
    } else {
        "use"
    }
}

enum Made {
    Aead(KeysetAead),
    Streaming(KeysetStreamingAead),
    Remote(KeysetRemoteAead),
    Daead(KeysetDeterministicAead),
    Mac(KeysetMac),
    Prf(KeysetPrfSet),
    Deriver(KeysetDeriver),
}

impl Made {
    fn of(keyset: &KeysetHandle, primitive: &str, provider: Provider) -> Option<Self> {
        match primitive {
            "aead" => keyset.primitive_with(provider).ok().map(Self::Aead),
            "streaming" => keyset.primitive_with(provider).ok().map(Self::Streaming),
            "envelope" => KeysetRemoteAead::with_provider(keyset, &FakeKms, provider)
                .ok()
                .map(Self::Remote),
            "daead" => keyset.primitive_with(provider).ok().map(Self::Daead),
            "mac" => keyset.primitive_with(provider).ok().map(Self::Mac),
            "prf" => keyset.primitive_with(provider).ok().map(Self::Prf),
            "deriver" => keyset.primitive_with(provider).ok().map(Self::Deriver),
            other => panic!("no primitive {other}"),
        }
    }

    /// The output for an input: a ciphertext, a tag, 16 bytes of a PRF, a keyset, or `None` if it
    /// is refused.
    fn produce(&self, input: &[u8], associated_data: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Aead(aead) => aead.encrypt(input, associated_data).ok(),
            Self::Streaming(streaming) => {
                let writer = streaming.encrypting_writer(Vec::new(), associated_data);
                let mut writer = writer.ok()?;
                writer.write_all(input).ok()?;
                writer.finish().ok()
            }
            Self::Remote(remote) => block_on(remote.encrypt(input, associated_data)).ok(),
            Self::Daead(daead) => daead.encrypt_deterministically(input, associated_data).ok(),
            Self::Mac(mac) => Some(mac.compute_mac(input)),
            Self::Prf(set) => set.primary().compute_prf(input, 16).ok(),
            Self::Deriver(deriver) => {
                let derived = deriver.derive_keyset(input).ok()?;
                Some(write(&derived, Format::Binary))
            }
        }
    }

    /// Whether `output` is taken for one of `input`.
    fn takes(&self, output: &[u8], input: &[u8], associated_data: &[u8]) -> bool {
        let opened = match self {
            Self::Aead(aead) => aead.decrypt(output, associated_data).ok(),
            Self::Streaming(streaming) => {
                let mut plaintext = Vec::new();
                let mut reader = streaming.decrypting_reader(output, associated_data);
                let read = reader.read_to_end(&mut plaintext);
                read.is_ok().then_some(plaintext)
            }
            Self::Remote(remote) => block_on(remote.decrypt(output, associated_data)).ok(),
            Self::Daead(daead) => daead
                .decrypt_deterministically(output, associated_data)
                .ok(),
            Self::Mac(mac) => return mac.verify_mac(output, input).is_ok(),
            Self::Prf(_) | Self::Deriver(_) => {
                return self.produce(input, associated_data).as_deref() == Some(output);
            }
        };
        opened.is_some_and(|opened| {
            assert_eq!(opened, input);
            true
        })
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
