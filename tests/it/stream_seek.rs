//! Random access: against a cursor over the plaintext, and at the end.

use std::{
    fs::File,
    io::{self, BufRead as _, Cursor, Read as _, Seek, SeekFrom, Write as _},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use keyseal::{
    Hash, Key, KeysetHandle, KeysetStreamingAead, StreamingAead as _,
    streaming::{Offset, RandomAccess, ReadAt, SeekableReader},
};
use proptest::prelude::*;

use crate::stream::{
    AAD, Kind, ctr, full, gcm, plaintext, seal, seal_with_an_empty_end, small, tiny,
};

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    FillAndConsume(usize),
    Start(u64),
    End(i64),
    Current(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..200_usize).prop_map(Step::Read),
        1 => (0..20_000_usize).prop_map(Step::Read),
        2 => (0..100_usize).prop_map(Step::FillAndConsume),
        2 => (0..20_000_u64).prop_map(Step::Start),
        1 => any::<u64>().prop_map(Step::Start),
        2 => (-20_000..2_000_i64).prop_map(Step::End),
        2 => (-500..500_i64).prop_map(Step::Current),
        1 => any::<i64>().prop_map(Step::Current),
    ];
    prop::collection::vec(step, 1..60)
}

/// Does the same to both, and compares what comes out.
fn compare<S: ReadAt>(reader: &mut SeekableReader<S>, model: &mut Cursor<Vec<u8>>, step: &Step) {
    let to = match step {
        Step::Read(len) => {
            let mut buf = vec![0; *len];
            let mut filled = 0;
            while filled < *len {
                match reader.read(&mut buf[filled..]).unwrap() {
                    0 => break,
                    len => filled += len,
                }
            }
            let mut wanted = vec![0; *len];
            let len = model.read(&mut wanted).unwrap();
            assert_eq!(buf[..filled], wanted[..len]);
            return;
        }
        Step::FillAndConsume(len) => {
            let at_hand = reader.fill_buf().unwrap();
            let wanted = model.fill_buf().unwrap();
            assert!(wanted.starts_with(at_hand));
            assert_eq!(at_hand.is_empty(), wanted.is_empty(), "the end");
            let len = (*len).min(at_hand.len());
            reader.consume(len);
            model.consume(len);
            return;
        }
        Step::Start(position) => SeekFrom::Start(*position),
        Step::End(by) => SeekFrom::End(*by),
        Step::Current(by) => SeekFrom::Current(*by),
    };
    match (reader.seek(to), model.seek(to)) {
        (Ok(position), Ok(wanted)) => assert_eq!(position, wanted),
        (Err(error), Err(wanted)) => assert_eq!(error.kind(), wanted.kind()),
        (got, wanted) => panic!("{to:?}: {got:?}, and not {wanted:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_seekable_reader_is_a_cursor_over_the_plaintext(
        kind in 0..6_usize,
        size in prop_oneof![0..400_usize, 0..20_000_usize],
        steps in steps(),
    ) {
        let kind = tiny().into_iter().chain(small()).nth(kind).unwrap();
        let plaintext = plaintext(size);
        let stream = seal(&kind.aead, &plaintext);
        let mut reader = SeekableReader::new(kind.aead.opener(AAD), stream).unwrap();
        prop_assert_eq!(reader.len(), size as u64);
        let mut model = Cursor::new(plaintext);
        for step in &steps {
            compare(&mut reader, &mut model, step);
        }
    }

    #[test]
    fn a_read_at_a_position_is_a_slice_of_the_plaintext(
        kind in 0..6_usize,
        size in prop_oneof![0..400_usize, 0..20_000_usize],
        reads in prop::collection::vec((0..25_000_u64, 0..10_000_usize), 1..40),
    ) {
        let kind = tiny().into_iter().chain(small()).nth(kind).unwrap();
        let plaintext = plaintext(size);
        let stream = seal(&kind.aead, &plaintext);
        let access = RandomAccess::new(kind.aead.opener(AAD), stream.as_slice()).unwrap();
        let opener = kind.aead.opener(AAD);
        let start = &stream[..stream.len().min(opener.start_size())];
        let opener = opener.at(start, stream.len() as u64).unwrap();
        for (position, len) in reads {
            let mut buf = vec![0; len];
            let filled = access.read_at(&mut buf, position).unwrap();
            let start = usize::try_from(position).unwrap().min(size);
            let wanted = &plaintext[start..size.min(start + len)];
            prop_assert_eq!(&buf[..filled], wanted);

            let plan = opener.map().plan(position..position + len as u64);
            let part = plan.ciphertext();
            let part = usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap();
            let mut opened = Vec::new();
            opener.open_range(&plan, &stream[part], &mut opened).unwrap();
            prop_assert_eq!(opened, wanted);
        }
    }
}

#[test]
fn an_empty_plaintext_ends_at_once_and_its_length_is_known() {
    for kind in tiny().into_iter().chain(small()) {
        let stream = seal(&kind.aead, b"");
        let mut reader = SeekableReader::new(kind.aead.opener(AAD), stream).unwrap();
        assert!(reader.is_empty());
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
        assert_eq!(reader.seek(SeekFrom::End(0)).unwrap(), 0);
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
        assert_eq!(
            reader.seek(SeekFrom::End(-1)).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}

#[test]
fn an_empty_last_segment_ends_a_seekable_reader_too() {
    for kind in tiny() {
        for segments in 1..=3 {
            let stream = seal_with_an_empty_end(&kind.aead, segments);
            let size = full(&kind.aead, segments) as u64;
            let mut reader = SeekableReader::new(kind.aead.opener(AAD), stream).unwrap();
            assert_eq!(reader.len(), size);
            for back in [1, 0] {
                assert_eq!(
                    reader.seek(SeekFrom::End(-back)).unwrap(),
                    size - back as u64
                );
                assert_eq!(reader.read(&mut [0; 10]).unwrap() as u64, back as u64);
            }
        }
    }
}

#[test]
fn a_position_behind_the_end_is_accepted_and_reads_nothing() {
    for kind in tiny() {
        let stream = seal(&kind.aead, &plaintext(100));
        let mut reader = SeekableReader::new(kind.aead.opener(AAD), stream).unwrap();
        for position in [100, 101, 1 << 40, u64::MAX] {
            assert_eq!(reader.seek(SeekFrom::Start(position)).unwrap(), position);
            assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
            assert_eq!(reader.get_ref().read_at(&mut [0; 10], position).unwrap(), 0);
        }
        reader.seek(SeekFrom::Start(99)).unwrap();
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 1);
    }
}

/// Counts the bytes that are read.
struct Counted<S> {
    inner: S,
    read: AtomicU64,
}

impl<S: ReadAt> ReadAt for Counted<S> {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let len = self.inner.read_at(buf, position)?;
        self.read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }

    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }
}

