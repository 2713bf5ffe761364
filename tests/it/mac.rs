//! MAC: known answers, Wycheproof, every tag size, whole and in pieces.

use std::io::Write as _;

use keyseal::{
    Hash, Key, KeyError, KeyId, KeyTypes, KeysetAead, KeysetError, KeysetHandle, KeysetMac, Mac,
    Variant, VerifyError,
    key::{
        KeyKind,
        aes_cmac::{AesCmacKey, AesCmacParameters},
        hmac::{HmacKey, HmacParameters},
    },
};
use proptest::{collection::vec, prelude::any, proptest, sample::select, test_runner::TestRunner};

use crate::support::{
    FORMATS, FileKey, LENGTHS, Message, bytes_of, file, label, pattern, prefix, read, secret, write,
};

fn keyset(key: Key, id: u32) -> KeysetHandle {
    KeysetHandle::with_id(key, KeyId::new(id))
}

fn hmac(key: impl AsRef<[u8]>, hash: Hash, tag_size: usize, variant: Variant) -> KeysetMac {
    let key = HmacKey::new(secret(key), hash, tag_size).unwrap();
    mac_of(&keyset(Key::new(key, variant).unwrap(), 42))
}

fn aes_cmac(key: impl AsRef<[u8]>, tag_size: usize, variant: Variant) -> KeysetMac {
    let key = AesCmacKey::new(secret(key), tag_size).unwrap();
    mac_of(&keyset(Key::new(key, variant).unwrap(), 42))
}

fn mac_of(keyset: &KeysetHandle) -> KeysetMac {
    keyset.primitive().unwrap()
}

/// Every stock template of a MAC with every output prefix type.
fn every_mac() -> Vec<(String, KeysetHandle)> {
    let templates = KeyTypes::default()
        .templates()
        .filter(|template| template.kind() == KeyKind::Mac);
    let all: Vec<_> = templates
        .flat_map(|template| {
            Variant::ALL.map(|variant| {
                let name = format!("{} as {variant}", template.name());
                let template = template.key_template().clone().with_variant(variant);
                let key = KeyTypes::default().generate_from(&template).unwrap();
                (name, KeysetHandle::new(key).unwrap())
            })
        })
        .collect();
    assert_eq!(all.len(), (10 + 3) * Variant::ALL.len());
    all
}

#[test]
fn tags_are_those_of_other_tinks() {
    let key: Vec<u8> = (0..32).collect();
    for (variant, tag) in [
        (Variant::Tink, "010000002a9dd78fa36b26c332831fb2809d0ebb43"),
        (
            Variant::Crunchy,
            "000000002a9dd78fa36b26c332831fb2809d0ebb43",
        ),
        (
            Variant::Legacy,
            "000000002a4c43f46674be290ac9bb7f416297e633",
        ),
        (Variant::Raw, "9dd78fa36b26c332831fb2809d0ebb43"),
    ] {
        let mac = hmac(&key, Hash::Sha256, 16, variant);
        assert_eq!(mac.compute_mac(b"data"), bytes_of(tag), "{variant}");
        mac.verify_mac(&bytes_of(tag), b"data").unwrap();
    }
}

#[test]
fn templates_have_the_bytes_of_other_tinks() {
    let expected = [
        ("HMAC_SHA256_128BITTAG", "0a04080310101020", 16),
        ("HMAC_SHA256_256BITTAG", "0a04080310201020", 32),
        ("HMAC_SHA512_128BITTAG", "0a04080410101040", 16),
        ("HMAC_SHA512_256BITTAG", "0a04080410201040", 32),
        ("HMAC_SHA512_512BITTAG", "0a04080410401040", 64),
        ("AES256_CMAC", "082012020810", 16),
        ("AES_CMAC", "082012020810", 16),
    ];
    for (name, value, tag_size) in expected {
        for (name, variant) in [
            (name.to_owned(), Variant::Tink),
            (format!("{name}_RAW"), Variant::Raw),
        ] {
            let found = KeyTypes::default().template(&name);
            if name == "AES_CMAC_RAW" {
                assert!(found.is_err());
                continue;
            }
            let found = found.unwrap();
            assert_eq!(found.key_template().value(), bytes_of(value), "{name}");
            assert_eq!(found.key_template().variant(), variant, "{name}");
            // The overhead that a CLI prints is the length of a tag.
            let keyset = KeysetHandle::generate(&name).unwrap();
            let tag = mac_of(&keyset).compute_mac(b"");
            assert_eq!(
                (tag.len(), found.properties().overhead),
                (found.overhead(), tag_size)
            );
        }
    }
}

