//! Labels, versions, and keysets that hold no secrets.

use keyseal::{KeyError, KeysetError, KeysetHandle, keyset::Format};

use super::{
    Becomes::{self, Usable},
    canonical, check, good, other, refused, unknown_type,
};
use crate::support::{FORMATS, FileKey, Message, file, label, prefix, read, status};

#[test]
fn ciphers_are_labelled_symmetric() {
    use label::{ASYMMETRIC_PRIVATE, ASYMMETRIC_PUBLIC, REMOTE, UNKNOWN};
    for (type_name, value, _) in VERSIONS {
        for number in [
            UNKNOWN,
            ASYMMETRIC_PRIVATE,
            ASYMMETRIC_PUBLIC,
            REMOTE,
            5,
            99,
        ] {
            let key = FileKey::new(7, type_name, value(None).0).label(number);
            for key in [key.clone(), key.status(status::DISABLED)] {
                let wrong = refused!(KeysetError::Key {
                    source: KeyError::Material { .. },
                    ..
                });
                check(vec![("a wrong label", 42, vec![good(), key], wrong)]);
            }
        }
    }
}

/// A good key of each type, with version 1 in one of so many places.
type Versioned = (&'static str, fn(Option<usize>) -> Message, usize);
const VERSIONS: &[Versioned] = &[
    ("AesGcmKey", |at| version(at, 0).bytes(3, [7; 32]), 1),
    ("AesGcmSivKey", |at| version(at, 0).bytes(3, [7; 32]), 1),
    (
        "AesEaxKey",
        |at| version(at, 0).message(2, size(16)).bytes(3, [7; 32]),
        1,
    ),
    (
        "ChaCha20Poly1305Key",
        |at| version(at, 0).bytes(2, [7; 32]),
        1,
    ),
    (
        "XChaCha20Poly1305Key",
        |at| version(at, 0).bytes(3, [7; 32]),
        1,
    ),
    (
        "XAesGcmKey",
        |at| version(at, 0).message(2, size(12)).bytes(3, [7; 32]),
        1,
    ),
    (
        "AesCtrHmacAeadKey",
        |at| {
            let aes = version(at, 1).message(2, size(16)).bytes(3, [7; 32]);
            let params = Message::new().number(1, 3).number(2, 32);
            let hmac = version(at, 2).message(2, params).bytes(3, [7; 32]);
            version(at, 0).message(2, aes).message(3, hmac)
        },
        3,
    ),
];

fn version(at: Option<usize>, here: usize) -> Message {
    match at {
        Some(at) if at == here => Message::new().number(1, 1),
        _ => Message::new(),
    }
}

fn size(size: u64) -> Message {
    Message::new().number(1, size)
}

#[test]
fn version_0_is_the_only_one_in_every_message() {
    for (type_name, value, places) in VERSIONS {
        let key = |at| FileKey::new(7, type_name, value(at).0);
        check(vec![("version 0", 42, vec![good(), key(None)], Usable)]);
        for at in 0..*places {
            for status in [status::ENABLED, status::DISABLED] {
                let version = refused!(KeysetError::Key {
                    source: KeyError::Version { found: 1 },
                    ..
                });
                let keys = vec![good(), key(Some(at)).status(status)];
                check(vec![("version 1", 42, keys, version)]);
            }
        }
    }
}

#[test]
fn x_aes_gcm_has_two_output_prefixes() {
    let key = |prefix| {
        let value = Message::new().message(2, size(8)).bytes(3, [7; 32]);
        FileKey::new(42, "XAesGcmKey", value.0).prefix(prefix)
    };
    let refused = || {
        refused!(KeysetError::Key {
            source: KeyError::Variant { .. },
            ..
        })
    };
    check(vec![
        ("TINK", 42, vec![key(prefix::TINK)], Usable),
        ("RAW", 42, vec![key(prefix::RAW)], Usable),
        ("CRUNCHY", 42, vec![key(prefix::CRUNCHY)], refused()),
        ("LEGACY", 42, vec![key(prefix::LEGACY)], refused()),
    ]);
}

#[test]
fn a_keyset_without_secrets_is_read_by_its_labels() {
    use label::{ASYMMETRIC_PRIVATE, ASYMMETRIC_PUBLIC, REMOTE, SYMMETRIC, UNKNOWN};
    let remote = || unknown_type(42).label(REMOTE);
    let rows = vec![
        (vec![remote()], true),
        (vec![unknown_type(42).label(ASYMMETRIC_PUBLIC)], true),
        (
            vec![remote(), unknown_type(7).label(ASYMMETRIC_PUBLIC)],
            true,
        ),
        (vec![unknown_type(42).label(UNKNOWN)], false),
        (vec![unknown_type(42).label(SYMMETRIC)], false),
        (vec![unknown_type(42).label(ASYMMETRIC_PRIVATE)], false),
        (vec![unknown_type(42).label(5)], false),
        (
            vec![
                remote(),
                unknown_type(7).label(SYMMETRIC).status(status::DISABLED),
            ],
            false,
        ),
        (vec![remote(), other()], false),
        (vec![remote(), other().status(status::DISABLED)], false),
        // The label is a lie, and such a key does not load.
        (vec![remote(), other().label(REMOTE)], false),
        // Neither has a label at all.
        (
            vec![
                remote(),
                other().with_empty_data().status(status::DESTROYED),
            ],
            false,
        ),
        (
            vec![remote(), other().without_data().status(status::DESTROYED)],
            false,
        ),
        // The remains of a destroyed key may be a secret, whatever its label says.
        (
            vec![remote(), other().label(REMOTE).status(status::DESTROYED)],
            false,
        ),
    ];
    for (keys, reads) in rows {
        for format in FORMATS {
            let bytes = file(42, &keys, format);
            let no_secret = KeysetHandle::read_no_secret(&bytes, format);
            assert_eq!(no_secret.is_ok(), reads, "{keys:?}: {no_secret:?}");
            if let Ok(keyset) = no_secret {
                assert_eq!(
                    keyset.write_no_secret(Format::Binary),
                    Ok(canonical(42, &keys))
                );
                let json = keyset.write_no_secret(Format::Json).unwrap();
                let again = KeysetHandle::read_no_secret(&json, Format::Json).unwrap();
                assert_eq!(again.info(), keyset.info());
            } else if let Ok(keyset) = read(&bytes, format) {
                for format in FORMATS {
                    let written = keyset.write_no_secret(format);
                    assert!(
                        matches!(written, Err(KeysetError::Secret { .. })),
                        "{keys:?}"
                    );
                }
            }
        }
    }
}
