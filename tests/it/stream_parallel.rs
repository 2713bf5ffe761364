//! Threads over files and slices.

use std::{
    fs::{self, File},
    io::{self, Cursor, Write as _},
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

/// Writes half of each buffer, and returns `Interrupted` in between.
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

/// Tiny segments, among them the smallest, and small ones.
fn few() -> [Kind; 3] {
    let (mut tiny, mut small) = (tiny(), small());
    [tiny.remove(0), tiny.remove(2), small.remove(0)]
}

/// Says that it has another size than it has.
struct Lies {
    bytes: Vec<u8>,
    size: u64,
}

impl ReadAt for Lies {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.bytes.read_at(buf, position)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

#[test]
fn the_end_of_the_data_counts_and_not_the_size() {
    for kind in few() {
        let batch = 256 * 1024 / kind.aead.layout().segment_size() as u64;
        let edge = full(&kind.aead, batch);
        for len in [0, 1, 100, edge - 1, edge, edge + 1, 2 * edge + 7] {
            for (size, count) in [(0, 1), (len as u64, 2), (4096, 3), (1 << 30, 3)] {
                let source = Lies {
                    bytes: plaintext(len),
                    size,
                };
                // The sink's old content is longer than a stream.
                let sink = tempfile::tempfile().unwrap();
                sink.set_len(3 << 20).unwrap();
                let sealer = kind.aead.sealer(AAD).unwrap();
                let written = streaming::encrypt_parallel(sealer, &source, &sink, threads(count));
                let stream = content(&sink);
                assert_eq!(written.unwrap(), stream.len() as u64);
                // As long as a writer makes it, so without an empty last segment.
                let expected = kind.aead.layout().ciphertext_size(len as u64);
                assert_eq!(Some(stream.len() as u64), expected);
                let opener = kind.aead.opener(AAD);
                let opened = streaming::decrypt_slice(opener, &stream, threads(1)).unwrap();
                assert!(opened == source.bytes, "{}: {len}, {size}", kind.name);
            }
        }
    }
}

fn content(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(ReadAt::size(file).unwrap()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_without_a_size_is_encrypted_whole() {
    let Kind { aead, .. } = small().remove(0);
    for path in [
        "/proc/self/cmdline",
        "/proc/version",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ] {
        let Ok(whole) = fs::read(path) else { continue };
        let sink = tempfile::tempfile().unwrap();
        let source = File::open(path).unwrap();
        assert_ne!(ReadAt::size(&source).unwrap(), whole.len() as u64);
        let sealer = aead.sealer(AAD).unwrap();
        streaming::encrypt_parallel(sealer, &source, &sink, threads(2)).unwrap();
        let opener = aead.opener(AAD);
        let opened = streaming::decrypt_slice(opener, &content(&sink), threads(1)).unwrap();
        assert_eq!(opened, whole);
    }
}

/// Is longer or shorter with every call, as a file that somebody else writes.
struct Changes {
    bytes: Vec<u8>,
    len: AtomicUsize,
    by: isize,
}

impl ReadAt for Changes {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let len = self.len.load(Ordering::Relaxed);
        let next = len.saturating_add_signed(self.by).min(self.bytes.len());
        self.len.store(next, Ordering::Relaxed);
        self.bytes[..len].read_at(buf, position)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len.load(Ordering::Relaxed) as u64)
    }
}

#[test]
fn a_source_that_changes_gives_a_stream_that_opens() {
    for kind in few() {
        for count in [1, 3] {
            for by in [-300_000, -7, -1, 1, 7, 4096, 100_000, 300_000] {
                let source = Changes {
                    bytes: plaintext(1_500_000),
                    len: 700_000.into(),
                    by,
                };
                let sink = tempfile::tempfile().unwrap();
                let sealer = kind.aead.sealer(AAD).unwrap();
                streaming::encrypt_parallel(sealer, &source, &sink, threads(count)).unwrap();
                let opener = kind.aead.opener(AAD);
                let opened = streaming::decrypt_slice(opener, &content(&sink), threads(1)).unwrap();
                assert!(source.bytes.starts_with(&opened));
                assert!(
                    by < 0 || opened.len() >= 700_000,
                    "{} of {by}",
                    opened.len()
                );
            }
        }
    }
}

#[test]
fn a_sink_that_is_longer_is_cut_or_refused() {
    let Kind { aead, .. } = small().remove(0);
    let plaintext = plaintext(10_000);
    let sealed = seal(&aead, &plaintext);
    let encrypt = |sink: &(dyn WriteAt + Sync)| {
        streaming::encrypt_parallel(aead.sealer(AAD).unwrap(), &plaintext, sink, threads(2))
    };
    let decrypt = |sink: &(dyn WriteAt + Sync)| {
        streaming::decrypt_parallel(aead.opener(AAD), &sealed, sink, threads(2))
    };
    for old in [0, 5_000, 100_000] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; old]).unwrap();
        encrypt(&file).unwrap();
        let opened = streaming::decrypt_slice(aead.opener(AAD), &content(&file), threads(1));
        assert!(opened.unwrap() == plaintext);
        file.set_len(old as u64).unwrap();
        decrypt(&file).unwrap();
        assert!(content(&file) == plaintext);
        // Behind something that stays.
        file.set_len(old as u64 + 8).unwrap();
        decrypt(&Offset::new(&file, 8)).unwrap();
        assert_eq!(content(&file).len(), 8 + plaintext.len());

        let longer = old > sealed.len();
        for work in [&encrypt as &dyn Fn(&(dyn WriteAt + Sync)) -> _, &decrypt] {
            let sink = Mutex::new(Cursor::new(vec![b'x'; old]));
            let done = work(&sink);
            let kind = done.as_ref().map_err(io::Error::kind).err();
            assert_eq!(kind, longer.then_some(io::ErrorKind::InvalidInput));
            let left = sink.into_inner().unwrap().into_inner();
            assert_eq!(
                left == vec![b'x'; old],
                longer,
                "nothing is written before that"
            );
        }
    }
}

