//! Checks the inside of a single key.

use std::collections::BTreeMap;

use bytes::Buf as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::finding::{Finding, Findings, short};
use crate::{
    error::{KeyError, error_chain},
    key::{
        Key, KeyId, KeyKind, KeySpec as _, KeyTypes, Variant, aes_cmac::AesCmacKey,
        aes_ctr_hmac::AesCtrHmacKey, hmac::HmacKey, kms_aead::KmsAeadKeyType,
        kms_envelope_aead::KmsEnvelopeAeadKeyType,
    },
    keyset::{Status, format},
    wire::proto,
};

/// The types of keys that services hold.
const REMOTE_TYPES: [&str; 2] = [KmsAeadKeyType::TYPE_URL, KmsEnvelopeAeadKeyType::TYPE_URL];

/// Bytes of a tag below this number are worth a word.
const SHORT_TAG: usize = 16;

pub(super) fn check_key(key: &proto::keyset::Key, findings: &mut Findings) {
    let id = key.key_id;
    if format::read_status(key.status) == Some(Status::Destroyed) {
        check_destroyed(key, findings);
        return;
    }
    let Some(data) = &key.key_data else {
        findings.push(
            Finding::error(
                "no-key-data",
                format!("key {id} has no key data"),
                "remove the key, or mark it DESTROYED to keep its id reserved",
            )
            .of(id),
        );
        return;
    };
    let types = KeyTypes::default();
    if types.find(&data.type_url).is_none() {
        findings.push(unknown_type(key, &data.type_url).of(id));
        return;
    }
    // A wrong prefix is reported separately; raw is valid for every type.
    let variant = Variant::from_proto(key.output_prefix_type).unwrap_or(Variant::Raw);
    let value = data.value.clone();
    match types.read(
        data.type_url.clone(),
        value,
        data.key_material_type,
        variant,
    ) {
        Ok(read) => check_good_key(id, &read, &data.value, findings),
        Err(error) => findings.push(bad_key(id, short_type(&data.type_url), &error)),
    }
}

fn check_destroyed(key: &proto::keyset::Key, findings: &mut Findings) {
    let id = key.key_id;
    let data = key.key_data.as_ref();
    if data.is_some_and(|data| !data.value.is_empty()) {
        findings.push(
            Finding::warning(
                "destroyed-key-left",
                format!("key {id} is destroyed, but its material is still in the file"),
                "destroy the key again, for example with `keyseal keyset destroy`: that drops the \
                 material. Then look for copies of the file",
            )
            .of(id),
        );
    }
    check_java(key, findings);
}

fn unknown_type(key: &proto::keyset::Key, type_url: &str) -> Finding {
    let id = key.key_id;
    let message = match type_url {
        "" => format!("key {id} names no key type"),
        type_url => format!(
            "key {id} is of the type `{}`, which is not known here",
            short(type_url)
        ),
    };
    match format::read_status(key.status) {
        Some(Status::Enabled) => Finding::error(
            "unknown-type",
            message,
            "use a program that knows the type, or disable the key: nothing can use a keyset with an \
             enabled key of an unknown type",
        ),
        _ => Finding::warning(
            "unknown-type",
            message,
            "do not enable it; keyseal keeps it, with its prefix type. Delete it before tink-java reads \
             the keyset with TinkConfig2026, which refuses unknown types",
        ),
    }
}

/// tink-java's newest configuration requires a valid key even in a destroyed one.
fn check_java(key: &proto::keyset::Key, findings: &mut Findings) {
    let id = key.key_id;
    let data = key.key_data.clone().unwrap_or_default();
    let types = KeyTypes::default();
    let known = types.find(&data.type_url).is_some();
    let variant = Variant::from_proto(key.output_prefix_type).unwrap_or(Variant::Raw);
    let read = types.read(data.type_url, data.value, data.key_material_type, variant);
    if !known || read.is_err() {
        findings.push(
            Finding::warning(
                "java-config-2026",
                format!("key {id} is destroyed, and its key data is gone"),
                "delete the key, for example with `keyseal keyset delete`, before tink-java reads \
                 the keyset with TinkConfig2026, which refuses it; Tink's other readers accept it",
            )
            .of(id),
        );
    }
}

fn bad_key(id: u32, type_name: &str, error: &KeyError) -> Finding {
    let (code, advice) = match error {
        KeyError::Malformed(_) => (
            "key-malformed",
            "get the keyset from its source again: the key's own message does not parse",
        ),
        KeyError::Version { .. } => ("key-version", "write the key with version 0, or remove it"),
        KeyError::Parameter { .. } => (
            "key-parameter",
            "rotate to a key with allowed parameters, and remove this one",
        ),
        KeyError::Variant { .. } => (
            "key-prefix",
            "set the output prefix type to one that the key type allows",
        ),
        KeyError::Material { .. } => (
            "key-material-type",
            "set keyMaterialType to the one of the key type",
        ),
        _ => ("key-refused", "remove the key"),
    };
    Finding::error(
        code,
        format!("key {id} ({type_name}): {}", error_chain(error)),
        advice,
    )
    .of(id)
}

