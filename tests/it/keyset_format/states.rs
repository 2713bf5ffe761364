//! Keys, ids, states, prefixes and key data.

use keyseal::{KeysetError, keyset::Format};

use super::{
    Becomes::{self, NotAnAead, Usable},
    check, good, hmac, other, refused, unknown_type,
};
use crate::support::{FORMATS, FileKey, Message, prefix, read, status};

#[test]
fn a_keyset_has_keys_and_an_enabled_primary_one() {
    use status::{DESTROYED, DISABLED};
    check(vec![
        ("one key", 42, vec![good()], Usable),
        (
            "three keys",
            42,
            vec![other(), good(), FileKey::aes_gcm(8)],
            Usable,
        ),
        (
            "the primary last",
            42,
            vec![other().status(DISABLED), good()],
            Usable,
        ),
        ("no keys", 42, vec![], refused!(KeysetError::Empty)),
        (
            "neither keys nor a primary",
            0,
            vec![],
            refused!(KeysetError::Empty),
        ),
        (
            "a primary id that names no key",
            43,
            vec![good()],
            refused!(KeysetError::NoPrimary { id } if id.value() == 43),
        ),
        (
            "no primary id, and no key 0",
            0,
            vec![good()],
            refused!(KeysetError::NoPrimary { id } if id.value() == 0),
        ),
        (
            "a disabled primary",
            42,
            vec![good().status(DISABLED), other()],
            refused!(KeysetError::PrimaryNotEnabled { id } if id.value() == 42),
        ),
        (
            "a destroyed primary",
            42,
            vec![good().status(DESTROYED).with_empty_data(), other()],
            refused!(KeysetError::PrimaryNotEnabled { id } if id.value() == 42),
        ),
        (
            "no enabled key at all",
            42,
            vec![good().status(DISABLED), other().status(DESTROYED)],
            refused!(KeysetError::PrimaryNotEnabled { .. }),
        ),
    ]);
    for format in FORMATS {
        assert!(read(b"", format).is_err(), "no bytes");
    }
    assert_eq!(read(b"", Format::Binary).err(), Some(KeysetError::Empty));
    assert_eq!(read(b"{}", Format::Json).err(), Some(KeysetError::Empty));
}

#[test]
fn ids_are_unique_and_any_number_of_32_bits() {
    use prefix::{CRUNCHY, RAW, TINK};
    use status::{DESTROYED, DISABLED};
    let mut rows = vec![
        ("id 0", 0, vec![FileKey::aes_gcm(0)], Usable),
        (
            "id 0 beside others",
            42,
            vec![FileKey::aes_gcm(0), good()],
            Usable,
        ),
        (
            "the highest id",
            0xffff_ffff,
            vec![FileKey::aes_gcm(0xffff_ffff)],
            Usable,
        ),
    ];
    let twice = |first: FileKey, second: FileKey| {
        ["the primary id twice", "another id twice"].map(|name| {
            let (primary, mut keys) = (FileKey::aes_gcm(9), vec![first.clone(), second.clone()]);
            if name == "another id twice" {
                keys.insert(1, primary);
                (
                    name,
                    9,
                    keys,
                    refused!(KeysetError::DuplicateId { id } if id.value() == 42),
                )
            } else {
                (
                    name,
                    42,
                    keys,
                    refused!(KeysetError::DuplicateId { id } if id.value() == 42),
                )
            }
        })
    };
    rows.extend(twice(good(), good()));
    rows.extend(twice(good().prefix(TINK), good().prefix(RAW)));
    rows.extend(twice(good().prefix(RAW), good().prefix(CRUNCHY)));
    rows.extend(twice(good(), good().status(DISABLED)));
    rows.extend(twice(good().status(DISABLED), good()));
    rows.extend(twice(good(), good().status(DESTROYED).with_empty_data()));
    rows.extend(twice(good(), unknown_type(42).status(DISABLED)));
    check(rows);
}

#[test]
fn a_status_is_enabled_disabled_or_destroyed() {
    let mut rows = Vec::new();
    for number in [0, 4, 5, 99, 0x7fff_ffff] {
        for keys in [
            vec![good().status(number)],
            vec![good(), other().status(number)],
        ] {
            rows.push((
                "an unknown status",
                42,
                keys,
                refused!(KeysetError::UnknownStatus { found, .. } if !(1..=3).contains(found)),
            ));
        }
    }
    check(rows);
}

#[test]
fn an_output_prefix_is_one_of_four_whatever_the_status() {
    use status::{DESTROYED, DISABLED, ENABLED};
    let mut rows = Vec::new();
    for number in 1..=4 {
        rows.push(("a prefix", 42, vec![good().prefix(number)], Usable));
        for status in [ENABLED, DISABLED, DESTROYED] {
            let keys = vec![good(), other().prefix(number).status(status)];
            rows.push(("a prefix beside the primary", 42, keys, Usable));
        }
    }
    for number in [0, 5, 6, 99, 0x7fff_ffff] {
        let wrong =
            || refused!(KeysetError::UnknownPrefix { found, .. } if !(1..=4).contains(found));
        rows.push(("no prefix", 42, vec![good().prefix(number)], wrong()));
        for status in [ENABLED, DISABLED, DESTROYED] {
            let keys = vec![good(), other().prefix(number).status(status)];
            rows.push(("no prefix beside the primary", 42, keys, wrong()));
            if number != prefix::WITH_ID_REQUIREMENT {
                let keys = vec![good(), unknown_type(7).prefix(number).status(status)];
                rows.push(("no prefix on an unknown type", 42, keys, wrong()));
            }
        }
    }
    check(rows);
}

