//! Sizes at their limits. Limits that would take an allocation of gigabytes are tested in
//! `src/key/prefixed_aead.rs`.

use std::slice::from_ref;

use keyseal::{KeyError, KeyTypes, KeysetError, Variant, key::KeyTemplate, keyset::Format};

use crate::support::{FORMATS, FileKey, Message, file, prefix, read, url};

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

/// Template, bytes of material, overhead without prefix, longest plaintext, messages (log2).
const FACTS: &[(&str, usize, usize, u64, u32)] = &[
    ("AES128_GCM", 16, 28, 64 * GIB - 32, 32),
    ("AES256_GCM", 32, 28, 64 * GIB - 32, 32),
    ("AES128_GCM_SIV", 16, 28, 64 * GIB, 48),
    ("AES256_GCM_SIV", 32, 28, 64 * GIB, 48),
    ("AES128_EAX", 16, 32, 64 * GIB - 32, 32),
    ("AES256_EAX", 32, 32, 64 * GIB - 32, 32),
    ("AES128_CTR_HMAC_SHA256", 48, 32, 64 * GIB, 32),
    ("AES256_CTR_HMAC_SHA256", 64, 48, 64 * GIB, 32),
    ("CHACHA20_POLY1305", 32, 28, 256 * GIB - 65, 32),
    ("XCHACHA20_POLY1305", 32, 40, 256 * GIB - 65, 80),
    ("XAES_256_GCM_192_BIT_NONCE", 32, 40, 64 * GIB - 32, 80),
    (
        "XAES_256_GCM_160_BIT_NONCE_NO_PREFIX",
        32,
        36,
        64 * GIB - 32,
        64,
    ),
];

#[test]
fn sizes_and_limits_are_those_of_the_ciphers() {
    for &(name, key_size, overhead, max_plaintext, messages_log2) in FACTS {
        let template = KeyTypes::default().template(name).unwrap();
        let facts = template.properties();
        assert_eq!(facts.key_size, key_size, "{name}");
        assert_eq!(facts.overhead, overhead, "{name}");
        assert_eq!(facts.max_plaintext, max_plaintext, "{name}");
        assert_eq!(facts.messages_log2, messages_log2, "{name}");
        let prefix = if template.key_template().variant() == Variant::Raw {
            0
        } else {
            5
        };
        assert_eq!(template.overhead(), prefix + overhead, "{name}");
    }
}

/// Where a message of a type holds a size: the message with that size, and legal sizes.
type Sized = (&'static str, fn(u64) -> Message, &'static [u64]);

