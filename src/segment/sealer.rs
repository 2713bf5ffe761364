//! Encrypts a stream, segment after segment.

use std::fmt;

use super::{Place, SegmentSealer, StreamCipher, StreamLayout};
use crate::error::EncryptError;

/// Encrypts one stream, segment after segment: you supply the plaintext and take the bytes.
///
/// For writers, use [`EncryptingWriter`](crate::streaming::EncryptingWriter).
///
/// # Security
/// A stream without a last segment never decrypts as a whole: to abandon a plaintext, drop the
/// sealer.
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead};
///
/// let keyset = KeysetHandle::generate("AES128_GCM_HKDF_4KB")?;
/// let aead: KeysetStreamingAead = keyset.primitive()?;
/// let plaintext = vec![7; 10_000];
///
/// let mut sealer = aead.sealer(b"associated data")?;
/// let mut stream = sealer.header().to_vec();
/// let mut rest = plaintext.as_slice();
/// while let Some((segment, after)) = rest.split_at_checked(sealer.capacity()) {
///     if after.is_empty() {
///         break; // A full segment may be the last one.
///     }
///     sealer.seal(segment, &mut stream)?;
///     rest = after;
/// }
/// sealer.seal_last(rest, &mut stream)?;
/// # let mut opened = Vec::new();
/// # std::io::Read::read_to_end(
/// #     &mut aead.decrypting_reader(stream.as_slice(), b"associated data"), &mut opened)?;
/// # assert_eq!(opened, plaintext);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sealer {
    stream: StreamCipher,
    /// The number of the next segment.
    next: u64,
}

impl Sealer {
    pub(crate) const fn new(stream: StreamCipher) -> Self {
        Self { stream, next: 0 }
    }

    /// Returns the start of the stream: 24 or 40 bytes, followed by the first segment.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.stream.header()
    }

    /// Returns the sizes of this stream.
    #[must_use]
    pub const fn layout(&self) -> &StreamLayout {
        self.stream.layout()
    }

    /// Returns how many bytes of plaintext the next segment holds.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.layout().segment_capacity(self.next)
    }

    /// Encrypts a segment that is full and not the last one, and appends it to `out`.
    ///
    /// # Errors
    /// [`EncryptError::SegmentSize`] unless `plaintext` is [`capacity`](Self::capacity) bytes;
    /// [`EncryptError::TooLong`] if there is no number left for the segment after it. `out` is then
    /// unchanged.
    pub fn seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), EncryptError> {
        self.append(Place::Inner, plaintext, out)?;
        self.next += 1;
        Ok(())
    }

    /// Like [`seal`](Self::seal), to a slice that is as long as segment and tag.
    pub(crate) fn seal_to(&mut self, plaintext: &[u8], out: &mut [u8]) -> Result<(), EncryptError> {
        self.stream.seal(self.next, Place::Inner, plaintext, out)?;
        self.next += 1;
        Ok(())
    }

    /// Like [`seal_last`](Self::seal_last), to a slice that is as long as segment and tag.
    pub(crate) fn seal_last_to(self, plaintext: &[u8], out: &mut [u8]) -> Result<(), EncryptError> {
        self.stream.seal(self.next, Place::Last, plaintext, out)
    }

    /// Encrypts the last segment, which may be full, and appends it to `out`.
    ///
    /// Only an empty plaintext has an empty last segment, in what Tink writes; readers accept it
    /// after full ones too.
    ///
    /// # Errors
    /// [`EncryptError::SegmentSize`] when `plaintext` is longer than [`capacity`](Self::capacity);
    /// `out` is then unchanged.
    pub fn seal_last(self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), EncryptError> {
        self.append(Place::Last, plaintext, out)
    }

    fn append(
        &self,
        place: Place,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        if plaintext.len() > self.capacity() {
            return Err(EncryptError::SegmentSize);
        }
        let start = out.len();
        out.resize(start + plaintext.len() + self.layout().tag_size(), 0);
        let (_, segment) = out.split_at_mut(start);
        let sealed = self.stream.seal(self.next, place, plaintext, segment);
        if sealed.is_err() {
            out.truncate(start);
        }
        sealed
    }

    /// Lets you seal the segments in any order, from the next one on.
    ///
    /// # Example
    /// See [`SegmentSealer`].
    #[must_use]
    pub fn into_segments(self) -> SegmentSealer {
        SegmentSealer::new(self.stream, self.next)
    }

    /// Returns the stream's cipher, for a caller that numbers the segments, or `None` once a
    /// segment is sealed.
    pub(crate) fn into_unused(self) -> Option<StreamCipher> {
        (self.next == 0).then_some(self.stream)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("layout", self.layout())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::stream::tests::keys;

    #[test]
    fn the_last_number_is_for_a_last_segment() {
        for key in keys() {
            let mut sealer = Sealer {
                stream: key.start(b"").unwrap(),
                next: (1 << 32) - 2,
            };
            let full = vec![0; sealer.capacity()];
            let mut out = Vec::new();
            sealer.seal(&full, &mut out).unwrap();
            assert_eq!(out.len(), 64);
            assert_eq!(
                sealer.seal(&full, &mut out),
                Err(EncryptError::TooLong),
                "no number is left for another"
            );
            assert_eq!(out.len(), 64);
            sealer.seal_last(&full, &mut out).unwrap();
            assert_eq!(out.len(), 128);
        }
    }

    #[test]
    fn a_segment_of_the_wrong_length_leaves_everything_as_it_was() {
        for key in keys() {
            let mut sealer = Sealer::new(key.start(b"").unwrap());
            let mut out = vec![1, 2, 3];
            for wrong in [0, 1, sealer.capacity() - 1, sealer.capacity() + 1] {
                assert_eq!(
                    sealer.seal(&vec![0; wrong], &mut out),
                    Err(EncryptError::SegmentSize)
                );
            }
            let full = vec![0; sealer.capacity()];
            sealer.seal(&full, &mut out).unwrap();
            assert_eq!(sealer.capacity(), full.len() + sealer.header().len());
            let too_long = vec![0; sealer.capacity() + 1];
            let len = out.len();
            assert_eq!(
                sealer.seal_last(&too_long, &mut out),
                Err(EncryptError::SegmentSize)
            );
            assert_eq!(out.len(), len);
        }
    }
}
