//! Streams from one place to another: in threads where both ends are files, else in order.

use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom, Write},
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, Ordering},
};

use keyseal::{
    KeysetStreamingAead, StreamingAead as _,
    streaming::{
        EncryptingWriter, Offset, RandomAccess, ReadAt, WriteAt, decrypt_parallel, encrypt_parallel,
    },
};
use zeroize::Zeroizing;

use crate::{
    error::Failure,
    exit::Exit,
    files::{Opened, Output},
    input::Source,
    progress::Progress,
};

/// Bytes that are copied at once, where threads have nothing to do with it.
const CHUNK: usize = 1 << 20;

/// How many bytes went in and came out, the header in front of a stream included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// The streams of one key, between an input and an output.
pub(crate) struct Streams<'s> {
    pub(crate) aead: &'s KeysetStreamingAead,
    pub(crate) associated_data: &'s [u8],
    pub(crate) threads: NonZeroUsize,
    pub(crate) progress: &'s Progress,
    /// For messages.
    pub(crate) input: &'s str,
}

impl Streams<'_> {
    /// Encrypts all of `source` behind `header`.
    pub(crate) fn encrypt(
        &self,
        source: Source,
        header: &[u8],
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let name = output.name();
        let sealer = self
            .aead
            .sealer(self.associated_data)
            .map_err(|error| self.failed(&name, Side::Here, "encrypt", &io::Error::other(error)))?;
        let (mut target, header_size) = (output.opened()?, header.len() as u64);
        match (source, &mut target) {
            (Source::File(file), Opened::File(sink)) => {
                let (source, sink) = (self.watch(&file), self.watch_sink(sink));
                let write = || {
                    sink.write_all_at(header, 0)?;
                    let body = Offset::new(&sink, header_size);
                    encrypt_parallel(sealer, &source, &body, self.threads)
                };
                let stream = write()
                    .map_err(|error| self.failed(&name, sink.side(&source), "encrypt", &error))?;
                // What the file says of its size may be wrong: that of a file of /proc is 0.
                let read = self
                    .aead
                    .layout()
                    .plaintext_size(stream)
                    .unwrap_or_default();
                let written = header_size + stream;
                Ok(Sizes { read, written })
            }
            (source, target) => {
                let mut counted = Counted::new(target);
                let begun = counted.write_all(header);
                begun.map_err(|error| self.failed(&name, Side::Output, "encrypt", &error))?;
                let mut writer = EncryptingWriter::new(sealer, counted);
                let read = self.copy(source, &mut writer, &name, "encrypt")?;
                let finished = writer.finish();
                let counted = finished
                    .map_err(|error| self.failed(&name, Side::Output, "encrypt", &error))?;
                let written = counted.count;
                Ok(Sizes { read, written })
            }
        }
    }

    /// Decrypts the stream behind the first `header_size` bytes of a file, which is authenticated as
    /// a whole before an output that cannot be taken back gets any of it.
    pub(crate) fn decrypt_file(
        &self,
        file: &File,
        header_size: u64,
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let name = output.name();
        let source = self.watch(file);
        let stream = Offset::new(&source, header_size);
        let opener = || self.aead.opener(self.associated_data);
        let size = |source: &Watched<'_>| source.size().unwrap_or_default();
        let written = match output.opened()? {
            Opened::File(sink) => {
                let sink = self.watch_sink(sink);
                decrypt_parallel(opener(), &stream, &sink, self.threads)
                    .map_err(|error| self.failed(&name, sink.side(&source), "decrypt", &error))?
            }
            mut target => {
                decrypt_parallel(opener(), &stream, &Nowhere, self.threads)
                    .map_err(|error| self.failed(&name, Side::Input, "decrypt", &error))?;
                // It was whole a moment ago. What is changed since does not come out either.
                self.decrypt_in_order(InOrder(stream, 0), &mut target, &name)?
            }
        };
        let read = size(&source);
        Ok(Sizes { read, written })
    }

    /// Decrypts a stream as it comes. What was written before an error is authentic, and not all.
    pub(crate) fn decrypt_in_order(
        &self,
        reader: impl Read,
        output: &mut impl Write,
        name: &str,
    ) -> Result<u64, Failure> {
        let mut reader = self.aead.decrypting_reader(reader, self.associated_data);
        let mut part = Zeroizing::new(vec![0; CHUNK]);
        let mut written = 0;
        loop {
            match reader.read(&mut part) {
                Ok(0) => return Ok(written),
                Ok(len) => {
                    output
                        .write_all(part.split_at(len).0)
                        .map_err(|error| self.failed(name, Side::Output, "decrypt", &error))?;
                    written += len as u64;
                    self.progress.add(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(name, Side::Input, "decrypt", &error)),
            }
        }
    }

    /// Decrypts a part of the plaintext, and reads no more than it takes.
    pub(crate) fn decrypt_range(
        &self,
        file: &File,
        header_size: u64,
        range: Range,
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let name = output.name();
        let failed = |side, error: &io::Error| self.failed(&name, side, "decrypt", error);
        let source = self.watch(file);
        let opener = self.aead.opener(self.associated_data);
        let plaintext = RandomAccess::new(opener, Offset::new(&source, header_size))
            .map_err(|error| failed(Side::Input, &error))?;
        let (start, end) = range.within(plaintext.len())?;
        let mut reader = plaintext.into_reader();
        reader
            .seek(SeekFrom::Start(start))
            .map_err(|error| failed(Side::Input, &error))?;
        let mut reader = reader.take(end - start);
        let mut part = Zeroizing::new(vec![0; CHUNK]);
        let mut target = output.opened()?;
        loop {
            match reader.read(&mut part) {
                Ok(0) => break,
                Ok(len) => {
                    let wrote = target.write_all(part.split_at(len).0);
                    wrote.map_err(|error| failed(Side::Output, &error))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(Side::Input, &error)),
            }
        }
        let read = source.read.load(Ordering::Relaxed);
        let written = end - start;
        Ok(Sizes { read, written })
    }

    /// Decrypts a stream that cannot be read twice into memory, up to `limit` bytes: none where it
    /// is longer.
    pub(crate) fn decrypt_to_memory(
        &self,
        reader: impl Read,
        limit: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let mut reader = self.aead.decrypting_reader(reader, self.associated_data);
        let mut plaintext = Zeroizing::new(Vec::new());
        loop {
            let len = plaintext.len();
            if len == plaintext.capacity() {
                let mut larger = Zeroizing::new(Vec::with_capacity((2 * len).max(CHUNK)));
                larger.extend_from_slice(&plaintext);
                plaintext = larger;
            }
            let room = (plaintext.capacity() - len).min(CHUNK);
            plaintext.resize(len + room, 0);
            let read = reader.read(plaintext.split_at_mut(len).1);
            plaintext.truncate(len + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(0) => return Ok(Some(plaintext)),
                Ok(read) => self.progress.add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("", Side::Input, "decrypt", &error)),
            }
            if plaintext.len() > limit {
                return Ok(None);
            }
        }
    }

    fn copy(
        &self,
        mut source: Source,
        writer: &mut impl Write,
        name: &str,
        verb: &str,
    ) -> Result<u64, Failure> {
        let mut part = Zeroizing::new(vec![0; CHUNK]);
        let mut copied = 0;
        loop {
            match source.read(&mut part) {
                Ok(0) => return Ok(copied),
                Ok(len) => {
                    writer
                        .write_all(part.split_at(len).0)
                        .map_err(|error| self.failed(name, Side::Output, verb, &error))?;
                    copied += len as u64;
                    self.progress.add(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(name, Side::Input, verb, &error)),
            }
        }
    }

    fn watch<'w>(&'w self, file: &'w File) -> Watched<'w> {
        Watched {
            file,
            progress: None,
            failed: AtomicBool::new(false),
            read: 0.into(),
        }
    }

    fn watch_sink<'w>(&'w self, file: &'w File) -> Watched<'w> {
        Watched {
            progress: Some(self.progress),
            ..self.watch(file)
        }
    }

    fn failed(&self, output: &str, side: Side, verb: &str, error: &io::Error) -> Failure {
        // A stream that does not decrypt has no closer reason.
        if error.kind() == io::ErrorKind::InvalidData && side != Side::Output {
            return not_decrypted(self.input);
        }
        match side {
            Side::Input => Failure::io(format!("cannot read {}", self.input), error),
            Side::Output => Failure::io(format!("cannot write {output}"), error),
            Side::Here => Failure::new(
                Exit::Failed,
                "not_encrypted",
                format!("cannot {verb} {}", self.input),
                error.to_string(),
            ),
        }
    }
}

