//! Threads over files and slices.

use std::{
    fs::{self, File},
    io::{self, Cursor},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use keyseal::{
    EncryptError, StreamingAead as _,
    streaming::{self, Offset, ReadAt, WriteAt},
};

use crate::stream::{AAD, Kind, aead, full, gcm, plaintext, seal, small, threads, tiny};

#[test]
fn files_round_trip_in_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, sealed, opened) = (
        folder.path().join("plain"),
        folder.path().join("sealed"),
        folder.path().join("opened"),
    );
    let large = Kind {
        name: "1 MiB",
        aead: aead(gcm(32, 1 << 20)),
    };
    for kind in small().into_iter().chain([large]) {
        for size in [0, 1, 5_000, full(&kind.aead, 3), 3_000_000] {
            let plaintext = plaintext(size);
            fs::write(&plain, &plaintext).unwrap();
            for count in [1, 2, 7] {
                let (source, sink) = (File::open(&plain).unwrap(), File::create(&sealed).unwrap());
                let sealer = kind.aead.sealer(AAD).unwrap();
                let len =
                    streaming::encrypt_parallel(sealer, &source, &sink, threads(count)).unwrap();
                assert_eq!(fs::metadata(&sealed).unwrap().len(), len);
                assert_eq!(kind.aead.layout().ciphertext_size(size as u64), Some(len));

                let (source, sink) = (File::open(&sealed).unwrap(), File::create(&opened).unwrap());
                let opener = kind.aead.opener(AAD);
                let len =
                    streaming::decrypt_parallel(opener, &source, &sink, threads(count)).unwrap();
                assert_eq!(len, size as u64);
                assert!(fs::read(&opened).unwrap() == plaintext, "{}", kind.name);
            }
        }
    }
}

#[test]
fn what_threads_write_a_reader_reads_and_the_other_way_round() {
    for kind in tiny().into_iter().chain(small()) {
        for size in [0, 1, full(&kind.aead, 2), 300_000] {
            let plaintext = plaintext(size);
            let sealer = kind.aead.sealer(AAD).unwrap();
            let stream = streaming::encrypt_slice(sealer, &plaintext, threads(2)).unwrap();
            let mut opened = Vec::new();
            io::copy(
                &mut kind.aead.decrypting_reader(stream.as_slice(), AAD),
                &mut opened,
            )
            .unwrap();
            assert!(opened == plaintext);
            let stream = seal(&kind.aead, &plaintext);
            let opened =
                streaming::decrypt_slice(kind.aead.opener(AAD), &stream, threads(2)).unwrap();
            assert!(opened == plaintext);
        }
    }
}

#[test]
fn a_stream_may_stand_behind_something_in_a_file() {
    let Kind { aead, .. } = small().remove(0);
    let plaintext = plaintext(100_000);
    let file = Mutex::new(Cursor::new(b"in front".to_vec()));
    streaming::encrypt_parallel(
        aead.sealer(AAD).unwrap(),
        &plaintext,
        &Offset::new(&file, 8),
        threads(2),
    )
    .unwrap();
    let file = file.into_inner().unwrap().into_inner();
    assert!(file.starts_with(b"in front"));
    let opened = Mutex::new(Cursor::new(Vec::new()));
    streaming::decrypt_parallel(
        aead.opener(AAD),
        &Offset::new(&file, 8),
        &opened,
        threads(2),
    )
    .unwrap();
    assert!(opened.into_inner().unwrap().into_inner() == plaintext);
}

/// Writes nothing, and notes whether it was asked to.
#[derive(Default)]
struct Untouched(AtomicBool);

impl WriteAt for Untouched {
    fn write_at(&self, buf: &[u8], _position: u64) -> io::Result<usize> {
        self.0.store(true, Ordering::Relaxed);
        Ok(buf.len())
    }
}