#[test]
fn a_tag_of_any_size_is_the_start_of_the_longest() {
    let key = pattern(32);
    for hash in Hash::ALL {
        let digest = hash.digest_size();
        let whole = hmac(&key, hash, digest, Variant::Raw).compute_mac(b"data");
        for tag_size in 0..=digest + 1 {
            let made = HmacParameters::new(32, hash, tag_size);
            assert_eq!(made.is_ok(), (10..=digest).contains(&tag_size));
            if made.is_ok() {
                check_tag(
                    &hmac(&key, hash, tag_size, Variant::Raw),
                    &whole[..tag_size],
                );
            }
        }
    }
    let whole = aes_cmac(&key, 16, Variant::Raw).compute_mac(b"data");
    for tag_size in 0..=17 {
        let made = AesCmacParameters::new(tag_size);
        assert_eq!(made.is_ok(), (10..=16).contains(&tag_size));
        if made.is_ok() {
            check_tag(&aes_cmac(&key, tag_size, Variant::Raw), &whole[..tag_size]);
        }
    }
}

fn check_tag(mac: &KeysetMac, tag: &[u8]) {
    assert_eq!(mac.compute_mac(b"data"), tag);
    assert_eq!(mac.verify_mac(tag, b"data"), Ok(()));
    assert_eq!(
        mac.verify_mac(&tag[..tag.len() - 1], b"data"),
        Err(VerifyError)
    );
    assert_eq!(
        mac.verify_mac(&[tag, &[0]].concat(), b"data"),
        Err(VerifyError)
    );
}

#[test]
fn a_damaged_tag_or_message_is_refused() {
    for (name, keyset) in every_mac() {
        let mac = mac_of(&keyset);
        for message in [&b""[..], b"seventeen bytes.."] {
            let tag = mac.compute_mac(message);
            assert_eq!(mac.verify_mac(&tag, message), Ok(()), "{name}");
            for len in 0..tag.len() {
                assert_refused(&mac, &tag[..len], message, &name);
                assert_refused(&mac, &tag[len + 1..], message, &name);
            }
            for bit in 0..tag.len() * 8 {
                let mut damaged = tag.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_refused(&mac, &damaged, message, &name);
            }
            for more in [&[0][..], &tag] {
                assert_refused(&mac, &[&tag[..], more].concat(), message, &name);
                assert_refused(&mac, &[more, &tag[..]].concat(), message, &name);
            }
            for bit in 0..message.len() * 8 {
                let mut damaged = message.to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_refused(&mac, &tag, &damaged, &name);
            }
            assert_refused(&mac, &tag, &[message, &[0]].concat(), &name);
        }
    }
}

/// Checks that a tag is refused, whole and in pieces.
fn assert_refused(mac: &KeysetMac, tag: &[u8], message: &[u8], name: &str) {
    assert_eq!(mac.verify_mac(tag, message), Err(VerifyError), "{name}");
    let mut verification = mac.create_verification(tag);
    verification.update(message);
    assert_eq!(verification.verify_mac(), Err(VerifyError), "{name}");
}