/// Says that a file did not decrypt, and no more.
pub(crate) fn not_decrypted(input: &str) -> Failure {
    Failure::new(
        Exit::NotDecrypted,
        "not_decrypted",
        format!("cannot decrypt {input}"),
        "decryption failed",
    )
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Input,
    Output,
    Here,
}

/// A file whose bytes are counted, and which knows whether it was the one that failed.
struct Watched<'w> {
    file: &'w File,
    /// Where what is written counts as done.
    progress: Option<&'w Progress>,
    failed: AtomicBool,
    read: std::sync::atomic::AtomicU64,
}

impl Watched<'_> {
    /// Returns whose fault an error is, of this sink and `source`.
    fn side(&self, source: &Self) -> Side {
        if self.failed.load(Ordering::Relaxed) {
            Side::Output
        } else if source.failed.load(Ordering::Relaxed) {
            Side::Input
        } else {
            Side::Here
        }
    }

    fn note<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        if outcome.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

impl ReadAt for Watched<'_> {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let len = self.note(ReadAt::read_at(self.file, buf, position))?;
        self.read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }

    fn size(&self) -> io::Result<u64> {
        self.note(ReadAt::size(self.file))
    }
}

impl WriteAt for Watched<'_> {
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        let len = self.note(WriteAt::write_at(self.file, buf, position))?;
        if let Some(progress) = self.progress {
            progress.add(len);
        }
        Ok(len)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        match WriteAt::truncate(self.file, size) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Err(error),
            done => self.note(done),
        }
    }
}

