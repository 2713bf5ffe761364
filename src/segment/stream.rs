//! One streaming key, and the keys that it gives one stream.

use zeroize::{Zeroize as _, Zeroizing};

use super::StreamLayout;
use crate::{
    cipher::{self, Hash, Provider, RawAead, Refused},
    error::{DecryptError, EncryptError, KeyError},
    rng,
    secret::SecretBytes,
};

/// Bytes of the nonce prefix, in the header.
const NONCE_PREFIX: usize = 7;
/// Bytes of the longest header: its size, a 32-byte salt, the nonce prefix.
const MAX_HEADER: usize = 1 + 32 + NONCE_PREFIX;
/// Bytes of the longest nonce: an AES-CTR block.
const MAX_NONCE: usize = 16;

/// Makes the cipher of a stream's segments from its derived keys.
pub(crate) type MakeCipher = Box<dyn Fn(&[u8]) -> Result<Box<dyn RawAead>, KeyError> + Send + Sync>;

/// A streaming key: makes the keys of a stream from its header and associated data.
#[allow(missing_debug_implementations, reason = "no caller sees it")]
pub struct StreamKey {
    layout: StreamLayout,
    key: SecretBytes,
    provider: Provider,
    hash: Hash,
    derived_size: usize,
    make_cipher: MakeCipher,
}

impl StreamKey {
    /// Takes the key, provider and hash of its HKDF, and how many derived bytes the cipher is made of.
    pub(crate) fn new(
        layout: StreamLayout,
        key: SecretBytes,
        provider: Provider,
        hash: Hash,
        derived_size: usize,
        make_cipher: MakeCipher,
    ) -> Self {
        Self {
            layout,
            key,
            provider,
            hash,
            derived_size,
            make_cipher,
        }
    }

    /// Returns the layout of a key that derives AES keys of `derived_key_size` bytes.
    pub(crate) const fn layout_of(
        segment_size: usize,
        derived_key_size: usize,
        tag_size: usize,
    ) -> StreamLayout {
        StreamLayout::new(segment_size, 1 + derived_key_size + NONCE_PREFIX, tag_size)
    }

    pub(crate) const fn layout(&self) -> &StreamLayout {
        &self.layout
    }

    /// Starts a stream with a random header.
    pub(crate) fn start(&self, associated_data: &[u8]) -> Result<StreamCipher, EncryptError> {
        let mut header = Header::empty(&self.layout);
        rng::fill_nonce(header.random())?;
        self.derive(header, associated_data)
            .map_err(|_| EncryptError::Provider)
    }

    /// Takes up the stream that starts with these bytes, if its header can be of this key.
    pub(crate) fn resume(
        &self,
        stream: &[u8],
        associated_data: &[u8],
    ) -> Result<StreamCipher, DecryptError> {
        let header = Header::read(&self.layout, stream).ok_or(DecryptError::FAILED)?;
        self.derive(header, associated_data)
            .map_err(|_| DecryptError::FAILED)
    }

    /// Returns whether a stream that starts with these bytes may be one of this key.
    pub(crate) fn may_open(&self, stream: &[u8]) -> bool {
        match stream.first() {
            Some(header_size) => usize::from(*header_size) == self.layout.header_size(),
            None => true,
        }
    }

    fn derive(&self, header: Header, associated_data: &[u8]) -> Result<StreamCipher, KeyError> {
        let mut derived = Zeroizing::new(vec![0; self.derived_size]);
        cipher::hkdf(self.provider, self.key.bytes(), self.hash, header.salt())
            .compute(associated_data, &mut derived)
            .map_err(|Refused| KeyError::Provider)?;
        Ok(StreamCipher {
            cipher: (self.make_cipher)(&derived)?,
            layout: self.layout,
            header,
        })
    }

    /// Starts a stream with a header of the test's choice.
    #[cfg(test)]
    pub(crate) fn start_with(&self, header: &[u8], associated_data: &[u8]) -> StreamCipher {
        self.resume(header, associated_data).unwrap()
    }
}

/// Whether a segment is the last one of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Another one follows.
    Inner,
    /// None follows.
    Last,
}

/// The cipher of one stream: seals and opens its segments by their numbers.
///
/// The caller must make sure that no segment is sealed twice.
pub(crate) struct StreamCipher {
    cipher: Box<dyn RawAead>,
    layout: StreamLayout,
    header: Header,
}

impl StreamCipher {
    pub(crate) const fn layout(&self) -> &StreamLayout {
        &self.layout
    }

    pub(crate) fn header(&self) -> &[u8] {
        self.header.as_bytes()
    }

    /// Seals one segment into `out`, which is as long as it and the tag together.
    pub(crate) fn seal(
        &self,
        index: u64,
        place: Place,
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), EncryptError> {
        self.check(index, place, plaintext.len())?;
        if out.len() != plaintext.len() + self.layout.tag_size() {
            return Err(EncryptError::SegmentSize);
        }
        let nonce = self.nonce(index, place).ok_or(EncryptError::TooLong)?;
        self.cipher
            .seal(self.cut(&nonce), &[], plaintext, out)
            .map_err(|_| EncryptError::TooLong)
    }

