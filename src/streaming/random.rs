//! Reads a plaintext at any position.

use std::{fmt, io, ops::Range};

use super::{
    at::{ReadAt, fill_exactly},
    buffer::segments_per_batch,
};
use crate::{
    secret::Wiped,
    segment::{Opener, SegmentOpener, StreamMap, in_memory},
};

/// The plaintext of a stream, which you can read at any position, from several threads if the
/// source is [`Sync`].
///
/// It knows how long the plaintext is, because [`new`](Self::new) has authenticated the last
/// segment: a stream that was cut or extended is refused there. Everything is authenticated before
/// it is returned. There is no cache: for many small reads, use
/// [`SeekableReader`](super::SeekableReader), which keeps the segments that it decrypted last.
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
    /// `InvalidData` with a [`DecryptError`](crate::DecryptError) inside if the stream does not
    /// decrypt, or the source's error.
    pub fn new(opener: Opener, source: S) -> io::Result<Self> {
        let size = source.size()?;
        let (mut start, len) = (Vec::new(), size.min(opener.start_size() as u64));
        let start = fill_exactly(&source, &mut start, in_memory(len), 0)?;
        let opener = opener.at(start, size)?;
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

    /// Returns the map of the stream.
    #[must_use]
    pub const fn map(&self) -> &StreamMap {
        self.opener.map()
    }

    /// Returns the source.
    pub fn into_inner(self) -> S {
        self.source
    }

    pub(super) const fn opener(&self) -> &SegmentOpener {
        &self.opener
    }

    /// Reads and opens consecutive segments.
    pub(super) fn open_segments(&self, segments: Range<u64>) -> io::Result<Wiped> {
        let (from, to) = bounds(self.map(), &segments);
        let mut ciphertext = Vec::new();
        let ciphertext = self.read(&mut ciphertext, from)?;
        let mut plaintext = Wiped::zeros(in_memory(to.end - to.start));
        self.opener
            .open_segments(segments, ciphertext, &mut plaintext)?;
        Ok(plaintext)
    }

    fn read<'b>(&self, buffer: &'b mut Vec<u8>, range: Range<u64>) -> io::Result<&'b [u8]> {
        let len = in_memory(range.end - range.start);
        fill_exactly(&self.source, buffer, len, range.start)
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
        let map = self.map();
        let per_batch = segments_per_batch(map.layout().segment_size()) as u64;
        let end = self.len().min(position.saturating_add(buf.len() as u64));
        let (mut ciphertext, mut filled) = (Vec::new(), 0);
        loop {
            let start = position.saturating_add(filled as u64);
            if start >= end {
                return Ok(filled);
            }
            let last = map.plan(start..start + 1).segments().start + per_batch - 1;
            let batch_end = map.plaintext(last.min(map.segments() - 1)).end.min(end);
            let plan = map.plan(start..batch_end);
            let read = self.read(&mut ciphertext, plan.ciphertext())?;
            let (_, rest) = buf.split_at_mut(filled);
            let (part, _) = rest.split_at_mut(in_memory(batch_end - start));
            self.opener.open_range_to(&plan, read, part)?;
            filled += part.len();
        }
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
