//! Where everything is in a stream: sizes both ways, segments, ranges.

use std::ops::Range;

/// The sizes that a streaming key fixes: of segments, header and tags, in bytes.
///
/// # Example
/// ```
/// use keyseal::key::aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters;
///
/// let layout = AesGcmHkdfStreamingParameters::new(32, 1 << 20)?.layout();
/// assert_eq!(layout.header_size(), 40);
/// assert_eq!(layout.ciphertext_size(0), Some(40 + 16));
/// assert_eq!(layout.plaintext_size(40 + 16), Some(0));
/// assert_eq!(layout.plaintext_size(17), None);
/// # Ok::<(), keyseal::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLayout {
    segment_size: usize,
    header_size: usize,
    tag_size: usize,
}

impl StreamLayout {
    /// The most segments that a stream can have: their numbers are 32 bits.
    pub const MAX_SEGMENTS: u64 = 1 << 32;
    /// The largest size of a segment in bytes.
    pub const MAX_SEGMENT_SIZE: usize = (1 << 31) - 1;

    /// Segments are larger than header and tag together, so that even the first holds a byte.
    pub(crate) const fn new(segment_size: usize, header_size: usize, tag_size: usize) -> Self {
        Self {
            segment_size,
            header_size,
            tag_size,
        }
    }

    /// Returns the size of a full segment with its tag. The first one shares it with the header.
    #[must_use]
    pub const fn segment_size(&self) -> usize {
        self.segment_size
    }

    /// Returns the size of the header.
    #[must_use]
    pub const fn header_size(&self) -> usize {
        self.header_size
    }

    /// Returns the size of the tag of each segment.
    #[must_use]
    pub const fn tag_size(&self) -> usize {
        self.tag_size
    }

    /// Returns how much plaintext a segment holds when it is full.
    #[must_use]
    pub const fn segment_capacity(&self, index: u64) -> usize {
        let full = self.segment_size - self.tag_size;
        if index == 0 {
            full - self.header_size
        } else {
            full
        }
    }

    /// Returns how long the longest plaintext is.
    #[must_use]
    pub const fn max_plaintext_size(&self) -> u64 {
        Self::MAX_SEGMENTS * self.full() - self.header_size as u64
    }

    /// Returns the length of the stream for such a plaintext, or `None` if it would be too long.
    #[must_use]
    pub const fn ciphertext_size(&self, plaintext_size: u64) -> Option<u64> {
        if plaintext_size > self.max_plaintext_size() {
            return None;
        }
        let with_header = plaintext_size + self.header_size as u64;
        let segments = with_header.div_ceil(self.full());
        Some(with_header + segments * self.tag_size as u64)
    }

    /// Returns the length of the plaintext of such a stream, or `None` if no stream has that
    /// length.
    ///
    /// # Security
    /// A length proves nothing: a stream may have been cut. Only its last segment is a proof, see
    /// [`RandomAccess`](crate::streaming::RandomAccess).
    #[must_use]
    pub fn plaintext_size(&self, ciphertext_size: u64) -> Option<u64> {
        Some(self.map(ciphertext_size)?.plaintext_size())
    }

    /// Returns the layout of a stream of this length, or `None` if no stream has that length.
    #[must_use]
    pub const fn map(&self, ciphertext_size: u64) -> Option<StreamMap> {
        let full = self.segment_size as u64;
        let segments = ciphertext_size.div_ceil(full);
        if segments == 0 || segments > Self::MAX_SEGMENTS {
            return None;
        }
        let last = ciphertext_size - (segments - 1) * full;
        let least = if segments == 1 {
            self.header_size + self.tag_size
        } else {
            self.tag_size
        };
        if last < least as u64 {
            return None;
        }
        Some(StreamMap {
            layout: *self,
            ciphertext_size,
            segments,
        })
    }

