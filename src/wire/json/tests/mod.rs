//! Inputs that a strict reader accepts and inputs that it refuses, row by row.

mod damage;

use super::*;

pub(super) const PRETTY: &str = r#"{
  "primaryKeyId": 42,
  "key": [
    {
      "keyData": {
        "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmKey",
        "value": "GhD/7gIDBAUGBwgJCgsMDQ4=",
        "keyMaterialType": "SYMMETRIC"
      },
      "status": "ENABLED",
      "keyId": 43,
      "outputPrefixType": "TINK"
    }
  ]
}
"#;

pub(super) const PRETTY_ENCRYPTED: &str = r#"{
  "encryptedKeyset": "AAEC/w==",
  "keysetInfo": {
    "primaryKeyId": 42,
    "keyInfo": [
      {
        "typeUrl": "a",
        "status": "ENABLED",
        "keyId": 43,
        "outputPrefixType": "TINK"
      }
    ]
  }
}
"#;

/// The keyset of `PRETTY`.
pub(super) fn keyset() -> Keyset {
    let value = b"\x1a\x10\xff\xee\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e";
    let key_data = KeyData {
        type_url: "type.googleapis.com/google.crypto.tink.AesGcmKey".to_owned(),
        value: Bytes::from_static(value),
        key_material_type: KeyMaterialType::Symmetric.into(),
    };
    let key = proto::keyset::Key {
        key_data: Some(key_data),
        status: KeyStatusType::Enabled.into(),
        key_id: 43,
        output_prefix_type: OutputPrefixType::Tink.into(),
    };
    Keyset {
        primary_key_id: 42,
        key: vec![key],
    }
}

/// The keyset of `PRETTY_ENCRYPTED`.
pub(super) fn encrypted_keyset() -> EncryptedKeyset {
    let key = KeyInfo {
        type_url: "a".to_owned(),
        status: KeyStatusType::Enabled.into(),
        key_id: 43,
        output_prefix_type: OutputPrefixType::Tink.into(),
    };
    EncryptedKeyset {
        encrypted_keyset: Bytes::from_static(b"\x00\x01\x02\xff"),
        keyset_info: Some(KeysetInfo {
            primary_key_id: 42,
            key_info: vec![key],
        }),
    }
}

/// Returns `json` on one line, without a space.
fn compact(json: &str) -> String {
    json.split_whitespace().collect()
}

/// Returns `PRETTY`, compact, with its one `from` replaced.
fn replaced(from: &str, to: &str) -> String {
    replaced_in(PRETTY, from, to)
}

fn replaced_in(json: &str, from: &str, to: &str) -> String {
    let json = compact(json);
    assert_eq!(
        json.matches(from).count(),
        1,
        "{from} must stand in the text once"
    );
    json.replace(from, to)
}

/// Checks that `read` refuses each row of `table`: `replaced => by => reason`.
fn assert_refused<M>(json: &str, read: fn(&[u8]) -> Result<M, ParseError>, table: &str) {
    for row in table.lines().filter(|row| !row.is_empty()) {
        let [from, to, reason] = row.split(" => ").collect::<Vec<_>>()[..] else {
            panic!("{row}: not a row");
        };
        let json = replaced_in(json, from.trim(), to.trim());
        let refused = read(json.as_bytes()).err().map(|error| error.to_string());
        assert!(
            refused
                .as_ref()
                .is_some_and(|error| error.starts_with(reason)),
            "{row}: {refused:?}"
        );
    }
}

#[test]
fn read_takes_every_spelling_of_a_keyset() {
    let rows = r#"
primaryKeyId => primary_key_id
keyData => key_data
typeUrl => type_url
keyMaterialType => key_material_type
"keyId" => "key_id"
outputPrefixType => output_prefix_type
"key" => "\u006bey"
com/google => com\/google
AesGcm => \u0041es\u0047cm
GhD/ => GhD_
GhD/ => GhD\/
DQ4= => DQ4
DQ4= => DQ5=
DQ4= => DQ4\u003d
"SYMMETRIC" => 1
"ENABLED" => 1
"ENABLED" => "\u0045NABLED"
"TINK" => 1
"#;
    for row in rows.trim().lines() {
        let (from, to) = row.split_once(" => ").unwrap();
        assert!(
            read_keyset(replaced(from, to).as_bytes()) == Ok(keyset()),
            "{row}"
        );
    }
    for json in [
        PRETTY,
        &compact(PRETTY),
        &PRETTY.replace(['\n', ' '], " \t\r\n"),
    ] {
        assert!(read_keyset(json.as_bytes()) == Ok(keyset()), "{json}");
    }
}

