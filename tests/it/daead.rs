//! Deterministic AEAD: known answers, Wycheproof, and what every key must keep.

use keyseal::{
    DecryptError, DeterministicAead, Key, KeyError, KeyId, KeyTypes, KeysetAead,
    KeysetDeterministicAead, KeysetError, KeysetHandle, KeysetMac, Variant,
    key::{KeyKind, aes_siv::AesSivKey},
};
use proptest::{collection::vec, prelude::any, proptest};
use serde_json::Value;

use crate::support::{
    FORMATS, FileKey, LENGTHS, Message, bytes_of, file, label, pattern, read, secret,
};

const VECTORS: &str = include_str!("../vectors/wycheproof/aes_siv_cmac_test.json");

fn siv_key(key: &[u8]) -> Result<AesSivKey, KeyError> {
    AesSivKey::new(secret(key))
}

fn keyset(key: &[u8], variant: Variant, id: u32) -> KeysetHandle {
    let key = Key::new(siv_key(key).unwrap(), variant).unwrap();
    KeysetHandle::with_id(key, KeyId::new(id))
}

fn daead(keyset: &KeysetHandle) -> KeysetDeterministicAead {
    keyset.primitive().unwrap()
}

/// One keyset for each output prefix type.
fn variants() -> impl Iterator<Item = (Variant, KeysetHandle)> {
    let key = pattern(64);
    Variant::ALL
        .into_iter()
        .map(move |variant| (variant, keyset(&key, variant, 0x2a)))
}

#[test]
fn ciphertexts_are_those_of_other_tinks() {
    let key: Vec<u8> = (0..64).collect();
    let tink = daead(&keyset(&key, Variant::Tink, 42));
    let raw = daead(&keyset(&key, Variant::Raw, 42));
    for (daead, associated_data, ciphertext) in [
        (
            &tink,
            &b"ad"[..],
            "010000002aa38bc489eaf0cd8ea06c39ae802364ade086",
        ),
        (&raw, b"", "d78882bd2bb8843c61c894798d4fc1380db6"),
    ] {
        let ciphertext = bytes_of(ciphertext);
        let encrypted = daead.encrypt_deterministically(b"hi", associated_data);
        assert_eq!(encrypted.unwrap(), ciphertext);
        let decrypted = daead.decrypt_deterministically(&ciphertext, associated_data);
        assert_eq!(decrypted.unwrap(), b"hi");
    }
}

#[test]
fn wycheproof_aes_siv_cmac() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let (mut valid, mut invalid, mut skipped) = (0, 0, 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let bytes = |name: &str| bytes_of(test[name].as_str().unwrap());
            let (key, associated_data, plaintext, ciphertext) =
                (bytes("key"), bytes("aad"), bytes("msg"), bytes("ct"));
            let id = &test["tcId"];
            if key.len() != 64 {
                // No Tink takes them: AES-SIV keys are 64 bytes.
                assert!(matches!(siv_key(&key), Err(KeyError::Parameter { .. })));
                skipped += 1;
                continue;
            }
            let daead = daead(&keyset(&key, Variant::Raw, 1));
            let decrypted = daead.decrypt_deterministically(&ciphertext, &associated_data);
            let encrypted = daead.encrypt_deterministically(&plaintext, &associated_data);
            match test["result"].as_str().unwrap() {
                "valid" => {
                    assert_eq!(decrypted.as_ref(), Ok(&plaintext), "{id}");
                    assert_eq!(encrypted.as_ref(), Ok(&ciphertext), "{id}");
                    valid += 1;
                }
                "invalid" => {
                    assert_eq!(decrypted, Err(DecryptError::FAILED), "{id}");
                    assert_ne!(encrypted.as_ref(), Ok(&ciphertext), "{id}");
                    invalid += 1;
                }
                other => panic!("{id}: {other}"),
            }
        }
    }
    println!("AES-SIV-CMAC: {valid} valid, {invalid} invalid; skipped: {skipped} with other keys");
    assert_eq!((valid, invalid, skipped), (39, 108, 148 + 147));
    assert_eq!(vectors["numberOfTests"], valid + invalid + skipped);
}

