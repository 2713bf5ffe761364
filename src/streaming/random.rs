//! Reads a plaintext at any position.

use std::{fmt, io, ops::Range};

use super::{SeekableReader, at::ReadAt, buffer::segments_per_batch};
use crate::{
    error::DecryptError,
    secret::Wiped,
    segment::{Opener, SegmentOpener, StreamMap, in_memory},
};

/// The plaintext of a stream, read at any position, by several threads if the source is [`Sync`].
///
/// It knows how long the plaintext is, because [`new`](Self::new) has authenticated the last
/// segment: a stream that was cut or added to is refused there. Everything that it reads is
/// authenticated before it comes out. It keeps nothing: for many small reads there is
/// [`SeekableReader`], which keeps what it has opened.
///
/// # Example
/// ```
/// use std::io::Write as _;
/// use keyseal::streaming::{RandomAccess, ReadAt as _};
/// use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead};
/// # let keyset = KeysetHandle::generate("AES128_GCM_HKDF_4KB")?;
/// # let aead: KeysetStreamingAead = keyset.primitive()?;
///
/// # let mut writer = aead.encrypting_writer(Vec::new(), b"archive")?;
/// # writer.write_all(&vec![0; 500_000])?;
/// # writer.write_all(b"the last words")?;
/// # let file = writer.finish()?;
/// let plaintext = RandomAccess::new(aead.opener(b"archive"), file)?;
/// assert_eq!(plaintext.len(), 500_014);
/// let mut words = [0; 5];
/// plaintext.read_exact_at(&mut words, 500_009)?;
/// assert_eq!(&words, b"words");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RandomAccess<S> {
    opener: SegmentOpener,
    source: S,
}

impl<S: ReadAt> RandomAccess<S> {
    /// Finds the key of the stream, which is all of `source`, and authenticates its last segment.
    ///
    /// # Errors
    /// `InvalidData` with a [`DecryptError`] inside when the stream does not decrypt; else what the
    /// source says.
    pub fn new(opener: Opener, source: S) -> io::Result<Self> {
        let size = source.size()?;
        let mut start = vec![0; in_memory(size.min(opener.start_size() as u64))];
        source.read_exact_at(&mut start, 0)?;
        let opener = opener.at(&start, size)?;
        let new = Self { opener, source };
        let last = new.opener.map().segments() - 1;
        new.open_segments(last..last + 1)?;
        Ok(new)
    }

    /// Returns the length of the plaintext, which is authenticated.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.opener.map().plaintext_size()
    }

    /// Returns whether the plaintext is empty, which is authenticated.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns where everything is in the stream.
    #[must_use]
    pub const fn map(&self) -> &StreamMap {
        self.opener.map()
    }

    /// Makes a reader that seeks, at the start of the plaintext.
    pub fn into_reader(self) -> SeekableReader<S> {
        SeekableReader::of(self)
    }

    /// Returns the source.
    pub fn into_inner(self) -> S {
        self.source
    }

    pub(super) const fn opener(&self) -> &SegmentOpener {
        &self.opener
    }

    /// Reads and opens segments that follow each other.
    pub(super) fn open_segments(&self, segments: Range<u64>) -> io::Result<Wiped> {
        let (from, to) = bounds(self.map(), &segments);
        let mut ciphertext = vec![0; in_memory(from.end - from.start)];
        self.source.read_exact_at(&mut ciphertext, from.start)?;
        let mut plaintext = Wiped::zeros(in_memory(to.end - to.start));
        self.opener
            .open_segments(segments, &ciphertext, &mut plaintext)?;
        Ok(plaintext)
    }
}

/// Where segments that follow each other are in the stream and in the plaintext.
pub(super) fn bounds(map: &StreamMap, segments: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let last = segments.end.saturating_sub(1);
    let stream = match (map.segment(segments.start), map.segment(last)) {
        (Some(first), Some(last)) => first.start..last.end,
        _ => 0..0,
    };
    let plaintext = map.plaintext_start(segments.start)..map.plaintext_end(last);
    (stream, plaintext)
}

impl<S: ReadAt> ReadAt for RandomAccess<S> {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let per_batch = segments_per_batch(self.map().layout().segment_size()) as u64;
        if buf.is_empty() || position >= self.len() {
            return Ok(0);
        }
        let plan = self
            .map()
            .plan(position..position.saturating_add(buf.len() as u64));
        let mut filled = 0;
        let mut segments = plan.segments();
        while !segments.is_empty() {
            let batch = segments.start..segments.end.min(segments.start + per_batch);
            segments.start = batch.end;
            let skip = if filled == 0 { plan.skip() } else { 0 };
            let plaintext = self.open_segments(batch)?;
            let part = plaintext.get(skip..).ok_or(DecryptError::FAILED)?;
            let (_, rest) = buf.split_at_mut(filled);
            let len = part.len().min(rest.len());
            let (to, _) = rest.split_at_mut(len);
            to.copy_from_slice(part.split_at(len).0);
            filled += len;
        }
        Ok(filled)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len())
    }
}

impl<S> fmt::Debug for RandomAccess<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomAccess")
            .field("map", self.opener.map())
            .finish_non_exhaustive()
    }
}
