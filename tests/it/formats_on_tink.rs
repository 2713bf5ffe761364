//! Formats that other products build on Tink's keys and keysets. `docs/formats-on-tink.md` has the
//! recipes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hkdf::Hkdf;
use keyseal::{
    Aead as _, DeterministicAead as _, Key, KeyId, KeyTypes, KeysetAead, KeysetDeterministicAead,
    KeysetHandle, SecretBytes, Variant,
    key::{KeyKind, aes_gcm::AesGcmKey},
    keyset::Format,
};
use serde_json::Value;
use sha2::Sha256;

use crate::support::{ACCESS, read, secret, url};

const CONFLUENT: &str = include_str!("../vectors/published/confluent-csfle.json");
const BIGQUERY: &str = include_str!("../vectors/published/bigquery-keyset.json");
const BIGQUERY_ROWS: &str = include_str!("../vectors/published/bigquery-ciphertexts.json");

/// One message of Confluent's client-side field-level encryption.
struct Csfle {
    name: String,
    dek: Vec<u8>,
    type_url: String,
    version: u32,
    is_rotated: bool,
    ciphertext: Vec<u8>,
    plaintext: Vec<u8>,
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap()
}

fn bytes(value: &Value, member: &str) -> Vec<u8> {
    hex::decode(text(value, member)).unwrap()
}

