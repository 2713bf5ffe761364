//! Streams: every way to write one, every way to read one, every size around an edge.

use std::{
    io::{self, Cursor, Read as _, Write as _},
    num::NonZeroUsize,
    sync::Mutex,
};

use keyseal::{
    Hash, Key, KeyTypes, KeysetHandle, KeysetStreamingAead, Provider, SecretAccess, SecretBytes,
    StreamingAead as _, Variant,
    key::{
        Template,
        aes_ctr_hmac_streaming::{AesCtrHmacStreamingKey, AesCtrHmacStreamingParameters},
        aes_gcm_hkdf_streaming::{AesGcmHkdfStreamingKey, AesGcmHkdfStreamingParameters},
    },
    streaming::{self, RandomAccess, ReadAt as _, SeekableReader},
};

pub(crate) const AAD: &[u8] = b"associated data";

/// A streaming AEAD with its name.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) aead: KeysetStreamingAead,
}

pub(crate) fn gcm(derived: usize, segment: usize) -> Key {
    let parameters = AesGcmHkdfStreamingParameters::new(derived, segment).unwrap();
    Key::generate_with(&parameters, Variant::Raw).unwrap()
}

pub(crate) fn ctr(derived: usize, segment: usize, hash: Hash, tag: usize) -> Key {
    let parameters = AesCtrHmacStreamingParameters::new(derived, 4096)
        .and_then(|start| start.with_tag(hash, tag))
        .and_then(|start| start.with_segment_size(segment))
        .unwrap();
    Key::generate_with(&parameters, Variant::Raw).unwrap()
}

pub(crate) fn aead(key: Key) -> KeysetStreamingAead {
    KeysetHandle::new(key).unwrap().primitive().unwrap()
}

/// Both types, with tiny segments, among them the smallest.
pub(crate) fn tiny() -> Vec<Kind> {
    [
        ("AES-GCM, 64 bytes", gcm(16, 64)),
        ("AES-GCM, the smallest", gcm(32, 57)),
        ("AES-CTR-HMAC, 80 bytes", ctr(32, 80, Hash::Sha256, 32)),
        ("AES-CTR-HMAC, the smallest", ctr(16, 35, Hash::Sha1, 10)),
    ]
    .into_iter()
    .map(|(name, key)| Kind {
        name,
        aead: aead(key),
    })
    .collect()
}

/// Both types, with segments of 4 KiB.
pub(crate) fn small() -> Vec<Kind> {
    ["AES128_GCM_HKDF_4KB", "AES256_CTR_HMAC_SHA256_4KB"]
        .into_iter()
        .map(|name| Kind {
            name,
            aead: aead(Key::generate(name).unwrap()),
        })
        .collect()
}

/// Bytes that do not repeat with any period of a power of two.
pub(crate) fn plaintext(size: usize) -> Vec<u8> {
    (0..=250).cycle().take(size).collect()
}

/// The plaintext that fills exactly so many segments.
pub(crate) fn full(aead: &KeysetStreamingAead, segments: u64) -> usize {
    let capacity = |index| aead.layout().segment_capacity(index);
    (0..segments).map(capacity).sum()
}

pub(crate) fn seal(aead: &KeysetStreamingAead, plaintext: &[u8]) -> Vec<u8> {
    let mut writer = aead.encrypting_writer(Vec::new(), AAD).unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap()
}

/// Seals full segments and a last one that is empty, as no writer does.
pub(crate) fn seal_with_an_empty_end(aead: &KeysetStreamingAead, segments: u64) -> Vec<u8> {
    let mut sealer = aead.sealer(AAD).unwrap();
    let mut stream = sealer.header().to_vec();
    for _ in 0..segments {
        let full = vec![7; sealer.capacity()];
        sealer.seal(&full, &mut stream).unwrap();
    }
    sealer.seal_last(&[], &mut stream).unwrap();
    stream
}

pub(crate) fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

type Way = fn(&KeysetStreamingAead, &[u8], &[u8]) -> io::Result<Vec<u8>>;

