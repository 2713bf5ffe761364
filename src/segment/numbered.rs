//! Encrypts the segments of a stream in any order.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Place, StreamCipher, StreamLayout};
use crate::error::EncryptError;

/// Encrypts segments of one stream, in any order and from any thread: for uploads in parts.
///
/// You get it from [`Sealer::into_segments`](super::Sealer::into_segments). You number the
/// segments, from 0, and put the stream together: the [`header`](Self::header), then the segments
/// in their order.
///
/// # Security
/// You can use a number only once: two plaintexts sealed with one number would reveal their
/// difference, so the second one is refused. A stream that misses a segment does not decrypt.
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead, streaming};
///
/// let keyset = KeysetHandle::generate("AES128_GCM_HKDF_4KB")?;
/// let aead: KeysetStreamingAead = keyset.primitive()?;
/// let plaintext = vec![7; 10_000];
///
/// let sealer = aead.sealer(b"associated data")?.into_segments();
/// let (first, rest) = plaintext.split_at(sealer.layout().segment_capacity(0));
/// let (second, third) = rest.split_at(sealer.layout().segment_capacity(1));
/// let mut parts = [sealer.header().to_vec(), Vec::new(), Vec::new()];
/// std::thread::scope(|scope| {
///     let [start, middle, end] = &mut parts;
///     let workers = [
///         scope.spawn(|| sealer.seal_last(2, third, end)),
///         scope.spawn(|| sealer.seal(0, first, start)),
///         scope.spawn(|| sealer.seal(1, second, middle)),
///     ];
///     workers.map(|worker| worker.join().expect("no worker panics"));
/// });
/// assert!(sealer.is_complete());
/// let stream = parts.concat();
/// let one = std::num::NonZeroUsize::MIN;
/// assert_eq!(streaming::decrypt_slice(aead.opener(b"associated data"), &stream, one)?, plaintext);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SegmentSealer {
    stream: StreamCipher,
    used: Mutex<Used>,
}

/// Which numbers are used up.
struct Used {
    /// Ranges of numbers, from start to end, that do not touch each other: one, where segments come
    /// about in order.
    ranges: BTreeMap<u64, u64>,
    /// The number of the last segment.
    last: Option<u64>,
}

impl SegmentSealer {
    /// Takes the number of the first segment that is not sealed.
    pub(super) fn new(stream: StreamCipher, next: u64) -> Self {
        let ranges = (next > 0).then_some((0, next)).into_iter().collect();
        Self {
            stream,
            used: Mutex::new(Used { ranges, last: None }),
        }
    }

    /// Returns the start of the stream: 24 or 40 bytes before segment 0.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.stream.header()
    }

    /// Returns the sizes of this stream. Its [`segment_capacity`](StreamLayout::segment_capacity)
    /// says how much plaintext each segment takes.
    #[must_use]
    pub const fn layout(&self) -> &StreamLayout {
        self.stream.layout()
    }

    /// Encrypts a segment that is full and not the last one, and appends it to `out`.
    ///
    /// # Errors
    /// [`EncryptError::SegmentSize`] unless `plaintext` is as long as the segment's capacity;
    /// [`EncryptError::SegmentNumber`] if the number is used up, or not below that of the last
    /// segment; [`EncryptError::TooLong`] if no number is left for a segment after it. `out` is
    /// then as long as before.
    pub fn seal(
        &self,
        index: u64,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        self.append(index, Place::Inner, plaintext, out)
    }

    /// Encrypts the last segment, which may be full, and appends it to `out`. Segments before it
    /// may be sealed later.
    ///
    /// Only an empty plaintext has an empty last segment, in what Tink writes; readers accept it
    /// after full ones too.
    ///
    /// # Errors
    /// [`EncryptError::SegmentSize`] when `plaintext` is longer than the segment's capacity;
    /// [`EncryptError::SegmentNumber`] if there is already a last segment, or one with this number
    /// or a higher one; [`EncryptError::TooLong`] for a number that no segment can have. `out` is
    /// then as long as before.
    pub fn seal_last(
        &self,
        index: u64,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        self.append(index, Place::Last, plaintext, out)
    }

    /// Returns whether the last segment and all before it are sealed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let used = self.used();
        used.last
            .is_some_and(|last| used.ranges.get(&0) == Some(&(last + 1)))
    }

    fn append(
        &self,
        index: u64,
        place: Place,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        self.stream.check(index, place, plaintext.len())?;
        // From here on the number is used up, whatever becomes of the segment.
        self.used().take(index, place)?;
        let start = out.len();
        out.resize(start + plaintext.len() + self.layout().tag_size(), 0);
        let (_, segment) = out.split_at_mut(start);
        let sealed = self.stream.seal(index, place, plaintext, segment);
        if sealed.is_err() {
            out.truncate(start);
        }
        sealed
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    fn take(&mut self, index: u64, place: Place) -> Result<(), EncryptError> {
        let (before, after) = (
            self.ranges.range(..=index).next_back(),
            self.ranges.range(index..).next(),
        );
        let is_free = before.is_none_or(|(_, end)| *end <= index);
        let fits = match (place, self.last) {
            (Place::Inner, last) => last.is_none_or(|last| index < last),
            (Place::Last, Some(_)) => false,
            (Place::Last, None) => after.is_none(),
        };
        if !is_free || !fits {
            return Err(EncryptError::SegmentNumber);
        }
        let start = match before {
            Some((start, end)) if *end == index => *start,
            _ => index,
        };
        let end = self.ranges.remove(&(index + 1)).unwrap_or(index + 1);
        self.ranges.insert(start, end);
        if place == Place::Last {
            self.last = Some(index);
        }
        Ok(())
    }
}

