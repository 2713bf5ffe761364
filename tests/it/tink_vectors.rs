//! `tests/vectors/tink`: files written by Tink's official implementations, read by this crate.

use std::{collections::BTreeMap, io::Read as _};

use keyseal::{
    Aead as _, DeterministicAead as _, KeysetAead, KeysetDeriver, KeysetDeterministicAead,
    KeysetHandle, KeysetMac, KeysetPrfSet, KeysetRemoteAead, KeysetStreamingAead, Mac as _,
    Provider, RemoteAead as _, keyset::Format,
};
use serde_json::Value;

use crate::{
    corpus::{Corpus, list, text},
    fake_kms::{FakeKms, block_on},
    support::{FORMATS, aeads, bytes_of, read, write},
};

#[derive(Default)]
struct Counts {
    /// By primitive and maker.
    keysets: BTreeMap<String, usize>,
    files: usize,
    messages: usize,
}

#[test]
fn every_keyset_and_message_of_the_official_implementations_is_read() {
    let mut corpus = Corpus::open("tink");
    let manifest = corpus.json("manifest.json");
    let kek = read(corpus.bytes(text(&manifest, "kek")), Format::Binary).unwrap();
    let kek: KeysetAead = kek.primitive().unwrap();
    let mut counts = Counts::default();
    for entry in list(&manifest, "keysets") {
        check_keyset(entry, &kek, &mut corpus, &mut counts);
        let kind = format!("{} of {}", text(entry, "primitive"), text(entry, "made_by"));
        *counts.keysets.entry(kind).or_default() += 1;
    }
    assert!(
        !counts.keysets.is_empty() && counts.messages > 0,
        "the manifest names nothing"
    );
    corpus.assert_all_read();
    println!(
        "{} files, {} messages, keysets: {:#?}",
        counts.files, counts.messages, counts.keysets
    );
}

fn check_keyset(entry: &Value, kek: &KeysetAead, corpus: &mut Corpus, counts: &mut Counts) {
    let mut messages: Vec<(Value, Vec<u8>)> = Vec::new();
    let written = corpus.json(text(entry, "messages"));
    for message in written.as_array().unwrap() {
        messages.push((message.clone(), bytes_of(text(message, "output"))));
    }
    if let Some(large) = entry.get("large") {
        messages.push((large.clone(), corpus.bytes(text(large, "file"))));
    }
    assert!(!messages.is_empty(), "{entry}");

    for form in list(entry, "forms") {
        let name = text(form, "file");
        let keyset = read_form(form, &corpus.bytes(name), kek)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let info = keyset.info();
        let [key] = info.keys() else {
            panic!("{name} has {} keys", keyset.len());
        };
        assert_eq!(key.type_url(), text(entry, "type_url"), "{name}");
        assert_eq!(key.variant().unwrap().name(), text(entry, "prefix"));

        check_messages(name, text(entry, "primitive"), &keyset, &messages);
        // The keyset is the same when it has been written and read again.
        for format in FORMATS {
            let again = read(write(&keyset, format), format).unwrap();
            check_messages(name, text(entry, "primitive"), &again, &messages[..1]);
        }
        counts.files += 1;
        counts.messages += messages.len();
    }
}

fn read_form(
    form: &Value,
    bytes: &[u8],
    kek: &KeysetAead,
) -> Result<KeysetHandle, keyseal::KeysetError> {
    let format = match text(form, "format") {
        "binary" => Format::Binary,
        "json" => Format::Json,
        other => panic!("no format {other}"),
    };
    assert_eq!(Format::detect(bytes), format);
    match form.get("associated_data").and_then(Value::as_str) {
        None => read(bytes, format),
        Some(data) => {
            let other = KeysetHandle::read_encrypted(bytes, format, kek, b"other");
            assert!(other.is_err(), "other associated data opens the keyset");
            KeysetHandle::read_encrypted(bytes, format, kek, data.as_bytes())
        }
    }
}

