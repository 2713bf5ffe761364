//! Streaming keys: parameters, templates, files, several keys in a keyset.

use keyseal::{
    Aead as _, Hash, Key, KeyError, KeyTypes, KeysetAead, KeysetError, KeysetHandle,
    KeysetStreamingAead, SecretAccess, StreamingAead as _, Variant,
    key::{
        KeyTemplate,
        aes_ctr_hmac_streaming::{AesCtrHmacStreamingKey, AesCtrHmacStreamingParameters},
        aes_gcm_hkdf_streaming::{AesGcmHkdfStreamingKey, AesGcmHkdfStreamingParameters},
    },
    keyset::Format,
};

use crate::stream::{AAD, Kind, ctr, full, gcm, opens_every_way, opens_no_way, plaintext, seal};

const PREFIX: &str = "type.googleapis.com/google.crypto.tink.";

#[test]
fn templates_are_those_of_tink() {
    let templates = [
        ("AES128_GCM_HKDF_4KB", "0a07088020101018031010", 40),
        ("AES128_GCM_HKDF_1MB", "0a0808808040101018031010", 40),
        ("AES256_GCM_HKDF_4KB", "0a07088020102018031020", 56),
        ("AES256_GCM_HKDF_1MB", "0a0808808040102018031020", 56),
        (
            "AES128_CTR_HMAC_SHA256_4KB",
            "0a0d088020101018032204080310201010",
            56,
        ),
        (
            "AES128_CTR_HMAC_SHA256_1MB",
            "0a0e08808040101018032204080310201010",
            56,
        ),
        (
            "AES256_CTR_HMAC_SHA256_4KB",
            "0a0d088020102018032204080310201020",
            72,
        ),
        (
            "AES256_CTR_HMAC_SHA256_1MB",
            "0a0e08808040102018032204080310201020",
            72,
        ),
    ];
    for (name, value, overhead) in templates {
        let template = KeyTypes::default().template(name).unwrap();
        assert_eq!(hex::encode(template.key_template().value()), value);
        assert_eq!(template.key_template().variant(), Variant::Raw);
        assert_eq!(template.overhead(), overhead, "{name}");
        let key = Key::generate(name).unwrap();
        assert_eq!(key.template().as_ref(), Some(template.key_template()));
    }
}

#[test]
fn segment_sizes_are_accepted_from_the_least_to_the_most() {
    let accepts_gcm =
        |derived, segment| AesGcmHkdfStreamingParameters::new(derived, segment).is_ok();
    let accepts_ctr = |derived, segment, hash, tag| {
        AesCtrHmacStreamingParameters::new(derived, 4096)
            .and_then(|start| start.with_tag(hash, tag))
            .and_then(|start| start.with_segment_size(segment))
            .is_ok()
    };
    for (derived, least) in [(16, 41), (32, 57)] {
        assert!(!accepts_gcm(derived, least - 1));
        assert!(accepts_gcm(derived, least));
        assert!(accepts_gcm(derived, (1 << 31) - 1));
        assert!(!accepts_gcm(derived, 1 << 31));
        for (hash, tag) in [
            (Hash::Sha256, 32),
            (Hash::Sha256, 10),
            (Hash::Sha1, 20),
            (Hash::Sha512, 64),
        ] {
            let least = derived + tag + 9;
            assert!(!accepts_ctr(derived, least - 1, hash, tag));
            assert!(accepts_ctr(derived, least, hash, tag));
            assert!(accepts_ctr(derived, (1 << 31) - 1, hash, tag));
            assert!(!accepts_ctr(derived, 1 << 31, hash, tag));
        }
    }
}

#[test]
fn other_parameters_are_refused() {
    let gcm = AesGcmHkdfStreamingParameters::new(32, 4096).unwrap();
    let ctr = AesCtrHmacStreamingParameters::new(32, 4096).unwrap();
    for derived in [0, 15, 17, 24, 31, 33, 64, usize::MAX] {
        assert!(AesGcmHkdfStreamingParameters::new(derived, 4096).is_err());
        assert!(AesCtrHmacStreamingParameters::new(derived, 4096).is_err());
    }
    for hash in Hash::ALL {
        let legal = !matches!(hash, Hash::Sha224 | Hash::Sha384);
        assert_eq!(gcm.with_hkdf_hash(hash).is_ok(), legal, "{hash}");
        assert_eq!(ctr.with_hkdf_hash(hash).is_ok(), legal, "{hash}");
        let digest = hash.digest_size();
        for (tag, in_range) in [(9, false), (10, true), (digest, true), (digest + 1, false)] {
            assert_eq!(ctr.with_tag(hash, tag).is_ok(), legal && in_range, "{hash}");
        }
    }
    assert!(gcm.with_key_size(31).is_err() && ctr.with_key_size(31).is_err());
    assert!(gcm.with_key_size(1000).is_ok() && ctr.with_key_size(1000).is_ok());
}

