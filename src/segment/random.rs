//! Decrypts any segment of a stream.

use std::{fmt, ops::Range, sync::Arc};

use zeroize::Zeroize as _;

use super::{Place, RangePlan, StreamCipher, StreamMap, in_memory};
use crate::{error::DecryptError, secret::Wiped};

/// Opens segments of one stream, in any order and from any thread: for object stores and HTTP.
///
/// For files there is [`RandomAccess`](crate::streaming::RandomAccess). Clones are cheap and share
/// the key, which is wiped with the last of them, so a cache can keep openers.
///
/// # Security
/// Every segment is authentic, and in its place. But only once the last segment has opened do you
/// know that the stream is complete, and how long its plaintext is.
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
#[derive(Clone)]
pub struct SegmentOpener {
    stream: Arc<StreamCipher>,
    map: StreamMap,
}

impl SegmentOpener {
    /// Takes the length of the stream. Returns `None` if no stream has that length.
    pub(crate) fn new(stream: StreamCipher, ciphertext_size: u64) -> Option<Self> {
        let map = stream.layout().map(ciphertext_size)?;
        Some(Self {
            stream: Arc::new(stream),
            map,
        })
    }

    /// Returns the map of the stream.
    #[must_use]
    pub const fn map(&self) -> &StreamMap {
        &self.map
    }

    /// Decrypts the bytes that a plan says to read, and appends the plan's part of the plaintext to
    /// `out`.
    ///
    /// # Errors
    /// [`DecryptError`] when a segment does not open, when `ciphertext` is not as long as the plan
    /// says, and when the plan is not of this opener's [`map`](Self::map); `out` is then as long as
    /// before.
    ///
    /// # Security
    /// Reserve room in `out` for all of the plaintext, or wipe it yourself: a vector that grows
    /// leaves plaintext behind in freed memory.
    pub fn open_range(
        &self,
        plan: &RangePlan,
        ciphertext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        // Check before allocating: after this, the plan claims no more than the ciphertext holds.
        self.check(plan, ciphertext)?;
        let start = out.len();
        let len = in_memory(len_of(&plan.plaintext()));
        out.reserve_exact(len);
        out.resize(start + len, 0);
        let opened = self.open_range_to(plan, ciphertext, out.split_at_mut(start).1);
        if opened.is_err() {
            out.truncate(start);
        }
        opened
    }

    /// Like [`open_range`](Self::open_range), into a buffer that is exactly as long as the plan's
    /// [`plaintext`](RangePlan::plaintext).
    ///
    /// Segments that lie within the part are decrypted straight into `out`; only the first and the
    /// last need extra memory, one segment each.
    ///
    /// # Errors
    /// The errors of [`open_range`](Self::open_range); also if `out` has another length. `out` is
    /// then all zero.
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
    /// let opener = aead.opener(b"associated data").at(&object, object.len() as u64)?;
    /// let plan = opener.map().plan(50_000..60_000);
    /// let read = plan.ciphertext();
    /// let mut page = [0; 10_000];
    /// opener.open_range_to(&plan, &object[read.start as usize..read.end as usize], &mut page)?;
    /// assert_eq!(page, [7; 10_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_range_to(
        &self,
        plan: &RangePlan,
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<(), DecryptError> {
        let opened = self.check(plan, ciphertext).and_then(|()| {
            if out.len() as u64 != len_of(&plan.plaintext()) {
                return Err(DecryptError::FAILED);
            }
            self.open_parts(plan, ciphertext, out)
        });
        if opened.is_err() {
            out.zeroize();
        }
        opened
    }

    /// Refuses a plan of another map, and bytes that are more or fewer than it says to read.
    fn check(&self, plan: &RangePlan, ciphertext: &[u8]) -> Result<(), DecryptError> {
        if *plan.map() == self.map && ciphertext.len() as u64 == len_of(&plan.ciphertext()) {
            Ok(())
        } else {
            Err(DecryptError::FAILED)
        }
    }

    fn open_parts(
        &self,
        plan: &RangePlan,
        mut ciphertext: &[u8],
        mut out: &mut [u8],
    ) -> Result<(), DecryptError> {
        let wanted = plan.plaintext();
        for index in plan.segments() {
            let range = self.map.segment(index).ok_or(DecryptError::FAILED)?;
            let (segment, rest) = ciphertext
                .split_at_checked(in_memory(len_of(&range)))
                .ok_or(DecryptError::FAILED)?;
            let whole = self.map.plaintext(index);
            let part = wanted.start.max(whole.start)..wanted.end.min(whole.end);
            let (to, after) = out
                .split_at_mut_checked(in_memory(len_of(&part)))
                .ok_or(DecryptError::FAILED)?;
            if part == whole {
                self.stream.open(index, self.place(index), segment, to)?;
            } else {
                let mut plaintext = Wiped::zeros(in_memory(len_of(&whole)));
                let place = self.place(index);
                self.stream.open(index, place, segment, &mut plaintext)?;
                let skip = in_memory(part.start.saturating_sub(whole.start));
                let read = plaintext.get(skip..).and_then(|rest| rest.get(..to.len()));
                to.copy_from_slice(read.ok_or(DecryptError::FAILED)?);
            }
            (ciphertext, out) = (rest, after);
        }
        Ok(())
    }

    /// Opens segments that follow each other, in `ciphertext`, to `out`, which is as long as their
    /// plaintext.
    pub(crate) fn open_segments(
        &self,
        segments: Range<u64>,
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

    /// Returns whether the first segment opens, for a key that may not be the stream's, or `None`
    /// if `start` ends within that segment.
    pub(super) fn opens_start(&self, start: &[u8]) -> Option<bool> {
        let range = self.map.segment(0)?;
        let segment = start.get(in_memory(range.start)..in_memory(range.end))?;
        let mut plaintext = Wiped::zeros(in_memory(len_of(&self.map.plaintext(0))));
        Some(self.open_segments(0..1, segment, &mut plaintext).is_ok())
    }

    const fn place(&self, index: u64) -> Place {
        if index + 1 == self.map.segments() {
            Place::Last
        } else {
            Place::Inner
        }
    }
}

const fn len_of(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

impl fmt::Debug for SegmentOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentOpener")
            .field("map", &self.map)
            .finish_non_exhaustive()
    }
}