/// Reads the vectors. The ciphertext is the one in the message, with the version of its DEK before
/// it where the rule rotates.
fn csfle() -> Vec<Csfle> {
    let file: Value = serde_json::from_str(CONFLUENT).unwrap();
    let read = |vector: &Value| {
        let dek = &vector["dek"];
        let version = u32::try_from(dek["version"].as_u64().unwrap()).unwrap();
        let is_rotated = vector["expiry_days"].as_u64().unwrap() > 0;
        let mut ciphertext = bytes(vector, "ciphertext_hex");
        if is_rotated {
            ciphertext = [&[0], &version.to_be_bytes()[..], &ciphertext].concat();
        }
        let message = bytes(vector, "message_value_hex");
        let encoded = STANDARD.encode(&ciphertext).into_bytes();
        let holds = |part: &[u8]| message.windows(part.len()).any(|window| window == part);
        assert!(holds(&ciphertext) || holds(&encoded));
        let secret = text(&vector["rule_conf"], "secret");
        Csfle {
            name: text(vector, "topic").to_owned(),
            dek: unwrapped(text(dek, "encryptedKeyMaterial"), secret),
            type_url: url(match text(dek, "algorithm") {
                "AES128_GCM" | "AES256_GCM" => "AesGcmKey",
                _ => "AesSivKey",
            }),
            version,
            is_rotated,
            ciphertext,
            plaintext: bytes(vector, "plaintext_of_ciphertext_hex"),
        }
    };
    file["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(read)
        .collect()
}

/// Decrypts a DEK as `local-kms` does, whose key is derived from a text.
fn unwrapped(encrypted: &str, secret_text: &str) -> Vec<u8> {
    let mut kek = [0; 16];
    Hkdf::<Sha256>::new(None, secret_text.as_bytes())
        .expand(b"", &mut kek)
        .unwrap();
    let kek = Key::new(AesGcmKey::new(secret(kek)).unwrap(), Variant::Raw).unwrap();
    let kek: KeysetAead = KeysetHandle::new(kek).unwrap().primitive().unwrap();
    kek.decrypt(&STANDARD.decode(encrypted).unwrap(), b"")
        .unwrap()
}

fn imported(message: &Csfle, variant: Variant) -> Key {
    let dek = SecretBytes::copy_from(&message.dek, ACCESS);
    let types = KeyTypes::default();
    types
        .import_serialized(&message.type_url, &dek, variant)
        .unwrap()
}

fn decrypted(keyset: &KeysetHandle, ciphertext: &[u8]) -> Vec<u8> {
    match keyset.kind() {
        Some(KeyKind::Aead) => {
            let aead: KeysetAead = keyset.primitive().unwrap();
            aead.decrypt(ciphertext, b"").unwrap()
        }
        _ => {
            let daead: KeysetDeterministicAead = keyset.primitive().unwrap();
            daead.decrypt_deterministically(ciphertext, b"").unwrap()
        }
    }
}

#[test]
fn confluent_fields_and_payloads_open_with_their_imported_dek() {
    let messages = csfle();
    assert_eq!(messages.len(), 32);
    for message in &messages {
        let variant = match message.is_rotated {
            true => Variant::Crunchy,
            false => Variant::Raw,
        };
        let id = KeyId::new(message.version);
        let keyset = KeysetHandle::with_id(imported(message, variant), id);
        let opened = decrypted(&keyset, &message.ciphertext);
        assert_eq!(opened, message.plaintext, "{}", message.name);
    }
}

#[test]
fn one_crunchy_keyset_opens_every_version_of_a_rotated_dek() {
    for kind in [KeyKind::Aead, KeyKind::DeterministicAead] {
        let mut messages = csfle();
        messages.retain(|one| one.is_rotated && imported(one, Variant::Raw).kind() == Some(kind));
        // Every vector has version 1. As versions of one subject, they would have these.
        let mut versions = (1..).zip(&mut messages).map(|(version, message)| {
            let id = u32::to_be_bytes(version);
            message.ciphertext[1..5].copy_from_slice(&id);
            (imported(message, Variant::Crunchy), KeyId::new(version))
        });
        let (first, id) = versions.next().unwrap();
        let mut keyset = KeysetHandle::with_id(first, id);
        for (key, id) in versions {
            keyset.add_with_id(key, id).unwrap();
        }
        assert!(messages.len() >= 4);
        for message in &messages {
            assert_eq!(decrypted(&keyset, &message.ciphertext), message.plaintext);
        }
    }
}

#[test]
fn a_serialized_key_of_every_type_is_imported_as_it_was_exported() {
    for template in KeyTypes::default().templates() {
        let key = Key::generate(template.name()).unwrap();
        let message = key.serialize(ACCESS);
        let types = KeyTypes::default();
        let same = types.import_serialized(key.type_url(), &message, key.variant());
        let same = same.unwrap();
        assert_eq!(same.serialize(ACCESS), message, "{}", template.name());
        assert_eq!(same.template(), key.template());
        assert_eq!(same.variant(), key.variant());
    }
}

#[test]
fn a_keyset_that_bigquery_made_opens() {
    let file: Value = serde_json::from_str(BIGQUERY).unwrap();
    let keyset = STANDARD.decode(text(&file, "keyset")).unwrap();
    let keyset = read(keyset, Format::Binary).unwrap();
    assert_eq!(keyset.primary_id(), KeyId::new(2_575_830_243));
    let aead: KeysetAead = keyset.primitive().unwrap();
    let ciphertext = aead.encrypt(b"row", b"customer 7").unwrap();
    assert_eq!(
        ciphertext[..5],
        [&[1], &2_575_830_243_u32.to_be_bytes()[..]].concat()
    );
    assert_eq!(aead.decrypt(&ciphertext, b"customer 7").unwrap(), b"row");
}

#[test]
fn the_rows_that_bigquery_decrypted_open() {
    let file: Value = serde_json::from_str(BIGQUERY_ROWS).unwrap();
    let associated_data = text(&file, "associated_data").as_bytes();
    let mut opened = 0;
    for keyset in file["keysets"].as_array().unwrap() {
        let bytes = STANDARD.decode(text(keyset, "keyset")).unwrap();
        let aead: KeysetAead = read(bytes, Format::Binary).unwrap().primitive().unwrap();
        for row in keyset["rows"].as_array().unwrap() {
            let [ciphertext, plaintext] = [0, 1].map(|at| row[at].as_str().unwrap());
            let mut ciphertext = STANDARD.decode(ciphertext).unwrap();
            let found = aead.decrypt(&ciphertext, associated_data).unwrap();
            assert_eq!(found, plaintext.as_bytes());
            assert!(aead.decrypt(&ciphertext, b"").is_err());
            *ciphertext.last_mut().unwrap() ^= 1;
            assert!(aead.decrypt(&ciphertext, associated_data).is_err());
            opened += 1;
        }
    }
    assert_eq!(opened, 7);
}
