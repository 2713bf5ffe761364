//! JSON that readers disagree about: the inputs that the strict one accepts and refuses.

use keyseal::{Aead as _, KeyId, KeysetAead, KeysetError, KeysetHandle, keyset::Format};

use crate::support::{FileKey, Message, file, read, write};

/// A keyset of one AES-128-GCM key. Its base64 has `/`, `+` and padding.
const KEYSET: &str = r#"{"primaryKeyId":42,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey","value":"GhD/+/8DBAUGBwgJCgsMDQ4PIAE=","keyMaterialType":"SYMMETRIC"},"status":"ENABLED","keyId":42,"outputPrefixType":"TINK"}]}"#;

/// Returns `text` with its one `from` replaced.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(
        text.matches(from).count(),
        1,
        "`{from}` must stand there once"
    );
    text.replace(from, to)
}

#[test]
fn every_spelling_that_proto3_allows_is_read() {
    let expected = read(KEYSET, Format::Json).unwrap();
    let expected = write(&expected, Format::Binary);
    for (from, to) in [
        ("{\"primary", " \t\r\n{ \"primary"),
        ("}]}", "}]}\r\n "),
        (",\"status\"", " ,\n\t\"status\""),
        ("primaryKeyId", "primary_key_id"),
        ("keyData", "key_data"),
        ("typeUrl", "type_url"),
        ("keyMaterialType", "key_material_type"),
        ("\"keyId\"", "\"key_id\""),
        ("outputPrefixType", "output_prefix_type"),
        ("primaryKeyId", "\\u0070rimary\\u004BeyId"),
        ("com/google", "com\\/google"),
        (".AesGcm", "\\u002eAesGcm"),
        ("GhD/+/8D", "GhD_-_8D"),
        ("GhD/+/8D", "GhD\\/+\\/8D"),
        ("PIAE=", "PIAE"),
        // Bits that no byte takes.
        ("PIAE=", "PIAF="),
        ("\"SYMMETRIC\"", "1"),
        ("\"ENABLED\"", "1"),
        ("\"TINK\"", "1"),
        ("\"ENABLED\"", "\"\\u0045NABLED\""),
    ] {
        let json = replaced(KEYSET, from, to);
        let keyset = read(&json, Format::Json).unwrap_or_else(|error| panic!("{json}: {error:?}"));
        assert_eq!(write(&keyset, Format::Binary), expected, "{json}");
    }
}