    /// Refuses a plaintext that is not as long as a segment of this number and place, and a number
    /// that no such segment can have.
    pub(super) fn check(&self, index: u64, place: Place, len: usize) -> Result<(), EncryptError> {
        let capacity = self.layout.segment_capacity(index);
        let fits = match place {
            Place::Inner => len == capacity,
            Place::Last => len <= capacity,
        };
        if !fits {
            return Err(EncryptError::SegmentSize);
        }
        self.nonce(index, place).ok_or(EncryptError::TooLong)?;
        Ok(())
    }

    /// Opens one segment into `out`, which is shorter than it by the tag; wipes `out` when it
    /// does not open.
    pub(crate) fn open(
        &self,
        index: u64,
        place: Place,
        segment: &[u8],
        out: &mut [u8],
    ) -> Result<(), DecryptError> {
        let opened = self.open_unwiped(index, place, segment, out);
        if opened.is_err() {
            out.zeroize();
        }
        opened
    }

    fn open_unwiped(
        &self,
        index: u64,
        place: Place,
        segment: &[u8],
        out: &mut [u8],
    ) -> Result<(), DecryptError> {
        let capacity = self.layout.segment_capacity(index);
        let fits = match place {
            Place::Inner => out.len() == capacity,
            Place::Last => out.len() <= capacity,
        };
        if !fits || segment.len() != out.len() + self.layout.tag_size() {
            return Err(DecryptError::FAILED);
        }
        let nonce = self.nonce(index, place).ok_or(DecryptError::FAILED)?;
        self.cipher
            .open(self.cut(&nonce), &[], segment, out)
            .map_err(|_| DecryptError::FAILED)
    }

    /// Returns `nonce prefix ‖ u32be(index) ‖ place ‖ 00000000`, or `None` if the number of
    /// segments is used up.
    fn nonce(&self, index: u64, place: Place) -> Option<[u8; MAX_NONCE]> {
        let number = u32::try_from(index).ok()?;
        // The highest number is for a last segment: none can follow.
        if number == u32::MAX && place == Place::Inner {
            return None;
        }
        let [p0, p1, p2, p3, p4, p5, p6] = self.header.nonce_prefix();
        let [n0, n1, n2, n3] = number.to_be_bytes();
        let last = match place {
            Place::Inner => 0x00,
            Place::Last => 0x01,
        };
        Some([p0, p1, p2, p3, p4, p5, p6, n0, n1, n2, n3, last, 0, 0, 0, 0])
    }

    /// The nonce as long as the cipher takes it: 12 bytes for AES-GCM.
    fn cut<'n>(&self, nonce: &'n [u8; MAX_NONCE]) -> &'n [u8] {
        nonce.split_at(self.cipher.nonce_len()).0
    }

    /// Returns how long the plaintext of a segment is that is so long with its tag.
    pub(crate) const fn plaintext_len(&self, segment_len: usize) -> Option<usize> {
        segment_len.checked_sub(self.layout.tag_size())
    }
}

/// `byte(size) ‖ salt ‖ nonce prefix(7)`, 24 or 40 bytes.
#[derive(Clone, Copy)]
struct Header {
    bytes: [u8; MAX_HEADER],
    size: usize,
}

impl Header {
    fn empty(layout: &StreamLayout) -> Self {
        let size = layout.header_size();
        let mut bytes = [0; MAX_HEADER];
        bytes[0] = u8::try_from(size).expect("a header is 24 or 40 bytes");
        Self { bytes, size }
    }

    fn read(layout: &StreamLayout, stream: &[u8]) -> Option<Self> {
        let mut header = Self::empty(layout);
        let read = stream.get(..header.size)?;
        if read.first() != header.bytes.first() {
            return None;
        }
        header.bytes.get_mut(..read.len())?.copy_from_slice(read);
        Some(header)
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.split_at(self.size).0
    }

    /// The random part of each stream's header: salt and nonce prefix.
    fn random(&mut self) -> &mut [u8] {
        self.bytes.split_at_mut(self.size).0.split_at_mut(1).1
    }

    fn salt(&self) -> &[u8] {
        let (_, random) = self.as_bytes().split_at(1);
        random.split_at(random.len() - NONCE_PREFIX).0
    }