const KEYS: &[Sized] = &[
    (
        "AesEaxKey",
        |size| params(size).bytes(3, [7; 16]),
        &[12, 16],
    ),
    (
        "XAesGcmKey",
        |size| params(size).bytes(3, [7; 32]),
        &[8, 9, 10, 11, 12],
    ),
    (
        "AesCtrHmacAeadKey",
        |size| ctr_hmac_key(size, 16),
        &[12, 13, 14, 15, 16],
    ),
    (
        "AesCtrHmacAeadKey",
        |size| ctr_hmac_key(16, size),
        &[10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
    ),
];

fn params(size: u64) -> Message {
    Message::new().message(2, Message::new().number(1, size))
}

fn ctr_hmac_key(iv_size: u64, tag_size: u64) -> Message {
    let hmac_params = Message::new().number(1, 1).number(2, tag_size);
    let hmac = Message::new().message(2, hmac_params).bytes(3, [7; 16]);
    Message::new()
        .message(2, params(iv_size).bytes(3, [7; 16]))
        .message(3, hmac)
}

#[test]
fn sizes_in_keys_are_taken_as_32_bits_and_no_others_are_legal() {
    for (type_name, message, legal) in KEYS {
        for size in (0..=70).chain(edges()) {
            // A number of more than 32 bits counts as its low ones, as in every Tink.
            let taken = legal.contains(&(size & 0xffff_ffff));
            let key = FileKey::new(42, type_name, message(size).0);
            for format in FORMATS {
                match read(file(42, from_ref(&key), format), format) {
                    Ok(_) => assert!(taken, "{type_name} {size}"),
                    Err(KeysetError::Key {
                        source: KeyError::Parameter { found, .. },
                        ..
                    }) => {
                        assert!(!taken, "{type_name} {size}");
                        assert_eq!(found, size & 0xffff_ffff);
                    }
                    Err(error) => panic!("{type_name} {size}: {error:?}"),
                }
            }
        }
    }
}

fn edges() -> impl Iterator<Item = u64> {
    [31, 32, 33, 63]
        .into_iter()
        .flat_map(|bits| (0..20).flat_map(move |n| [(1 << bits) + n, (1 << bits) - 1 - n]))
}

const FORMATS_OF_KEYS: &[Sized] = &[
    (
        "AesGcmKey",
        |size| Message::new().number(2, size),
        &[16, 32],
    ),
    (
        "AesGcmSivKey",
        |size| Message::new().number(2, size),
        &[16, 32],
    ),
    (
        "AesEaxKey",
        |size| {
            Message::new()
                .message(1, Message::new().number(1, 16))
                .number(2, size)
        },
        &[16, 32],
    ),
    (
        "XAesGcmKey",
        |size| Message::new().message(3, Message::new().number(1, size)),
        &[8, 9, 10, 11, 12],
    ),
    (
        "AesCtrHmacAeadKey",
        |size| {
            let aes = Message::new()
                .message(1, Message::new().number(1, 16))
                .number(2, size);
            let params = Message::new().number(1, 3).number(2, 16);
            let hmac = Message::new().message(1, params).number(2, 32);
            Message::new().message(1, aes).message(2, hmac)
        },
        &[16, 32],
    ),
];

#[test]
fn sizes_in_templates_are_taken_as_32_bits_and_no_others_are_legal() {
    for (type_name, message, legal) in FORMATS_OF_KEYS {
        for size in (0..=70).chain(edges()) {
            let template = KeyTemplate::new(url(type_name), message(size).0, Variant::Tink);
            let made = KeyTypes::default().generate_from(&template);
            if legal.contains(&(size & 0xffff_ffff)) {
                assert!(made.is_ok(), "{type_name} {size}");
            } else {
                assert!(
                    matches!(made, Err(KeyError::Parameter { .. })),
                    "{type_name} {size}"
                );
            }
        }
    }
}

#[test]
fn a_new_key_is_not_larger_than_a_mebibyte() {
    let hmac = |size: u64, tag: bool| {
        let params = Message::new().number(1, 3);
        let params = if tag { params.number(2, 16) } else { params };
        Message::new().message(1, params).number(2, size)
    };
    let stream = |size: u64| {
        let params = Message::new().number(1, 4096).number(2, 16).number(3, 3);
        Message::new().message(1, params).number(2, size)
    };
    for (type_name, format) in [
        (
            "HmacKey",
            &(|size| hmac(size, true)) as &dyn Fn(u64) -> Message,
        ),
        ("HmacPrfKey", &|size| hmac(size, false)),
        ("HkdfPrfKey", &|size| hmac(size, false)),
        ("AesGcmHkdfStreamingKey", &stream),
        ("AesCtrHmacAeadKey", &|size| {
            let aes = Message::new().message(1, Message::new().number(1, 16));
            let aes = aes.number(2, 16);
            Message::new()
                .message(1, aes)
                .message(2, hmac(size - 16, true))
        }),
    ] {
        for (size, makes) in [
            (1 << 20, true),
            ((1 << 20) + 1, false),
            (u64::from(u32::MAX), false),
        ] {
            let template = KeyTemplate::new(url(type_name), format(size).0, Variant::Raw);
            match KeyTypes::default().generate_from(&template) {
                Ok(_) => assert!(makes, "{type_name} {size}"),
                Err(error) => {
                    assert!(!makes, "{type_name} {size}: {error}");
                    assert!(
                        error
                            .to_string()
                            .starts_with(&format!("key size {size} is not allowed"))
                    );
                }
            }
        }
    }
}

#[test]
fn key_material_has_the_size_of_its_type() {
    type Type = (&'static str, fn(Vec<u8>) -> Message, &'static [usize]);
    let types: &[Type] = &[
        ("AesGcmKey", |key| Message::new().bytes(3, key), &[16, 32]),
        (
            "AesGcmSivKey",
            |key| Message::new().bytes(3, key),
            &[16, 32],
        ),
        ("AesEaxKey", |key| params(16).bytes(3, key), &[16, 32]),
        (
            "ChaCha20Poly1305Key",
            |key| Message::new().bytes(2, key),
            &[32],
        ),
        (
            "XChaCha20Poly1305Key",
            |key| Message::new().bytes(3, key),
            &[32],
        ),
        ("XAesGcmKey", |key| params(12).bytes(3, key), &[32]),
        (
            "AesCtrHmacAeadKey",
            |key| {
                let hmac = Message::new().number(1, 3).number(2, 16);
                let hmac = Message::new().message(2, hmac).bytes(3, [7; 16]);
                Message::new()
                    .message(2, params(16).bytes(3, key))
                    .message(3, hmac)
            },
            &[16, 32],
        ),
    ];
    for (type_name, message, legal) in types {
        for len in 0..70 {
            let key = FileKey::new(42, type_name, message(vec![7; len]).0).prefix(prefix::RAW);
            let read = read(file(42, &[key], Format::Binary), Format::Binary);
            assert_eq!(read.is_ok(), legal.contains(&len), "{type_name} {len}");
        }
    }
    // HMAC keys have a lower limit only.
    for len in [0, 15, 16, 17, 1000, 100 * KIB] {
        let aes = params(16).bytes(3, [7; 16]);
        let hmac = Message::new().number(1, 3).number(2, 16);
        let key = vec![7; usize::try_from(len).unwrap()];
        let hmac = Message::new().message(2, hmac).bytes(3, key);
        let message = Message::new().message(2, aes).message(3, hmac);
        let key = FileKey::new(42, "AesCtrHmacAeadKey", message.0);
        let read = read(file(42, &[key], Format::Binary), Format::Binary);
        assert_eq!(read.is_ok(), len >= 16, "{len}");
    }
}
