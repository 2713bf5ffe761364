//! Random access: against a cursor over the plaintext, and at the end.

use std::{
    fs::File,
    io::{self, BufRead as _, Cursor, Read as _, Seek, SeekFrom, Write as _},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use keyseal::{
    Hash, Key, KeysetHandle, KeysetStreamingAead, StreamingAead as _,
    streaming::{Offset, RandomAccess, RangePlan, ReadAt, SeekableReader, SegmentOpener},
};
use proptest::prelude::*;

use crate::stream::{
    AAD, Kind, aead, ctr, full, gcm, plaintext, seal, seal_with_an_empty_end, small, tiny,
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
            let mut opened = b"before".to_vec();
            opener.open_range(&plan, &stream[part.clone()], &mut opened).unwrap();
            prop_assert_eq!(opened.split_at(6), (&b"before"[..], wanted));
            let mut opened = vec![0xee; wanted.len()];
            opener.open_range_to(&plan, &stream[part], &mut opened).unwrap();
            prop_assert_eq!(opened, wanted);
        }
    }

    #[test]
    fn a_plan_serves_streams_with_its_map_and_no_others(
        (here, there) in (0..7_usize, 0..7_usize),
        sizes in (0..9_000_usize, 0..9_000_usize),
        range in (0..10_000_u64, 0..10_000_u64),
    ) {
        let plan = opener(here, sizes.0).map().plan(range.0..range.1);
        let other = opener(there, sizes.1);
        let len = plan.ciphertext().end - plan.ciphertext().start;
        // As much as the plan says: of the other stream if that has it, else of any bytes.
        let mut ciphertext = stream(there, sizes.1);
        let start = usize::try_from(plan.ciphertext().start).unwrap() % ciphertext.len();
        ciphertext.rotate_left(start);
        ciphertext.resize(usize::try_from(len).unwrap(), 7);
        let mut out = b"before".to_vec();
        let opened = other.open_range(&plan, &ciphertext, &mut out);
        if opener(here, sizes.0).map() == other.map() {
            return Ok(());
        }
        prop_assert!(opened.is_err());
        prop_assert_eq!(out, b"before");
    }
}

/// Openers and streams of keys whose segments, headers and tags differ.
fn layouts() -> [KeysetStreamingAead; 7] {
    static LAYOUTS: LazyLock<[KeysetStreamingAead; 7]> = LazyLock::new(|| {
        [
            gcm(16, 4096),
            gcm(32, 4096),
            gcm(16, 4080),
            ctr(16, 4096, Hash::Sha256, 16),
            ctr(16, 4096, Hash::Sha256, 32),
            ctr(32, 4096, Hash::Sha256, 32),
            gcm(16, 64),
        ]
        .map(aead)
    });
    LAYOUTS.clone()
}

fn stream(layout: usize, size: usize) -> Vec<u8> {
    seal(&layouts()[layout], &plaintext(size))
}

fn opener(layout: usize, size: usize) -> SegmentOpener {
    let stream = stream(layout, size);
    let opener = layouts()[layout].opener(AAD);
    opener.at(&stream, stream.len() as u64).unwrap()
}

/// Before the rotation and after it: with headers of 24 and of 40 bytes, the plaintext is shifted.
#[test]
fn a_plan_from_before_a_rotation_does_not_give_shifted_plaintext() {
    let (old, plaintext) = (opener(0, 10_000), plaintext(10_000));
    let stream = stream(1, 10_000);
    let opener = layouts()[1].opener(AAD);
    let new = opener.at(&stream, stream.len() as u64).unwrap();
    let range = |plan: &RangePlan| {
        let part = plan.ciphertext();
        stream[usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap()].to_vec()
    };
    let plan = new.map().plan(5_000..5_010);
    let stale = old.map().plan(5_000..5_010);
    assert_eq!(
        (plan.ciphertext(), plan.plaintext()),
        (stale.ciphertext(), stale.plaintext())
    );
    let (mut out, mut buf) = (Vec::new(), [0xee; 10]);
    assert!(new.open_range(&stale, &range(&stale), &mut out).is_err());
    assert!(new.open_range_to(&stale, &range(&stale), &mut buf).is_err());
    assert!(out.is_empty() && buf == [0; 10], "nothing is left");
    new.clone()
        .open_range_to(&plan, &range(&plan), &mut buf)
        .unwrap();
    assert_eq!(buf, plaintext[5_000..5_010]);
}

