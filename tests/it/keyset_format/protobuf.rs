//! Protobuf that no Tink writes, and every Tink reads or refuses in the same way.

use keyseal::{
    Aead as _, Key, KeyTypes, KeysetAead, KeysetError, KeysetHandle, Variant,
    key::{KeyTemplate, aes_ctr_hmac::AesCtrHmacKey},
    keyset::Format,
};

use crate::support::{ACCESS, Message, read, url};

/// The messages of a file that holds an AES-CTR-HMAC key, the outermost first: keyset, key, key
/// data, key message, AES-CTR key, its parameters, HMAC key, its parameters.
const LEVELS: usize = 8;

/// Numbers of the fields of each message that are varints, and of those that are not.
const FIELDS: [(&[u32], &[u32]); LEVELS] = [
    (&[1], &[2]),
    (&[2, 3, 4], &[1]),
    (&[3], &[1, 2]),
    (&[1], &[2, 3]),
    (&[1], &[2, 3]),
    (&[1], &[]),
    (&[1], &[2, 3]),
    (&[1, 2], &[]),
];

/// Writes the file, with more bytes before or after the fields of one of its messages.
fn with(level: usize, before: &[u8], after: &[u8]) -> Vec<u8> {
    let around = |at: usize, message: Message| {
        if at == level {
            Message::new().raw(before).raw(message.0).raw(after)
        } else {
            message
        }
    };
    let aes_params = around(5, Message::new().number(1, 16));
    let aes = around(4, Message::new().message(2, aes_params).bytes(3, [1; 16]));
    let hmac_params = around(7, Message::new().number(1, 3).number(2, 16));
    let hmac = around(6, Message::new().message(2, hmac_params).bytes(3, [2; 32]));
    let value = around(3, Message::new().message(2, aes).message(3, hmac));
    let data = Message::new()
        .bytes(1, url("AesCtrHmacAeadKey"))
        .message(2, value)
        .number(3, 1);
    let key = Message::new()
        .message(1, around(2, data))
        .number(2, 1)
        .number(3, 42)
        .number(4, 1);
    around(0, Message::new().number(1, 42).message(2, around(1, key))).0
}

fn assert_is_the_plain_one(file: &[u8]) {
    let keyset = read(file, Format::Binary)
        .unwrap_or_else(|error| panic!("{}: {error:?}", hex::encode(file)));
    assert_eq!(keyset.primary_id().value(), 42);
    assert_eq!(keyset.len(), 1);
    let entry = keyset.entries().next().unwrap();
    assert_eq!((entry.id().value(), entry.variant()), (42, Variant::Tink));
    let key: &AesCtrHmacKey = entry.key().and_then(Key::downcast_ref).unwrap();
    assert_eq!(key.aes_key().expose(ACCESS), [1; 16]);
    assert_eq!(key.hmac_key().expose(ACCESS), [2; 32]);
    assert_eq!(
        (key.parameters().iv_size(), key.parameters().tag_size()),
        (16, 16)
    );
}

fn assert_malformed(file: &[u8]) {
    let error = read(file, Format::Binary).err();
    let inside = matches!(
        error,
        Some(KeysetError::Malformed(_) | KeysetError::Key { .. })
    );
    assert!(inside, "{}: {error:?}", hex::encode(file));
}

#[test]
fn the_file_of_these_tests_is_a_good_one() {
    assert_is_the_plain_one(&with(LEVELS, b"", b""));
}

#[test]
fn unknown_fields_of_every_wire_type_are_ignored_everywhere() {
    let group = Message::new()
        .tag(100, 3)
        .number(1, 7)
        .tag(2, 3)
        .bytes(1, "x")
        .tag(2, 4)
        .tag(100, 4);
    let unknown = [
        Message::new().number(100, 7),
        Message::new().number(100, u64::MAX),
        Message::new().tag(100, 1).raw([1; 8]),
        Message::new().bytes(100, [0xff; 300]),
        Message::new().tag(100, 5).raw([1; 4]),
        Message::new().tag(0x1fff_ffff, 0).varint(1),
        group.clone(),
        group.number(101, 1).bytes(102, ""),
    ];
    for level in 0..LEVELS {
        for Message(unknown) in &unknown {
            assert_is_the_plain_one(&with(level, unknown, b""));
            assert_is_the_plain_one(&with(level, b"", unknown));
        }
    }
}