#[test]
fn pieces_of_any_size_give_the_tag_of_the_whole() {
    let macs: Vec<_> = every_mac()
        .iter()
        .map(|(name, keyset)| (name.clone(), mac_of(keyset)))
        .collect();
    let inputs = (
        select((0..macs.len()).collect::<Vec<_>>()),
        vec(vec(any::<u8>(), 0..70), 0..9),
    );
    TestRunner::default()
        .run(&inputs, |(which, pieces)| {
            let (name, mac) = &macs[which];
            let message = pieces.concat();
            let tag = mac.compute_mac(&message);
            let mut computation = mac.create_computation();
            let mut verification = mac.create_verification(&tag);
            for piece in &pieces {
                computation.update(piece);
                verification.update(piece);
            }
            assert_eq!(computation.compute_mac(), tag, "{name}");
            assert_eq!(verification.verify_mac(), Ok(()), "{name}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_chunked_mac_is_a_writer() {
    let mac = hmac(pattern(32), Hash::Sha512, 64, Variant::Tink);
    let message = pattern(100_000);
    let mut computation = mac.create_computation();
    std::io::copy(&mut message.as_slice(), &mut computation).unwrap();
    computation.flush().unwrap();
    let tag = computation.compute_mac();
    assert_eq!(tag, mac.compute_mac(&message));
    let mut verification = mac.create_verification(&tag);
    verification.write_all(&message).unwrap();
    verification.flush().unwrap();
    assert_eq!(verification.verify_mac(), Ok(()));
}

#[test]
fn a_legacy_tag_is_over_one_more_zero_byte() {
    let key = pattern(32);
    for len in LENGTHS {
        let message = pattern(len);
        let longer = [&message[..], &[0]].concat();
        for (legacy, raw) in [
            (
                hmac(&key, Hash::Sha1, 20, Variant::Legacy),
                hmac(&key, Hash::Sha1, 20, Variant::Raw),
            ),
            (
                aes_cmac(&key, 16, Variant::Legacy),
                aes_cmac(&key, 16, Variant::Raw),
            ),
        ] {
            let tag = legacy.compute_mac(&message);
            assert_eq!(tag[..5], [0, 0, 0, 0, 42]);
            assert_eq!(tag[5..], raw.compute_mac(&longer));
            let mut verification = legacy.create_verification(&tag);
            verification.update(&message);
            assert_eq!(verification.verify_mac(), Ok(()));
            assert_refused(&legacy, &tag, &longer, "legacy");
        }
    }
}

#[test]
fn a_key_of_a_megabyte_round_trips() {
    let key = pattern(1_020_304);
    for hash in Hash::ALL {
        let typed = HmacKey::new(secret(&key), hash, 20).unwrap();
        let keyset = keyset(Key::new(typed, Variant::Tink).unwrap(), 1);
        let tag = mac_of(&keyset).compute_mac(b"data");
        for format in FORMATS {
            let again = read(write(&keyset, format), format).unwrap();
            assert_eq!(mac_of(&again).verify_mac(&tag, b"data"), Ok(()));
        }
    }
}

#[test]
fn keys_of_other_sizes_and_versions_are_refused() {
    for size in [0, 1, 15] {
        assert!(HmacKey::new(secret(pattern(size)), Hash::Sha256, 16).is_err());
        assert!(HmacParameters::new(size, Hash::Sha256, 16).is_err());
    }
    assert!(HmacKey::new(secret(pattern(16)), Hash::Sha256, 16).is_ok());
    for size in [0, 16, 24, 31, 33, 64] {
        assert!(AesCmacKey::new(secret(pattern(size)), 16).is_err());
    }
    // Longer than a key format can say, which no length on 32 bits is.
    let too_long = HmacParameters::new(usize::MAX, Hash::Sha256, 16);
    assert!(usize::BITS == 32 || matches!(too_long, Err(KeyError::Parameter { .. })));

    let params = |hash, tag_size| Message::new().number(1, hash).number(2, tag_size);
    let hmac = |hash, tag_size| {
        Message::new()
            .message(2, params(hash, tag_size))
            .bytes(3, pattern(16))
    };
    let cmac = |tag_size| {
        Message::new()
            .bytes(2, pattern(32))
            .message(3, Message::new().number(1, tag_size))
    };
    let loads = |type_name: &str, value: Message| {
        let loaded = FORMATS.map(|format| {
            let key = FileKey::new(1, type_name, &value.0);
            read(file(1, &[key], format), format).is_ok()
        });
        assert_eq!(loaded[0], loaded[1]);
        loaded[0]
    };
    assert!(loads("HmacKey", hmac(3, 16)));
    assert!(loads("AesCmacKey", cmac(16)));
    for refused in [
        hmac(0, 16),
        hmac(6, 16),
        hmac(3, 9),
        hmac(3, 33),
        hmac(1, 21),
        hmac(3, 16).number(1, 1),
        Message::new().bytes(3, pattern(16)),
        hmac(3, 16).bytes(3, pattern(15)),
    ] {
        assert!(!loads("HmacKey", refused));
    }
    for refused in [
        cmac(9),
        cmac(17),
        cmac(16).number(1, 1),
        cmac(16).bytes(2, pattern(16)),
        Message::new().bytes(2, pattern(32)),
    ] {
        assert!(!loads("AesCmacKey", refused));
    }
}

#[test]
fn parameters_in_pieces_are_put_together() {
    // A message that comes twice is merged, and of bytes that come twice the last count.
    let value = Message::new()
        .message(2, Message::new().number(1, 3))
        .bytes(3, b"this one does not count")
        .message(2, Message::new().number(2, 16))
        .bytes(3, pattern(32));
    for format in FORMATS {
        let key = FileKey::new(42, "HmacKey", &value.0);
        let read = read(file(42, &[key], format), format).unwrap();
        let expected = hmac(pattern(32), Hash::Sha256, 16, Variant::Tink);
        let tag = mac_of(&read).compute_mac(b"data");
        assert_eq!(tag, expected.compute_mac(b"data"));
    }
}

#[test]
fn the_label_of_a_mac_key_is_not_looked_at_and_written_right() {
    let hmac = Message::new()
        .message(2, Message::new().number(1, 3).number(2, 16))
        .bytes(3, pattern(32));
    let cmac = Message::new()
        .bytes(2, pattern(32))
        .message(3, Message::new().number(1, 16));
    for (type_name, value) in [("HmacKey", hmac), ("AesCmacKey", cmac)] {
        for format in FORMATS {
            let good = FileKey::new(1, type_name, &value.0);
            let expected = read(file(1, std::slice::from_ref(&good), format), format).unwrap();
            for other in [
                label::UNKNOWN,
                label::ASYMMETRIC_PRIVATE,
                label::ASYMMETRIC_PUBLIC,
                label::REMOTE,
            ] {
                let bytes = file(1, &[good.clone().label(other)], format);
                let keyset = read(&bytes, format).unwrap();
                assert_eq!(write(&keyset, format), write(&expected, format));
                // It is a secret, whatever the label says.
                let no_secret = KeysetHandle::read_no_secret(&bytes, format);
                assert!(matches!(no_secret, Err(KeysetError::Secret { .. })));
            }
        }
    }
}

#[test]
fn old_keys_verify_until_they_are_disabled_and_ids_may_be_zero() {
    let mut keyset = KeysetHandle::with_id(
        Key::generate("HMAC_SHA256_128BITTAG").unwrap(),
        KeyId::new(0),
    );
    let before = mac_of(&keyset).compute_mac(b"data");
    assert_eq!(before[..5], [1, 0, 0, 0, 0]);
    keyset
        .rotate(Key::generate("AES256_CMAC_RAW").unwrap())
        .unwrap();
    keyset
        .rotate(Key::generate("HMAC_SHA512_512BITTAG_RAW").unwrap())
        .unwrap();
    let after = mac_of(&keyset).compute_mac(b"data");
    for tag in [&before, &after] {
        assert_eq!(mac_of(&keyset).verify_mac(tag, b"data"), Ok(()));
        let mut verification = mac_of(&keyset).create_verification(tag);
        verification.update(b"data");
        assert_eq!(verification.verify_mac(), Ok(()));
    }
    keyset.disable(KeyId::new(0)).unwrap();
    assert_refused(&mac_of(&keyset), &before, b"data", "disabled");
    assert_eq!(mac_of(&keyset).verify_mac(&after, b"data"), Ok(()));
}

#[test]
fn a_raw_tag_that_looks_prefixed_is_verified_with_the_raw_key() {
    let raw = hmac(pattern(32), Hash::Sha256, 16, Variant::Raw);
    let (message, tag) = (0u32..)
        .map(|number| (number.to_be_bytes(), raw.compute_mac(&number.to_be_bytes())))
        .find(|(_, tag)| tag[0] == 1)
        .unwrap();
    let id = u32::from_be_bytes(tag[1..5].try_into().unwrap());
    // Its own tags are as long with the prefix as the raw one is.
    let prefixed = HmacKey::new(secret([7; 32]), Hash::Sha256, 11).unwrap();
    let mut both = keyset(Key::new(prefixed, Variant::Tink).unwrap(), id);
    let raw_key = HmacKey::new(secret(pattern(32)), Hash::Sha256, 16).unwrap();
    both.add(Key::new(raw_key, Variant::Raw).unwrap()).unwrap();
    assert_eq!(mac_of(&both).compute_mac(&message).len(), tag.len());
    assert_eq!(mac_of(&both).verify_mac(&tag, &message), Ok(()));
    let mut verification = mac_of(&both).create_verification(&tag);
    verification.update(&message);
    assert_eq!(verification.verify_mac(), Ok(()));
}

#[test]
fn a_prefix_is_kept_through_files() {
    for (number, variant) in [
        (prefix::TINK, Variant::Tink),
        (prefix::CRUNCHY, Variant::Crunchy),
        (prefix::LEGACY, Variant::Legacy),
        (prefix::RAW, Variant::Raw),
    ] {
        let value = Message::new()
            .message(2, Message::new().number(1, 3).number(2, 16))
            .bytes(3, pattern(32));
        let key = FileKey::new(42, "HmacKey", &value.0).prefix(number);
        for format in FORMATS {
            let keyset = read(file(42, std::slice::from_ref(&key), format), format).unwrap();
            let again = read(write(&keyset, format), format).unwrap();
            let expected = hmac(pattern(32), Hash::Sha256, 16, variant).compute_mac(b"data");
            assert_eq!(mac_of(&again).compute_mac(b"data"), expected, "{variant}");
        }
    }
}

#[test]
fn another_primitive_is_refused_with_what_the_key_is_for() {
    let key = Key::generate("HMAC_SHA256_128BITTAG").unwrap();
    let refused = keyset(key, 5).primitive::<KeysetAead>().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "key 5 is a MAC key of type `type.googleapis.com/google.crypto.tink.HmacKey`, not an AEAD \
         key"
    );
    let prf = keyset(Key::generate("HMAC_SHA256_PRF").unwrap(), 6);
    assert_eq!(
        prf.primitive::<KeysetMac>().unwrap_err().to_string(),
        "key 6 is a PRF key of type `type.googleapis.com/google.crypto.tink.HmacPrfKey`, not a MAC \
         key"
    );
    let unknown = FileKey::new(7, "JwtHmacKey", b"");
    for format in FORMATS {
        let unknown = read(file(7, std::slice::from_ref(&unknown), format), format).unwrap();
        assert_eq!(
            unknown.primitive::<KeysetMac>().unwrap_err().to_string(),
            "key 7 is of the unknown type `type.googleapis.com/google.crypto.tink.JwtHmacKey`, not \
             a MAC key"
        );
    }
}

proptest! {
    #[test]
    fn any_message_verifies_and_any_other_does_not(
        message in vec(any::<u8>(), 0..300),
        other in vec(any::<u8>(), 0..300),
        key in vec(any::<u8>(), 16..200),
        hash in select(&Hash::ALL[..]),
    ) {
        let mac = hmac(key, hash, 10, Variant::Tink);
        let tag = mac.compute_mac(&message);
        assert_eq!(mac.verify_mac(&tag, &message), Ok(()));
        assert_eq!(mac.verify_mac(&tag, &other).is_ok(), message == other);
    }
}