/// Every way to decrypt a stream, given with its associated data.
pub(crate) const WAYS: &[(&str, Way)] = &[
    ("reader", |aead, stream, aad| {
        let mut plaintext = Vec::new();
        aead.decrypting_reader(stream, aad)
            .read_to_end(&mut plaintext)?;
        Ok(plaintext)
    }),
    ("opener", |aead, mut stream, aad| {
        let mut plaintext = Vec::new();
        let mut opener = aead.opener(aad);
        loop {
            let consumed = opener.open(stream, &mut plaintext)?;
            if consumed == 0 {
                break;
            }
            stream = &stream[consumed..];
        }
        opener.open_last(stream, &mut plaintext)?;
        Ok(plaintext)
    }),
    ("slice", |aead, stream, aad| {
        Ok(streaming::decrypt_slice(
            aead.opener(aad),
            stream,
            threads(1),
        )?)
    }),
    ("slice, three threads", |aead, stream, aad| {
        Ok(streaming::decrypt_slice(
            aead.opener(aad),
            stream,
            threads(3),
        )?)
    }),
    ("parallel", |aead, stream, aad| {
        let sink = Mutex::new(Cursor::new(Vec::new()));
        let size = streaming::decrypt_parallel(aead.opener(aad), stream, &sink, threads(2))?;
        let plaintext = sink.into_inner().unwrap().into_inner();
        assert_eq!(plaintext.len() as u64, size);
        Ok(plaintext)
    }),
    ("random access", |aead, stream, aad| {
        let access = RandomAccess::new(aead.opener(aad), stream)?;
        let mut plaintext = vec![0; usize::try_from(access.len()).unwrap()];
        access.read_exact_at(&mut plaintext, 0)?;
        Ok(plaintext)
    }),
    ("seekable", |aead, stream, aad| {
        let mut plaintext = Vec::new();
        SeekableReader::new(aead.opener(aad), stream)?.read_to_end(&mut plaintext)?;
        Ok(plaintext)
    }),
    ("ranges", |aead, stream, aad| {
        let opener = aead.opener(aad);
        let start = &stream[..stream.len().min(opener.start_size())];
        let opener = opener.at(start, stream.len() as u64)?;
        let (size, mut plaintext) = (opener.map().plaintext_size(), Vec::new());
        // One byte more than there is, so that the end is asked for.
        let step = 100.max(size / 10);
        for at in (0..=size).step_by(usize::try_from(step).unwrap()) {
            let plan = opener.map().plan(at..at + step);
            let part = plan.ciphertext();
            let part = usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap();
            opener.open_range(&plan, &stream[part], &mut plaintext)?;
        }
        Ok(plaintext)
    }),
    #[cfg(feature = "tokio")]
    ("tokio", |aead, stream, aad| {
        crate::stream_tokio::read_to_end(aead, stream, aad)
    }),
];

#[track_caller]
pub(crate) fn opens_every_way(kind: &Kind, stream: &[u8], plaintext: &[u8]) {
    for (way, decrypt) in WAYS {
        let opened = decrypt(&kind.aead, stream, AAD).unwrap_or_else(|error| {
            panic!("{}, {way}, {} bytes: {error}", kind.name, plaintext.len())
        });
        assert!(opened == plaintext, "{}, {way}", kind.name);
    }
}

#[track_caller]
pub(crate) fn opens_no_way(kind: &Kind, stream: &[u8], what: impl std::fmt::Display) {
    for (way, decrypt) in WAYS {
        match decrypt(&kind.aead, stream, AAD) {
            Ok(opened) => panic!(
                "{}, {way}, {what}: opened to {} bytes",
                kind.name,
                opened.len()
            ),
            Err(error) => {
                let cause = error.get_ref().map(ToString::to_string);
                assert_eq!(
                    (error.kind(), cause.as_deref()),
                    (io::ErrorKind::InvalidData, Some("decryption failed")),
                    "{}, {way}, {what}",
                    kind.name
                );
            }
        }
    }
}