#[test]
fn a_buffer_or_a_ciphertext_of_another_length_is_refused_and_wiped() {
    let stream = stream(0, 10_000);
    let opener = opener_of(&layouts()[0], &stream);
    let plan = opener.map().plan(100..9_000);
    let part = usize::try_from(plan.ciphertext().start).unwrap()
        ..usize::try_from(plan.ciphertext().end).unwrap();
    let ciphertext = &stream[part];
    for len in [0, 8_899, 8_901] {
        let mut buf = vec![0xee; len];
        assert!(opener.open_range_to(&plan, ciphertext, &mut buf).is_err());
        assert!(buf.iter().all(|byte| *byte == 0));
    }
    let longer = [ciphertext, &[0]].concat();
    for wrong in [&[][..], &ciphertext[1..], &longer] {
        let mut buf = vec![0xee; 8_900];
        assert!(opener.open_range_to(&plan, wrong, &mut buf).is_err());
        assert!(buf.iter().all(|byte| *byte == 0));
        let mut out = vec![1];
        assert!(opener.open_range(&plan, wrong, &mut out).is_err());
        assert_eq!(out, [1]);
    }
    // Damage in the last segment leaves nothing of the first ones.
    let mut damaged = ciphertext.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let mut buf = vec![0xee; 8_900];
    assert!(opener.open_range_to(&plan, &damaged, &mut buf).is_err());
    assert!(buf.iter().all(|byte| *byte == 0));
}

fn opener_of(aead: &KeysetStreamingAead, stream: &[u8]) -> SegmentOpener {
    aead.opener(AAD).at(stream, stream.len() as u64).unwrap()
}

#[test]
fn a_wrong_key_shows_where_the_first_segment_is_at_hand() {
    for size in [0, 100, 10_000] {
        let stream = stream(0, size);
        let wrong = aead(gcm(16, 4096));
        let len = stream.len() as u64;
        for (start, refused) in [
            (stream.len(), true),
            (stream.len().min(4096), true),
            (stream.len().min(4095), size < 10_000),
            (wrong.opener(AAD).start_size(), false),
        ] {
            let opened = wrong.opener(AAD).at(&stream[..start], len);
            assert_eq!(opened.is_err(), refused, "{start} bytes of {len}");
            let right = layouts()[0].opener(AAD).at(&stream[..start], len);
            assert!(right.is_ok(), "{start} bytes of {len}");
        }
    }
}

/// Fails once, at a call of its choice.
struct FailsOnce {
    inner: Vec<u8>,
    fails_at: AtomicU64,
    kind: io::ErrorKind,
}

impl ReadAt for FailsOnce {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        if self.fails_at.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(self.kind.into());
        }
        self.inner.read_at(buf, position)
    }

    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }
}

#[test]
fn a_reader_goes_on_after_its_source_failed() {
    use io::ErrorKind::{ConnectionReset, InvalidData, Other, TimedOut, UnexpectedEof, WouldBlock};
    for kind in [
        TimedOut,
        WouldBlock,
        ConnectionReset,
        UnexpectedEof,
        InvalidData,
        Other,
    ] {
        // Two calls for header and last segment.
        for fails_at in 2..7 {
            let source = FailsOnce {
                inner: stream(0, 100_000),
                fails_at: fails_at.into(),
                kind,
            };
            let mut reader = SeekableReader::new(layouts()[0].opener(AAD), source).unwrap();
            let (mut opened, mut errors) = (Vec::new(), 0);
            while let Err(error) = reader.read_to_end(&mut opened) {
                assert_eq!(error.kind(), kind);
                errors += 1;
                assert_eq!(errors, 1);
            }
            assert_eq!(errors, 1);
            assert!(opened == plaintext(100_000), "{kind}, call {fails_at}");
        }
    }
}

#[test]
fn what_comes_before_a_damage_is_read() {
    let mut damaged = stream(0, 100_000);
    damaged[20 * 4096 + 7] ^= 1;
    let mut reader = SeekableReader::new(layouts()[0].opener(AAD), damaged).unwrap();
    let mut opened = Vec::new();
    let error = reader.read_to_end(&mut opened).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(opened == plaintext(full(&layouts()[0], 20)));
}

/// Claims that it read more than it was asked for, or that it is of a size.
struct Claims {
    read: usize,
    size: u64,
}

impl ReadAt for Claims {
    fn read_at(&self, _buf: &mut [u8], _position: u64) -> io::Result<usize> {
        Ok(self.read)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

#[test]
fn a_source_that_claims_more_than_it_was_asked_for_is_an_error() {
    for read in [11, 1 << 20, usize::MAX] {
        let source = Claims { read, size: 5_000 };
        assert!(source.read_exact_at(&mut [0; 10], 0).is_err());
        assert!(RandomAccess::new(layouts()[0].opener(AAD), &source).is_err());
        assert!(RandomAccess::new(layouts()[0].opener(AAD), Offset::new(&source, 7)).is_err());
    }
    let endless = Claims {
        read: 1,
        size: u64::MAX,
    };
    assert!(endless.read_exact_at(&mut [0; 10], u64::MAX - 3).is_err());
    let error = RandomAccess::new(layouts()[0].opener(AAD), endless).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
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