#[test]
fn random_access_reads_only_what_it_needs() {
    for kind in small() {
        let stream = seal(&kind.aead, &plaintext(1_000_000));
        let last = (stream.len() % 4096) as u64;
        let source = Counted {
            inner: stream,
            read: AtomicU64::new(0),
        };
        let access = RandomAccess::new(kind.aead.opener(AAD), &source).unwrap();
        let header = kind.aead.layout().header_size() as u64;
        assert_eq!(source.read.load(Ordering::Relaxed), header + last);
        let mut buf = [0; 10];
        access.read_exact_at(&mut buf, 500_000).unwrap();
        assert_eq!(source.read.load(Ordering::Relaxed), header + last + 4096);
    }
}

#[test]
fn a_reader_that_is_read_on_reads_every_segment_once() {
    for kind in small() {
        let plaintext = plaintext(1_000_000);
        let stream = seal(&kind.aead, &plaintext);
        let (size, last) = (stream.len() as u64, (stream.len() % 4096) as u64);
        let source = Counted {
            inner: stream,
            read: AtomicU64::new(0),
        };
        let mut reader = SeekableReader::new(kind.aead.opener(AAD), &source).unwrap();
        let mut opened = Vec::new();
        reader.read_to_end(&mut opened).unwrap();
        assert!(opened == plaintext);
        // And the last one at first.
        assert_eq!(source.read.load(Ordering::Relaxed), size + last);
    }
}

