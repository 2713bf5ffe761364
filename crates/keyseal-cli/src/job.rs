//! One file on its way from input to output: a message in memory, or a stream, with several threads
//! if both ends are files.

use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom, Write},
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use keyseal::{
    KeysetStreamingAead, StreamingAead as _,
    streaming::{
        EncryptingWriter, Offset, RandomAccess, ReadAt, WriteAt, decrypt_parallel, encrypt_parallel,
    },
};
use zeroize::Zeroizing;

use crate::{
    byte_range::ByteRange,
    context::Context,
    display::size,
    error::Failure,
    exit::Exit,
    files::{Opened, Output},
    input::{InOrder, Input},
    progress::Progress,
};

/// The number of bytes that are copied at once on a single thread.
const CHUNK: usize = 1 << 20;
/// The longest plaintext that is encrypted in memory, in bytes.
pub(crate) const MESSAGE_LIMIT: u64 = 2 << 30;
/// The most bytes by which a message's ciphertext exceeds its plaintext.
const MOST_OVERHEAD: u64 = 4096 + 128;
/// The longest plaintext of a stream that is held back in memory until it is authenticated.
const HELD_BACK: usize = 256 << 20;

/// How many bytes went in and came out, the header of a sealed stream included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// When plaintext comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// After all of it is authenticated.
    Whole,
    /// Segment by segment, once each is authenticated.
    AsItComes,
}

/// One file to encrypt or decrypt.
pub(crate) struct Job<'j> {
    pub(crate) input: Input,
    pub(crate) associated_data: &'j [u8],
    pub(crate) threads: NonZeroUsize,
    pub(crate) context: &'j Context,
}