    fn nonce_prefix(&self) -> [u8; NONCE_PREFIX] {
        *self
            .as_bytes()
            .last_chunk()
            .expect("a header is 24 or 40 bytes")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A key of 64-byte segments, of either kind.
    pub(in crate::segment) fn keys() -> [StreamKey; 2] {
        let secret = || SecretBytes::copy_of(&[7; 32]);
        [
            StreamKey::new(
                StreamKey::layout_of(64, 16, 16),
                secret(),
                Provider::FASTEST,
                Hash::Sha256,
                16,
                Box::new(|derived| cipher::aes_gcm(Provider::FASTEST, derived)),
            ),
            StreamKey::new(
                StreamKey::layout_of(64, 16, 10),
                secret(),
                Provider::FASTEST,
                Hash::Sha512,
                48,
                Box::new(|derived| {
                    let (aes, hmac) = derived.split_at(16);
                    cipher::aes_ctr_hmac_segments(Provider::FASTEST, aes, hmac, Hash::Sha1, 10)
                }),
            ),
        ]
    }

    #[test]
    fn a_header_is_its_size_a_salt_and_a_nonce_prefix() {
        let layout = StreamKey::layout_of(4096, 32, 16);
        let mut header = Header::empty(&layout);
        assert_eq!(header.random().len(), 39);
        for (byte, number) in header.random().iter_mut().zip(1..) {
            *byte = number;
        }
        assert_eq!(header.as_bytes().len(), 40);
        assert_eq!(header.as_bytes().first(), Some(&40));
        assert_eq!(header.salt(), (1..=32).collect::<Vec<u8>>());
        assert_eq!(header.nonce_prefix(), [33, 34, 35, 36, 37, 38, 39]);
        let read = Header::read(&layout, header.as_bytes()).unwrap();
        assert_eq!(read.as_bytes(), header.as_bytes());
    }

    #[test]
    fn a_header_of_another_size_or_cut_short_is_refused() {
        let layout = StreamKey::layout_of(4096, 16, 16);
        let header = Header::empty(&layout);
        assert!(Header::read(&layout, header.as_bytes()).is_some());
        for size in 0..24 {
            assert!(Header::read(&layout, header.as_bytes().split_at(size).0).is_none());
        }
        for size in (0..=255).filter(|size| *size != 24) {
            let mut wrong = [0; 40];
            wrong[0] = size;
            assert!(Header::read(&layout, &wrong).is_none());
        }
    }

    #[test]
    fn a_nonce_is_the_prefix_the_number_and_the_place() {
        for key in keys() {
            let mut header = vec![24; 24];
            header.splice(17.., [1, 2, 3, 4, 5, 6, 7]);
            let stream = key.start_with(&header, b"");
            let nonce = |index, place| stream.nonce(index, place);
            assert_eq!(
                nonce(0x0a0b_0c0d, Place::Inner),
                Some([1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 0, 0, 0, 0, 0])
            );
            assert_eq!(
                nonce((1 << 32) - 1, Place::Last),
                Some([1, 2, 3, 4, 5, 6, 7, 255, 255, 255, 255, 1, 0, 0, 0, 0])
            );
            assert_eq!(nonce((1 << 32) - 1, Place::Inner), None);
            assert_eq!(nonce(1 << 32, Place::Inner), None);
            assert_eq!(nonce(1 << 32, Place::Last), None);
        }
    }

    #[test]
    fn a_segment_opens_at_its_number_and_place_alone() {
        for key in keys() {
            let stream = key.start(b"associated data").unwrap();
            let plaintext = vec![1; stream.layout().segment_capacity(3)];
            let mut segment = [0; 64];
            let mut opened = vec![0; plaintext.len()];
            stream
                .seal(3, Place::Inner, &plaintext, &mut segment)
                .unwrap();
            stream.open(3, Place::Inner, &segment, &mut opened).unwrap();
            assert_eq!(opened, plaintext);
            for (index, place) in [
                (3, Place::Last),
                (2, Place::Inner),
                (4, Place::Inner),
                (3 + (1 << 31), Place::Inner),
                (3 + (1 << 32), Place::Inner),
            ] {
                opened.fill(9);
                assert_eq!(
                    stream.open(index, place, &segment, &mut opened),
                    Err(DecryptError::FAILED)
                );
                assert!(opened.iter().all(|byte| *byte == 0), "nothing is left");
            }
        }
    }

    #[test]
    fn a_segment_of_the_wrong_length_is_refused() {
        for key in keys() {
            let stream = key.start(b"").unwrap();
            let tag = stream.layout().tag_size();
            for (index, place, len) in [
                (0, Place::Inner, stream.layout().segment_capacity(0) - 1),
                (0, Place::Inner, stream.layout().segment_capacity(0) + 1),
                (0, Place::Last, stream.layout().segment_capacity(0) + 1),
                (1, Place::Inner, stream.layout().segment_capacity(1) - 1),
                (1, Place::Last, stream.layout().segment_capacity(1) + 1),
            ] {
                assert_eq!(
                    stream.seal(index, place, &vec![0; len], &mut vec![0; len + tag]),
                    Err(EncryptError::SegmentSize)
                );
                assert_eq!(
                    stream.open(index, place, &vec![0; len + tag], &mut vec![0; len]),
                    Err(DecryptError::FAILED)
                );
            }
        }
    }
}
