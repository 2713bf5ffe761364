//! Readers and writers: against inner ones that give and take little, are interrupted, block, fail.

use std::io::{self, BufRead as _, Read, Write};

use keyseal::{DecryptError, StreamingAead as _, streaming::DecryptingReader};
use proptest::prelude::*;

use crate::stream::{
    AAD, Kind, aead, ctr, full, gcm, opens_every_way, plaintext, seal, small, tiny,
};

/// The behavior of an inner reader or writer when it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Takes or gives up to so many bytes.
    Bytes(usize),
    Interrupted,
    WouldBlock,
}

/// A script that gets somewhere when it is repeated.
pub(crate) fn script() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (1..5_usize).prop_map(Act::Bytes),
        3 => (1..10_000_usize).prop_map(Act::Bytes),
        1 => Just(Act::Interrupted),
        1 => Just(Act::WouldBlock),
    ];
    (1..5_000_usize, prop::collection::vec(act, 0..12)).prop_map(|(first, mut script)| {
        script.push(Act::Bytes(first));
        script
    })
}

/// Reads or writes as its script says, over and over.
#[derive(Debug)]
pub(crate) struct Scripted<T> {
    pub(crate) inner: T,
    pub(crate) script: Vec<Act>,
    pub(crate) call: usize,
}

impl<T> Scripted<T> {
    pub(crate) fn new(inner: T, script: Vec<Act>) -> Self {
        Self {
            inner,
            script,
            call: 0,
        }
    }

    pub(crate) fn act(&mut self) -> Act {
        self.call += 1;
        self.script[(self.call - 1) % self.script.len()]
    }

    fn bytes(&mut self) -> io::Result<usize> {
        match self.act() {
            Act::Bytes(len) => Ok(len),
            Act::Interrupted => Err(io::ErrorKind::Interrupted.into()),
            Act::WouldBlock => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<R: Read> Read for Scripted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        assert!(!buf.is_empty(), "reading nothing looks like the end");
        let len = self.bytes()?.min(buf.len());
        self.inner.read(&mut buf[..len])
    }
}

impl<W: Write> Write for Scripted<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = self.bytes()?.min(buf.len());
        self.inner.write(&buf[..len])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bytes()?;
        self.inner.flush()
    }
}

fn kind(number: usize) -> Kind {
    tiny().into_iter().chain(small()).nth(number).unwrap()
}