fn check_good_key(id: u32, key: &Key, value: &[u8], findings: &mut Findings) {
    if is_predictable(value, 3) {
        findings.push(
            Finding::warning(
                "predictable-key",
                format!("key {id} is a run of equal or consecutive bytes, as in an example"),
                "rotate to a generated key, and assume that others can read what this one encrypted",
            )
            .of(id),
        );
    }
    if let Some(size) = tag_size(key).filter(|size| *size < SHORT_TAG) {
        findings.push(
            Finding::warning(
                "short-tag",
                format!("key {id} writes tags of {size} bytes"),
                "rotate to a key with tags of 16 bytes or more: a shorter one is easier to forge",
            )
            .of(id),
        );
    }
}

/// Returns the size of a key's tags, where it is a parameter.
fn tag_size(key: &Key) -> Option<usize> {
    let cipher = key.downcast_ref().map(AesCtrHmacKey::parameters);
    let hmac = key.downcast_ref().map(HmacKey::parameters);
    let cmac = key.downcast_ref().map(AesCmacKey::parameters);
    None.or_else(|| cipher.map(|known| known.tag_size()))
        .or_else(|| hmac.map(|known| known.tag_size()))
        .or_else(|| cmac.map(|known| known.tag_size()))
}

pub(super) fn check_same_material(keyset: &proto::Keyset, findings: &mut Findings) {
    let live: Vec<_> = keyset
        .key
        .iter()
        .filter(|key| format::read_status(key.status) != Some(Status::Destroyed))
        .filter_map(|key| Some((key.key_id, key.key_data.as_ref()?)))
        .filter(|(_, data)| !data.value.is_empty())
        .collect();
    let mut seen = BTreeMap::new();
    for (id, data) in live {
        let material = (data.type_url.as_str(), data.value.as_ref());
        if let Some(first) = seen.get(&material) {
            findings.push(
                Finding::warning(
                    "same-material",
                    format!("keys {first} and {id} hold the same key material"),
                    "rotate to a generated key: a second id does not make a second key",
                )
                .of(id),
            );
        } else {
            seen.insert(material, id);
        }
    }
}

/// Tells how many requests a message costs if keys of services are tried one after the other.
pub(super) fn check_remote_order(keyset: &proto::Keyset, findings: &mut Findings) {
    let raw: Vec<u32> = keyset
        .key
        .iter()
        .filter(|key| format::read_status(key.status) == Some(Status::Enabled))
        .filter(|key| Variant::from_proto(key.output_prefix_type) == Some(Variant::Raw))
        .filter(|key| {
            let type_url = key.key_data.as_ref().map(|data| data.type_url.as_str());
            type_url.is_some_and(|type_url| REMOTE_TYPES.contains(&type_url))
        })
        .map(|key| key.key_id)
        .collect();
    if raw.len() < 2 {
        return;
    }
    let requests: Vec<String> = raw
        .iter()
        .enumerate()
        .map(|(at, id)| format!("{} under key {id}", at + 1))
        .collect();
    findings.push(Finding {
        key_ids: raw.iter().copied().map(KeyId::new).collect(),
        ..Finding::warning(
            "remote-keys-in-turn",
            format!(
                "{} raw keys of services are tried in turn: decrypting a message costs 1 to {} \
                 requests, {}",
                raw.len(),
                raw.len(),
                shown(&requests)
            ),
            "put the key of most messages first, re-wrap the messages of the others, then delete \
             their keys",
        )
    });
}

/// Joins the first few.
fn shown(texts: &[String]) -> String {
    const MOST: usize = 4;
    let mut shown: Vec<&str> = texts.iter().take(MOST).map(String::as_str).collect();
    if texts.len() > MOST {
        shown.push("…");
    }
    shown.join(", ")
}

/// Returns whether a key message holds, at some depth, a field that nobody drew at random.
fn is_predictable(mut message: &[u8], depth: usize) -> bool {
    while message.has_remaining() {
        let Ok((number, wire_type)) = decode_key(&mut message) else {
            return false;
        };
        if wire_type != WireType::LengthDelimited {
            if skip_field(wire_type, number, &mut message, DecodeContext::default()).is_err() {
                return false;
            }
            continue;
        }
        let len = decode_varint(&mut message)
            .ok()
            .and_then(|len| usize::try_from(len).ok());
        let Some((field, rest)) = len.and_then(|len| message.split_at_checked(len)) else {
            return false;
        };
        if is_run(field) || (depth > 0 && is_predictable(field, depth - 1)) {
            return true;
        }
        message = rest;
    }
    false
}

/// Returns whether bytes are all the same, or count up or down by one.
fn is_run(bytes: &[u8]) -> bool {
    [0, 1, u8::MAX].into_iter().any(|step| {
        bytes.len() >= 16
            && bytes
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if a.wrapping_add(step) == *b))
    })
}

fn short_type(type_url: &str) -> &str {
    type_url.rsplit('.').next().unwrap_or(type_url)
}

/// A keyset is for one primitive.
pub(super) fn check_kinds(keyset: &proto::Keyset, findings: &mut Findings) {
    let types = KeyTypes::default();
    let mut kinds: Vec<KeyKind> = keyset
        .key
        .iter()
        .filter(|key| format::read_status(key.status) == Some(Status::Enabled))
        .filter_map(|key| Some(types.find(&key.key_data.as_ref()?.type_url)?.kind()))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() > 1 {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.with_article()).collect();
        findings.push(Finding::error(
            "mixed-kinds",
            format!("enabled keys are for {}", names.join(" and for ")),
            "keep those of one kind, and move the others to another keyset",
        ));
    }
}