impl fmt::Debug for SegmentSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentSealer")
            .field("layout", self.layout())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::stream::tests::keys;

    /// Takes numbers as a set would.
    #[derive(Default)]
    struct Model {
        used: std::collections::BTreeSet<u64>,
        last: Option<u64>,
    }

    impl Model {
        fn take(&mut self, index: u64, place: Place) -> bool {
            let highest = self.used.last().copied();
            let legal = !self.used.contains(&index)
                && match place {
                    Place::Inner => self.last.is_none_or(|last| index < last),
                    Place::Last => {
                        self.last.is_none() && highest.is_none_or(|highest| highest < index)
                    }
                };
            if legal {
                self.used.insert(index);
                if place == Place::Last {
                    self.last = Some(index);
                }
            }
            legal
        }

        fn is_complete(&self) -> bool {
            let count = self.used.len() as u64;
            self.last.is_some_and(|last| count == last + 1)
        }
    }

    #[test]
    fn a_number_is_good_for_one_segment_in_any_order() {
        // Numbers that a linear congruential generator deals out, of small ranges and large ones.
        let mut state = 7_u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for round in 0..200 {
            let [key, _] = keys();
            let start = next(4);
            let sealer = SegmentSealer::new(key.start(b"").unwrap(), start);
            let mut model = Model::default();
            model.used.extend(0..start);
            for _ in 0..40 {
                let index = next(if round % 2 == 0 { 12 } else { 1 << 32 });
                let place = if next(15) == 0 {
                    Place::Last
                } else {
                    Place::Inner
                };
                if place == Place::Inner && index == (1 << 32) - 1 {
                    continue;
                }
                let plaintext = vec![0; sealer.layout().segment_capacity(index)];
                let mut out = vec![1];
                let sealed = sealer.append(index, place, &plaintext, &mut out);
                let legal = model.take(index, place);
                let refused = (!legal).then_some(EncryptError::SegmentNumber);
                assert_eq!(sealed.err(), refused);
                assert_eq!(
                    out.len(),
                    if legal {
                        65 - if index == 0 { 24 } else { 0 }
                    } else {
                        1
                    }
                );
                assert_eq!(sealer.is_complete(), model.is_complete());
            }
        }
    }

    #[test]
    fn a_segment_that_is_refused_for_its_length_uses_no_number_up() {
        for key in keys() {
            let sealer = SegmentSealer::new(key.start(b"").unwrap(), 0);
            let full = vec![0; sealer.layout().segment_capacity(1)];
            let mut out = Vec::new();
            for wrong in [0, 1, full.len() - 1, full.len() + 1] {
                let wrong = sealer.seal(1, &vec![0; wrong], &mut out);
                assert_eq!(wrong, Err(EncryptError::SegmentSize));
            }
            let long = sealer.seal_last(1, &vec![0; full.len() + 1], &mut out);
            assert_eq!(long, Err(EncryptError::SegmentSize));
            assert!(out.is_empty());
            sealer.seal(1, &full, &mut out).unwrap();
            for behind in [1 << 32, u64::MAX] {
                let none = Err(EncryptError::TooLong);
                assert_eq!(sealer.seal(behind, &full, &mut out), none);
                assert_eq!(sealer.seal_last(behind, &full, &mut out), none);
            }
            let highest = (1 << 32) - 1;
            assert_eq!(
                sealer.seal(highest, &full, &mut out),
                Err(EncryptError::TooLong)
            );
            sealer.seal_last(highest, &full, &mut out).unwrap();
        }
    }
}