#[test]
fn read_keeps_numbers_that_only_validation_refuses_and_takes_absence_for_zero() {
    let rows = r#"
"primaryKeyId":42, =>  => primary 0
42 => 0 => primary 0
42 => null => primary 0
42 => 4294967295 => primary 4294967295
"keyId":43, =>  => id 0
43 => 0 => id 0
43 => null => id 0
43 => 4294967295 => id 4294967295
"status":"ENABLED", =>  => status 0
ENABLED => UNKNOWN_STATUS => status 0
ENABLED => DISABLED => status 2
"ENABLED" => 0 => status 0
"ENABLED" => -7 => status -7
,"outputPrefixType":"TINK" =>  => prefix 0
"TINK" => "UNKNOWN_PREFIX" => prefix 0
"TINK" => "WITH_ID_REQUIREMENT" => prefix 5
"TINK" => 2147483647 => prefix 2147483647
"SYMMETRIC" => "UNKNOWN_KEYMATERIAL" => material 0
"SYMMETRIC" => "REMOTE" => material 4
"SYMMETRIC" => 5 => material 5
"#;
    for row in rows.trim().lines() {
        let [from, to, change] = row.split(" => ").collect::<Vec<_>>()[..] else {
            panic!("{row}: not a row");
        };
        let (name, number) = change.split_once(' ').unwrap();
        let mut expected = keyset();
        let key = &mut expected.key[0];
        match name {
            "primary" => expected.primary_key_id = number.parse().unwrap(),
            "id" => key.key_id = number.parse().unwrap(),
            "status" => key.status = number.parse().unwrap(),
            "prefix" => key.output_prefix_type = number.parse().unwrap(),
            _ => key.key_data.as_mut().unwrap().key_material_type = number.parse().unwrap(),
        }
        let read = read_keyset(replaced(from, to).as_bytes());
        assert!(read == Ok(expected), "{row}");
    }
}

