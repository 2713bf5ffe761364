//! Streams that were cut, added to, changed or put together from others: none opens.

use std::io::{self, Read as _, Write as _};

use crate::stream::{
    AAD, Kind, WAYS, full, opens_every_way, opens_no_way, plaintext, seal, seal_with_an_empty_end,
    small, tiny,
};

/// Streams of one to four segments, the last one full or not, and the empty one.
fn streams(kind: &Kind) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut sizes = vec![0, 1];
    for segments in 1..=4 {
        sizes.push(full(&kind.aead, segments));
        sizes.push(full(&kind.aead, segments) - 1);
    }
    sizes.push(full(&kind.aead, 3) + 1);
    sizes
        .into_iter()
        .map(|size| {
            let plaintext = plaintext(size);
            (seal(&kind.aead, &plaintext), plaintext)
        })
        .collect()
}

/// Reads until the error, and returns what came before it.
#[track_caller]
fn read_until_error(kind: &Kind, stream: &[u8]) -> Vec<u8> {
    let mut reader = kind.aead.decrypting_reader(stream, AAD);
    let (mut opened, mut buf) = (Vec::new(), [0; 700]);
    loop {
        match reader.read(&mut buf) {
            Ok(0) => panic!("{}: an end after {} bytes", kind.name, opened.len()),
            Ok(len) => opened.extend_from_slice(&buf[..len]),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                return opened;
            }
        }
    }
}

#[test]
fn a_stream_cut_at_any_byte_opens_no_way() {
    for kind in tiny() {
        for (stream, plaintext) in streams(&kind) {
            opens_every_way(&kind, &stream, &plaintext);
            for cut in 0..stream.len() {
                opens_no_way(&kind, &stream[..cut], format_args!("cut at {cut}"));
                let opened = read_until_error(&kind, &stream[..cut]);
                assert!(plaintext.starts_with(&opened), "only what is authentic");
            }
        }
    }
}

#[test]
fn a_stream_of_4_kib_segments_cut_at_any_byte_does_not_open() {
    for kind in small() {
        let plaintext = plaintext(full(&kind.aead, 4));
        let stream = seal(&kind.aead, &plaintext);
        for cut in 0..stream.len() {
            let opened = read_until_error(&kind, &stream[..cut]);
            assert!(plaintext.starts_with(&opened), "only what is authentic");
        }
        for cut in (0..4).flat_map(|segment| segment * 4096..segment * 4096 + 34) {
            opens_no_way(&kind, &stream[..cut], format_args!("cut at {cut}"));
        }
    }
}

#[test]
fn a_stream_with_anything_behind_it_opens_no_way() {
    for kind in tiny() {
        let segment_size = kind.aead.layout().segment_size();
        let other = seal(&kind.aead, &plaintext(200));
        let with_empty_end = seal_with_an_empty_end(&kind.aead, 2);
        for (stream, _) in streams(&kind)
            .into_iter()
            .chain([(with_empty_end, Vec::new())])
        {
            for more in 1..=segment_size + 1 {
                let mut longer = stream.clone();
                longer.resize(stream.len() + more, 0);
                opens_no_way(&kind, &longer, format_args!("{more} zero bytes more"));
            }
            for tail in [&stream[..], &other[..], &stream[stream.len() - 20..]] {
                let longer = [&stream[..], tail].concat();
                opens_no_way(&kind, &longer, "a stream behind it");
            }
        }
    }
}

#[test]
fn a_full_last_segment_of_4_kib_with_anything_behind_it_opens_no_way() {
    for kind in small() {
        for segments in 1..=3 {
            let stream = seal(&kind.aead, &plaintext(full(&kind.aead, segments)));
            for more in [1, 15, 16, 17, 32, 33, 4095, 4096, 4097] {
                let mut longer = stream.clone();
                longer.resize(stream.len() + more, 0);
                opens_no_way(&kind, &longer, format_args!("{more} zero bytes more"));
            }
        }
    }
}

#[test]
fn a_stream_with_any_bit_flipped_opens_no_way() {
    for kind in tiny() {
        let plaintext = plaintext(full(&kind.aead, 3) + 1);
        let mut stream = seal(&kind.aead, &plaintext);
        for bit in 0..8 * stream.len() {
            stream[bit / 8] ^= 1 << (bit % 8);
            opens_no_way(&kind, &stream, format_args!("bit {bit}"));
            let opened = read_until_error(&kind, &stream);
            assert!(plaintext.starts_with(&opened), "only what is authentic");
            stream[bit / 8] ^= 1 << (bit % 8);
        }
        opens_every_way(&kind, &stream, &plaintext);
    }
}