/// Several keys, of which only some have headers of the stream's size.
fn keyset(keys: Vec<Key>) -> KeysetHandle {
    let mut keys = keys.into_iter();
    let mut keyset = KeysetHandle::new(keys.next().unwrap()).unwrap();
    for key in keys {
        keyset.rotate(key).unwrap();
    }
    keyset
}

#[test]
fn random_access_finds_the_key_among_several() {
    let keys = || {
        vec![
            gcm(32, 4096),
            gcm(16, 4096),
            ctr(32, 1 << 20, Hash::Sha256, 32),
            gcm(16, 64),
            ctr(16, 64, Hash::Sha256, 16),
        ]
    };
    for turn in 0..5 {
        let mut keys = keys();
        keys.rotate_left(turn);
        let aead: KeysetStreamingAead = keyset(keys).primitive().unwrap();
        for size in [0, 1, 24, 25, 100, 10_000] {
            let plaintext = plaintext(size);
            let stream = seal(&aead, &plaintext);
            let mut reader = SeekableReader::new(aead.opener(AAD), stream).unwrap();
            assert_eq!(reader.len(), size as u64);
            let mut opened = Vec::new();
            reader.read_to_end(&mut opened).unwrap();
            assert!(opened == plaintext, "turn {turn}, {size} bytes");
        }
    }
}

#[test]
fn a_damaged_segment_fails_where_it_is_read_and_the_reader_stays_failed() {
    for kind in small() {
        let plaintext = plaintext(full(&kind.aead, 4));
        let mut stream = seal(&kind.aead, &plaintext);
        stream[4096 + 7] ^= 1;
        let access = RandomAccess::new(kind.aead.opener(AAD), &stream).unwrap();
        let second = full(&kind.aead, 1)..full(&kind.aead, 2);
        let mut buf = [0; 10];
        for position in [0, second.start - 10, second.end, plaintext.len() - 10] {
            access.read_exact_at(&mut buf, position as u64).unwrap();
            assert_eq!(buf, plaintext[position..position + 10]);
        }
        for position in [second.start - 1, second.start, second.end - 1] {
            let error = access.read_at(&mut buf, position as u64).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        let mut reader = access.into_reader();
        reader.seek(SeekFrom::Start(second.start as u64)).unwrap();
        for _ in 0..3 {
            let error = reader.read(&mut buf).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(error.to_string(), "decryption failed");
            reader.seek(SeekFrom::Start(0)).unwrap();
        }
    }
}

#[test]
fn files_and_cursors_and_what_stands_behind_something_are_sources() {
    let Kind { aead, .. } = small().remove(0);
    let plaintext = plaintext(10_000);
    let stream = seal(&aead, &plaintext);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"in front").unwrap();
    file.write_all(&stream).unwrap();
    let read = |source: &dyn ReadAt| {
        let access = RandomAccess::new(aead.opener(AAD), source).unwrap();
        let mut opened = vec![0; 5];
        access.read_exact_at(&mut opened, 9_995).unwrap();
        assert_eq!(opened, plaintext[9_995..]);
        let error = access.read_exact_at(&mut opened, 9_996).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    };
    read(&Offset::new(&file, 8));
    read(&Mutex::new(Cursor::new(stream.clone())));
    read(&stream);
    // A plaintext is a source itself: of a stream in a stream.
    let outer = seal(&aead, &stream);
    read(&RandomAccess::new(aead.opener(AAD), outer).unwrap());
    assert_eq!(Offset::new(&file, 1 << 40).size().unwrap(), 0);
    let behind = Offset::new(&file, 2).read_at(&mut [0], u64::MAX - 1);
    assert_eq!(behind.unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_file_that_shrinks_is_an_error() {
    let Kind { aead, .. } = small().remove(0);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&seal(&aead, &plaintext(10_000))).unwrap();
    let access = RandomAccess::new(aead.opener(AAD), &file).unwrap();
    File::set_len(&file, 5_000).unwrap();
    access.read_at(&mut [0; 10], 0).unwrap();
    let error = access.read_at(&mut [0; 10], 6_000).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}