#[test]
fn read_takes_any_text_any_bytes_and_absence_for_neither() {
    let data = |from: &str, to: &str| {
        let mut keyset = read_keyset(replaced(from, to).as_bytes()).unwrap();
        keyset.key.remove(0).key_data.unwrap()
    };
    let value = r#""GhD/7gIDBAUGBwgJCgsMDQ4=""#;
    for (from, to) in [(value, "\"\""), (value, "null")] {
        assert_eq!(data(from, to).value, "", "{to}");
    }
    let type_url = r#""type.googleapis.com/google.crypto.tink.AesGcmKey""#;
    for (to, expected) in [
        ("null", ""),
        ("\"\"", ""),
        (r#""\"\\\u0001é😀""#, "\"\\\u{1}é😀"),
    ] {
        assert_eq!(data(type_url, to).type_url, expected);
    }
    for json in [
        "{}",
        "{ }",
        r#"{"key":[]}"#,
        r#"{"key":[ ]}"#,
        r#"{"key":null}"#,
    ] {
        assert!(
            read_keyset(json.as_bytes()) == Ok(Keyset::default()),
            "{json}"
        );
    }
}

#[test]
fn read_refuses_other_names() {
    let table = r#"
{"pr => {"primary_key_id":42,"pr => a second member of the same name at byte 21
{"pr => {"key":[],"pr => a second member of the same name
"TINK" => "TINK","status":"ENABLED" => a second member of the same name
"SYMMETRIC" => 1,"key_material_type":1 => a second member of the same name
"keyId":43 => "keyId":null,"keyId":43 => a second member of the same name
"keyId":43 => "keyId":43,"\u006beyId":43 => a second member of the same name
{"pr => {"comment":"x","pr => an unknown member at byte 1
"status" => "Status" => an unknown member
"status" => "status\u0000" => an unknown member
"status" => "version":0,"status" => an unknown member
primaryKeyId => primaryKey_id => an unknown member
primaryKeyId => primarykeyid => an unknown member
{"pr => {"encryptedKeyset":"AA==","pr => members of a cleartext keyset and of an encrypted one
{"pr => {"keyset_info":null,"pr => members of a cleartext keyset and of an encrypted one
"#;
    assert_refused(PRETTY, read_keyset, table);
}

#[test]
fn read_refuses_base64_that_is_not_of_one_alphabet_and_well_padded() {
    let table = r#"
DQ4= => DQ4== => expected base64 at byte 107
DQ4= => DQ4=== => expected base64
DQ4= => DQ= => expected base64
DQ4= => DQ4=\n => expected base64
DQ4= => DQ4! => expected base64
DQ4= => D Q4 => expected base64
GhD/7gI => GhD/\r\n7gI => expected base64
GhD/7gI => GhD/-gI => expected base64
GhD/7gI => Gh+_7gI => expected base64
"GhD/7gIDBAUGBwgJCgsMDQ4=" => 26 => expected a string
"GhD/7gIDBAUGBwgJCgsMDQ4=" => [26,16] => expected a string
"#;
    assert_refused(PRETTY, read_keyset, table);
}

#[test]
fn read_refuses_enums_that_are_neither_a_name_nor_an_integer() {
    let table = r#"
"ENABLED" => 1.0 => expected a key status
"ENABLED" => 1e0 => expected a key status
"ENABLED" => 2147483648 => expected a key status
"ENABLED" => "1" => expected a key status
"ENABLED" => "enabled" => expected a key status
"ENABLED" => "ENABLED " => expected a key status
"ENABLED" => "ACTIVE" => expected a key status
"ENABLED" => "" => expected a key status
"ENABLED" => null => expected a key status
"ENABLED" => true => expected a key status
"ENABLED" => 'ENABLED' => expected a key status
"TINK" => "tink" => expected an output prefix type
"TINK" => 1.0 => expected an output prefix type
"TINK" => null => expected an output prefix type
"SYMMETRIC" => "SYMETRIC" => expected a key material type
"SYMMETRIC" => "1" => expected a key material type
"SYMMETRIC" => null => expected a key material type
,"keyMaterialType":"SYMMETRIC" =>  => key data without a key material type
"#;
    assert_refused(PRETTY, read_keyset, table);
}

#[test]
fn read_takes_ids_in_every_spelling_of_a_number() {
    for (id, expected) in ["42", "43"].into_iter().zip([(7, 43), (42, 7)]) {
        for number in ["7", "7.0", "0.7e1", "70E-1", "7e+0"] {
            let read = read_keyset(replaced(id, number).as_bytes());
            let read = read.map(|keyset| (keyset.primary_key_id, keyset.key[0].key_id));
            assert_eq!(read, Ok(expected), "{number}");
        }
    }
}

#[test]
fn read_refuses_ids_that_are_not_whole_numbers_of_32_bits() {
    let numbers = "\"42\" \"\" 42.5 -1 -0 -2147483648 4294967296 1e1000 042 +42 NaN [42] {}";
    for (id, number) in ["42", "43"]
        .into_iter()
        .flat_map(|id| numbers.split(' ').map(move |n| (id, n)))
    {
        let refused = read_keyset(replaced(id, number).as_bytes())
            .err()
            .map(|e| e.to_string());
        let at = compact(PRETTY).find(id).unwrap();
        let error = format!("expected an integer from 0 to 4294967295 at byte {at}");
        assert_eq!(refused, Some(error), "{number}");
    }
    assert_refused(
        PRETTY,
        read_keyset,
        "43 => 0x2A => expected a comma or a closing bracket",
    );
}

#[test]
fn read_refuses_values_of_another_kind_and_text_that_is_nearly_json() {
    let table = r#"
{"primaryKeyId => [{"primaryKeyId => expected an object at byte 0
[{"keyData => {"keyData => expected an array
[{"keyData => [null,{"keyData => expected an object
[{"keyData => [[],{"keyData => expected an object
{"typeUrl => [{"typeUrl => expected an object
"type.googleapis.com/google.crypto.tink.AesGcmKey" => 1 => expected a string
"type.googleapis.com/google.crypto.tink.AesGcmKey" => {} => expected a string
}]} => }],} => a comma before a closing bracket
}]} => },]} => a comma before a closing bracket
"TINK"} => "TINK",} => a comma before a closing bracket
{"pr => {/* */"pr => expected a string
{"pr => // {"pr => expected an object
"status" => status => expected a string
"status" => 'status' => expected a string
"status": => "status"= => expected a colon
}]} => }]}} => text after the end of the keyset
}]} => }]}{} => text after the end of the keyset
}]} => }]} // end => text after the end of the keyset
AesGcm => \ud800 => an invalid escape
AesGcm => \x41 => an unknown escape
AesGcm => A	sGcm => a control character in a string
"#;
    assert_refused(PRETTY, read_keyset, table);
    for (from, to) in [
        ("{\"pr", "\u{feff}{\"pr"),
        ("}]}", "}]}\0"),
        ("AesGcm", "A\nsGcm"),
    ] {
        assert!(
            read_keyset(replaced(from, to).as_bytes()).is_err(),
            "{from} => {to:?}"
        );
    }
}