#[test]
fn known_fields_of_a_wrong_wire_type_are_ignored_everywhere() {
    for (level, (varints, others)) in FIELDS.iter().enumerate() {
        for &field in [*varints, others].concat().iter() {
            let mut wrong = vec![
                Message::new().tag(field, 1).raw([1; 8]),
                Message::new().tag(field, 5).raw([1; 4]),
                Message::new().tag(field, 3).number(1, 7).tag(field, 4),
            ];
            wrong.push(match varints.contains(&field) {
                true => Message::new().bytes(field, [0xff; 3]),
                false => Message::new().number(field, 7),
            });
            for Message(wrong) in wrong {
                assert_is_the_plain_one(&with(level, &wrong, b""));
                assert_is_the_plain_one(&with(level, b"", &wrong));
                assert_is_the_plain_one(&with(level, &wrong, &wrong));
            }
        }
    }
}

#[test]
fn the_last_of_several_scalars_counts() {
    // What comes before the good fields is overwritten by them.
    let overwritten: [(usize, Message); 9] = [
        (0, Message::new().number(1, 7)),
        (1, Message::new().number(2, 3).number(3, 7).number(4, 3)),
        (
            2,
            Message::new()
                .bytes(1, "none")
                .bytes(2, "none")
                .number(3, 4),
        ),
        (3, Message::new().number(1, 1).number(1, 0)),
        (4, Message::new().bytes(3, [9; 32])),
        (5, Message::new().number(1, 12)),
        (6, Message::new().bytes(3, [9; 64])),
        (7, Message::new().number(1, 1).number(2, 10)),
        (4, Message::new().number(1, 1).number(1, 0)),
    ];
    for (level, Message(first)) in overwritten {
        assert_is_the_plain_one(&with(level, &first, b""));
    }
    // And what comes after them overwrites them.
    let error = read(with(0, b"", &Message::new().number(1, 7).0), Format::Binary);
    assert!(matches!(error, Err(KeysetError::NoPrimary { id }) if id.value() == 7));
    let error = read(with(1, b"", &Message::new().number(2, 2).0), Format::Binary);
    assert!(matches!(error, Err(KeysetError::PrimaryNotEnabled { .. })));
}

#[test]
fn repeated_messages_merge_field_by_field() {
    // Parameters and keys in two pieces.
    let aes = Message::new().message(2, Message::new().number(1, 16));
    let aes = [aes.0, Message::new().bytes(3, [1; 16]).0];
    let hmac_params = Message::new().message(2, Message::new().number(1, 3));
    let hmac_params = hmac_params.message(2, Message::new().number(2, 16));
    let hmac = [Message::new().bytes(3, [2; 32]).0, hmac_params.0];
    let value = Message::new()
        .bytes(3, &hmac[0])
        .bytes(2, &aes[1])
        .bytes(3, &hmac[1])
        .bytes(2, &aes[0]);
    // Key data in two pieces, between the key's other fields.
    let key = Message::new()
        .message(1, Message::new().bytes(1, url("AesCtrHmacAeadKey")))
        .number(2, 1)
        .message(1, Message::new().message(2, value))
        .number(3, 42)
        .message(1, Message::new().number(3, 1))
        .number(4, 1);
    let file = Message::new().message(2, key).number(1, 42);
    assert_is_the_plain_one(&file.0);
}

#[test]
fn numbers_may_be_longer_than_they_need_be() {
    for (level, (varints, _)) in FIELDS.iter().enumerate() {
        // Field 1 with a padded tag: 0, or nothing in padded length. The good fields come after it.
        let padded = |wire_type: u8| [0x88 | wire_type, 0x80, 0x00, 0x80, 0x80, 0x00];
        let wire_type = if varints.contains(&1) { 0 } else { 2 };
        assert_is_the_plain_one(&with(level, &padded(wire_type), b""));
    }
    // The primary key id as 42 in ten bytes, and with bits above the 32nd.
    for id in [
        &[0xaa, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00][..],
        &[0xaa, 0x80, 0x80, 0x80, 0x10],
        &[0xaa, 0x80, 0x80, 0x80, 0xf0, 0xff, 0xff, 0xff, 0xff, 0x01],
    ] {
        let after = [&[0x08], id].concat();
        assert_is_the_plain_one(&with(0, b"", &after));
    }
    // A version that is 0 in its low 32 bits is version 0.
    for level in [3, 4, 6] {
        let version = Message::new().number(1, 1 << 32);
        assert_is_the_plain_one(&with(level, b"", &version.0));
        assert_malformed(&with(
            level,
            b"",
            &Message::new().number(1, (1 << 32) + 1).0,
        ));
    }
    for too_long in [[0x80; 11].to_vec(), [&[0xff; 9][..], &[0x02]].concat()] {
        assert_malformed(&with(0, b"", &[&[0x08], &too_long[..], &[0]].concat()));
    }
}

