//! Ids, states and prefixes of a keyset's keys, and how they go together.

use std::collections::BTreeMap;

use super::finding::{Finding, Findings};
use crate::{
    key::{KeyKind, KeyTypes, Variant},
    keyset::Status,
    wire::proto,
};

/// Enabled raw keys above this number are worth a word.
const MANY_RAW_KEYS: usize = 4;

/// The part of a key that is not secret.
pub(super) struct State<'a> {
    pub(super) id: u32,
    pub(super) status: Option<Status>,
    pub(super) prefix: i32,
    pub(super) type_url: &'a str,
}

pub(super) fn check_states(primary: u32, keys: &[State<'_>], findings: &mut Findings) {
    if keys.is_empty() {
        findings.push(Finding::error(
            "no-keys",
            "the keyset has no keys",
            "create one with `keyseal keyset create`",
        ));
        return;
    }
    let mut ids: Vec<u32> = keys.iter().map(|key| key.id).collect();
    ids.sort_unstable();
    let repeated = ids.chunk_by(PartialEq::eq).filter_map(|same| match same {
        [id, _, ..] => Some((*id, same.len())),
        _ => None,
    });
    let mut repeated: BTreeMap<u32, usize> = repeated.collect();
    for key in keys {
        // Once for each id, where it stands first.
        if let Some(same) = repeated.remove(&key.id) {
            findings.push(
                Finding::error(
                    "duplicate-id",
                    format!("{same} keys have the id {}", key.id),
                    "import all but one of them into other keysets, or under other ids",
                )
                .of(key.id),
            );
        }
    }
    match keys.iter().find(|key| key.id == primary) {
        None => findings.push(Finding::error(
            "no-primary",
            format!("the primary key id {primary} names no key"),
            "set primaryKeyId to the id of the enabled key that is to encrypt",
        )),
        Some(key) if key.status != Some(Status::Enabled) => findings.push(
            Finding::error(
                "primary-not-enabled",
                format!("the primary key {primary} is not enabled"),
                "enable it, or set primaryKeyId to an enabled key",
            )
            .of(primary),
        ),
        Some(_) => {}
    }
    if keys.iter().all(|key| key.status != Some(Status::Enabled)) {
        findings.push(Finding::error(
            "no-enabled-key",
            "no key is enabled",
            "enable the key that is to encrypt",
        ));
    }
    for key in keys {
        check_state(key, findings);
    }
    check_raw(keys, findings);
}

fn check_state(key: &State<'_>, findings: &mut Findings) {
    let id = key.id;
    if key.status.is_none() {
        findings.push(
            Finding::error(
                "unknown-status",
                format!("key {id} has a status that does not exist"),
                "set its status to ENABLED, DISABLED or DESTROYED",
            )
            .of(id),
        );
    }
    match Variant::of_any_key(key.prefix) {
        None => findings.push(
            Finding::error(
                "unknown-prefix",
                match key.prefix {
                    0 => format!("key {id} has no output prefix type"),
                    other => format!("key {id} has the output prefix type {other}"),
                },
                "set it to the type that the key was made with: TINK, CRUNCHY, LEGACY or RAW",
            )
            .of(id),
        ),
        Some(Variant::WithIdRequirement)
            if KeyTypes::default().find(key.type_url).is_some() =>
        {
            findings.push(
                Finding::error(
                    "unknown-prefix",
                    format!("key {id} has the output prefix type WITH_ID_REQUIREMENT"),
                    "set it to the type that the key was made with: TINK, CRUNCHY, LEGACY or RAW; \
                     WITH_ID_REQUIREMENT is for signatures, and only kept on keys of unknown types",
                )
                .of(id),
            );
        }
        Some(Variant::Legacy) => findings.push(
            Finding::warning(
                "legacy-prefix",
                format!("key {id} has the output prefix type LEGACY"),
                "rotate to a TINK key; some releases of Tink write LEGACY back as CRUNCHY, which is \
                 the same for encryption, but not for a MAC",
            )
            .of(id),
        ),
        Some(_) => {}
    }
    if id == 0 {
        findings.push(
            Finding::warning(
                "zero-id",
                "a key has the id 0, which is legal",
                "rotate to a key with another id: some releases of Tink refuse it",
            )
            .of(0),
        );
    }
}

fn check_raw(keys: &[State<'_>], findings: &mut Findings) {
    let raw = i32::from(proto::OutputPrefixType::Raw);
    let enabled = || {
        keys.iter()
            .filter(|key| key.status == Some(Status::Enabled))
    };
    let types = KeyTypes::default();
    // Streams, PRFs and derivers have no prefix anyway.
    let prefixed = |key: &&State<'_>| {
        types.find(key.type_url).is_none_or(|known| {
            let kinds = [KeyKind::Aead, KeyKind::DeterministicAead, KeyKind::Mac];
            kinds.contains(&known.kind())
        })
    };
    let raws = enabled()
        .filter(|key| key.prefix == raw)
        .filter(prefixed)
        .count();
    if raws > 0 && enabled().any(|key| key.prefix != raw) {
        findings.push(Finding::warning(
            "raw-mixed",
            format!("{raws} raw keys are enabled beside keys with a prefix"),
            "every raw key is tried on each ciphertext that no key with its prefix decrypts; once nothing \
             is encrypted under them, disable and delete them",
        ));
    }
    if raws > MANY_RAW_KEYS {
        findings.push(Finding::warning(
            "raw-many",
            format!("{raws} raw keys are enabled, and all of them are tried on each ciphertext"),
            "re-encrypt under a TINK key: it is faster, and somebody could craft a ciphertext that decrypts \
             under several AES-GCM or ChaCha20-Poly1305 keys",
        ));
    }
}