impl Job<'_> {
    /// Starts to show the progress of a message, until the value is dropped.
    pub(crate) fn progress(&self) -> Progress {
        Progress::start(self.input.size(), self.context)
    }

    /// Reads a message to recognise it.
    pub(crate) fn read_message(&mut self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.read_up_to(MESSAGE_LIMIT + MOST_OVERHEAD, 0, None)
    }

    /// Reads a message that will be decrypted.
    pub(crate) fn read_ciphertext(
        &mut self,
        progress: &Progress,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.read_up_to(MESSAGE_LIMIT + MOST_OVERHEAD, 0, Some(progress))
    }

    /// Reads a message that will be encrypted, with room for `spare` bytes more.
    pub(crate) fn read_plaintext(
        &mut self,
        spare: usize,
        progress: &Progress,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.read_up_to(MESSAGE_LIMIT, spare, Some(progress))
    }

    fn read_up_to(
        &mut self,
        limit: u64,
        spare: usize,
        progress: Option<&Progress>,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let read = self.input.read(limit, spare, progress)?;
        read.ok_or_else(|| too_large(self.input.name()))
    }

    /// Writes a message, and returns its size in bytes.
    pub(crate) fn write_message(
        &self,
        bytes: &[u8],
        output: &mut Output<'_>,
    ) -> Result<u64, Failure> {
        output.refuse_binary(bytes)?;
        let what = format!("cannot write {}", output.name());
        let written = output.opened()?.write_all(bytes);
        written.map_err(|error| Failure::io(what, &error))?;
        Ok(bytes.len() as u64)
    }

    /// Encrypts all of the input as a stream that follows `header`.
    pub(crate) fn encrypt_stream(
        &mut self,
        aead: &KeysetStreamingAead,
        header: &[u8],
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let names = Names::new(&self.input, output, "encrypt");
        let progress = Progress::start(self.input.size(), self.context);
        let sealer = aead
            .sealer(self.associated_data)
            .map_err(|error| names.failed(Side::Here, &io::Error::other(error)))?;
        let (mut target, header_size) = (output.opened()?, header.len() as u64);
        // If the system does not know the size, only the end of the data shows it.
        let sized = self.input.file().filter(|_| self.input.size() > Some(0));
        if let (Some(file), Opened::File(sink)) = (sized, &mut target) {
            let (source, sink) = (Watched::new(file), Watched::with_progress(sink, &progress));
            let write = || {
                sink.write_all_at(header, 0)?;
                let body = Offset::new(&sink, header_size);
                encrypt_parallel(sealer, &source, &body, self.threads)
            };
            let stream = write().map_err(|error| names.failed(sink.side(&source), &error))?;
            return Ok(Sizes {
                read: source.end.load(Ordering::Relaxed),
                written: header_size + stream,
            });
        }
        let mut counted = Counted::new(target);
        let begun = counted.write_all(header);
        begun.map_err(|error| names.failed(Side::Output, &error))?;
        let mut writer = EncryptingWriter::new(sealer, counted);
        let read = copy(self.input.reader(), &mut writer, &progress, &names)?;
        let finished = writer.finish();
        let counted = finished.map_err(|error| names.failed(Side::Output, &error))?;
        Ok(Sizes {
            read,
            written: counted.count,
        })
    }

    /// Decrypts the stream that follows the first `header_size` bytes of the input. If the output
    /// cannot be discarded, all of it is authenticated before the first byte is written, unless
    /// `release` says otherwise.
    pub(crate) fn decrypt_stream(
        &mut self,
        aead: &KeysetStreamingAead,
        header_size: u64,
        range: Option<ByteRange>,
        release: Release,
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let names = Names::new(&self.input, output, "decrypt");
        let as_it_comes = release == Release::AsItComes;
        if as_it_comes && !output.is_revocable() {
            self.context.warn(
                "the output is written while it is decrypted: it is complete only if the exit code is 0",
            );
        }
        match (self.input.file(), range) {
            (Some(file), Some(range)) => self.decrypt_range(aead, file, header_size, range, output),
            (None, Some(_)) => Err(Failure::usage(
                "range",
                format!("cannot read a part of {}", names.input),
                "it is not a regular file, and can be read only once",
            )),
            (Some(file), None) if !as_it_comes || output.is_revocable() => {
                self.decrypt_file(aead, file, header_size, output)
            }
            (_, None) => {
                let can_be_written = as_it_comes || output.is_revocable();
                self.decrypt_in_order(aead, header_size, can_be_written, output)
            }
        }
    }

    fn decrypt_file(
        &self,
        aead: &KeysetStreamingAead,
        file: &File,
        header_size: u64,
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let names = Names::new(&self.input, output, "decrypt");
        let progress = Progress::start(self.input.size(), self.context);
        let source = Watched::new(file);
        let stream = Offset::new(&source, header_size);
        let opener = || aead.opener(self.associated_data);
        let written = match output.opened()? {
            Opened::File(sink) => {
                let sink = Watched::with_progress(sink, &progress);
                decrypt_parallel(opener(), &stream, &sink, self.threads)
                    .map_err(|error| names.failed(sink.side(&source), &error))?
            }
            mut target @ Opened::Compared(_) => {
                let stream = InOrder(stream, 0);
                let reader = aead.decrypting_reader(stream, self.associated_data);
                copy(reader, &mut target, &progress, &names)?
            }
            mut target @ Opened::Gone(_) => {
                decrypt_parallel(opener(), &stream, &Nowhere, self.threads)
                    .map_err(|error| names.failed(Side::Input, &error))?;
                // It was authentic a moment ago. If it has changed since, this pass fails, too.
                let stream = InOrder(stream, 0);
                let reader = aead.decrypting_reader(stream, self.associated_data);
                copy(reader, &mut target, &progress, &names)?
            }
        };
        let read = source.end.load(Ordering::Relaxed);
        Ok(Sizes { read, written })
    }

    /// Decrypts a stream as it arrives. The output before an error is authentic but not complete.
    fn decrypt_in_order(
        &mut self,
        aead: &KeysetStreamingAead,
        header_size: u64,
        can_be_written: bool,
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let names = Names::new(&self.input, output, "decrypt");
        let progress = Progress::start(self.input.size(), self.context);
        let mut source = Counting {
            inner: self.input.reader(),
            count: 0,
        };
        io::copy(&mut source.by_ref().take(header_size), &mut io::sink())
            .map_err(|error| names.failed(Side::Input, &error))?;
        let reader = aead.decrypting_reader(&mut source, self.associated_data);
        if can_be_written {
            let written = copy(reader, &mut output.opened()?, &progress, &names)?;
            let read = source.count;
            return Ok(Sizes { read, written });
        }
        let plaintext = to_memory(reader, HELD_BACK, &progress)
            .map_err(|error| names.failed(Side::Input, &error))?
            .ok_or_else(|| held_back(&names.input))?;
        let read = source.count;
        drop(source);
        let written = self.write_message(&plaintext, output)?;
        Ok(Sizes { read, written })
    }

    /// Decrypts a part of the plaintext, and reads only the segments that contain it.
    fn decrypt_range(
        &self,
        aead: &KeysetStreamingAead,
        file: &File,
        header_size: u64,
        range: ByteRange,
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let names = Names::new(&self.input, output, "decrypt");
        let progress = Progress::start(None, self.context);
        let source = Watched::new(file);
        let opener = aead.opener(self.associated_data);
        let plaintext = RandomAccess::new(opener, Offset::new(&source, header_size))
            .map_err(|error| names.failed(Side::Input, &error))?;
        let (start, end) = range.within(plaintext.len(), &names.input)?;
        let mut reader = plaintext.into_reader();
        reader
            .seek(SeekFrom::Start(start))
            .map_err(|error| names.failed(Side::Input, &error))?;
        let reader = reader.take(end - start);
        let written = copy(reader, &mut output.opened()?, &progress, &names)?;
        // Some segments are read twice, and others not at all: only the whole has a size to name.
        let read = ReadAt::size(&source).map_err(|error| names.failed(Side::Input, &error))?;
        Ok(Sizes { read, written })
    }
}