pub(crate) fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![0..400_usize, 0..20_000_usize]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_writer_writes_a_whole_stream_to_whatever_takes_it(
        number in 0..6_usize,
        size in sizes(),
        chunks in prop::collection::vec((0..6_000_usize, any::<bool>()), 1..20),
        script in script(),
    ) {
        let kind = kind(number);
        let plaintext = plaintext(size);
        let inner = Scripted::new(Vec::new(), script);
        let mut writer = kind.aead.encrypting_writer(inner, AAD).unwrap();
        let mut rest = plaintext.as_slice();
        for (len, flush) in chunks.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            // A chunk of nothing is taken at once or not at all.
            let len = if len == 0 && !flush { 1 } else { len };
            match writer.write(&rest[..len.min(rest.len())]) {
                Ok(taken) => {
                    prop_assert!(taken > 0 || len == 0);
                    rest = &rest[taken..];
                }
                Err(error) => prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            if flush && let Err(error) = writer.flush() {
                prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                // The script may be as long as a round of chunks: get on in it.
                let _ = writer.write(&[]);
            }
        }
        while let Err(error) = writer.try_finish() {
            prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
        let stream = &writer.get_ref().inner;
        prop_assert_eq!(
            kind.aead.layout().ciphertext_size(size as u64),
            Some(stream.len() as u64)
        );
        opens_every_way(&kind, stream, &plaintext);
    }

    #[test]
    fn a_reader_reads_a_whole_plaintext_from_whatever_gives_it(
        number in 0..6_usize,
        size in sizes(),
        reads in prop::collection::vec((0..6_000_usize, any::<bool>()), 1..20),
        script in script(),
    ) {
        let kind = kind(number);
        let plaintext = plaintext(size);
        let stream = seal(&kind.aead, &plaintext);
        let inner = Scripted::new(stream.as_slice(), script);
        let mut reader = kind.aead.decrypting_reader(inner, AAD);
        let mut opened = Vec::new();
        for (len, buffered) in reads.into_iter().cycle() {
            if len == 0 {
                // Asks for nothing, which says nothing about the end.
                prop_assert_eq!(reader.read(&mut []).unwrap(), 0);
            }
            let len = len.max(1);
            let mut buf = vec![0; len];
            let read = if buffered {
                reader.fill_buf().map(|at_hand| {
                    let taken = at_hand.len().min(len);
                    buf[..taken].copy_from_slice(&at_hand[..taken]);
                    (taken, at_hand.is_empty())
                }).inspect(|(taken, _)| reader.consume(*taken))
            } else {
                reader.read(&mut buf).map(|taken| (taken, taken == 0))
            };
            match read {
                Ok((taken, end)) => {
                    opened.extend_from_slice(&buf[..taken]);
                    if end {
                        break;
                    }
                }
                Err(error) => prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        prop_assert!(opened == plaintext);
        prop_assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0, "the end stays");
    }

    #[test]
    fn a_reader_gives_out_nothing_that_is_not_authentic(
        number in 0..6_usize,
        size in sizes(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        read in 1..6_000_usize,
        script in script(),
    ) {
        let kind = kind(number);
        let plaintext = plaintext(size);
        let mut stream = seal(&kind.aead, &plaintext);
        let at = at.index(stream.len());
        stream[at] ^= flip;
        let inner = Scripted::new(stream.as_slice(), script);
        let mut reader = kind.aead.decrypting_reader(inner, AAD);
        let (mut opened, mut errors) = (Vec::new(), 0);
        while errors < 3 {
            let mut buf = vec![0; read];
            match reader.read(&mut buf) {
                Ok(0) => prop_assert!(false, "an end after {} bytes", opened.len()),
                Ok(len) => {
                    prop_assert_eq!(errors, 0, "after an error it stays failed");
                    opened.extend_from_slice(&buf[..len]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    prop_assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
                    prop_assert_eq!(cause, Some(&DecryptError::FAILED));
                    prop_assert!(buf.iter().all(|byte| *byte == 0), "nothing is written");
                    errors += 1;
                }
            }
        }
        // All in front of the segment, and nothing of it.
        let segment = at / kind.aead.layout().segment_size();
        prop_assert_eq!(opened.len(), full(&kind.aead, segment as u64));
        prop_assert!(plaintext.starts_with(&opened));
    }
}

#[test]
fn one_byte_at_a_time_is_enough() {
    for kind in tiny().into_iter().chain(small()) {
        let plaintext = plaintext(full(&kind.aead, 3) + 1);
        let inner = Scripted::new(Vec::new(), vec![Act::Bytes(1), Act::Interrupted]);
        let mut writer = kind.aead.encrypting_writer(inner, AAD).unwrap();
        for byte in &plaintext {
            assert_eq!(writer.write(&[*byte]).unwrap(), 1);
        }
        let stream = writer.finish().unwrap().inner;
        opens_every_way(&kind, &stream, &plaintext);

        let inner = Scripted::new(stream.as_slice(), vec![Act::Interrupted, Act::Bytes(1)]);
        let reader = kind.aead.decrypting_reader(inner, AAD);
        let opened: Result<Vec<u8>, _> = reader.bytes().collect();
        assert!(opened.unwrap() == plaintext);
    }
}

#[test]
fn nothing_is_written_or_read_before_the_first_call() {
    for kind in tiny() {
        let writer = kind.aead.encrypting_writer(Vec::new(), AAD).unwrap();
        assert!(writer.get_ref().is_empty());
        let inner = Scripted::new(io::empty(), vec![Act::Bytes(1)]);
        let mut reader = kind.aead.decrypting_reader(inner, AAD);
        assert_eq!(reader.read(&mut []).unwrap(), 0);
        assert_eq!(reader.get_ref().call, 0);
        assert!(reader.read(&mut [0]).is_err(), "nothing is no stream");
        assert_eq!(reader.into_inner().call, 1, "the end is met once");
    }
}

#[test]
fn a_reader_that_has_met_the_end_does_not_read_on() {
    for kind in tiny() {
        let stream = seal(&kind.aead, &plaintext(100));
        let inner = Scripted::new(stream.as_slice(), vec![Act::Bytes(usize::MAX)]);
        let mut reader = kind.aead.decrypting_reader(inner, AAD);
        reader.read_to_end(&mut Vec::new()).unwrap();
        let calls = reader.get_ref().call;
        for _ in 0..3 {
            assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
        }
        assert_eq!(reader.get_ref().call, calls);
    }
}

/// Fails once, with an error that is not for trying again.
struct FailsOnce<T> {
    inner: T,
    at: usize,
}

impl<T> FailsOnce<T> {
    fn call(&mut self) -> io::Result<()> {
        self.at = self.at.wrapping_sub(1);
        if self.at == 0 {
            Err(io::Error::new(io::ErrorKind::StorageFull, "no space"))
        } else {
            Ok(())
        }
    }
}

impl<R: Read> Read for FailsOnce<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.call()?;
        let len = buf.len().min(50);
        self.inner.read(&mut buf[..len])
    }
}

impl<W: Write> Write for FailsOnce<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.call()?;
        self.inner.write(&buf[..buf.len().min(50)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[test]
fn a_reader_stays_failed_when_the_inner_one_failed() {
    for kind in tiny() {
        let plaintext = plaintext(500);
        let stream = seal(&kind.aead, &plaintext);
        for at in 1..10 {
            let inner = FailsOnce {
                inner: stream.as_slice(),
                at,
            };
            let mut reader = kind.aead.decrypting_reader(inner, AAD);
            let mut opened = Vec::new();
            let error = reader.read_to_end(&mut opened).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert_eq!(error.to_string(), "no space");
            assert!(plaintext.starts_with(&opened) && opened.len() < plaintext.len());
            for _ in 0..3 {
                let error = reader.read(&mut [0; 10]).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            }
        }
    }
}

#[test]
fn a_writer_takes_nothing_when_the_inner_one_fails_and_can_go_on() {
    for kind in tiny() {
        let plaintext = plaintext(500);
        for at in 1..10 {
            let inner = FailsOnce {
                inner: Vec::new(),
                at,
            };
            let mut writer = kind.aead.encrypting_writer(inner, AAD).unwrap();
            let (mut rest, mut errors) = (plaintext.as_slice(), 0);
            while !rest.is_empty() {
                match writer.write(&rest[..rest.len().min(30)]) {
                    Ok(taken) => rest = &rest[taken..],
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                        errors += 1;
                    }
                }
            }
            errors += usize::from(writer.try_finish().is_err());
            writer.try_finish().unwrap();
            assert_eq!(errors, 1);
            opens_every_way(&kind, &writer.get_ref().inner, &plaintext);
        }
    }
}

/// Claims one byte more than it was given.
struct Claims;

impl Read for Claims {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(buf.len() + 1)
    }
}

impl Write for Claims {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len() + 1)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_inner_one_that_claims_more_than_it_was_given_is_an_error() {
    for kind in tiny().into_iter().chain(small()) {
        let mut reader = kind.aead.decrypting_reader(Claims, AAD);
        assert!(reader.read(&mut [0; 10]).is_err());
        assert!(reader.read(&mut [0; 10]).is_err(), "it stays failed");
        let mut writer = kind.aead.encrypting_writer(Claims, AAD).unwrap();
        assert!(writer.write(b"plaintext").is_err());
        assert!(writer.flush().is_err());
        assert!(writer.finish().is_err());
    }
}

#[test]
fn a_writer_that_takes_no_more_is_an_error() {
    for kind in tiny() {
        let mut room = [0; 100];
        let mut writer = kind
            .aead
            .encrypting_writer(room.as_mut_slice(), AAD)
            .unwrap();
        writer.write_all(&plaintext(1000)).unwrap();
        let error = writer.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}

#[test]
fn nothing_can_be_written_after_the_end() {
    for kind in tiny() {
        let mut writer = kind.aead.encrypting_writer(Vec::new(), AAD).unwrap();
        writer.write_all(b"plaintext").unwrap();
        writer.try_finish().unwrap();
        assert!(writer.write(b"more").is_err());
        let len = writer.get_ref().len();
        writer.try_finish().unwrap();
        writer.flush().unwrap();
        let stream = writer.finish().unwrap();
        assert_eq!(stream.len(), len);
        opens_every_way(&kind, &stream, b"plaintext");
    }
}

#[test]
fn flushing_writes_what_is_sealed_and_does_not_change_the_stream() {
    for kind in tiny() {
        let plaintext = plaintext(full(&kind.aead, 3));
        let mut writer = kind.aead.encrypting_writer(Vec::new(), AAD).unwrap();
        writer.flush().unwrap();
        let header = kind.aead.layout().header_size();
        assert_eq!(writer.get_ref().len(), header);
        for byte in &plaintext {
            writer.write_all(&[*byte]).unwrap();
            writer.flush().unwrap();
        }
        // The last segment is full, and waits for more or for the end.
        let segment_size = kind.aead.layout().segment_size();
        assert_eq!(writer.get_ref().len(), 2 * segment_size);
        let stream = writer.finish().unwrap();
        assert_eq!(stream.len(), 3 * segment_size);
        opens_every_way(&kind, &stream, &plaintext);
    }
}

#[test]
fn a_large_plaintext_in_one_call_or_in_many_round_trips() {
    let plaintext = plaintext(3_000_000);
    for name in ["AES128_GCM_HKDF_1MB", "AES256_GCM_HKDF_4KB"] {
        let aead = aead(keyseal::Key::generate(name).unwrap());
        let kind = Kind { name, aead };
        for chunk in [3_000_000, 1 << 20, (1 << 20) - 41, 300_000, 8192] {
            let mut writer = kind.aead.encrypting_writer(Vec::new(), AAD).unwrap();
            for part in plaintext.chunks(chunk) {
                writer.write_all(part).unwrap();
            }
            opens_every_way(&kind, &writer.finish().unwrap(), &plaintext);
        }
    }
}

#[test]
fn the_largest_segments_take_memory_for_what_is_in_them() {
    let plaintext = plaintext(1_000_000);
    for (name, key) in [
        ("AES-GCM, 2 GiB", gcm(32, (1 << 31) - 1)),
        (
            "AES-CTR-HMAC, 2 GiB",
            ctr(16, (1 << 31) - 1, keyseal::Hash::Sha512, 64),
        ),
    ] {
        let kind = Kind {
            name,
            aead: aead(key),
        };
        let stream = seal(&kind.aead, &plaintext);
        assert_eq!(
            stream.len(),
            plaintext.len() + kind.aead.layout().header_size() + kind.aead.layout().tag_size()
        );
        opens_every_way(&kind, &stream, &plaintext);
    }
}

#[test]
fn readers_and_writers_go_to_other_threads_and_tell_no_secrets() {
    fn assert_send<T: Send + std::fmt::Debug>(value: &T) -> String {
        format!("{value:?}")
    }
    let kind = tiny().remove(0);
    let mut writer = kind.aead.encrypting_writer(Vec::new(), AAD).unwrap();
    writer.write_all(b"plaintext").unwrap();
    let shown = assert_send(&writer);
    let stream = writer.finish().unwrap();
    let mut reader = DecryptingReader::new(kind.aead.opener(AAD), stream.as_slice());
    assert_eq!(reader.fill_buf().unwrap(), b"plaintext");
    let bytes = format!("{:?}", b"plaintext");
    for shown in [shown, assert_send(&reader.get_ref().len()), {
        let opener = kind.aead.opener(AAD);
        assert_send(&opener)
    }] {
        assert!(!shown.contains("plaintext") || shown.contains("plaintext: Queue"));
        assert!(!shown.contains(&bytes[1..bytes.len() - 1]));
    }
}