fn check_messages(
    name: &str,
    primitive: &str,
    keyset: &KeysetHandle,
    messages: &[(Value, Vec<u8>)],
) {
    let check = match primitive {
        "aead" => check_aead,
        "daead" => check_daead,
        "deriver" => check_deriver,
        "envelope" | "kms" => check_remote_aead,
        "mac" => check_mac,
        "prf" => check_prf,
        "streaming" => check_streaming,
        other => panic!("{name}: nothing checks the primitive {other}"),
    };
    for (message, output) in messages {
        let size = usize::try_from(message["size"].as_u64().unwrap()).unwrap();
        let associated_data = text(message, "associated_data").as_bytes();
        check(name, keyset, &plaintext(size), associated_data, output);
    }
}

fn check_aead(
    name: &str,
    keyset: &KeysetHandle,
    plaintext: &[u8],
    associated_data: &[u8],
    ciphertext: &[u8],
) {
    for aead in aeads(keyset) {
        let opened = aead.decrypt(ciphertext, associated_data);
        assert_eq!(opened.as_deref(), Ok(plaintext), "{name}");
        aead.decrypt(ciphertext, b"other").unwrap_err();
    }
}

fn check_remote_aead(
    name: &str,
    keyset: &KeysetHandle,
    plaintext: &[u8],
    associated_data: &[u8],
    ciphertext: &[u8],
) {
    for &provider in Provider::ALL {
        let aead = KeysetRemoteAead::with_provider(keyset, &FakeKms, provider).unwrap();
        let opened = block_on(aead.decrypt(ciphertext, associated_data));
        assert_eq!(opened.unwrap(), plaintext, "{name}");
        block_on(aead.decrypt(ciphertext, b"other")).unwrap_err();
    }
}

fn check_daead(
    name: &str,
    keyset: &KeysetHandle,
    plaintext: &[u8],
    associated_data: &[u8],
    ciphertext: &[u8],
) {
    let daead: KeysetDeterministicAead = keyset.primitive().unwrap();
    let made = daead.encrypt_deterministically(plaintext, associated_data);
    assert_eq!(made.as_deref(), Ok(ciphertext), "{name}");
    let opened = daead.decrypt_deterministically(ciphertext, associated_data);
    assert_eq!(opened.as_deref(), Ok(plaintext), "{name}");
}

fn check_streaming(
    name: &str,
    keyset: &KeysetHandle,
    plaintext: &[u8],
    associated_data: &[u8],
    stream: &[u8],
) {
    for &provider in Provider::ALL {
        let aead: KeysetStreamingAead = keyset.primitive_with(provider).unwrap();
        let mut opened = Vec::new();
        let mut reader = aead.decrypting_reader(stream, associated_data);
        reader
            .read_to_end(&mut opened)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(opened, plaintext, "{name}");
        let mut other = aead.decrypting_reader(stream, b"other");
        other.read_to_end(&mut opened).unwrap_err();
    }
}

fn check_mac(name: &str, keyset: &KeysetHandle, data: &[u8], _: &[u8], tag: &[u8]) {
    let mac: KeysetMac = keyset.primitive().unwrap();
    assert_eq!(mac.compute_mac(data), tag, "{name}");
    assert_eq!(mac.verify_mac(tag, data), Ok(()), "{name}");
}

fn check_prf(name: &str, keyset: &KeysetHandle, input: &[u8], _: &[u8], output: &[u8]) {
    let set: KeysetPrfSet = keyset.primitive().unwrap();
    let computed = set.primary().compute_prf(input, output.len());
    assert_eq!(computed.as_deref(), Ok(output), "{name}");
}

fn check_deriver(name: &str, keyset: &KeysetHandle, salt: &[u8], _: &[u8], derived: &[u8]) {
    let deriver: KeysetDeriver = keyset.primitive().unwrap();
    let ours = deriver.derive_keyset(salt).unwrap();
    let theirs = read(derived, Format::Binary).unwrap();
    let [ours, theirs] = [ours, theirs].map(|keyset| write(&keyset, Format::Binary));
    assert_eq!(ours, theirs, "{name}");
}

/// The rule of the manifest: byte `i` of a message of `n` bytes is `(31 i + n) mod 256`.
fn plaintext(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| u8::try_from((31 * at + size) % 256).unwrap())
        .collect()
}