/// Takes what is only to be authenticated.
struct Nowhere;

impl WriteAt for Nowhere {
    fn write_at(&self, buf: &[u8], _: u64) -> io::Result<usize> {
        Ok(buf.len())
    }
}

/// Reads what is at positions in order, from one on. The cursor of a file stays where it is.
pub(crate) struct InOrder<S>(pub(crate) S, pub(crate) u64);

impl<S: ReadAt> Read for InOrder<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read_at(buf, self.1)?;
        self.1 += len as u64;
        Ok(len)
    }
}

/// Counts what is written.
struct Counted<W> {
    inner: W,
    count: u64,
}

impl<W> Counted<W> {
    const fn new(inner: W) -> Self {
        Self { inner, count: 0 }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(buf)?;
        self.count += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A part of a plaintext: `A-B` with both ends in it, `A-` up to the end, `-N` the last N bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    From(u64, Option<u64>),
    Last(u64),
}

impl std::str::FromStr for Range {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a range is A-B, with both ends in it and counted from 0, A-, or -N";
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().map_err(|_| WRONG),
            false => Err(WRONG),
        };
        match text.split_once('-').ok_or(WRONG)? {
            ("", last) => Ok(Self::Last(number(last)?)),
            (first, "") => Ok(Self::From(number(first)?, None)),
            (first, last) => match (number(first)?, number(last)?) {
                (first, last) if first <= last => Ok(Self::From(first, Some(last))),
                _ => Err("a range ends where it starts, or later"),
            },
        }
    }
}

impl Range {
    /// Returns start and end in a plaintext of this size; an end behind it is its end.
    fn within(self, size: u64) -> Result<(u64, u64), Failure> {
        match self {
            Self::Last(count) => Ok((size.saturating_sub(count), size)),
            Self::From(first, last) if first < size || first == 0 => {
                let end = last.map_or(size, |last| size.min(last.saturating_add(1)));
                Ok((first, end))
            }
            Self::From(first, _) => Err(Failure::usage(
                "range",
                format!("cannot decrypt from byte {first}"),
                format!("the plaintext has {size} bytes"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        let within = |text: &str, size| {
            let range: Range = text.parse().ok()?;
            range.within(size).ok()
        };
        for (text, expected) in [
            ("0-0", Some((0, 1))),
            ("2-4", Some((2, 5))),
            ("2-", Some((2, 10))),
            ("9-100", Some((9, 10))),
            ("-3", Some((7, 10))),
            ("-0", Some((10, 10))),
            ("-100", Some((0, 10))),
            ("10-", None),
            ("4-2", None),
            ("-", None),
            ("", None),
            ("5", None),
            ("+1-2", None),
            ("1--2", None),
            ("0x1-2", None),
            ("99999999999999999999-", None),
        ] {
            assert_eq!(within(text, 10), expected, "{text}");
        }
        assert_eq!(within("0-", 0), Some((0, 0)));
        assert_eq!(within("0-18446744073709551615", 5), Some((0, 5)));
    }
}