#[test]
fn what_is_not_protobuf_is_refused_everywhere() {
    let broken: &[&[u8]] = &[
        // Field 0; a stray zero byte.
        b"\0",
        b"\0\0",
        b"\x02\0",
        // A tag that ends early, of a wire type that does not exist, of more than 32 bits.
        b"\x88",
        b"\xa6\x06",
        b"\xa7\x06",
        b"\x88\x80\x80\x80\x80\x01\0",
        // A number, a fixed number and bytes that end early.
        b"\xa0\x06",
        b"\xa0\x06\x80",
        b"\xa1\x06\x01\x02\x03",
        b"\xa5\x06\x01",
        b"\xa2\x06\x05x",
        b"\xa2\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xa2\x06\xff\xff\xff\xff\x0f",
        // Groups without an end or a start, and across each other.
        b"\xa3\x06",
        b"\xa4\x06",
        b"\xa3\x06\xac\x06",
        b"\xa3\x06\xab\x06\xa4\x06\xac\x06",
    ];
    for level in 0..LEVELS {
        for broken in broken {
            assert_malformed(&with(level, b"", broken));
        }
    }
    // Groups as deep as the file is long do not overflow the stack.
    let deep = [0xa3, 0x06].repeat(100_000);
    for level in 0..LEVELS {
        assert_malformed(&with(level, b"", &deep));
        let closed = [&deep[..], &[0xa4, 0x06].repeat(100_000)].concat();
        assert_malformed(&with(level, b"", &closed));
    }
}

#[test]
fn a_type_url_that_is_not_utf_8_is_refused() {
    for text in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"type\x80"] {
        // Also where it is overwritten by a good one.
        let wrong = Message::new().bytes(1, text).0;
        assert_malformed(&with(2, &wrong, b""));
        assert_malformed(&with(2, b"", &wrong));
    }
}

#[test]
fn templates_and_encrypted_keysets_are_read_in_the_same_way() {
    let wrong_type = Message::new().bytes(2, "x").tag(3, 1).raw([1; 8]);
    let template = |before: &[u8], after: &[u8]| {
        let value = Message::new().raw(before).number(2, 32).raw(after).0;
        let template = KeyTemplate::new(url("AesGcmKey"), value, Variant::Tink);
        KeyTypes::default().generate_from(&template)
    };
    assert!(template(&wrong_type.0, &wrong_type.0).is_ok());
    assert!(template(b"\x10\x07", b"\x9a\x06\0").is_ok());
    assert!(template(b"", b"\x10\x07").is_err());
    assert!(template(b"", b"\0").is_err());

    let kek: KeysetAead = KeysetHandle::generate("AES128_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    let encrypted = kek.encrypt(&with(LEVELS, b"", b""), b"").unwrap();
    let file = |before: &[u8], after: &[u8]| {
        let file = Message::new().raw(before).bytes(2, &encrypted).raw(after).0;
        KeysetHandle::read_encrypted(&file, Format::Binary, &kek, b"")
    };
    // Field 1 does not exist; field 3 as a number; an older ciphertext that is overwritten.
    for Message(more) in [
        Message::new().bytes(1, [0xff; 5]),
        Message::new().number(3, 7),
        Message::new().number(2, 7),
        Message::new().bytes(2, "old"),
    ] {
        assert!(file(&more, b"").is_ok());
    }
    assert!(file(b"", &Message::new().number(2, 7).0).is_ok());
    assert!(matches!(
        file(b"", &Message::new().bytes(2, "new").0),
        Err(KeysetError::Decrypt(_))
    ));
    for broken in [&b"\0"[..], b"\x1a\x05", b"\x1a\x01\x80", b"\x88"] {
        assert!(matches!(file(b"", broken), Err(KeysetError::Malformed(_))));
    }
}