/// The names of the two ends in messages.
struct Names {
    input: String,
    output: String,
    verb: &'static str,
}

impl Names {
    fn new(input: &Input, output: &Output<'_>, verb: &'static str) -> Self {
        Self {
            input: input.name().to_owned(),
            output: output.name(),
            verb,
        }
    }

    fn failed(&self, side: Side, error: &io::Error) -> Failure {
        // There is no more precise reason for a stream that does not decrypt.
        if error.kind() == io::ErrorKind::InvalidData && side != Side::Output {
            return not_decrypted(&self.input);
        }
        match side {
            Side::Input => Failure::io(format!("cannot read {}", self.input), error),
            Side::Output => Failure::io(format!("cannot write {}", self.output), error),
            Side::Here => Failure::new(
                Exit::Failed,
                "not_encrypted",
                format!("cannot {} {}", self.verb, self.input),
                error.to_string(),
            ),
        }
    }
}

/// The error for a file that did not decrypt, without a reason.
pub(crate) fn not_decrypted(input: &str) -> Failure {
    Failure::new(
        Exit::NotDecrypted,
        "not_decrypted",
        format!("cannot decrypt {input}"),
        "decryption failed",
    )
}

/// Copies to the end; an error says which of the two sides failed.
fn copy(
    mut reader: impl Read,
    writer: &mut impl Write,
    progress: &Progress,
    names: &Names,
) -> Result<u64, Failure> {
    let mut part = Zeroizing::new(vec![0; CHUNK]);
    let mut copied = 0;
    loop {
        match reader.read(&mut part) {
            Ok(0) => return Ok(copied),
            Ok(len) => {
                writer
                    .write_all(part.split_at(len).0)
                    .map_err(|error| names.failed(Side::Output, &error))?;
                copied += len as u64;
                progress.add(len);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(names.failed(Side::Input, &error)),
        }
    }
}

/// Reads up to `limit` bytes into memory that is wiped; `None` if there are more.
fn to_memory(
    mut reader: impl Read,
    limit: usize,
    progress: &Progress,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
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
            Ok(read) => progress.add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if plaintext.len() > limit {
            return Ok(None);
        }
    }
}

fn held_back(name: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "too_large",
        format!("cannot decrypt {name}"),
        format!(
            "it is longer than {}, and cannot be held back in memory until all of it is authenticated",
            size(HELD_BACK as u64)
        ),
    )
    .hint("write to a file with -o OUT, which appears when all of it is authenticated")
    .hint("--stream-output writes what is authenticated so far: a later failure ends with exit code 4")
}

fn too_large(name: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "too_large",
        format!("cannot process {name}"),
        format!(
            "it is longer than {}, the limit for one message in memory",
            size(MESSAGE_LIMIT)
        ),
    )
    .hint("a streaming keyset, or --kek without --no-stream, needs little memory for it")
}

/// The side that caused an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Input,
    Output,
    Here,
}

/// A file that counts its bytes, and knows whether it has failed.
struct Watched<'w> {
    file: &'w File,
    /// Counts the bytes that are written.
    progress: Option<&'w Progress>,
    failed: AtomicBool,
    /// The position after the last byte read, not the size that the system reports.
    end: AtomicU64,
}

impl<'w> Watched<'w> {
    fn new(file: &'w File) -> Self {
        Self {
            file,
            progress: None,
            failed: AtomicBool::new(false),
            end: 0.into(),
        }
    }

    fn with_progress(file: &'w File, progress: &'w Progress) -> Self {
        Self {
            progress: Some(progress),
            ..Self::new(file)
        }
    }

    /// Returns which side caused an error: this sink or `source`.
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
        // A read behind the end gives nothing, wherever it asks.
        if len > 0 {
            self.end.fetch_max(position + len as u64, Ordering::Relaxed);
        }
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
            // A device that cannot be truncated is not a failure of the output.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Err(error),
            done => self.note(done),
        }
    }
}

/// Counts the bytes that are read.
struct Counting<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buf)?;
        self.count += len as u64;
        Ok(len)
    }
}

/// Discards a plaintext that only has to be authenticated.
struct Nowhere;

impl WriteAt for Nowhere {
    fn write_at(&self, buf: &[u8], _: u64) -> io::Result<usize> {
        Ok(buf.len())
    }
}

/// Counts the bytes written.
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