/// A varint field.
fn number(field: u8, value: u64) -> Vec<u8> {
    let mut bytes = vec![field << 3];
    let mut rest = value;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

/// A bytes or message field.
fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = number(field, value.len() as u64);
    bytes[0] |= 2;
    bytes.extend_from_slice(value);
    bytes
}

fn params(segment: u64, derived: u64, hkdf: u64, hmac: Option<(u64, u64)>) -> Vec<u8> {
    let hmac = hmac.map(|(hash, tag)| bytes(4, &[number(1, hash), number(2, tag)].concat()));
    [
        number(1, segment),
        number(2, derived),
        number(3, hkdf),
        hmac.unwrap_or_default(),
    ]
    .concat()
}

fn read_key(kind: &str, version: u64, params: &[u8], key: usize) -> Result<(), KeysetError> {
    let message = [
        number(1, version),
        bytes(2, params),
        bytes(3, &vec![7; key]),
    ]
    .concat();
    let data = [
        bytes(1, format!("{PREFIX}{kind}").as_bytes()),
        bytes(2, &message),
        number(3, 1),
    ]
    .concat();
    let key = [bytes(1, &data), number(2, 1), number(3, 42), number(4, 3)].concat();
    let keyset = [number(1, 42), bytes(2, &key)].concat();
    let access = SecretAccess::insecure();
    let keyset = KeysetHandle::read_cleartext(&keyset, Format::Binary, access)?;
    keyset.primitive::<KeysetStreamingAead>().map(|_| ())
}

fn read_format(kind: &str, version: u64, params: &[u8], key_size: u64) -> Result<(), KeyError> {
    let value = [bytes(1, params), number(2, key_size), number(3, version)].concat();
    let template = KeyTemplate::new(format!("{PREFIX}{kind}"), value, Variant::Raw);
    KeyTypes::default().generate_from(&template).map(|_| ())
}

#[test]
fn keys_and_formats_are_held_to_the_limits() {
    const GCM: &str = "AesGcmHkdfStreamingKey";
    const CTR: &str = "AesCtrHmacStreamingKey";
    let sha256 = Some((3, 32));
    // kind, version, parameters, key size, whether it is legal
    let cases = [
        (GCM, 0, params(4096, 16, 3, None), 16, true),
        (GCM, 0, params(4096, 16, 1, None), 16, true),
        (GCM, 0, params(4096, 16, 4, None), 99, true),
        (GCM, 0, params(41, 16, 3, None), 16, true),
        (GCM, 0, params(40, 16, 3, None), 16, false),
        (GCM, 0, params((1 << 31) - 1, 32, 3, None), 32, true),
        (GCM, 0, params(1 << 31, 32, 3, None), 32, false),
        (GCM, 0, params(u64::from(u32::MAX), 32, 3, None), 32, false),
        (GCM, 1, params(4096, 16, 3, None), 16, false),
        (GCM, 0, params(4096, 16, 0, None), 16, false),
        (GCM, 0, params(4096, 16, 2, None), 16, false),
        (GCM, 0, params(4096, 16, 5, None), 16, false),
        (GCM, 0, params(4096, 24, 3, None), 32, false),
        (GCM, 0, params(4096, 32, 3, None), 31, false),
        (GCM, 0, Vec::new(), 32, false),
        (CTR, 0, params(4096, 16, 3, sha256), 16, true),
        (CTR, 0, params(57, 16, 3, sha256), 16, true),
        (CTR, 0, params(56, 16, 3, sha256), 16, false),
        (CTR, 0, params(4096, 16, 1, Some((1, 20))), 16, true),
        (CTR, 0, params(4096, 16, 1, Some((1, 21))), 16, false),
        (CTR, 0, params(4096, 32, 4, Some((4, 64))), 32, true),
        (CTR, 0, params(4096, 32, 4, Some((4, 65))), 32, false),
        (CTR, 0, params(4096, 32, 4, Some((3, 10))), 32, true),
        (CTR, 0, params(4096, 32, 4, Some((3, 9))), 32, false),
        (CTR, 0, params(4096, 32, 4, Some((2, 32))), 32, false),
        (CTR, 0, params(4096, 32, 4, Some((5, 20))), 32, false),
        (CTR, 0, params(4096, 32, 4, Some((0, 20))), 32, false),
        (CTR, 0, params(4096, 32, 2, sha256), 32, false),
        (CTR, 0, params(4096, 32, 3, None), 32, false),
        (CTR, 1, params(4096, 16, 3, sha256), 16, false),
        (CTR, 0, params(1 << 31, 16, 3, sha256), 16, false),
        (CTR, 0, params(4096, 16, 3, sha256), 15, false),
    ];
    for (kind, version, params, key_size, legal) in cases {
        let what = format!("{kind} {} {key_size}", hex::encode(&params));
        let read = read_key(kind, version, &params, key_size);
        assert_eq!(read.is_ok(), legal, "{what}: {read:?}");
        let generated = read_format(kind, version, &params, key_size as u64);
        assert_eq!(generated.is_ok(), legal, "{what}: {generated:?}");
    }
}

