//! Keysets under any edits, against a map of their keys: the enabled keys decrypt, and no others.

use std::{collections::BTreeMap, sync::LazyLock};

use keyseal::{
    Aead as _, Key, KeyId, KeysetAead, KeysetHandle,
    keyset::{Format, Status},
};

use super::{Input, keys};

/// A key, and a message that it encrypted under each id.
struct Known {
    key: Key,
    messages: Vec<Vec<u8>>,
}

const IDS: u8 = 6;

static KEYS: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let templates = [
        "AES128_GCM",
        "AES256_GCM_RAW",
        "CHACHA20_POLY1305",
        "AES128_EAX",
    ];
    let known = |template: &str| {
        let key = keys::key(template, 7);
        let message = |id| {
            let keyset = KeysetHandle::with_id(key.clone(), KeyId::new(id));
            let aead: KeysetAead = keyset.primitive().expect("it is an AEAD keyset");
            aead.encrypt(b"message", b"").expect("it is short")
        };
        Known {
            messages: (0..IDS.into()).map(message).collect(),
            key,
        }
    };
    templates.map(known).into()
});

/// An input is a first key, and edits.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let first = input.below(KEYS.len());
    let mut keyset = KeysetHandle::with_id(KEYS[first].key.clone(), KeyId::new(0));
    let mut model = BTreeMap::from([(0, (first, Status::Enabled))]);
    let mut primary = 0;
    while !input.is_empty() {
        let edit = input.below(6);
        let id = input.below(IDS.into()) as u32;
        let (key_id, entry) = (KeyId::new(id), model.get(&id).copied());
        let status = entry.map(|(_, status)| status);
        let is_other = entry.is_some() && id != primary;
        let (done, allowed) = match edit {
            0 => {
                let which = input.below(KEYS.len());
                let done = keyset.add_with_id(KEYS[which].key.clone(), key_id);
                if entry.is_none() {
                    model.insert(id, (which, Status::Enabled));
                }
                (done, entry.is_none())
            }
            1 => (keyset.promote(key_id), status == Some(Status::Enabled)),
            2 => {
                let allowed = entry.is_some() && status != Some(Status::Destroyed);
                (keyset.enable(key_id), allowed)
            }
            3 => (
                keyset.disable(key_id),
                is_other && status != Some(Status::Destroyed),
            ),
            4 => (keyset.destroy(key_id), is_other),
            _ => (keyset.delete(key_id), is_other),
        };
        assert_eq!(done.is_ok(), allowed, "{edit} {id} {model:?}: {done:?}");
        if allowed {
            match edit {
                1 => primary = id,
                5 => drop(model.remove(&id)),
                0 => {}
                _ => {
                    let status = [Status::Enabled, Status::Disabled, Status::Destroyed][edit - 2];
                    model.entry(id).and_modify(|entry| entry.1 = status);
                }
            }
        }
    }
    for format in [Format::Binary, Format::Json] {
        let written = keyset.write_cleartext(format, keys::ACCESS);
        let read = KeysetHandle::read_cleartext(written.expose(keys::ACCESS), format, keys::ACCESS);
        agrees(&read.expect("what is written is read"), &model, primary);
    }
    agrees(&keyset, &model, primary);
}

fn agrees(keyset: &KeysetHandle, model: &BTreeMap<u32, (usize, Status)>, primary: u32) {
    let found: BTreeMap<u32, Status> = keyset
        .entries()
        .map(|entry| (entry.id().value(), entry.status()))
        .collect();
    let wanted: BTreeMap<u32, Status> = model.iter().map(|(id, entry)| (*id, entry.1)).collect();
    assert_eq!(found, wanted);
    assert_eq!(
        (keyset.len(), keyset.primary_id().value()),
        (model.len(), primary)
    );
    let aead: KeysetAead = keyset.primitive().expect("they are all AEADs");
    for (which, known) in KEYS.iter().enumerate() {
        for (id, message) in (0..).zip(&known.messages) {
            let is_raw = known.key.variant() == keyseal::Variant::Raw;
            let decrypts = model.iter().any(|(other, entry)| {
                *entry == (which, Status::Enabled) && (*other == id || is_raw)
            });
            assert_eq!(
                aead.decrypt(message, b"").is_ok(),
                decrypts,
                "key {which}, id {id}"
            );
        }
    }
    // The primary key encrypts: alone it decrypts.
    let (which, _) = model[&primary];
    let alone = KeysetHandle::with_id(KEYS[which].key.clone(), KeyId::new(primary));
    let alone: KeysetAead = alone.primitive().expect("it is an AEAD keyset");
    let ciphertext = aead.encrypt(b"message", b"").expect("it is short");
    assert_eq!(
        alone.decrypt(&ciphertext, b"").as_deref(),
        Ok(&b"message"[..])
    );
}
