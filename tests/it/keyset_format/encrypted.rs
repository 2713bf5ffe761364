//! Keysets that are encrypted under a key-encryption key.

use keyseal::{Aead as _, KeyId, KeysetAead, KeysetError, KeysetHandle, keyset::Format};

use super::good;
use crate::support::{ACCESS, FORMATS, Message, aeads, file, read, write};

#[test]
fn cleartext_and_encrypted_files_are_not_taken_for_each_other() {
    let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    let keyset = KeysetHandle::generate("XCHACHA20_POLY1305").unwrap();
    for format in FORMATS {
        let cleartext = write(&keyset, format);
        let encrypted = keyset.write_encrypted(format, &kek, b"ad").unwrap();
        for other_format in FORMATS {
            let open = |file: &[u8]| KeysetHandle::read_encrypted(file, other_format, &kek, b"ad");
            let matches = format == other_format;
            assert!(open(&cleartext).is_err(), "{format:?} as {other_format:?}");
            assert!(
                read(&encrypted, other_format).is_err(),
                "{format:?} as {other_format:?}"
            );
            assert!(KeysetHandle::read_no_secret(&encrypted, other_format).is_err());
            assert_eq!(
                open(&encrypted).is_ok(),
                matches,
                "{format:?} as {other_format:?}"
            );
            assert_eq!(read(&cleartext, other_format).is_ok(), matches);
        }
    }
}

#[test]
fn an_encrypted_keyset_opens_with_its_key_and_associated_data_alone() {
    let [kek, other_kek] = ["AES256_GCM", "AES128_CTR_HMAC_SHA256"]
        .map(|template| KeysetHandle::generate(template).unwrap());
    let keyset = KeysetHandle::generate("AES128_GCM").unwrap();
    for format in FORMATS {
        for associated_data in [&b""[..], b"ad"] {
            for (kek, wrong) in aeads(&kek).iter().zip(aeads(&other_kek)) {
                let file = keyset
                    .write_encrypted(format, kek, associated_data)
                    .unwrap();
                let open = |kek, ad: &[u8]| KeysetHandle::read_encrypted(&file, format, kek, ad);
                let opened = open(kek, associated_data).unwrap();
                assert_eq!(
                    write(&opened, Format::Binary),
                    write(&keyset, Format::Binary)
                );
                for ad in [&b""[..], b"ad", b"add"] {
                    if ad != associated_data {
                        assert!(matches!(open(kek, ad), Err(KeysetError::Decrypt(_))));
                    }
                }
                let refused = open(&wrong, associated_data);
                assert!(matches!(refused, Err(KeysetError::Decrypt(_))));
            }
        }
    }
}

#[test]
fn what_is_inside_an_encrypted_keyset_obeys_the_same_rules() {
    let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    let inside = |keyset: &[u8]| {
        let encrypted = kek.encrypt(keyset, b"").unwrap();
        let file = Message::new().bytes(2, encrypted).0;
        KeysetHandle::read_encrypted(&file, Format::Binary, &kek, b"")
    };
    assert!(inside(&file(42, &[good()], Format::Binary)).is_ok());
    assert_eq!(inside(b"").err(), Some(KeysetError::Empty));
    let no_primary = inside(&file(1, &[good()], Format::Binary));
    assert!(matches!(no_primary, Err(KeysetError::NoPrimary { .. })));
    // The inside is always binary.
    assert!(inside(&file(42, &[good()], Format::Json)).is_err());
}

#[test]
fn the_info_beside_an_encrypted_keyset_is_never_trusted() {
    let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    let encrypted = kek
        .encrypt(&file(42, &[good()], Format::Binary), b"")
        .unwrap();
    let lie = Message::new()
        .number(2, 99)
        .number(3, 7)
        .number(4, 0)
        .bytes(1, "no type");
    for info in [
        None,
        Some(Message::new()),
        Some(Message::new().number(1, 7).message(2, lie)),
    ] {
        let mut file = Message::new();
        if let Some(info) = info {
            file = file.message(3, info);
        }
        let file = file.bytes(2, &encrypted).0;
        let keyset = KeysetHandle::read_encrypted(&file, Format::Binary, &kek, b"").unwrap();
        assert_eq!(keyset.primary_id(), KeyId::new(42));
    }
}

#[test]
fn the_binary_form_says_nothing_beside_the_ciphertext_and_the_json_form_all_it_may() {
    let kek: KeysetAead = KeysetHandle::generate("AES256_GCM_RAW")
        .unwrap()
        .primitive()
        .unwrap();
    let keyset = read(file(42, &[good()], Format::Binary), Format::Binary).unwrap();
    let binary = keyset.write_encrypted(Format::Binary, &kek, b"").unwrap();
    let len = keyset.write_cleartext(Format::Binary, ACCESS).len() + 28;
    let head = Message::new().tag(2, 2).varint(len as u64).0;
    assert!(binary.starts_with(&head));
    assert_eq!(binary.len(), head.len() + len);

    let json = keyset.write_encrypted(Format::Json, &kek, b"").unwrap();
    let json: String = String::from_utf8(json)
        .unwrap()
        .split_whitespace()
        .collect();
    let (start, info) = json.split_once(r#"","keysetInfo":"#).unwrap();
    assert!(start.starts_with(r#"{"encryptedKeyset":""#));
    let expected = concat!(
        r#"{"primaryKeyId":42,"keyInfo":[{"#,
        r#""typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey","#,
        r#""status":"ENABLED","keyId":42,"outputPrefixType":"TINK"}]}}"#,
    );
    assert_eq!(info, expected);
}