#[test]
fn every_template_round_trips_with_every_provider() {
    let mut templates = 0;
    for template in KeyTypes::default().templates() {
        let keyset = KeysetHandle::generate(template.name()).unwrap();
        if keyset.primitive::<KeysetStreamingAead>().is_ok() {
            every_provider_round_trips(&keyset, &template);
            templates += 1;
        }
    }
    assert!(templates >= 8, "only {templates} templates");
}

fn every_provider_round_trips(keyset: &KeysetHandle, template: &Template) {
    for &provider in Provider::ALL {
        let aead: KeysetStreamingAead = keyset.primitive_with(provider).unwrap();
        let stream = seal(&aead, b"plaintext");
        assert_eq!(stream.len(), 9 + template.overhead(), "{}", template.name());
        for &other in Provider::ALL {
            let kind = Kind {
                name: template.name(),
                aead: keyset.primitive_with(other).unwrap(),
            };
            opens_every_way(&kind, &stream, b"plaintext");
        }
    }
}

#[test]
fn every_size_around_an_edge_round_trips_every_way() {
    for kind in tiny().into_iter().chain(small()) {
        for segments in 0..=4 {
            let edge = full(&kind.aead, segments);
            for size in edge.saturating_sub(1)..=edge + 1 {
                let plaintext = plaintext(size);
                let stream = seal(&kind.aead, &plaintext);
                let layout = kind.aead.layout();
                assert_eq!(
                    layout.ciphertext_size(size as u64),
                    Some(stream.len() as u64)
                );
                assert_eq!(
                    layout.plaintext_size(stream.len() as u64),
                    Some(size as u64)
                );
                opens_every_way(&kind, &stream, &plaintext);
            }
        }
    }
}

#[test]
fn segments_that_are_sealed_in_any_order_make_a_stream() {
    for kind in tiny().into_iter().chain(small()) {
        for size in [
            0,
            1,
            full(&kind.aead, 1),
            full(&kind.aead, 3),
            full(&kind.aead, 4) + 1,
        ] {
            let plaintext = plaintext(size);
            let stream_size = kind.aead.layout().ciphertext_size(size as u64).unwrap();
            let map = kind.aead.layout().map(stream_size).unwrap();
            let mut sealer = kind.aead.sealer(AAD).unwrap();
            let mut stream = sealer.header().to_vec();
            let mut first = 0;
            // The first one in order, where it is not the last.
            if map.segments() > 1 {
                let part = &plaintext[..sealer.capacity()];
                sealer.seal(part, &mut stream).unwrap();
                first = 1;
            }
            let sealer = sealer.into_segments();
            let mut parts: Vec<_> = (first..map.segments())
                .rev()
                .map(|index| {
                    let part = map.plaintext(index);
                    let part = &plaintext
                        [usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap()];
                    let mut out = Vec::new();
                    assert!(!sealer.is_complete());
                    if index + 1 == map.segments() {
                        sealer.seal_last(index, part, &mut out).unwrap();
                    } else {
                        sealer.seal(index, part, &mut out).unwrap();
                    }
                    out
                })
                .collect();
            assert!(sealer.is_complete());
            parts.reverse();
            stream.extend(parts.concat());
            opens_every_way(&kind, &stream, &plaintext);
        }
    }
}

#[test]
fn a_last_segment_that_is_full_is_not_followed_by_an_empty_one() {
    for kind in tiny() {
        for segments in 1..=4 {
            let stream = seal(&kind.aead, &plaintext(full(&kind.aead, segments)));
            let segment_size = kind.aead.layout().segment_size() as u64;
            assert_eq!(stream.len() as u64, segments * segment_size);
        }
    }
}

#[test]
fn a_last_segment_that_is_empty_after_full_ones_is_accepted() {
    for kind in tiny().into_iter().chain(small()) {
        for segments in 0..=4 {
            let stream = seal_with_an_empty_end(&kind.aead, segments);
            opens_every_way(&kind, &stream, &vec![7; full(&kind.aead, segments)]);
        }
    }
}

