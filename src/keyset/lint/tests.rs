use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::{
    error::{DecryptError, EncryptError},
    key::{Key, KeyTypes},
    keyset::KeysetHandle,
    wire::proto::{KeyStatusType, OutputPrefixType, key_data::KeyMaterialType},
};

const GCM: &str = "type.googleapis.com/google.crypto.tink.AesGcmKey";

/// A sound keyset of one key, of which the tests change something.
fn keyset() -> proto::Keyset {
    proto::Keyset {
        primary_key_id: 42,
        key: vec![key(42)],
    }
}

fn key(id: u32) -> proto::keyset::Key {
    let mut value = vec![0x1a, 16];
    value.extend((0..16).map(|n: u32| (id + n * n * 7).to_le_bytes()[0]));
    proto::keyset::Key {
        key_data: Some(proto::KeyData {
            type_url: GCM.to_owned(),
            value: value.into(),
            key_material_type: KeyMaterialType::Symmetric.into(),
        }),
        status: KeyStatusType::Enabled.into(),
        key_id: id,
        output_prefix_type: OutputPrefixType::Tink.into(),
    }
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(Finding::code).collect()
}

/// Lints the binary and the JSON form, which agree, and compares with the reader.
fn found_in(keyset: &proto::Keyset) -> Vec<&'static str> {
    let binary = keyset.encode_to_vec();
    let json = crate::wire::json::write_keyset(keyset);
    let findings = lint(&binary);
    let mut as_json = lint(&json);
    as_json.retain(|found| !found.code.starts_with("json-"));
    assert_eq!(codes(&findings), codes(&as_json));
    agrees_with_the_reader(&binary, Format::Binary);
    agrees_with_the_reader(&json, Format::Json);
    codes(&findings)
}

/// Checks that errors are found exactly where the reader refuses.
fn agrees_with_the_reader(bytes: &[u8], format: Format) {
    let read = KeysetHandle::read_cleartext(bytes, format, SecretAccess::insecure());
    let found = lint(bytes);
    let refused = found.iter().any(|found| {
        // The reader keeps what it does not know, and only its use is refused.
        found.severity == Severity::Error && !["unknown-type", "mixed-kinds"].contains(&found.code)
    });
    assert_eq!(refused, read.is_err(), "{found:?} {read:?}");
}

fn changed(change: impl FnOnce(&mut proto::Keyset)) -> Vec<&'static str> {
    let mut keyset = keyset();
    change(&mut keyset);
    found_in(&keyset)
}

fn changed_key(change: impl FnOnce(&mut proto::keyset::Key)) -> Vec<&'static str> {
    changed(|keyset| {
        let mut other = key(7);
        change(&mut other);
        keyset.key.push(other);
    })
}

fn changed_data(change: impl FnOnce(&mut proto::KeyData)) -> Vec<&'static str> {
    changed_key(|key| change(key.key_data.as_mut().unwrap()))
}

#[test]
fn a_generated_keyset_has_nothing_to_find() {
    for template in KeyTypes::default().templates() {
        let access = SecretAccess::insecure();
        let keyset = KeysetHandle::generate(template.name()).unwrap();
        for format in [Format::Binary, Format::Json] {
            let file = keyset.write_cleartext(format, access);
            assert_eq!(lint(file.expose(access)), [], "{}", template.name());
        }
    }
}