#[test]
fn a_sink_that_appends_is_refused_and_keeps_what_it_has() {
    let Kind { aead, .. } = small().remove(0);
    let folder = tempfile::tempdir().unwrap();
    let plaintext = plaintext(1_000_000);
    let sealed = seal(&aead, &plaintext);
    for old in ["", "a", "an old line\n"] {
        let path = folder.path().join("log");
        fs::write(&path, old).unwrap();
        let open = || File::options().append(true).open(&path).unwrap();
        let (file, locked) = (open(), Mutex::new(open()));
        for sink in [&file as &(dyn WriteAt + Sync), &Offset::new(&file, 3)] {
            let sealer = aead.sealer(AAD).unwrap();
            let encrypted = streaming::encrypt_parallel(sealer, &plaintext, sink, threads(2));
            let opener = aead.opener(AAD);
            let decrypted = streaming::decrypt_parallel(opener, &sealed, sink, threads(2));
            for done in [encrypted, decrypted] {
                assert_eq!(done.unwrap_err().kind(), io::ErrorKind::InvalidInput);
                assert_eq!(fs::read_to_string(&path).unwrap(), old);
            }
        }
        let sealer = aead.sealer(AAD).unwrap();
        let encrypted = streaming::encrypt_parallel(sealer, &plaintext, &locked, threads(2));
        match encrypted.map_err(|error| error.kind()) {
            // Appending to nothing is right, as long as it comes in order.
            Ok(_) if old.is_empty() => {
                let stream = fs::read(&path).unwrap();
                let opened = streaming::decrypt_slice(aead.opener(AAD), &stream, threads(1));
                assert!(opened.unwrap() == plaintext);
            }
            done => assert_eq!(done, Err(io::ErrorKind::InvalidInput)),
        }
    }
}

/// Claims that it wrote more than it was given.
struct Claims(usize);

impl WriteAt for Claims {
    fn write_at(&self, buf: &[u8], _position: u64) -> io::Result<usize> {
        Ok(buf.len() + self.0)
    }
}

#[test]
fn a_sink_that_claims_more_than_it_was_given_is_an_error() {
    let Kind { aead, .. } = small().remove(0);
    for more in [1, 1 << 20] {
        let sealer = aead.sealer(AAD).unwrap();
        let sink = Claims(more);
        streaming::encrypt_parallel(sealer, &plaintext(10_000), &sink, threads(2)).unwrap_err();
        sink.write_all_at(b"text", 0).unwrap_err();
    }
    Claims(0).write_all_at(b"text", u64::MAX - 3).unwrap_err();
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