    /// Where the plaintext of a segment starts, of at most [`MAX_SEGMENTS`](Self::MAX_SEGMENTS).
    pub(crate) const fn plaintext_start(&self, index: u64) -> u64 {
        (index * self.full()).saturating_sub(self.header_size as u64)
    }

    /// Where a segment starts in the stream, of at most [`MAX_SEGMENTS`](Self::MAX_SEGMENTS).
    pub(crate) const fn segment_start(&self, index: u64) -> u64 {
        if index == 0 {
            self.header_size as u64
        } else {
            index * self.segment_size as u64
        }
    }

    /// Plaintext in a full segment after the first.
    const fn full(&self) -> u64 {
        (self.segment_size - self.tag_size) as u64
    }
}

/// Where everything is in a stream whose length is known.
///
/// # Example
/// Which bytes of an object to fetch for a part of its plaintext:
/// ```
/// use keyseal::key::aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters;
///
/// let layout = AesGcmHkdfStreamingParameters::new(16, 4096)?.layout();
/// let map = layout.map(1_000_000).ok_or("no stream is that long")?;
/// assert_eq!(map.plan(5_000..5_001).ciphertext(), 4096..2 * 4096);
/// assert_eq!(map.plan(0..1).ciphertext(), 24..4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamMap {
    layout: StreamLayout,
    ciphertext_size: u64,
    /// At least one.
    segments: u64,
}

impl StreamMap {
    /// Returns the sizes of segments, header and tags.
    #[must_use]
    pub const fn layout(&self) -> &StreamLayout {
        &self.layout
    }

    /// Returns the length of the stream.
    #[must_use]
    pub const fn ciphertext_size(&self) -> u64 {
        self.ciphertext_size
    }

    /// Returns the length of the plaintext, which only the last segment proves.
    #[must_use]
    pub const fn plaintext_size(&self) -> u64 {
        self.ciphertext_size
            - self.layout.header_size as u64
            - self.segments * self.layout.tag_size as u64
    }

    /// Returns the number of segments, at least one.
    #[must_use]
    pub const fn segments(&self) -> u64 {
        self.segments
    }

    /// Returns the position of a segment in the stream, without the header, or `None` if there is
    /// no such segment.
    #[must_use]
    pub fn segment(&self, index: u64) -> Option<Range<u64>> {
        (index < self.segments).then(|| self.segment_start(index)..self.segment_end(index))
    }

    /// Returns the part of the plaintext that a segment holds, to cut a stream into pieces, or an
    /// empty range at the end if there is no such segment.
    ///
    /// # Example
    /// ```
    /// use keyseal::key::aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters;
    ///
    /// let layout = AesGcmHkdfStreamingParameters::new(16, 4096)?.layout();
    /// let map = layout.map(10_000).ok_or("no stream is that long")?;
    /// assert_eq!(map.plaintext(0), 0..4056);
    /// assert_eq!(map.plaintext(1), 4056..8136);
    /// assert_eq!(map.plaintext(2), 8136..map.plaintext_size());
    /// assert!(map.plaintext(3).is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn plaintext(&self, index: u64) -> Range<u64> {
        if index < self.segments {
            self.plaintext_start(index)..self.plaintext_end(index)
        } else {
            self.plaintext_size()..self.plaintext_size()
        }
    }

    /// Returns which bytes to read, and how many of them to drop, for a part of the plaintext.
    ///
    /// A part that extends past the end is cut there. A part that is empty or past the end still
    /// takes a segment. Past the end it is the last one, because only that one proves where the end
    /// is. Use the plan only with streams that have this map.
    #[must_use]
    pub fn plan(&self, plaintext: Range<u64>) -> RangePlan {
        let end = plaintext.end.min(self.plaintext_size());
        let start = plaintext.start.min(end);
        let first = self.segment_of(plaintext.start);
        // The last byte of a part that reaches over the end is in the last segment.
        let last = match end.checked_sub(1) {
            Some(last_byte) if start < end => self.segment_of(last_byte),
            _ => first,
        };
        let last = if plaintext.end > self.plaintext_size() {
            self.segments - 1
        } else {
            last
        };
        RangePlan {
            map: *self,
            segments: first..last + 1,
            ciphertext: self.segment_start(first)..self.segment_end(last),
            plaintext: start..end,
        }
    }

    /// Where the plaintext of a segment starts.
    pub(crate) const fn plaintext_start(&self, index: u64) -> u64 {
        self.layout.plaintext_start(index)
    }

    /// Where the plaintext of a segment ends.
    pub(crate) const fn plaintext_end(&self, index: u64) -> u64 {
        if index + 1 < self.segments {
            self.plaintext_start(index + 1)
        } else {
            self.plaintext_size()
        }
    }

    /// The segment that holds this byte of the plaintext, or the last one if the byte is past the
    /// end.
    fn segment_of(&self, plaintext: u64) -> u64 {
        let index = plaintext.saturating_add(self.layout.header_size as u64) / self.layout.full();
        index.min(self.segments - 1)
    }

    const fn segment_start(&self, index: u64) -> u64 {
        self.layout.segment_start(index)
    }

    fn segment_end(&self, index: u64) -> u64 {
        ((index + 1) * self.layout.segment_size as u64).min(self.ciphertext_size)
    }
}