#[test]
fn templates_have_the_bytes_of_other_tinks() {
    let templates = KeyTypes::default().templates();
    let found: Vec<_> = templates
        .filter(|template| template.kind() == KeyKind::DeterministicAead)
        .map(|template| {
            let key_template = template.key_template();
            (
                template.name(),
                key_template.value().to_vec(),
                key_template.variant(),
                template.overhead(),
            )
        })
        .collect();
    let expected = [
        ("AES256_SIV", vec![0x08, 0x40], Variant::Tink, 21),
        ("AES256_SIV_RAW", vec![0x08, 0x40], Variant::Raw, 16),
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_prefix_and_length_round_trips_in_all_ways() {
    for (variant, keyset) in variants() {
        let daead = daead(&keyset);
        let prefix = variant.prefix(keyset.primary_id());
        for (len, associated_data) in LENGTHS.iter().zip([&b""[..], b"ad"].iter().cycle()) {
            let plaintext = pattern(*len);
            let ciphertext = daead
                .encrypt_deterministically(&plaintext, associated_data)
                .unwrap();
            assert_eq!(
                ciphertext.len(),
                prefix.as_bytes().len() + 16 + len,
                "{variant}"
            );
            assert!(ciphertext.starts_with(prefix.as_bytes()));
            let decrypted = daead.decrypt_deterministically(&ciphertext, associated_data);
            assert_eq!(decrypted.as_ref(), Ok(&plaintext));

            let mut out = b"before".to_vec();
            daead
                .encrypt_deterministically_into(&plaintext, associated_data, &mut out)
                .unwrap();
            assert_eq!(out, [b"before", &ciphertext[..]].concat());
            out.truncate(6);
            daead
                .decrypt_deterministically_into(&ciphertext, associated_data, &mut out)
                .unwrap();
            assert_eq!(out, [b"before", &plaintext[..]].concat());

            let mut roomy = Vec::with_capacity(len + 100);
            roomy.extend_from_slice(&plaintext);
            for mut buffer in [plaintext.clone(), roomy] {
                daead
                    .encrypt_deterministically_in_place(&mut buffer, associated_data)
                    .unwrap();
                assert_eq!(buffer, ciphertext);
                daead
                    .decrypt_deterministically_in_place(&mut buffer, associated_data)
                    .unwrap();
                assert_eq!(buffer, plaintext);
            }
        }
    }
}

#[test]
fn the_same_input_gives_the_same_ciphertext_and_another_does_not() {
    let keyset = KeysetHandle::generate("AES256_SIV").unwrap();
    let seal = |plaintext: &[u8], associated_data: &[u8]| {
        daead(&keyset)
            .encrypt_deterministically(plaintext, associated_data)
            .unwrap()
    };
    assert_eq!(seal(b"plaintext", b"ad"), seal(b"plaintext", b"ad"));
    assert_ne!(seal(b"plaintext", b"ad"), seal(b"plaintexu", b"ad"));
    assert_ne!(seal(b"plaintext", b"ad"), seal(b"plaintext", b"ae"));
    assert_ne!(seal(b"plaintext", b"ad"), seal(b"plaintext", b""));
    assert_ne!(seal(b"", b""), seal(b"", b"\0"));
}

#[test]
fn crunchy_and_legacy_write_the_same() {
    let seal = |variant| {
        daead(&keyset(&pattern(64), variant, 7))
            .encrypt_deterministically(b"plaintext", b"ad")
            .unwrap()
    };
    assert_eq!(seal(Variant::Crunchy), seal(Variant::Legacy));
    assert_eq!(seal(Variant::Tink)[1..], seal(Variant::Legacy)[1..]);
    assert_eq!(seal(Variant::Raw), seal(Variant::Tink)[5..]);
}

#[test]
fn a_damaged_ciphertext_is_refused() {
    for (variant, keyset) in variants() {
        let daead = daead(&keyset);
        for plaintext in [&b""[..], b"seventeen bytes.."] {
            let ciphertext = daead.encrypt_deterministically(plaintext, b"ad").unwrap();
            for len in 0..ciphertext.len() {
                assert_refused(&daead, &ciphertext[..len], b"ad");
                assert_refused(&daead, &ciphertext[len + 1..], b"ad");
            }
            for bit in 0..ciphertext.len() * 8 {
                let mut damaged = ciphertext.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_refused(&daead, &damaged, b"ad");
            }
            assert_refused(&daead, &[&ciphertext[..], &[0]].concat(), b"ad");
            for wrong in [&b""[..], b"Ad", b"a", b"ad\0"] {
                assert_refused(&daead, &ciphertext, wrong);
            }
            assert!(
                daead.decrypt_deterministically(&ciphertext, b"ad").is_ok(),
                "{variant}"
            );
        }
    }
}

/// Checks that no way to decrypt opens `ciphertext`, and that each leaves the promised state.
fn assert_refused(daead: &KeysetDeterministicAead, ciphertext: &[u8], associated_data: &[u8]) {
    let refused = daead.decrypt_deterministically(ciphertext, associated_data);
    assert_eq!(refused, Err(DecryptError::FAILED));
    let mut out = b"before".to_vec();
    let refused = daead.decrypt_deterministically_into(ciphertext, associated_data, &mut out);
    assert_eq!(
        (refused, out.as_slice()),
        (Err(DecryptError::FAILED), &b"before"[..])
    );
    let mut buffer = ciphertext.to_vec();
    let refused = daead.decrypt_deterministically_in_place(&mut buffer, associated_data);
    assert_eq!((refused, buffer), (Err(DecryptError::FAILED), Vec::new()));
}

#[test]
fn keys_of_other_sizes_versions_and_labels_are_refused() {
    for size in [0, 16, 32, 48, 63, 65, 128] {
        let made = siv_key(&pattern(size));
        let expected = KeyError::Parameter {
            name: "key size",
            found: size as u64,
            allowed: "64 bytes",
        };
        assert_eq!(made.err(), Some(expected));
    }
    let good = Message::new().bytes(2, pattern(64));
    let key = FileKey::new(5, "AesSivKey", &good.0);
    let short = Message::new().bytes(2, pattern(63));
    let version = good.number(1, 1);
    for format in FORMATS {
        assert!(read(file(5, std::slice::from_ref(&key), format), format).is_ok());
        for (refused, reason) in [
            (
                key.clone().value(&short.0),
                "key size 63 is not allowed, only 64 bytes",
            ),
            (
                key.clone().value(&version.0),
                "key version 1 is not supported: only version 0 exists",
            ),
            (
                key.clone().label(label::ASYMMETRIC_PUBLIC),
                "the key material type is ASYMMETRIC_PUBLIC, but must be SYMMETRIC for this key \
                 type",
            ),
        ] {
            match read(file(5, &[refused], format), format) {
                Err(KeysetError::Key { source, .. }) => assert_eq!(source.to_string(), reason),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn old_keys_decrypt_until_they_are_disabled() {
    let mut keyset = KeysetHandle::generate("AES256_SIV").unwrap();
    let old = keyset.primary_id();
    let before = daead(&keyset)
        .encrypt_deterministically(b"old", b"")
        .unwrap();
    keyset
        .rotate(Key::generate("AES256_SIV_RAW").unwrap())
        .unwrap();
    let after = daead(&keyset)
        .encrypt_deterministically(b"new", b"")
        .unwrap();
    assert_eq!(
        daead(&keyset).decrypt_deterministically(&before, b""),
        Ok(b"old".to_vec())
    );
    keyset.disable(old).unwrap();
    assert_refused(&daead(&keyset), &before, b"");
    assert_eq!(
        daead(&keyset).decrypt_deterministically(&after, b""),
        Ok(b"new".to_vec())
    );
}

#[test]
fn a_raw_ciphertext_that_looks_prefixed_opens_with_the_raw_key() {
    let raw = keyset(&pattern(64), Variant::Raw, 1);
    let (plaintext, ciphertext) = (0u32..)
        .map(|number| number.to_be_bytes())
        .find_map(|plaintext| {
            let ciphertext = daead(&raw)
                .encrypt_deterministically(&plaintext, b"")
                .unwrap();
            (ciphertext[0] == 1).then_some((plaintext, ciphertext))
        })
        .unwrap();
    let id = u32::from_be_bytes(ciphertext[1..5].try_into().unwrap());
    let mut both = keyset(&[7; 64], Variant::Tink, id);
    let raw_key = Key::new(siv_key(&pattern(64)).unwrap(), Variant::Raw).unwrap();
    both.add(raw_key).unwrap();
    let opened = daead(&both).decrypt_deterministically(&ciphertext, b"");
    assert_eq!(opened.unwrap(), plaintext);
}

#[test]
fn another_primitive_is_refused_with_what_the_key_is_for() {
    let siv = keyset(&pattern(64), Variant::Tink, 5);
    let refused = siv.primitive::<KeysetAead>().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "key 5 is a deterministic AEAD key of type \
         `type.googleapis.com/google.crypto.tink.AesSivKey`, not an AEAD key"
    );
    let refused = siv.primitive::<KeysetMac>().unwrap_err();
    assert!(refused.to_string().ends_with(", not a MAC key"));
    let refused = KeysetHandle::generate("AES128_GCM")
        .unwrap()
        .primitive::<KeysetDeterministicAead>()
        .unwrap_err();
    assert!(matches!(
        refused,
        KeysetError::WrongPrimitive {
            found: Some(KeyKind::Aead),
            wanted: KeyKind::DeterministicAead,
            ..
        }
    ));
}

proptest! {
    #[test]
    fn any_input_round_trips(
        plaintext in vec(any::<u8>(), 0..600),
        associated_data in vec(any::<u8>(), 0..100),
        key in vec(any::<u8>(), 64),
    ) {
        let daead = daead(&keyset(&key, Variant::Tink, 1));
        let ciphertext = daead.encrypt_deterministically(&plaintext, &associated_data).unwrap();
        let decrypted = daead.decrypt_deterministically(&ciphertext, &associated_data);
        assert_eq!(decrypted, Ok(plaintext));
    }
}

fn first_of(handle: &KeysetHandle) -> Vec<u8> {
    daead(handle)
        .encrypt_deterministically(b"ada@example.org", b"users.email")
        .unwrap()
}

#[test]
fn encrypts_with_each_enabled_key_the_primary_one_first() {
    let (email, column) = (b"ada@example.org", b"users.email");
    let mut handle = KeysetHandle::generate("AES256_SIV").unwrap();
    let mut written = vec![(handle.primary_id(), first_of(&handle))];
    for template in ["AES256_SIV_RAW", "AES256_SIV", "AES256_SIV_RAW"] {
        handle.rotate(Key::generate(template).unwrap()).unwrap();
        written.push((handle.primary_id(), first_of(&handle)));
    }
    let all = daead(&handle).encrypt_deterministically_with_each_key(email, column);
    let all = all.unwrap();
    assert_eq!(all[0], written[3].1);
    let mut sorted = all;
    sorted.sort();
    let mut wanted: Vec<_> = written.iter().map(|(_, one)| one.clone()).collect();
    wanted.sort();
    assert_eq!(sorted, wanted);

    // A key in the middle of the keyset becomes the primary one again.
    handle.promote(written[1].0).unwrap();
    let all = daead(&handle).encrypt_deterministically_with_each_key(email, column);
    assert_eq!(all.unwrap()[0], written[1].1);

    handle.disable(written[0].0).unwrap();
    handle.destroy(written[2].0).unwrap();
    let all = daead(&handle).encrypt_deterministically_with_each_key(email, column);
    assert_eq!(all.unwrap(), [written[1].1.clone(), written[3].1.clone()]);
}