#[test]
fn a_key_is_written_as_it_was_read() {
    let access = SecretAccess::insecure();
    for key in [gcm(32, 12_345), ctr(16, 35, Hash::Sha1, 10)] {
        for variant in Variant::ALL {
            // The prefix type means nothing to streams, and stays in the file.
            let template = key.template().unwrap().with_variant(variant);
            let key = KeyTypes::default().generate_from(&template).unwrap();
            let keyset = KeysetHandle::new(key).unwrap();
            let file = keyset.write_cleartext(Format::Binary, access);
            let read =
                KeysetHandle::read_cleartext(file.expose(access), Format::Binary, access).unwrap();
            let again = read.write_cleartext(Format::Binary, access);
            assert_eq!(again, file);
            assert_eq!(read.entries().next().unwrap().variant(), variant);

            let aead: KeysetStreamingAead = keyset.primitive().unwrap();
            let stream = seal(&aead, &plaintext(500));
            assert_eq!(usize::from(stream[0]), aead.layout().header_size());
            let kind = Kind {
                name: variant.name(),
                aead: read.primitive().unwrap(),
            };
            opens_every_way(&kind, &stream, &plaintext(500));
        }
    }
}

#[test]
fn typed_keys_give_back_what_they_were_made_of() {
    let key = gcm(16, 64);
    let typed = key.downcast_ref::<AesGcmHkdfStreamingKey>().unwrap();
    let parameters = typed.parameters();
    assert_eq!(
        (parameters.key_size(), parameters.derived_key_size()),
        (16, 16)
    );
    assert_eq!(
        (parameters.segment_size(), parameters.hkdf_hash()),
        (64, Hash::Sha256)
    );
    assert_eq!(typed.key().len(), 16);
    let longer = AesGcmHkdfStreamingParameters::new(32, 64).unwrap();
    assert!(AesGcmHkdfStreamingKey::new(longer, typed.key().clone()).is_err());

    let key = ctr(32, 80, Hash::Sha512, 20);
    let typed = key.downcast_ref::<AesCtrHmacStreamingKey>().unwrap();
    let parameters = typed.parameters();
    assert_eq!(
        (parameters.hmac_hash(), parameters.tag_size()),
        (Hash::Sha512, 20)
    );
    assert_eq!(
        (parameters.segment_size(), parameters.hkdf_hash()),
        (80, Hash::Sha256)
    );
    let shorter = AesCtrHmacStreamingParameters::new(16, 80).unwrap();
    assert!(AesCtrHmacStreamingKey::new(shorter, typed.key().clone()).is_err());
}

/// Keys of both types, of both header sizes, of segments small and large.
fn many() -> Vec<Key> {
    vec![
        gcm(16, 64),
        gcm(32, 4096),
        ctr(16, 64, Hash::Sha256, 16),
        ctr(32, 4096, Hash::Sha512, 64),
        gcm(16, 1 << 20),
        ctr(32, 100, Hash::Sha1, 20),
        gcm(16, 64),
        gcm(32, (1 << 31) - 1),
    ]
}