#[test]
fn a_stream_that_was_cut_is_refused_before_anything_is_written() {
    for kind in tiny().into_iter().chain(small()) {
        let stream = seal(&kind.aead, &plaintext(50_000));
        let segment = kind.aead.layout().segment_size();
        for cut in [
            1,
            segment,
            stream.len() / 2 / segment * segment,
            stream.len() - 1,
        ] {
            let sink = Untouched::default();
            let opener = kind.aead.opener(AAD);
            let error =
                streaming::decrypt_parallel(opener, &stream[..cut], &sink, threads(2)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(!sink.0.into_inner(), "cut at {cut}");
        }
    }
}

/// Reads one byte less than asked for, says `Interrupted` in between, and fails after some calls.
struct Wayward<'s> {
    inner: &'s [u8],
    calls: AtomicUsize,
    fails_at: usize,
}

impl ReadAt for Wayward<'_> {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call == self.fails_at {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if call.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let less = (buf.len() / 2).max(1);
        self.inner.read_at(&mut buf[..less], position)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.inner.len() as u64)
    }
}

/// Writes half of what it is given, and says `Interrupted` in between.
struct Slow {
    inner: Mutex<Cursor<Vec<u8>>>,
    calls: AtomicUsize,
}

impl WriteAt for Slow {
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.inner
            .write_at(&buf[..(buf.len() / 2).max(1)], position)
    }
}

fn slow() -> Slow {
    Slow {
        inner: Mutex::default(),
        calls: AtomicUsize::new(0),
    }
}

#[test]
fn short_and_interrupted_calls_are_repeated() {
    for kind in small() {
        let plaintext = plaintext(300_000);
        let source = Wayward {
            inner: &plaintext,
            calls: AtomicUsize::new(0),
            fails_at: usize::MAX,
        };
        let sink = slow();
        let sealer = kind.aead.sealer(AAD).unwrap();
        streaming::encrypt_parallel(sealer, &source, &sink, threads(2)).unwrap();
        let stream = sink.inner.into_inner().unwrap().into_inner();
        let source = Wayward {
            inner: &stream,
            calls: AtomicUsize::new(0),
            fails_at: usize::MAX,
        };
        let sink = slow();
        streaming::decrypt_parallel(kind.aead.opener(AAD), &source, &sink, threads(2)).unwrap();
        assert!(sink.inner.into_inner().unwrap().into_inner() == plaintext);
    }
}

#[test]
fn an_error_of_the_source_comes_out() {
    let Kind { aead, .. } = small().remove(0);
    let plaintext = plaintext(2_000_000);
    for fails_at in [1, 4, 20] {
        let source = Wayward {
            inner: &plaintext,
            calls: AtomicUsize::new(0),
            fails_at,
        };
        let sealer = aead.sealer(AAD).unwrap();
        let error = streaming::encrypt_parallel(sealer, &source, &slow(), threads(3)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}

/// Says that it is longer than it is.
struct Shrinking(Vec<u8>);

impl ReadAt for Shrinking {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buf, position)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64 + 1)
    }
}

#[test]
fn a_source_that_has_become_shorter_is_an_error() {
    let Kind { aead, .. } = small().remove(0);
    let source = Shrinking(plaintext(100_000));
    let sealer = aead.sealer(AAD).unwrap();
    let error = streaming::encrypt_parallel(sealer, &source, &slow(), threads(2)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

/// A plaintext that no stream of small segments can hold.
struct Endless;

impl ReadAt for Endless {
    fn read_at(&self, buf: &mut [u8], _position: u64) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

#[test]
fn a_plaintext_of_too_many_segments_is_refused_before_anything_is_written() {
    let Kind { aead, .. } = tiny().remove(0);
    let sink = Untouched::default();
    let sealer = aead.sealer(AAD).unwrap();
    let error = streaming::encrypt_parallel(sealer, &Endless, &sink, threads(2)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert_eq!(cause, Some(&EncryptError::TooLong));
    assert!(!sink.0.into_inner());
}
