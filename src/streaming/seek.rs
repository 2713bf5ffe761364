//! Reads a plaintext from any position on.

use std::{
    fmt,
    io::{self, BufRead, Read, Seek, SeekFrom},
};

use super::{RandomAccess, at::ReadAt, buffer::segments_per_batch};
use crate::{
    error::DecryptError,
    secret::Wiped,
    segment::{Opener, in_memory},
};

/// Decrypts a stream from any position on, and can seek.
///
/// The length of the plaintext is authenticated before anything is read: see [`RandomAccess`]. You
/// may seek past the end, as in a file, and read nothing there. It keeps the plaintext it decrypted
/// last: one segment, and up to 256 KiB when it is read on from there. After an error of the
/// source, such as a time-out, you may try again from the same position; a stream that does not
/// decrypt stays failed.
///
/// # Example
/// ```
/// use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
/// use keyseal::streaming::SeekableReader;
/// use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead};
/// # let keyset = KeysetHandle::generate("AES128_GCM_HKDF_4KB")?;
/// # let aead: KeysetStreamingAead = keyset.primitive()?;
///
/// # let mut writer = aead.encrypting_writer(Vec::new(), b"archive")?;
/// # writer.write_all(&vec![0; 500_000])?;
/// # writer.write_all(b"the last words")?;
/// # let file = writer.finish()?;
/// let mut reader = SeekableReader::new(aead.opener(b"archive"), file)?;
/// reader.seek(SeekFrom::End(-5))?;
/// let mut words = String::new();
/// reader.read_to_string(&mut words)?;
/// assert_eq!(words, "words");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SeekableReader<S> {
    plaintext: RandomAccess<S>,
    position: u64,
    /// The plaintext decrypted last.
    opened: Wiped,
    /// Where in the plaintext that starts.
    opened_at: u64,
    /// The segment after it.
    next: u64,
    /// How many segments it was.
    run: u64,
    /// Whether a segment did not open.
    failed: bool,
}

impl<S: ReadAt> RandomAccess<S> {
    /// Makes a reader that seeks, at the start of the plaintext.
    pub fn into_reader(self) -> SeekableReader<S> {
        SeekableReader::of(self)
    }
}

impl<S: ReadAt> SeekableReader<S> {
    /// Finds the key of the stream, which is all of `source`, and authenticates its last segment.
    ///
    /// # Errors
    /// `InvalidData` with a [`DecryptError`] inside if the stream does not decrypt, or the source's
    /// error.
    pub fn new(opener: Opener, source: S) -> io::Result<Self> {
        Ok(Self::of(RandomAccess::new(opener, source)?))
    }

    pub(super) fn of(plaintext: RandomAccess<S>) -> Self {
        Self {
            plaintext,
            position: 0,
            opened: Wiped::default(),
            opened_at: 0,
            next: 0,
            run: 0,
            failed: false,
        }
    }

    /// Returns the length of the plaintext, which is authenticated.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.plaintext.len()
    }

    /// Returns whether the plaintext is empty, which is authenticated.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.plaintext.is_empty()
    }

    /// Returns the plaintext, for reads at any position.
    pub const fn get_ref(&self) -> &RandomAccess<S> {
        &self.plaintext
    }

    /// The decrypted plaintext at the position, or `None` if nothing is decrypted there.
    fn at_hand(&self) -> Option<&[u8]> {
        let skip = self.position.checked_sub(self.opened_at)?;
        let at_hand = self.opened.get(in_memory(skip)..)?;
        (!at_hand.is_empty()).then_some(at_hand)
    }

    /// Opens the segment at the position, and more and more after it while it is read on.
    fn open_here(&mut self) -> io::Result<()> {
        let map = self.plaintext.map();
        let first = map.plan(self.position..self.position + 1).segments().start;
        let most = segments_per_batch(map.layout().segment_size()) as u64;
        let run = if first == self.next {
            (2 * self.run).clamp(1, most)
        } else {
            1
        };
        match self.open_run(first, run) {
            // The damage may be in a segment that was read ahead. The requested one is still
            // returned.
            Err(error) if run > 1 && is_failed_decryption(&error) => self.open_run(first, 1),
            done => done,
        }
    }

    fn open_run(&mut self, first: u64, run: u64) -> io::Result<()> {
        let map = self.plaintext.map();
        let next = (first + run).min(map.segments());
        let opened_at = map.plaintext_start(first);
        self.opened = self.plaintext.open_segments(first..next)?;
        (self.opened_at, self.next, self.run) = (opened_at, next, run);
        Ok(())
    }
}

impl<S: ReadAt> BufRead for SeekableReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.failed {
            return Err(DecryptError::FAILED.into());
        }
        if self.position >= self.len() {
            return Ok(&[]);
        }
        if self.at_hand().is_none() {
            let opened = self.open_here();
            self.failed = opened.as_ref().is_err_and(is_failed_decryption);
            opened?;
        }
        // Nothing would look like the end, which this is not.
        self.at_hand().ok_or_else(|| DecryptError::FAILED.into())
    }

    fn consume(&mut self, len: usize) {
        let len = len.min(self.at_hand().map_or(0, <[u8]>::len));
        self.position += len as u64;
    }
}

/// Tells a stream that does not decrypt from a source that fails.
fn is_failed_decryption(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|cause| cause.is::<DecryptError>())
}

impl<S: ReadAt> Read for SeekableReader<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let len = self.fill_buf()?.read(buf)?;
        self.consume(len);
        Ok(len)
    }
}

impl<S: ReadAt> Seek for SeekableReader<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "the position is negative or too large",
            )
        })?;
        Ok(self.position)
    }
}

impl<S> fmt::Debug for SeekableReader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeekableReader")
            .field("plaintext", &self.plaintext)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