#[test]
fn the_prefix_type_of_pre_hash_signatures_is_kept_on_a_key_of_an_unknown_type() {
    let of = |status| {
        unknown_type(7)
            .prefix(prefix::WITH_ID_REQUIREMENT)
            .status(status)
    };
    let gone = of(status::DESTROYED).with_empty_data();
    check(vec![
        ("enabled", 42, vec![good(), of(status::ENABLED)], NotAnAead),
        ("disabled", 42, vec![good(), of(status::DISABLED)], Usable),
        ("destroyed", 42, vec![good(), of(status::DESTROYED)], Usable),
        ("destroyed, without data", 42, vec![good(), gone], Usable),
    ]);
}

#[test]
fn key_data_may_be_absent_only_when_the_key_is_destroyed() {
    use status::{DESTROYED, DISABLED};
    let absent = |id| FileKey::aes_gcm(id).without_data();
    let empty = |id| FileKey::aes_gcm(id).with_empty_data();
    let gone = |key: FileKey| vec![good(), key.status(DESTROYED)];
    let no_data = || refused!(KeysetError::NoKeyData { .. });
    check(vec![
        ("absent, enabled, primary", 42, vec![absent(42)], no_data()),
        ("absent, enabled", 42, vec![good(), absent(7)], no_data()),
        (
            "absent, disabled",
            42,
            vec![good(), absent(7).status(DISABLED)],
            no_data(),
        ),
        ("absent, destroyed", 42, gone(absent(7)), Usable),
        ("empty, destroyed", 42, gone(empty(7)), Usable),
        ("stale, destroyed", 42, gone(other()), Usable),
        (
            "stale and malformed, destroyed",
            42,
            gone(other().value([0xff; 9])),
            Usable,
        ),
        (
            "stale with a wrong label, destroyed",
            42,
            gone(other().label(9)),
            Usable,
        ),
        (
            "stale of an unknown type, destroyed",
            42,
            gone(unknown_type(7)),
            Usable,
        ),
        (
            "stale of another primitive, destroyed",
            42,
            gone(hmac(7)),
            Usable,
        ),
        (
            "two destroyed",
            42,
            [gone(absent(7)), gone(empty(8))[1..].to_vec()].concat(),
            Usable,
        ),
        // An empty type URL is an unknown type.
        ("empty, enabled", 42, vec![good(), empty(7)], NotAnAead),
        (
            "empty, disabled",
            42,
            vec![good(), empty(7).status(DISABLED)],
            Usable,
        ),
    ]);
}

#[test]
fn a_malformed_key_of_a_known_type_is_refused_also_when_it_is_disabled() {
    let good_value = Message::new().bytes(3, [7; 16]).0;
    let malformed: [(&str, Vec<u8>); 9] = [
        ("empty", vec![]),
        ("not protobuf", vec![0xff; 20]),
        ("cut short", good_value[..good_value.len() - 1].to_vec()),
        ("a stray zero at the end", [&good_value[..], &[0]].concat()),
        ("no key", Message::new().number(1, 0).0),
        ("an empty key", Message::new().bytes(3, b"").0),
        ("a key of 15 bytes", Message::new().bytes(3, [7; 15]).0),
        ("a key of 24 bytes", Message::new().bytes(3, [7; 24]).0),
        ("version 1", Message::new().number(1, 1).raw(&good_value).0),
    ];
    for (name, value) in malformed {
        let is_key_7 = || refused!(KeysetError::Key { id, .. } if id.value() == 7);
        let is_primary = || refused!(KeysetError::Key { id, .. } if id.value() == 42);
        let bad = other().value(&value);
        check(vec![
            (name, 42, vec![good().value(&value)], is_primary()),
            (name, 42, vec![good(), bad.clone()], is_key_7()),
            (
                name,
                42,
                vec![good(), bad.clone().status(status::DISABLED)],
                is_key_7(),
            ),
            (
                name,
                42,
                vec![good(), bad.status(status::DESTROYED)],
                Usable,
            ),
        ]);
    }
}

#[test]
fn keys_that_are_of_no_use_to_a_primitive_sink_it_when_they_are_enabled() {
    use status::DISABLED;
    for useless in [unknown_type, hmac] {
        check(vec![
            ("the primary", 42, vec![useless(42)], NotAnAead),
            ("another", 42, vec![good(), useless(7)], NotAnAead),
            (
                "disabled",
                42,
                vec![good(), useless(7).status(DISABLED)],
                Usable,
            ),
            (
                "disabled, first",
                42,
                vec![useless(7).status(DISABLED), good()],
                Usable,
            ),
        ]);
    }
    // Bytes of an unknown type are kept, whatever they are.
    for value in [&b""[..], b"\0", b"\xff", &[7; 1000]] {
        let key = unknown_type(7).value(value).label(99).status(DISABLED);
        for prefix in 1..=4 {
            check(vec![(
                "kept",
                42,
                vec![good(), key.clone().prefix(prefix)],
                Usable,
            )]);
        }
    }
    // So is a key whose type URL is not one.
    for type_url in [
        "",
        "AesGcmKey",
        "type.googleapis.com/google.crypto.tink.aesgcmkey",
        "é",
    ] {
        let key = other().type_url(type_url).status(DISABLED);
        check(vec![("kept", 42, vec![good(), key], Usable)]);
    }
}