#[test]
fn known_answers_open_every_way() {
    let vectors = include_str!("../vectors/published/streaming_aead.txt");
    let bytes = |hex: &str| hex::decode(hex.trim_start_matches('-')).unwrap();
    let number = |text: &str| text.parse::<usize>().unwrap();
    let hash = |name: &str| {
        let mut all = Hash::ALL.into_iter();
        all.find(|hash| hash.to_string() == name).unwrap()
    };
    let mut ran = 0;
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let [
            name,
            key,
            derived,
            hkdf,
            segment,
            hmac,
            tag,
            plaintext,
            aad,
            stream,
        ] = *line.split(' ').collect::<Vec<_>>()
        else {
            panic!("a line has ten fields: {line}");
        };
        let key = SecretBytes::copy_from(&bytes(key), SecretAccess::insecure());
        let (derived, segment) = (number(derived), number(segment));
        let key = if name == "AES-GCM-HKDF" {
            let parameters = AesGcmHkdfStreamingParameters::new(derived, segment)
                .and_then(|start| start.with_key_size(key.len()))
                .and_then(|start| start.with_hkdf_hash(hash(hkdf)))
                .unwrap();
            Key::new(
                AesGcmHkdfStreamingKey::new(parameters, key).unwrap(),
                Variant::Raw,
            )
        } else {
            let parameters = AesCtrHmacStreamingParameters::new(derived, 4096)
                .and_then(|start| start.with_tag(hash(hmac), number(tag)))
                .and_then(|start| start.with_segment_size(segment))
                .and_then(|start| start.with_key_size(key.len()))
                .and_then(|start| start.with_hkdf_hash(hash(hkdf)))
                .unwrap();
            Key::new(
                AesCtrHmacStreamingKey::new(parameters, key).unwrap(),
                Variant::Raw,
            )
        };
        let keyset = KeysetHandle::new(key.unwrap()).unwrap();
        for &provider in Provider::ALL {
            let aead: KeysetStreamingAead = keyset.primitive_with(provider).unwrap();
            for (way, decrypt) in WAYS {
                let opened = decrypt(&aead, &bytes(stream), &bytes(aad));
                assert_eq!(opened.unwrap(), bytes(plaintext), "{way}: {line}");
                assert!(decrypt(&aead, &bytes(stream), b"other").is_err(), "{way}");
            }
        }
        ran += 1;
    }
    assert_eq!(ran, 7);
}

#[test]
fn associated_data_of_any_size_is_authenticated() {
    for kind in tiny() {
        for size in [0, 1, 64, 65_536, 1 << 20] {
            let aad = plaintext(size);
            let mut writer = kind.aead.encrypting_writer(Vec::new(), &aad).unwrap();
            writer.write_all(b"plaintext").unwrap();
            let stream = writer.finish().unwrap();
            let mut longer = aad.clone();
            longer.push(0);
            for (way, decrypt) in WAYS {
                assert_eq!(
                    decrypt(&kind.aead, &stream, &aad).unwrap(),
                    b"plaintext",
                    "{way}"
                );
                assert!(decrypt(&kind.aead, &stream, &longer).is_err(), "{way}");
                if let Some((_, shorter)) = aad.split_first() {
                    assert!(decrypt(&kind.aead, &stream, shorter).is_err(), "{way}");
                }
            }
        }
    }
}

#[test]
fn two_streams_of_one_plaintext_differ_everywhere() {
    for kind in tiny() {
        let (a, b) = (
            seal(&kind.aead, &plaintext(100)),
            seal(&kind.aead, &plaintext(100)),
        );
        let header = kind.aead.layout().header_size();
        assert_eq!(usize::from(a[0]), header);
        assert_ne!(a[1..header - 7], b[1..header - 7], "salts");
        assert_ne!(a[header - 7..header], b[header - 7..header], "prefixes");
        assert_ne!(a[header..], b[header..]);
    }
}