#[test]
fn every_key_of_a_keyset_opens_its_streams() {
    let mut keys = many().into_iter();
    let mut keyset = KeysetHandle::new(keys.next().unwrap()).unwrap();
    let mut streams = Vec::new();
    loop {
        let aead: KeysetStreamingAead = keyset.primitive().unwrap();
        for size in [0, 1, full(&aead, 1).min(5000), 10_000] {
            let plaintext = plaintext(size);
            streams.push((keyset.primary_id(), seal(&aead, &plaintext), plaintext));
        }
        match keys.next() {
            Some(key) => keyset.rotate(key).unwrap(),
            None => break,
        };
    }
    let all = |keyset: &KeysetHandle| Kind {
        name: "many keys",
        aead: keyset.primitive().unwrap(),
    };
    let kind = all(&keyset);
    for (_, stream, plaintext) in &streams {
        opens_every_way(&kind, stream, plaintext);
        opens_no_way(&kind, &stream[..stream.len() - 1], "cut");
    }
    // A disabled key opens nothing.
    let ids: Vec<_> = keyset.entries().map(|entry| entry.id()).collect();
    for id in ids {
        if id == keyset.primary_id() {
            continue;
        }
        keyset.disable(id).unwrap();
        let kind = all(&keyset);
        for (by, stream, plaintext) in &streams {
            if *by == id {
                opens_no_way(&kind, stream, "its key is disabled");
            } else {
                opens_every_way(&kind, stream, plaintext);
            }
        }
        keyset.enable(id).unwrap();
    }
}

#[test]
fn an_opener_asks_for_no_more_than_the_smallest_key_needs() {
    let mut keyset = KeysetHandle::new(gcm(32, (1 << 31) - 1)).unwrap();
    keyset.rotate(gcm(16, 64)).unwrap();
    keyset.add(gcm(16, 1 << 20)).unwrap();
    let aead: KeysetStreamingAead = keyset.primitive().unwrap();
    let stream = seal(&aead, &plaintext(1000));
    let mut opener = aead.opener(AAD);
    assert_eq!(opener.wants(), 65);
    let mut opened = Vec::new();
    assert_eq!(opener.open(&stream[..64], &mut opened).unwrap(), 0);
    assert_eq!(opener.open(&stream[..65], &mut opened).unwrap(), 64);
    assert_eq!(opened, plaintext(1000)[..opened.len()]);
}

#[test]
fn an_opener_gives_up_at_a_header_of_no_key() {
    let mut keyset = KeysetHandle::new(gcm(16, 64)).unwrap();
    keyset.add(gcm(16, 4096)).unwrap();
    let aead: KeysetStreamingAead = keyset.primitive().unwrap();
    for first in (0..=255).filter(|first| *first != 24) {
        let mut opener = aead.opener(AAD);
        assert!(opener.open(&[first], &mut Vec::new()).is_err());
        assert_eq!(opener.wants(), 0, "it has failed for ever");
        assert!(opener.open(&seal(&aead, b""), &mut Vec::new()).is_err());
        assert!(
            opener
                .open_last(&seal(&aead, b""), &mut Vec::new())
                .is_err()
        );
    }
}

#[test]
fn an_opener_that_has_begun_is_not_for_random_access() {
    let aead = crate::stream::aead(gcm(16, 64));
    let stream = seal(&aead, &plaintext(1000));
    let mut opener = aead.opener(AAD);
    assert_eq!(opener.open(&stream, &mut Vec::new()).unwrap(), 64);
    assert!(opener.at(&stream, stream.len() as u64).is_err());
}

#[test]
fn keys_of_other_kinds_do_not_mix_with_streaming_keys() {
    let wrong = |keyset: &KeysetHandle| {
        matches!(
            keyset.primitive::<KeysetStreamingAead>(),
            Err(KeysetError::WrongPrimitive { .. })
        ) || matches!(
            keyset.primitive::<KeysetAead>(),
            Err(KeysetError::WrongPrimitive { .. })
        )
    };
    let mut keyset = KeysetHandle::generate("AES256_GCM_HKDF_4KB").unwrap();
    assert!(wrong(&keyset));
    assert!(keyset.primitive::<KeysetStreamingAead>().is_ok());
    let other = Key::generate("AES256_GCM").unwrap();
    let id = keyset.add_of_any_kind(other).unwrap();
    assert!(keyset.primitive::<KeysetStreamingAead>().is_err());
    keyset.disable(id).unwrap();
    assert!(keyset.primitive::<KeysetStreamingAead>().is_ok());
    let aead: KeysetAead = KeysetHandle::generate("AES256_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    assert!(aead.encrypt(b"", b"").is_ok());
}
