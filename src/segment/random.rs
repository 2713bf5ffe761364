//! Decrypts any segment of a stream.

use std::fmt;

use super::{Place, RangePlan, StreamCipher, StreamMap, in_memory};
use crate::{error::DecryptError, secret::Wiped};

/// Opens segments of one stream, in any order and from any thread: for object stores and HTTP.
///
/// For files there is [`RandomAccess`](crate::streaming::RandomAccess).
///
/// # Security
/// Every segment is authentic, and at its place. That the stream is complete, and how long its
/// plaintext is, is known only when the last segment has opened.
///
/// # Example
/// ```
/// # use std::io::Write as _;
/// use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead};
///
/// # let keyset = KeysetHandle::generate("AES128_GCM_HKDF_4KB")?;
/// # let aead: KeysetStreamingAead = keyset.primitive()?;
/// # let mut writer = aead.encrypting_writer(Vec::new(), b"associated data")?;
/// # writer.write_all(&[7; 100_000])?;
/// # let object = writer.finish()?;
/// # let size_of_object = || object.len();
/// # let fetch = |range: std::ops::Range<u64>| &object[range.start as usize..range.end as usize];
/// let size = size_of_object() as u64;
/// let opener = aead.opener(b"associated data");
/// let start = fetch(0..size.min(opener.start_size() as u64));
/// let opener = opener.at(start, size)?;
///
/// let plan = opener.map().plan(50_000..60_000);
/// let mut part = Vec::new();
/// opener.open_range(&plan, fetch(plan.ciphertext()), &mut part)?;
/// assert_eq!(part, vec![7; 10_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SegmentOpener {
    stream: StreamCipher,
    map: StreamMap,
}

impl SegmentOpener {
    /// Takes the length of the stream; none when no stream is that long.
    pub(crate) fn new(stream: StreamCipher, ciphertext_size: u64) -> Option<Self> {
        let map = stream.layout().map(ciphertext_size)?;
        Some(Self { stream, map })
    }

    /// Returns where everything is in the stream.
    #[must_use]
    pub const fn map(&self) -> &StreamMap {
        &self.map
    }

    /// Decrypts what a plan says to read, and appends the part of the plaintext that the plan is
    /// for to `out`.
    ///
    /// # Errors
    /// [`DecryptError`] when a segment does not open, or `ciphertext` is not as long as the plan
    /// says; `out` is then as long as it was.
    pub fn open_range(
        &self,
        plan: &RangePlan,
        ciphertext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        let segments = plan.segments();
        let whole = self.map.plaintext_start(segments.start)
            ..self.map.plaintext_end(segments.end.saturating_sub(1));
        let len = |range: &std::ops::Range<u64>| in_memory(range.end.saturating_sub(range.start));
        let mut plaintext = Wiped::zeros(len(&whole));
        self.open_segments(segments, ciphertext, &mut plaintext)?;
        let part = plaintext
            .get(plan.skip()..)
            .and_then(|rest| rest.get(..len(&plan.plaintext())))
            .ok_or(DecryptError::FAILED)?;
        out.reserve_exact(part.len());
        out.extend_from_slice(part);
        Ok(())
    }

    /// Opens segments that follow each other, in `ciphertext`, to `out`, which is as long as their
    /// plaintext.
    pub(crate) fn open_segments(
        &self,
        segments: std::ops::Range<u64>,
        mut ciphertext: &[u8],
        mut out: &mut [u8],
    ) -> Result<(), DecryptError> {
        for index in segments {
            let range = self.map.segment(index).ok_or(DecryptError::FAILED)?;
            let (segment, rest) = ciphertext
                .split_at_checked(in_memory(range.end - range.start))
                .ok_or(DecryptError::FAILED)?;
            let plaintext_len = self
                .stream
                .plaintext_len(segment.len())
                .ok_or(DecryptError::FAILED)?;
            let (plaintext, after) = out
                .split_at_mut_checked(plaintext_len)
                .ok_or(DecryptError::FAILED)?;
            self.stream
                .open(index, self.place(index), segment, plaintext)?;
            (ciphertext, out) = (rest, after);
        }
        if ciphertext.is_empty() && out.is_empty() {
            Ok(())
        } else {
            Err(DecryptError::FAILED)
        }
    }

    /// Returns whether the first segment opens, for a key that may not be the stream's.
    pub(super) fn opens_start(&self, start: &[u8]) -> bool {
        let Some(segment) = self
            .map
            .segment(0)
            .and_then(|range| start.get(in_memory(range.start)..in_memory(range.end)))
        else {
            return false;
        };
        let Some(plaintext_len) = self.stream.plaintext_len(segment.len()) else {
            return false;
        };
        let mut plaintext = Wiped::zeros(plaintext_len);
        self.open_segments(0..1, segment, &mut plaintext).is_ok()
    }

    const fn place(&self, index: u64) -> Place {
        if index + 1 == self.map.segments() {
            Place::Last
        } else {
            Place::Inner
        }
    }
}

impl fmt::Debug for SegmentOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentOpener")
            .field("map", &self.map)
            .finish_non_exhaustive()
    }
}