/// Which bytes of a stream hold a part of its plaintext.
///
/// A plan belongs to the map that made it: a [`SegmentOpener`](super::SegmentOpener) with another
/// map refuses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangePlan {
    map: StreamMap,
    segments: Range<u64>,
    ciphertext: Range<u64>,
    plaintext: Range<u64>,
}

impl RangePlan {
    /// Returns the map that the plan belongs to.
    #[must_use]
    pub const fn map(&self) -> &StreamMap {
        &self.map
    }

    /// Returns which bytes of the stream to read: whole segments, at least one.
    #[must_use]
    pub const fn ciphertext(&self) -> Range<u64> {
        self.ciphertext.start..self.ciphertext.end
    }

    /// Returns which part of the plaintext they give: the requested part, cut at the end.
    #[must_use]
    pub const fn plaintext(&self) -> Range<u64> {
        self.plaintext.start..self.plaintext.end
    }

    /// Returns which segments they are.
    #[must_use]
    pub const fn segments(&self) -> Range<u64> {
        self.segments.start..self.segments.end
    }
}

/// Returns a length as a size in memory. Lengths of segments always fit.
pub(crate) fn in_memory(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds segments one by one, as a writer does.
    fn by_hand(layout: &StreamLayout, plaintext_size: u64) -> (u64, u64) {
        let mut left = plaintext_size;
        let mut segments = 0;
        let mut ciphertext = layout.header_size() as u64;
        loop {
            let part = left.min(layout.segment_capacity(segments) as u64);
            ciphertext += part + layout.tag_size() as u64;
            segments += 1;
            left -= part;
            if left == 0 {
                return (ciphertext, segments);
            }
        }
    }

    const LAYOUTS: [StreamLayout; 4] = [
        StreamLayout::new(41, 24, 16),
        StreamLayout::new(64, 24, 16),
        StreamLayout::new(64, 24, 32),
        StreamLayout::new(57, 40, 16),
    ];

    #[test]
    fn sizes_are_those_of_a_writer_that_adds_segments_one_by_one() {
        for layout in LAYOUTS {
            for size in 0..400 {
                let (ciphertext, segments) = by_hand(&layout, size);
                assert_eq!(layout.ciphertext_size(size), Some(ciphertext));
                let map = layout.map(ciphertext).unwrap();
                assert_eq!(map.segments(), segments);
                assert_eq!(map.plaintext_size(), size);
            }
        }
    }

    #[test]
    fn segments_cover_a_stream_without_gaps() {
        for layout in LAYOUTS {
            for size in 0..400 {
                let map = layout.map(layout.ciphertext_size(size).unwrap()).unwrap();
                let (mut at, mut plaintext) = (layout.header_size() as u64, 0);
                for index in 0..map.segments() {
                    let segment = map.segment(index).unwrap();
                    assert_eq!(segment.start, at);
                    let start = plaintext;
                    plaintext += segment.end - segment.start - layout.tag_size() as u64;
                    assert_eq!(map.plaintext(index), start..plaintext);
                    at = segment.end;
                }
                assert_eq!((at, plaintext), (map.ciphertext_size(), size));
                for behind in [map.segments(), u64::MAX] {
                    assert_eq!(map.segment(behind), None);
                    assert_eq!(map.plaintext(behind), size..size);
                }
            }
        }
    }

    #[test]
    fn lengths_that_no_stream_has_are_refused() {
        let layout = StreamLayout::new(64, 24, 16);
        // Less than header and tag; a last segment of less than a tag.
        for refused in (0..40).chain(65..80).chain(129..144) {
            assert_eq!(layout.map(refused), None, "{refused}");
        }
        // No writer makes an empty last segment, with only a tag, but it is legal.
        for legal in (40..=64).chain(80..=128).chain(144..=192) {
            assert!(layout.map(legal).is_some(), "{legal}");
        }
    }

    #[test]
    fn a_stream_of_too_many_segments_is_refused() {
        for layout in [
            StreamLayout::new(41, 24, 16),
            StreamLayout::new(StreamLayout::MAX_SEGMENT_SIZE, 40, 64),
        ] {
            let longest = layout.max_plaintext_size();
            let ciphertext = layout.ciphertext_size(longest).unwrap();
            assert_eq!(ciphertext, layout.segment_size() as u64 * (1 << 32));
            assert_eq!(layout.plaintext_size(ciphertext), Some(longest));
            assert_eq!(layout.ciphertext_size(longest + 1), None);
            assert_eq!(layout.ciphertext_size(u64::MAX), None);
            for longer in [ciphertext + 1, ciphertext + 64, u64::MAX] {
                assert_eq!(layout.map(longer), None);
            }
        }
    }

    #[test]
    fn a_plan_holds_exactly_the_segments_that_are_needed() {
        for layout in LAYOUTS {
            for size in [0, 1, 7, 8, 9, 60, 104, 105, 250] {
                let map = layout.map(layout.ciphertext_size(size).unwrap()).unwrap();
                let holds = |index: u64, byte: u64| {
                    (map.plaintext_start(index)..map.plaintext_end(index)).contains(&byte)
                };
                for start in 0..size + 3 {
                    for end in start..size + 3 {
                        let plan = map.plan(start..end);
                        let segments = plan.segments();
                        assert!(!segments.is_empty() && segments.end <= map.segments());
                        assert_eq!(
                            plan.ciphertext(),
                            map.segment(segments.start).unwrap().start
                                ..map.segment(segments.end - 1).unwrap().end
                        );
                        let part = plan.plaintext();
                        assert_eq!(part, start.min(end.min(size))..end.min(size));
                        if !part.is_empty() {
                            assert!(holds(segments.start, part.start));
                        }
                        if end > size || start >= size {
                            assert_eq!(segments.end, map.segments(), "the end is proved");
                        } else if !part.is_empty() {
                            assert!(holds(segments.end - 1, part.end - 1));
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges, reason = "that is what is tested")]
    fn a_plan_of_a_backward_or_boundless_range_is_harmless() {
        let layout = StreamLayout::new(64, 24, 16);
        let map = layout.map(layout.ciphertext_size(100).unwrap()).unwrap();
        assert!(map.plan(50..10).plaintext().is_empty());
        assert_eq!(map.plan(0..u64::MAX).plaintext(), 0..100);
        assert_eq!(map.plan(0..u64::MAX).segments(), 0..3);
        assert_eq!(map.plan(u64::MAX..u64::MAX).segments(), 2..3);
    }
}