#[test]
fn read_asks_no_key_data_of_a_destroyed_key() {
    let empty = r#"{"typeUrl":"","value":"","keyMaterialType":"UNKNOWN_KEYMATERIAL"}"#;
    for (status, takes) in [
        ("\"DESTROYED\"", true),
        ("3", true),
        ("2", false),
        ("1", false),
    ] {
        for (data, expected) in [("null", None), ("{}", Some(takes)), (empty, Some(true))] {
            let state = format!("\"status\":{status}");
            let data = format!("\"keyData\":{data}");
            for members in [format!("{state},{data}"), format!("{data},{state}")] {
                let read = read_keyset(format!("{{\"key\":[{{{members}}}]}}").as_bytes());
                let read = read.map(|mut keyset| keyset.key.remove(0).key_data);
                match expected {
                    None => assert!(read == Ok(None), "{members}"),
                    Some(true) => assert!(read == Ok(Some(KeyData::default())), "{members}"),
                    Some(false) => {
                        let error = read.err().unwrap().to_string();
                        assert!(error.starts_with("key data without a key material type"));
                    }
                }
            }
        }
    }
}

#[test]
fn read_takes_what_each_release_of_tink_writes() {
    // Python omits fields that are 0 or empty.
    let python = PRETTY
        .replace("      \"keyId\": 43,\n", "")
        .replace("  \"primaryKeyId\": 42,\n", "");
    let mut expected = keyset();
    expected.primary_key_id = 0;
    expected.key[0].key_id = 0;
    assert!(read_keyset(python.as_bytes()) == Ok(expected));
    // Go's library has a space after a comma or a colon, or has none, as its build decides.
    for (from, to) in [(",", ", "), (":", ": ")] {
        assert!(read_keyset(compact(PRETTY).replace(from, to).as_bytes()) == Ok(keyset()));
    }
    // Java's library can escape what HTML would take for its own.
    assert!(read_keyset(replaced("DQ4=", r"DQ4\u003d").as_bytes()) == Ok(keyset()));
}

#[test]
fn read_encrypted_wants_a_keyset_and_takes_any_valid_info() {
    let read = |from: &str, to: &str| {
        read_encrypted_keyset(replaced_in(PRETTY_ENCRYPTED, from, to).as_bytes())
    };
    let info = compact(PRETTY_ENCRYPTED);
    let info = info
        .split_once("\"keysetInfo\":")
        .and_then(|info| info.1.strip_suffix('}'))
        .unwrap();
    assert!(read_encrypted_keyset(PRETTY_ENCRYPTED.as_bytes()) == Ok(encrypted_keyset()));
    for (from, to) in [
        ("encryptedKeyset", "encrypted_keyset"),
        ("keysetInfo", "keyset_info"),
        ("keyInfo", "key_info"),
        ("AAEC/w==", "AAEC_w"),
        ("\"ENABLED\"", "1"),
    ] {
        assert!(read(from, to) == Ok(encrypted_keyset()), "{from} => {to}");
    }
    for (to, keyset_info) in [("null", None), ("{}", Some(KeysetInfo::default()))] {
        let expected = EncryptedKeyset {
            keyset_info,
            ..encrypted_keyset()
        };
        assert!(read(info, to) == Ok(expected), "{to}");
    }
    let table = r#"
"AAEC/w==" => "" => an object without an encrypted keyset at byte 0
"AAEC/w==" => null => an object without an encrypted keyset at byte 0
"AAEC/w==" => [0,1] => expected a string
AAEC/w== => AAEC/w= => expected base64
"keysetInfo" => "info" => an unknown member
"typeUrl" => "value" => an unknown member
"ENABLED" => "ENABLED?" => expected a key status
"ENABLED" => null => expected a key status
"TINK" => "?" => expected an output prefix type
42 => -42 => expected an integer from 0
43 => 43,"key_id":43 => a second member of the same name
{"primaryKeyId" => [{"primaryKeyId" => expected an object
[{"typeUrl" => [[{"typeUrl" => expected an object
}]}} => }]}}, => text after the end of the keyset
"#;
    assert_refused(PRETTY_ENCRYPTED, read_encrypted_keyset, table);
}

#[test]
fn read_tells_cleartext_from_encrypted() {
    let error = read_keyset(PRETTY_ENCRYPTED.as_bytes())
        .err()
        .unwrap()
        .to_string();
    assert_eq!(
        error,
        "this is an encrypted keyset, by the member at byte 23"
    );
    let error = read_encrypted_keyset(PRETTY.as_bytes())
        .err()
        .unwrap()
        .to_string();
    assert_eq!(
        error,
        "this is a cleartext keyset, by the member at byte 20"
    );
    let error = read_encrypted_keyset(b"{\"key\":[]}")
        .err()
        .unwrap()
        .to_string();
    assert_eq!(error, "this is a cleartext keyset, by the member at byte 7");
    let error = read_encrypted_keyset(b"{}").err().unwrap().to_string();
    assert_eq!(error, "an object without an encrypted keyset at byte 0");
}