#[test]
fn a_stream_of_4_kib_segments_with_a_bit_of_any_byte_flipped_does_not_open() {
    for kind in small() {
        let plaintext = plaintext(full(&kind.aead, 4));
        let mut stream = seal(&kind.aead, &plaintext);
        for byte in 0..stream.len() {
            stream[byte] ^= 1 << (byte % 8);
            let opened = read_until_error(&kind, &stream);
            // All in front of the segment, and nothing of it.
            let segment = byte as u64 / 4096;
            assert_eq!(opened.len(), full(&kind.aead, segment), "byte {byte}");
            assert!(plaintext.starts_with(&opened));
            stream[byte] ^= 1 << (byte % 8);
        }
    }
}

/// Header and segments apart.
fn split(kind: &Kind, stream: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let layout = kind.aead.layout();
    let map = layout.map(stream.len() as u64).unwrap();
    let segments = (0..map.segments())
        .map(|index| {
            let range = map.segment(index).unwrap();
            stream[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
                .to_vec()
        })
        .collect();
    (stream[..layout.header_size()].to_vec(), segments)
}

fn join(header: &[u8], segments: &[Vec<u8>]) -> Vec<u8> {
    [header, &segments.concat()].concat()
}

#[test]
fn segments_that_are_moved_repeated_or_left_out_open_no_way() {
    for kind in tiny().into_iter().chain(small()) {
        for size in [full(&kind.aead, 4), full(&kind.aead, 3) + 1] {
            let stream = seal(&kind.aead, &plaintext(size));
            let (header, segments) = split(&kind, &stream);
            assert_eq!(join(&header, &segments), stream);
            for a in 0..segments.len() {
                let mut without = segments.clone();
                without.remove(a);
                opens_no_way(&kind, &join(&header, &without), format_args!("without {a}"));
                for b in 0..segments.len() {
                    let what = format!("{a} and {b}");
                    let mut repeated = segments.clone();
                    repeated.insert(b, segments[a].clone());
                    opens_no_way(&kind, &join(&header, &repeated), format!("repeated {what}"));
                    if a != b {
                        let mut exchanged = segments.clone();
                        exchanged.swap(a, b);
                        opens_no_way(&kind, &join(&header, &exchanged), &what);
                        let mut copied = segments.clone();
                        copied[a].clone_from(&segments[b]);
                        opens_no_way(&kind, &join(&header, &copied), &what);
                    }
                }
            }
        }
    }
}

#[test]
fn segments_of_two_streams_exchanged_open_no_way() {
    for kind in tiny().into_iter().chain(small()) {
        let plaintext = plaintext(full(&kind.aead, 4));
        let (header, segments) = split(&kind, &seal(&kind.aead, &plaintext));
        let (other_header, others) = split(&kind, &seal(&kind.aead, &plaintext));
        for a in 0..4 {
            for (b, other) in others.iter().enumerate() {
                let mut exchanged = segments.clone();
                exchanged[a].clone_from(other);
                opens_no_way(
                    &kind,
                    &join(&header, &exchanged),
                    format_args!("{a} from {b}"),
                );
            }
        }
        opens_no_way(&kind, &join(&other_header, &segments), "another header");
    }
}

#[test]
fn a_header_alone_and_less_than_a_tag_open_no_way() {
    for kind in tiny().into_iter().chain(small()) {
        let stream = seal(&kind.aead, b"");
        let header = kind.aead.layout().header_size();
        assert_eq!(stream.len(), header + kind.aead.layout().tag_size());
        for len in 0..stream.len() {
            opens_no_way(&kind, &stream[..len], format_args!("{len} bytes"));
        }
        opens_every_way(&kind, &stream, b"");
    }
}

#[test]
fn another_key_and_other_associated_data_open_no_stream() {
    for (kind, other) in tiny().into_iter().zip(tiny()) {
        for (stream, _) in streams(&kind) {
            opens_no_way(&other, &stream, "another key");
            for (way, decrypt) in WAYS {
                for aad in [b"".as_slice(), b"associated dat", b"associated data "] {
                    assert!(decrypt(&kind.aead, &stream, aad).is_err(), "{way}");
                }
            }
        }
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_a_stream_that_never_opens() {
    for kind in tiny().into_iter().chain(small()) {
        for segments in 0..=3 {
            for size in [full(&kind.aead, segments), full(&kind.aead, segments) + 1] {
                for flush in [false, true] {
                    let mut left = Vec::new();
                    let mut writer = kind.aead.encrypting_writer(&mut left, AAD).unwrap();
                    writer.write_all(&plaintext(size)).unwrap();
                    if flush {
                        writer.flush().unwrap();
                    }
                    drop(writer);
                    opens_no_way(&kind, &left, format_args!("{size} bytes"));
                }
            }
        }
    }
}