#[test]
fn ids_are_integers_of_32_bits_and_0_when_they_are_absent() {
    let with_id = |id: &str| {
        let json = replaced(
            KEYSET,
            r#""primaryKeyId":42"#,
            &format!(r#""primaryKeyId":{id}"#),
        );
        replaced(&json, r#""keyId":42"#, &format!(r#""keyId":{id}"#))
    };
    for (text, id) in [
        ("0", 0),
        ("1", 1),
        ("4294967295", u32::MAX),
        // All spellings of a number that JSON has.
        ("42.0", 42),
        ("4.2e1", 42),
        ("420e-1", 42),
        ("4.294967295E+9", u32::MAX),
    ] {
        let keyset = read(with_id(text), Format::Json).unwrap();
        assert_eq!(keyset.primary_id(), KeyId::new(id), "{text}");
    }
    for text in [
        "-1",
        "-2147483648",
        "4294967296",
        "18446744073709551616",
        "1e1000",
        "42.5",
        "\"42\"",
        "\"\"",
        "4.25e1",
        "042",
        "+42",
        "0x2A",
        "4 2",
        "NaN",
        "true",
        "[42]",
        "{}",
        "",
    ] {
        let read = read(with_id(text), Format::Json);
        assert!(matches!(read, Err(KeysetError::Malformed(_))), "{text}");
    }
    let absent = replaced(KEYSET, r#""primaryKeyId":42,"#, "");
    let no_primary = read(&absent, Format::Json);
    assert!(matches!(no_primary, Err(KeysetError::NoPrimary { id }) if id == KeyId::new(0)));
    let absent = replaced(&absent, r#""keyId":42,"#, "");
    assert_eq!(
        read(&absent, Format::Json).unwrap().primary_id(),
        KeyId::new(0)
    );
}

#[test]
fn what_some_readers_take_and_some_corrupt_is_refused() {
    for (from, to) in [
        // Members.
        ("{\"primary", "{\"primaryKeyId\":42,\"primary"),
        ("{\"primary", "{\"primary_key_id\":42,\"primary"),
        ("\"status\"", "\"status\":\"ENABLED\",\"status\""),
        ("\"typeUrl\"", "\"typeUrl\":\"\",\"typeUrl\""),
        ("\"typeUrl\"", "\"type_url\":\"\",\"typeUrl\""),
        ("\"status\"", "\"comment\":\"mine\",\"status\""),
        ("\"status\"", "\"Status\""),
        ("{\"primary", "{\"\":0,\"primary"),
        (",\"keyMaterialType\":\"SYMMETRIC\"", ""),
        ("{\"primary", "{\"encryptedKeyset\":\"AAAA\",\"primary"),
        ("{\"primary", "{\"keysetInfo\":{},\"primary"),
        // Base64.
        ("PIAE=", "PIAE=="),
        ("PIAE=", "PIAE==="),
        ("PIAE=", "=PIAE"),
        ("PIAE=", "PIA=E"),
        ("PIAE=", "PIAE=AAA"),
        ("PIAE=", "PIAEA"),
        ("GhD/", "GhD "),
        ("GhD/", "GhD!"),
        ("GhD/", "Gh\\nD/"),
        ("GhD/", "GhD\\r\\n/"),
        ("GhD/", "Ghé/"),
        ("\"GhD", "\"\\u0000GhD"),
        // Enums.
        ("\"ENABLED\"", "1.0"),
        ("\"ENABLED\"", "\"1\""),
        ("\"ENABLED\"", "\"enabled\""),
        ("\"ENABLED\"", "\"ENABLED \""),
        ("\"ENABLED\"", "\"ACTIVE\""),
        ("\"ENABLED\"", "null"),
        ("\"ENABLED\"", "\"UNKNOWN_STATUS\""),
        ("\"ENABLED\"", "0"),
        ("\"ENABLED\"", "4"),
        ("\"ENABLED\"", "-1"),
        ("\"ENABLED\"", "4294967297"),
        ("\"ENABLED\"", "true"),
        ("\"ENABLED\"", "[\"ENABLED\"]"),
        ("\"TINK\"", "null"),
        ("\"TINK\"", "\"tink\""),
        ("\"TINK\"", "\"UNKNOWN_PREFIX\""),
        ("\"TINK\"", "\"WITH_ID_REQUIREMENT\""),
        ("\"TINK\"", "5"),
        ("\"SYMMETRIC\"", "null"),
        ("\"SYMMETRIC\"", "\"symmetric\""),
        ("\"SYMMETRIC\"", "\"UNKNOWN_KEYMATERIAL\""),
        ("\"SYMMETRIC\"", "\"REMOTE\""),
        ("\"SYMMETRIC\"", "0"),
        // Kinds.
        ("[{\"keyData\"", "{\"keyData\""),
        ("\"key\":[", "\"key\":[["),
        ("\"key\":[", "\"key\":[1,"),
        ("\"key\":[", "\"key\":[null,"),
        ("\"keyData\":{", "\"keyData\":[{"),
        ("\"value\":\"", "\"value\":1,\"x\":\""),
        // Syntax.
        ("}]}", "},]}"),
        ("}]}", "}],}"),
        ("\"TINK\"}", "\"TINK\",}"),
        ("}]}", "}]"),
        ("}]}", "}]}}"),
        ("}]}", "}]} {}"),
        ("}]}", "}]}x"),
        ("}]}", "}]}\0"),
        ("}]}", "}]}//"),
        ("{\"primary", "/**/{\"primary"),
        ("{\"primary", "\u{feff}{\"primary"),
        ("{\"primary", "{primary"),
        ("\"ENABLED\"", "'ENABLED'"),
        ("\"status\":", "\"status\" "),
        ("type.google", "type\u{1}.google"),
        ("type.google", "type\n.google"),
        ("type.google", "type\\ud800.google"),
        ("type.google", "type\\udc00\\ud800.google"),
        ("type.google", "type\\x41.google"),
        ("type.google", "type\\u12.google"),
    ] {
        let json = replaced(KEYSET, from, to);
        assert!(read(&json, Format::Json).is_err(), "{json}");
    }
    let latin_1 = KEYSET.replace(".AesGcmKey", ".AesGcmKey\u{e9}");
    let latin_1: Vec<u8> = latin_1.chars().map(|c| u8::try_from(c).unwrap()).collect();
    assert!(read(latin_1, Format::Json).is_err());
    for nothing in ["", " ", "null", "[]", "\"\"", "42", "{", "}"] {
        assert!(read(nothing, Format::Json).is_err(), "{nothing}");
    }
}

#[test]
fn a_destroyed_key_is_read_however_it_is_written_down() {
    let empty = r#"{"typeUrl":"","value":"","keyMaterialType":"UNKNOWN_KEYMATERIAL"}"#;
    let named = format!(r#""keyData":{empty},"#);
    let left = r#"{"typeUrl":"gone","value":"AAAA","keyMaterialType":"UNKNOWN_KEYMATERIAL"}"#;
    let data = [
        ("", empty),
        (r#""keyData":null,"#, empty),
        (r#""keyData":{},"#, empty),
        (&named, empty),
        (r#""keyData":{"typeUrl":"gone","value":"AAAA"},"#, left),
        (
            r#""keyData":{"keyMaterialType":99},"#,
            r#"{"typeUrl":"","value":"","keyMaterialType":99}"#,
        ),
    ];
    for (data, written) in data {
        let destroyed = format!(
            r#"}},{{{data}"status":"DESTROYED","keyId":7,"outputPrefixType":"LEGACY"}}]}}"#
        );
        let json = replaced(KEYSET, "}]}", &destroyed);
        let keyset = read(&json, Format::Json).unwrap_or_else(|error| panic!("{json}: {error:?}"));
        assert!(keyset.entries().nth(1).unwrap().key().is_none());
        let again = read(write(&keyset, Format::Json), Format::Json).unwrap();
        assert_eq!(again.info(), keyset.info());
        // All members, in a form that every reader takes.
        let json: String = String::from_utf8(write(&keyset, Format::Json))
            .unwrap()
            .split_whitespace()
            .collect();
        let data = format!(r#"{{"keyData":{written}"#);
        assert!(json.contains(&data), "{json}");
    }
}

#[test]
fn every_member_is_written_also_when_it_is_0() {
    let zero = read(
        file(0, &[FileKey::aes_gcm(0)], Format::Binary),
        Format::Binary,
    )
    .unwrap();
    let json: String = String::from_utf8(write(&zero, Format::Json))
        .unwrap()
        .split_whitespace()
        .collect();
    let data = r#""value":"GhAAAAAAAAAAAAAAAAAAAAAA","keyMaterialType":"SYMMETRIC"}"#;
    for part in [
        r#"{"primaryKeyId":0,"#,
        data,
        r#""keyId":0,"outputPrefixType":"TINK"}"#,
    ] {
        assert!(json.contains(part), "{json}");
    }
}

#[test]
fn an_encrypted_keyset_may_be_spelled_in_as_many_ways() {
    let kek: KeysetAead = KeysetHandle::generate("AES128_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    let keyset = file(42, &[FileKey::aes_gcm(42)], Format::Binary);
    let encrypted = kek.encrypt(&keyset, b"").unwrap();
    let message = Message::new().bytes(2, encrypted).0;
    let keyset = KeysetHandle::read_encrypted(&message, Format::Binary, &kek, b"").unwrap();
    let json = keyset.write_encrypted(Format::Json, &kek, b"").unwrap();
    let json: String = String::from_utf8(json)
        .unwrap()
        .split_whitespace()
        .collect();
    let open = |json: &str| KeysetHandle::read_encrypted(json.as_bytes(), Format::Json, &kek, b"");
    assert!(open(&json).is_ok());

    let (start, _) = json.split_once(r#","keysetInfo""#).unwrap();
    assert!(open(&format!("{start}}}")).is_ok(), "no info");
    for (from, to) in [
        ("encryptedKeyset", "encrypted_keyset"),
        ("keysetInfo", "keyset_info"),
        ("keyInfo", "key_info"),
        ("\"TINK\"", "1"),
        ("\"TINK\"", "3"),
        ("\"ENABLED\"", "\"DISABLED\""),
        ("\"ENABLED\"", "\"UNKNOWN_STATUS\""),
        ("\"keyId\":42,", ""),
    ] {
        assert!(open(&replaced(&json, from, to)).is_ok(), "{from} {to}");
    }
    for (from, to) in [
        ("\"TINK\"", "\"tink\""),
        ("\"TINK\"", "null"),
        ("\"ENABLED\"", "\"ON\""),
        ("\"keyId\":42", "\"keyId\":-1"),
        ("\"keyId\":42", "\"keyId\":42,\"key_id\":42"),
        ("\"keysetInfo\"", "\"info\""),
        ("\"keysetInfo\":{", "\"keysetInfo\":[{"),
        ("}]}}", "}]}}]"),
        ("{\"encryptedKeyset\":\"", "{\"encryptedKeyset\":\"!"),
        (
            "{\"encryptedKeyset\":\"",
            "{\"key\":[],\"encryptedKeyset\":\"",
        ),
        (
            "{\"encryptedKeyset\":\"",
            "{\"primaryKeyId\":42,\"encryptedKeyset\":\"",
        ),
        (
            "{\"encryptedKeyset\":\"",
            "{\"encryptedKeyset\":\"\",\"x\":\"",
        ),
    ] {
        let error = open(&replaced(&json, from, to));
        assert!(
            matches!(error, Err(KeysetError::Malformed(_))),
            "{from} {to}: {error:?}"
        );
    }
    for nothing in [
        "{}",
        r#"{"encryptedKeyset":""}"#,
        r#"{"encryptedKeyset":null}"#,
    ] {
        assert!(open(nothing).is_err(), "{nothing}");
    }
}