#[test]
fn what_is_wrong_with_a_keyset_as_a_whole_is_found() {
    assert_eq!(changed(|_| {}), [""; 0]);
    assert_eq!(changed(|keyset| keyset.primary_key_id = 1), ["no-primary"]);
    assert_eq!(
        changed(|keyset| keyset.key.push(key(42))),
        ["duplicate-id", "same-material"]
    );
    assert_eq!(
        changed(|keyset| keyset.key[0].status = KeyStatusType::Disabled.into()),
        ["primary-not-enabled", "no-enabled-key"]
    );
    assert_eq!(codes(&lint(b"")), ["no-keys"]);
    assert_eq!(codes(&lint(br#"{"primaryKeyId":0,"key":[]}"#)), ["no-keys"]);
}

#[test]
fn what_is_wrong_with_a_key_is_found() {
    for status in [0, 4, -1] {
        assert_eq!(changed_key(|key| key.status = status), ["unknown-status"]);
    }
    for prefix in [0, 5, 6] {
        assert_eq!(
            changed_key(|key| key.output_prefix_type = prefix),
            ["unknown-prefix"]
        );
    }
    assert_eq!(
        changed_data(|data| data.value = Bytes::from_static(b"\x1a\x20key")),
        ["key-malformed"]
    );
    assert_eq!(
        changed_data(|data| data.value = Bytes::from_static(b"\x08\x01")),
        ["key-version"]
    );
    assert_eq!(
        changed_data(|data| data.value = Bytes::from_static(b"")),
        ["key-parameter"]
    );
    assert_eq!(
        changed_data(|data| data.key_material_type = 4),
        ["key-material-type"]
    );
    assert_eq!(changed_data(|data| data.type_url.clear()), ["unknown-type"]);
    assert_eq!(
        changed_data(|data| data.type_url.push('2')),
        ["unknown-type"]
    );
    assert_eq!(
        changed_key(|key| {
            let x_aes_gcm = Key::generate("XAES_256_GCM_192_BIT_NONCE").unwrap();
            let data = key.key_data.as_mut().unwrap();
            data.type_url = x_aes_gcm.type_url().to_owned();
            data.value = x_aes_gcm.value();
            key.output_prefix_type = OutputPrefixType::Crunchy.into();
        }),
        ["key-prefix"]
    );
    // A binary keyset writes no absent key data, and a JSON keyset writes them always.
    let mut keyset = keyset();
    keyset.key.push(proto::keyset::Key {
        key_data: None,
        ..key(7)
    });
    assert_eq!(codes(&lint(&keyset.encode_to_vec())), ["no-key-data"]);
}

#[test]
fn what_is_unwise_is_found() {
    assert_eq!(
        changed_key(|key| key.output_prefix_type = OutputPrefixType::Legacy.into()),
        ["legacy-prefix"]
    );
    assert_eq!(changed_key(|key| key.key_id = 0), ["zero-id"]);
    assert_eq!(
        changed_key(|key| key.output_prefix_type = OutputPrefixType::Raw.into()),
        ["raw-mixed"]
    );
    assert_eq!(
        changed(|keyset| {
            keyset.key = (42..47).map(key).collect();
            for key in &mut keyset.key {
                key.output_prefix_type = OutputPrefixType::Raw.into();
            }
        }),
        ["raw-many"]
    );
    assert_eq!(
        changed_key(|key| key.status = KeyStatusType::Destroyed.into()),
        ["destroyed-key-left"]
    );
    assert_eq!(
        changed_key(|key| {
            key.status = KeyStatusType::Disabled.into();
            key.key_data.as_mut().unwrap().type_url.push('2');
        }),
        ["unknown-type"]
    );
    let same = key(42).key_data;
    assert_eq!(changed_key(|key| key.key_data = same), ["same-material"]);
    for run in [
        [0; 16],
        [0xaa; 16],
        std::array::from_fn(|n| n.to_le_bytes()[0]),
    ] {
        let value = [&[0x1a, 16][..], &run].concat();
        assert_eq!(
            changed_data(|data| data.value = value.into()),
            ["predictable-key"]
        );
    }
}

#[test]
fn short_tags_and_predictable_nested_keys_are_found() {
    use crate::{
        cipher::Hash,
        key::{
            Variant,
            aes_cmac::AesCmacParameters,
            aes_ctr_hmac::{AesCtrHmacKey, AesCtrHmacParameters},
            hmac::HmacParameters,
        },
        secret::SecretBytes,
    };
    let parameters = AesCtrHmacParameters::new(16).unwrap();
    let parameters = parameters.with_tag(Hash::Sha1, 10).unwrap();
    let random = Key::generate_with(&parameters, Variant::Tink).unwrap();
    let zeros = |len| SecretBytes::copy_of(&vec![0; len]);
    let zeros = AesCtrHmacKey::new(parameters, zeros(16), zeros(32)).unwrap();
    let zeros = Key::new(zeros, Variant::Tink).unwrap();
    let hmac = HmacParameters::new(32, Hash::Sha256, 15).unwrap();
    let cmac = AesCmacParameters::new(10).unwrap();
    for (key, found) in [
        (random, &["short-tag"][..]),
        (
            Key::generate_with(&hmac, Variant::Raw).unwrap(),
            &["short-tag"],
        ),
        (
            Key::generate_with(&cmac, Variant::Raw).unwrap(),
            &["short-tag"],
        ),
        (zeros, &["predictable-key", "short-tag"]),
    ] {
        let access = SecretAccess::insecure();
        let file = KeysetHandle::new(key)
            .unwrap()
            .write_cleartext(Format::Binary, access);
        assert_eq!(codes(&lint(file.expose(access))), found);
    }
}

#[test]
fn keys_of_two_kinds_are_found_where_they_are_enabled() {
    let mac = Key::generate("HMAC_SHA256_128BITTAG").unwrap();
    let with_mac = |status: KeyStatusType| {
        changed_key(|key| {
            let data = key.key_data.as_mut().unwrap();
            data.type_url = mac.type_url().to_owned();
            data.value = mac.value();
            key.status = status.into();
        })
    };
    assert_eq!(with_mac(KeyStatusType::Enabled), ["mixed-kinds"]);
    assert_eq!(with_mac(KeyStatusType::Disabled), [""; 0]);
}

#[test]
fn a_destroyed_key_without_data_is_fine() {
    assert_eq!(
        changed_key(|key| {
            key.status = KeyStatusType::Destroyed.into();
            key.key_data = Some(proto::KeyData::default());
        }),
        [""; 0]
    );
}

#[test]
fn findings_name_their_key_and_no_secret() {
    let mut keyset = keyset();
    keyset.key.push(key(42));
    keyset.key[1].status = 9;
    let findings = lint(&keyset.encode_to_vec());
    assert_eq!(findings.len(), 3);
    assert!(
        findings
            .iter()
            .all(|found| found.key_id() == Some(KeyId::new(42)))
    );
    let shown = format!("{findings:?}");
    assert!(!shown.contains("26, 16"), "{shown}");
}

/// The text of a sound keyset, in one line, as other programs write it.
const JSON: &str = r#"{"primaryKeyId":42,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey","value":"GhAB+//vv++/7+//77/v7+/v","keyMaterialType":"SYMMETRIC"},"status":"ENABLED","keyId":42,"outputPrefixType":"TINK"}]}"#;

fn found_in_json(from: &str, to: &str) -> Vec<&'static str> {
    assert!(JSON.contains(from), "{from}");
    let json = JSON.replacen(from, to, 1);
    agrees_with_the_reader(json.as_bytes(), Format::Json);
    codes(&lint(json.as_bytes()))
}

#[test]
fn json_that_is_read_and_odd_is_found() {
    for (from, to, found) in [
        ("", " \n\t", &[][..]),
        (
            "typeUrl\":\"type.googleapis.com/",
            "typeUrl\":\"type.googleapis.com\\/",
            &[],
        ),
        ("keyId", "\\u006beyId", &[]),
        ("keyId", "key_id", &["json-snake-case"]),
        ("primaryKeyId", "primary_key_id", &["json-snake-case"]),
        ("\"ENABLED\"", "1", &["json-enum-number"]),
        ("\"TINK\"", "1", &["json-enum-number"]),
        ("\"SYMMETRIC\"", "1", &["json-enum-number"]),
        (
            "GhAB+//vv++/7+//77/v7+/v",
            "GhAB-__vv--_7-__77_v7-_v",
            &["json-base64-url"],
        ),
        ("\"key\":[", "\"key\":[", &[]),
    ] {
        assert_eq!(found_in_json(from, to), found, "{to}");
    }
}

#[test]
fn json_that_is_refused_is_found_and_read_on() {
    for (from, to, found) in [
        ("{", "\u{feff}{", &["json-mark"][..]),
        ("]}", "]} {}", &["json-trailing-data"]),
        ("]}", "],}", &["json-trailing-comma"]),
        (
            "\"keyId\":42",
            "\"keyId\":42,\"keyId\":42",
            &["json-duplicate-member"],
        ),
        (
            "\"keyId\":42",
            "\"keyId\":42,\"key_id\":42",
            &["json-duplicate-member", "json-snake-case"],
        ),
        (
            "\"keyId\":42",
            "\"keyId\":42,\"keyid\":42",
            &["json-unknown-member"],
        ),
        ("\"keyId\":42", "\"keyId\":\"42\"", &["json-id"]),
        ("\"keyId\":42", "\"keyId\":42.0", &["json-id"]),
        ("\"keyId\":42", "\"keyId\":042", &["json-id"]),
        ("\"keyId\":42", "\"keyId\":-42", &["json-id", "no-primary"]),
        (
            "\"keyId\":42",
            "\"keyId\":4294967296",
            &["json-id", "no-primary", "zero-id"],
        ),
        (
            "\"keyId\":42",
            "\"keyId\":true",
            &["json-id", "no-primary", "zero-id"],
        ),
        (
            ",\"keyId\":42",
            "",
            &["no-primary", "json-no-id", "zero-id"],
        ),
        ("\"ENABLED\"", "\"enabled\"", &["json-enum"]),
        (
            "\"ENABLED\"",
            "null",
            &[
                "json-enum",
                "primary-not-enabled",
                "no-enabled-key",
                "unknown-status",
            ],
        ),
        ("\"TINK\"", "\"PINK\"", &["json-enum", "unknown-prefix"]),
        (
            ",\"keyMaterialType\":\"SYMMETRIC\"",
            "",
            &["json-no-material-type", "key-material-type"],
        ),
        (
            "+//vv++/7+//77/v7+/v",
            "+//vv++/7+//77/v7+/v===",
            &["json-base64"],
        ),
        (
            "+//vv++/7+//77/v7+/v",
            "+//vv++/ 7+//77/v7+/v",
            &["json-base64"],
        ),
        (
            "+//vv++/7+//77/v7+/v",
            "+//vv++/7+//77/v7+_v",
            &["json-base64"],
        ),
        ("[{", "{", &["json-malformed"]),
        ("{\"keyData\"", "[{\"keyData\"", &["json-malformed"]),
        (
            "\"status\":\"ENABLED\"",
            "\"status\":\"ENABLED",
            &["json-malformed"],
        ),
        ("]}", "]", &["json-malformed"]),
    ] {
        assert_eq!(found_in_json(from, to), found, "{to}");
    }
    assert_eq!(codes(&lint(b"[]")), ["json-kind", "no-keys", "json-no-id"]);
    let bare = JSON.replacen('[', "", 1).replacen(']', "", 1);
    assert_eq!(codes(&lint(bare.as_bytes())), ["json-kind"]);
    assert_eq!(
        codes(&lint("[".repeat(100_000).as_bytes())),
        ["json-malformed"]
    );
}

#[test]
fn a_hundred_thousand_faults_take_no_time_to_speak_of() {
    let members: String = (0..100_000).map(|n| format!("\"m{n}\":0,")).collect();
    let json = JSON.replacen('{', &format!("{{{members}"), 1);
    let start = std::time::Instant::now();
    assert_eq!(lint(json.as_bytes()).len(), 100_000);
    // Comparing each with each took minutes.
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn json_without_padding_is_found() {
    let padded = JSON.replace("GhAB+//vv++/7+//77/v7+/v", "GhAB+//vv++/7+//77/v7+/vGAA=");
    assert_eq!(codes(&lint(padded.as_bytes())), [""; 0]);
    let bare = padded.replace('=', "");
    assert_eq!(codes(&lint(bare.as_bytes())), ["json-base64-padding"]);
    agrees_with_the_reader(bare.as_bytes(), Format::Json);
}

#[test]
fn what_is_no_keyset_is_said_so() {
    assert_eq!(codes(&lint(b"hello")), ["not-a-keyset"]);
    assert_eq!(codes(&lint(&[0; 100])), ["not-a-keyset"]);
    let file = keyset().encode_to_vec();
    assert_eq!(codes(&lint(&file[..file.len() - 1])), ["binary-damaged"]);
}

#[test]
fn encrypted_keysets_are_linted_outside_and_inside() {
    let access = SecretAccess::insecure();
    let mut inside = keyset();
    inside.key[0].output_prefix_type = OutputPrefixType::Legacy.into();
    let handle =
        KeysetHandle::read_cleartext(&inside.encode_to_vec(), Format::Binary, access).unwrap();
    for format in [Format::Binary, Format::Json] {
        let file = handle.write_encrypted(format, &Flips, b"aad").unwrap();
        let outside: &[_] = match format {
            Format::Binary => &[],
            Format::Json => &["legacy-prefix"],
        };
        assert_eq!(codes(&lint(&file)), outside);
        let all = lint_encrypted(&file, &Flips, b"aad").unwrap();
        assert_eq!(all.len(), outside.len() + 1);
        assert!(codes(&all).contains(&"legacy-prefix"));
        assert_eq!(
            lint_encrypted(&file, &Flips, b"other").unwrap_err(),
            KeysetError::Decrypt(DecryptError::FAILED)
        );
    }
    // The description is not the keyset: what is wrong with it is not an error.
    let json = handle.write_encrypted(Format::Json, &Flips, b"").unwrap();
    let json = String::from_utf8(json).unwrap().replacen("42", "43", 1);
    let found = lint(json.as_bytes());
    assert_eq!(codes(&found), ["no-primary", "legacy-prefix"]);
    assert!(
        found
            .iter()
            .all(|found| found.severity() == Severity::Warning)
    );
}

proptest! {
    #[test]
    fn errors_are_found_exactly_where_the_reader_refuses_damaged_json(
        at in 0..JSON.len(), to in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = JSON.as_bytes().to_vec();
        bytes[at] = to;
        if cut {
            bytes.remove(at);
        }
        if json::looks_like_json(&bytes) {
            agrees_with_the_reader(&bytes, Format::Json);
        }
    }

    #[test]
    fn damaged_binary_is_found_where_the_reader_refuses(at in 0..84_usize, to in any::<u8>()) {
        let mut bytes = keyset().encode_to_vec();
        prop_assert_eq!(bytes.len(), 84);
        bytes[at] = to;
        // By chance it may look like an encrypted keyset, of which nothing can be said.
        if format::parse_encrypted_keyset(&bytes, Format::Binary).is_err() {
            agrees_with_the_reader(&bytes, Format::Binary);
        }
    }

    #[test]
    fn anything_is_linted_without_a_panic(bytes: Vec<u8>) {
        let _ = lint(&bytes);
        let _ = lint(&[b"{", &*bytes].concat());
    }
}

/// A key-encryption key that anyone can undo.
struct Flips;

impl Aead for Flips {
    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        out.extend(associated_data);
        out.extend(plaintext.iter().map(|byte| !byte));
        Ok(())
    }

    fn decrypt_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        let flipped = ciphertext.strip_prefix(associated_data);
        out.extend(
            flipped
                .ok_or(DecryptError::FAILED)?
                .iter()
                .map(|byte| !byte),
        );
        Ok(())
    }
}
