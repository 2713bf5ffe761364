//! No nonce repeats, however many messages one primitive encrypts in one thread. Under a nonce that
//! repeats, one message encrypts to the same bytes twice.
//!
//! Copies of a process, and several threads, are in `tests/fork.rs`.

use std::collections::{BTreeMap, HashSet};

use keyseal::{
    Aead as _, KeyTypes, KeysetAead, KeysetHandle, KeysetStreamingAead, StreamingAead as _,
    key::KeyKind,
};

/// In each of two ways, more than a counter of 16 bits has; far more than a generator gives before it is seeded again.
const MESSAGES: usize = (1 << 17) + 1000;

/// One template of each key type: the first one.
fn templates(kind: KeyKind) -> Vec<&'static str> {
    let templates = KeyTypes::default()
        .templates()
        .filter(|template| template.kind() == kind);
    let mut first = BTreeMap::new();
    for template in templates {
        let type_url = template.key_template().type_url().to_owned();
        first.entry(type_url).or_insert_with(|| template.name());
    }
    first.into_values().collect()
}

fn assert_all_differ(name: &str, mut one: impl FnMut() -> Vec<u8>) {
    let mut seen = HashSet::new();
    for message in 0..MESSAGES {
        assert!(seen.insert(one()), "{name}: message {message} repeats");
    }
}

#[test]
fn no_aead_repeats_a_nonce_in_65_536_messages() {
    let names = templates(KeyKind::Aead);
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        let keyset = KeysetHandle::generate(name).unwrap();
        let aead: KeysetAead = keyset.primitive().unwrap();
        // In two ways in turn, which must not repeat each other's nonces either.
        let mut in_place = false;
        assert_all_differ(name, || {
            in_place = !in_place;
            if !in_place {
                return aead.encrypt(b"", b"").unwrap();
            }
            let mut buffer = Vec::new();
            aead.encrypt_in_place(&mut buffer, b"").unwrap();
            buffer
        });
    }
}

#[test]
fn no_two_of_65_536_streams_begin_alike() {
    let names = templates(KeyKind::StreamingAead);
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        let keyset = KeysetHandle::generate(name).unwrap();
        let aead: KeysetStreamingAead = keyset.primitive().unwrap();
        assert_all_differ(name, || aead.sealer(b"").unwrap().header().to_vec());
    }
}
