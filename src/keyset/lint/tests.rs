use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::{
    error::{DecryptError, EncryptError},
    key::{Key, KeyId, KeyTypes},
    keyset::{KeysetFile, KeysetHandle, Protection},
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
    let json = json::write_keyset(keyset);
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
        // The reader keeps keys that it does not know, and refuses only to use them.
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
    for (prefix, found) in [
        (5, &["unknown-type"][..]),
        (6, &["unknown-prefix", "unknown-type"]),
    ] {
        let of_another_type = changed_key(|key| {
            key.output_prefix_type = prefix;
            key.status = KeyStatusType::Disabled.into();
            key.key_data.as_mut().unwrap().type_url.push('2');
        });
        assert_eq!(of_another_type, found);
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
fn a_destroyed_key_of_no_type_is_said_to_be_refused_by_java_alone() {
    for change in [
        |key: &mut proto::keyset::Key| key.key_data = Some(proto::KeyData::default()),
        |key: &mut proto::keyset::Key| key.key_data.as_mut().unwrap().value.clear(),
    ] {
        let found = changed_key(|key| {
            key.status = KeyStatusType::Destroyed.into();
            change(key);
        });
        assert_eq!(found, ["java-config-2026"]);
    }
    let whole = changed_key(|key| key.status = KeyStatusType::Destroyed.into());
    assert_eq!(whole, ["destroyed-key-left"]);
    let spoiled = changed_key(|key| {
        key.status = KeyStatusType::Destroyed.into();
        key.key_data.as_mut().unwrap().value.truncate(3);
    });
    assert_eq!(spoiled, ["destroyed-key-left", "java-config-2026"]);
}

#[test]
fn keys_with_one_fault_are_one_finding_that_names_them() {
    let mut keyset = keyset();
    keyset.key.extend([7, 9, 8].map(|id| proto::keyset::Key {
        status: 9,
        ..key(id)
    }));
    let findings = lint(&keyset.encode_to_vec());
    assert_eq!(codes(&findings), ["unknown-status"]);
    assert_eq!(findings[0].count(), 3);
    assert_eq!(findings[0].key_id(), Some(KeyId::new(7)));
    assert_eq!(findings[0].key_ids(), [7, 9, 8].map(KeyId::new));
    assert_eq!(
        findings[0].message(),
        "key 7 has a status that does not exist"
    );
}

#[test]
fn more_keys_than_a_keyset_has_are_one_finding() {
    let mut keyset = keyset();
    keyset.key = vec![proto::keyset::Key::default(); KeysetHandle::MAX_KEYS + 1];
    let most = KeysetHandle::MAX_KEYS;
    for file in [
        keyset.encode_to_vec(),
        format!("{{\"key\":[{}]}}", vec!["{}"; most + 1].join(",")).into(),
    ] {
        let findings = lint(&file);
        let errors: Vec<_> = findings
            .iter()
            .filter(|found| found.severity() == Severity::Error)
            .collect();
        assert_eq!(errors.len(), 1, "{findings:?}");
        assert_eq!(errors[0].code(), "too-many-keys");
        assert!(errors[0].message().contains(&most.to_string()));
    }
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
        ("\"keyId\":42", "\"keyId\":42.0", &["json-id-form"]),
        ("\"keyId\":42", "\"keyId\":4.2e1", &["json-id-form"]),
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
        ("\"keyId\":42", "\"keyId\":42.5", &["json-id"]),
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
        ("[{", "{", &["json-kind", "json-malformed"]),
        (
            "{\"keyData\"",
            "[{\"keyData\"",
            &["json-kind", "json-malformed"],
        ),
        (
            "\"status\":\"ENABLED\"",
            "\"status\":\"ENABLED",
            &["json-enum", "json-malformed"],
        ),
        ("]}", "]", &["json-malformed"]),
    ] {
        assert_eq!(found_in_json(from, to), found, "{to}");
    }
    assert_eq!(codes(&lint(b"[]")), ["json-list"]);
    let bare = JSON.replacen('[', "", 1).replacen(']', "", 1);
    assert_eq!(codes(&lint(bare.as_bytes())), ["json-kind"]);
    for deep in [
        format!("{{\"x\":{}", "[".repeat(100_000)),
        format!("{{\"key\":[{}", "[".repeat(100_000)),
    ] {
        assert!(codes(&lint(deep.as_bytes())).contains(&"json-malformed"));
    }
}

#[test]
fn a_hundred_thousand_faults_of_one_kind_are_one_finding() {
    let members: String = (0..100_000).map(|n| format!("\"m{n}\":0,")).collect();
    let json = JSON.replacen('{', &format!("{{{members}"), 1);
    let findings = lint(json.as_bytes());
    assert_eq!(codes(&findings), ["json-unknown-member"]);
    assert_eq!(findings[0].count(), 100_000);
    assert!(findings[0].message().contains("`m0`"), "{findings:?}");
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
fn a_cleartext_keyset_in_the_place_of_a_ciphertext_is_found_and_never_sent_to_a_key() {
    let mut other = keyset();
    other.key[0].key_data = Some(proto::KeyData {
        type_url: "acme.TokenKey".to_owned(),
        value: Bytes::from_static(b"TOPSECRET"),
        key_material_type: 0,
    });
    let mut nameless = keyset();
    nameless.key[0].key_data = Some(proto::KeyData {
        value: Bytes::from_static(b"TOPSECRET"),
        ..Default::default()
    });
    for keyset in [keyset(), other, nameless] {
        let inside = keyset.encode_to_vec();
        let base64 =
            |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
        let text = json::write_keyset(&keyset).to_vec();
        let forms = [
            inside.clone(),
            base64(&text).into_bytes(),
            text,
            base64(&inside).into_bytes(),
            inside
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .into_bytes(),
        ];
        for encrypted_keyset in forms.map(Bytes::from) {
            let file = proto::EncryptedKeyset {
                encrypted_keyset,
                keyset_info: None,
            };
            for (format, file) in [
                (Format::Binary, file.encode_to_vec()),
                (Format::Json, json::write_encrypted_keyset(&file)),
            ] {
                let findings = lint(&file);
                assert_eq!(codes(&findings), ["encrypted-in-name-only"], "{format:?}");
                let read = KeysetHandle::read_encrypted(&file, format, &Never, b"");
                assert_eq!(read.unwrap_err(), KeysetError::EncryptedInNameOnly);
                let seen = KeysetFile::detect(&file).unwrap_err();
                assert_eq!(seen, KeysetError::EncryptedInNameOnly);
                assert_eq!(Protection::guess(&file), Some(Protection::Cleartext));
            }
        }
        // Also where the file around it is damaged.
        let damaged = format!("{{\"encryptedKeyset\":\"{}\",}}", base64(&inside));
        let guessed = Protection::guess(damaged.as_bytes());
        assert_eq!(guessed, Some(Protection::Cleartext));
        // Also alone, whole and cut.
        for len in [inside.len(), inside.len() - 1, inside.len() - 5] {
            let cut = &inside[..len];
            assert!(KeysetHandle::read_encrypted(cut, Format::Binary, &Never, b"").is_err());
            // Without a type, truncation shows only in the other fields.
            let has_type = !keyset.key[0].key_data.as_ref().unwrap().type_url.is_empty();
            if has_type || len == inside.len() {
                assert_eq!(Protection::guess(cut), Some(Protection::Cleartext));
            }
        }
    }
}

#[test]
fn a_key_encryption_key_that_gives_the_keyset_back_writes_no_file() {
    let access = SecretAccess::insecure();
    let handle =
        KeysetHandle::read_cleartext(&keyset().encode_to_vec(), Format::Binary, access).unwrap();
    for format in [Format::Binary, Format::Json] {
        for around in [(&b""[..], &b""[..]), (b"head", b""), (b"", b"tail")] {
            let written = handle.write_encrypted(format, &Gives(around.0, around.1), b"");
            assert_eq!(written.unwrap_err(), KeysetError::EncryptedInNameOnly);
        }
    }
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
    // The description is not the keyset, so a fault in it is not an error.
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
        if Format::detect(&bytes) == Format::Json {
            agrees_with_the_reader(&bytes, Format::Json);
        }
    }

    #[test]
    fn damaged_binary_is_found_where_the_reader_refuses(at in 0..84_usize, to in any::<u8>()) {
        let mut bytes = keyset().encode_to_vec();
        prop_assert_eq!(bytes.len(), 84);
        bytes[at] = to;
        // By chance it may look like an encrypted keyset, which cannot be judged.
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

/// A key-encryption key that must not be asked to decrypt.
struct Never;

impl Aead for Never {
    fn encrypt_into(&self, _: &[u8], _: &[u8], _: &mut Vec<u8>) -> Result<(), EncryptError> {
        panic!("asked to encrypt")
    }

    fn decrypt_into(&self, _: &[u8], _: &[u8], _: &mut Vec<u8>) -> Result<(), DecryptError> {
        panic!("asked to decrypt")
    }
}

/// A key-encryption key that does nothing but put bytes around the plaintext.
struct Gives(&'static [u8], &'static [u8]);

impl Aead for Gives {
    fn encrypt_into(
        &self,
        plaintext: &[u8],
        _: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        out.extend([self.0, plaintext, self.1].concat());
        Ok(())
    }

    fn decrypt_into(&self, _: &[u8], _: &[u8], _: &mut Vec<u8>) -> Result<(), DecryptError> {
        Err(DecryptError::FAILED)
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

#[test]
fn remote_keys_without_a_prefix_are_counted_in_their_order() {
    let remote = |id, type_url: &str, prefix: OutputPrefixType| proto::keyset::Key {
        key_data: Some(proto::KeyData {
            type_url: format!("type.googleapis.com/google.crypto.tink.{type_url}"),
            // A URI: field 1 of the parameters, which are field 2.
            value: [&[0x12, 11, 0x0a, 9][..], format!("a-kms://{id}").as_bytes()]
                .concat()
                .into(),
            key_material_type: KeyMaterialType::Remote.into(),
        }),
        output_prefix_type: prefix.into(),
        ..key(id)
    };
    let raw = OutputPrefixType::Raw;
    let mut two = proto::Keyset {
        primary_key_id: 7,
        key: vec![remote(7, "KmsAeadKey", raw), remote(8, "KmsAeadKey", raw)],
    };
    let found = lint(&two.encode_to_vec());
    assert_eq!(codes(&found), ["remote-keys-in-turn"]);
    assert_eq!(
        found[0].message(),
        "2 raw keys of services are tried in turn: decrypting a message costs 1 to 2 requests, \
         1 under key 7, 2 under key 8"
    );
    assert_eq!(found[0].key_ids(), [KeyId::new(7), KeyId::new(8)]);
    two.key[1].status = KeyStatusType::Disabled.into();
    assert!(!codes(&lint(&two.encode_to_vec())).contains(&"remote-keys-in-turn"));
    two.key[1] = remote(8, "KmsAeadKey", OutputPrefixType::Tink);
    assert!(!codes(&lint(&two.encode_to_vec())).contains(&"remote-keys-in-turn"));
}
