//! Decrypts a stream, segment after segment.

use std::{fmt, sync::Arc};

use super::{Place, SegmentOpener, StreamCipher, StreamKey};
use crate::error::DecryptError;

/// Decrypts one stream, segment after segment: you supply the bytes and take the plaintext.
///
/// For readers, use [`DecryptingReader`](crate::streaming::DecryptingReader).
///
/// The first segment shows which key encrypted the stream: every candidate key is tried on it,
/// those with small segments first, otherwise in keyset order. From then on, no other key is tried.
///
/// # Security
/// Plaintext returned before [`open_last`](Self::open_last) succeeds is authentic, but may be cut
/// short.
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead};
///
/// let keyset = KeysetHandle::generate("AES128_GCM_HKDF_4KB")?;
/// let aead: KeysetStreamingAead = keyset.primitive()?;
/// # let mut sealer = aead.sealer(b"associated data")?;
/// # let mut stream = sealer.header().to_vec();
/// # sealer.seal(&vec![7; sealer.capacity()], &mut stream)?;
/// # sealer.seal_last(b"the end", &mut stream)?;
/// let mut opener = aead.opener(b"associated data");
/// let mut plaintext = Vec::with_capacity(stream.len());
/// let mut rest = stream.as_slice();
/// loop {
///     let consumed = opener.open(rest, &mut plaintext)?;
///     rest = rest.split_at(consumed).1;
///     if consumed == 0 {
///         break; // What is left is the last segment.
///     }
/// }
/// opener.open_last(rest, &mut plaintext)?;
/// # assert!(plaintext.ends_with(b"the end"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Opener {
    state: State,
}

enum State {
    /// The key is not known yet.
    Searching {
        /// Not empty. Sorted by segment size; those of one size in the order of the keyset.
        keys: Vec<Arc<StreamKey>>,
        associated_data: Vec<u8>,
    },
    /// The key is known, and `next` is the number of the next segment.
    Found { stream: StreamCipher, next: u64 },
    /// The stream does not decrypt.
    Failed,
}

/// What opening one segment came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Bytes of input that are done with: header and segment, or the segment.
    pub(crate) consumed: usize,
    /// Bytes of plaintext, at the start of the output.
    pub(crate) plaintext: usize,
}

impl Opener {
    /// Takes the keys in the order of the keyset.
    pub(crate) fn new(mut keys: Vec<Arc<StreamKey>>, associated_data: &[u8]) -> Self {
        // Small segments first: so it does not depend on how the stream comes in which key it
        // opens under, and no more of it is held than that key needs.
        keys.sort_by_key(|key| key.layout().segment_size());
        Self {
            state: State::Searching {
                keys,
                associated_data: associated_data.to_vec(),
            },
        }
    }

    /// Returns how many bytes of input [`open`](Self::open) needs to open a segment: a segment and
    /// one byte more, which shows that the segment is not the last one.
    #[must_use]
    pub fn wants(&self) -> usize {
        match &self.state {
            State::Searching { keys, .. } => keys
                .first()
                .map_or(1, |key| key.layout().segment_size() + 1),
            State::Found { stream, .. } => stream.layout().segment_size() + 1,
            State::Failed => 0,
        }
    }

    /// Decrypts the next segment, if it is not the last one, and appends the plaintext to `out`.
    ///
    /// `input` is the next part of the stream, after the bytes consumed before, as much as you
    /// have. Returns how many of its bytes are consumed: header and first segment, or a segment, or
    /// 0 if there are fewer than [`wants`](Self::wants) bytes.
    ///
    /// # Errors
    /// [`DecryptError`] if the segment does not decrypt. `out` is then as long as before, and every
    /// later call fails.
    ///
    /// # Security
    /// Reserve room in `out` for all of the plaintext, or wipe it yourself: a vector that grows
    /// leaves plaintext behind in freed memory.
    pub fn open(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, DecryptError> {
        if input.len() < self.wants() {
            return self.open_to(input, &mut []).map(|opened| {
                debug_assert!(opened.is_none(), "there is not enough input");
                0
            });
        }
        let start = out.len();
        // More than any candidate needs: the tag is not in the plaintext.
        out.resize(start + input.len().min(self.largest_segment()), 0);
        let opened = self.open_to(input, out.split_at_mut(start).1);
        out.truncate(start + plaintext_of(&opened));
        Ok(opened?.map_or(0, |opened| opened.consumed))
    }

    /// Decrypts the last segment and appends the plaintext to `out`: `input` is the whole rest of
    /// the stream.
    ///
    /// # Errors
    /// [`DecryptError`] if it does not decrypt, and therefore also if the stream was cut or
    /// extended. `out` is then as long as before.
    pub fn open_last(mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), DecryptError> {
        let start = out.len();
        out.resize(start + input.len().min(self.largest_segment()), 0);
        let opened = self.open_last_to(input, out.split_at_mut(start).1);
        out.truncate(start + opened.as_ref().copied().unwrap_or(0));
        opened.map(|_| ())
    }

    /// Like [`open`](Self::open), into a slice. Returns `None` if there is not enough input.
    ///
    /// `out` has room for the plaintext of the largest segment, or as much as `input` is long.
    pub(crate) fn open_to(
        &mut self,
        input: &[u8],
        out: &mut [u8],
    ) -> Result<Option<Opened>, DecryptError> {
        let opened = match &mut self.state {
            State::Searching {
                keys,
                associated_data,
            } => {
                keys.retain(|key| key.may_open(input));
                match search(keys, associated_data, input, out) {
                    Search::NotEnough => Ok(None),
                    Search::Found(stream, opened) => {
                        self.state = State::Found { stream, next: 1 };
                        Ok(Some(opened))
                    }
                    Search::NotFound => Err(DecryptError::FAILED),
                }
            }
            State::Found { stream, next } => {
                let opened = open_next(stream, *next, input, out);
                if matches!(opened, Ok(Some(_))) {
                    *next += 1;
                }
                opened
            }
            State::Failed => Err(DecryptError::FAILED),
        };
        if opened.is_err() {
            self.state = State::Failed;
        }
        opened
    }

    /// Like [`open_last`](Self::open_last), into a slice; returns the length of the plaintext.
    pub(crate) fn open_last_to(
        &mut self,
        input: &[u8],
        out: &mut [u8],
    ) -> Result<usize, DecryptError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Searching {
                keys,
                associated_data,
            } => keys
                .iter()
                .find_map(|key| {
                    let stream = key.resume(input, &associated_data).ok()?;
                    let (_, segment) = input.split_at(stream.layout().header_size());
                    open_into(&stream, 0, Place::Last, segment, out).ok()
                })
                .ok_or(DecryptError::FAILED),
            State::Found { stream, next } => open_into(&stream, next, Place::Last, input, out),
            State::Failed => Err(DecryptError::FAILED),
        }
    }

    /// Returns how many bytes of the start of a stream [`at`](Self::at) needs to find the key: the
    /// header if there is one key, otherwise the largest first segment of all keys.
    #[must_use]
    pub fn start_size(&self) -> usize {
        match &self.state {
            State::Searching { keys, .. } => match keys.as_slice() {
                [only] => only.layout().header_size(),
                _ => self.largest_segment(),
            },
            State::Found { .. } | State::Failed => 0,
        }
    }

    /// Makes an opener for any segment of a stream whose length is known.
    ///
    /// `start` is the first [`start_size`](Self::start_size) bytes of the stream or more of it, or
    /// all of it if it is shorter.
    ///
    /// # Errors
    /// [`DecryptError`] if no key opens the first segment, if no stream has that length, or if this
    /// opener has already opened a segment.
    ///
    /// If there is one key, and `start` ends within the first segment, only the header is compared:
    /// a wrong key then shows when you decrypt the first segment.
    ///
    /// # Security
    /// `ciphertext_size` is not trusted: if it is wrong, the last segment does not decrypt.
    pub fn at(self, start: &[u8], ciphertext_size: u64) -> Result<SegmentOpener, DecryptError> {
        let State::Searching {
            mut keys,
            associated_data,
        } = self.state
        else {
            return Err(DecryptError::FAILED);
        };
        let only_key = keys.len() == 1;
        keys.retain(|key| key.may_open(start));
        keys.iter()
            .find_map(|key| {
                let stream = key.resume(start, &associated_data).ok()?;
                let opener = SegmentOpener::new(stream, ciphertext_size)?;
                opener
                    .opens_start(start)
                    .unwrap_or(only_key)
                    .then_some(opener)
            })
            .ok_or(DecryptError::FAILED)
    }

    fn largest_segment(&self) -> usize {
        match &self.state {
            State::Searching { keys, .. } => {
                keys.last().map_or(0, |key| key.layout().segment_size())
            }
            State::Found { stream, .. } => stream.layout().segment_size(),
            State::Failed => 0,
        }
    }
}

enum Search {
    NotEnough,
    Found(StreamCipher, Opened),
    NotFound,
}

/// Tries keys on the first segment, and drops those that do not open it.
fn search(
    keys: &mut Vec<Arc<StreamKey>>,
    associated_data: &[u8],
    input: &[u8],
    out: &mut [u8],
) -> Search {
    let mut refused = 0;
    let mut found = Search::NotFound;
    for key in keys.iter() {
        // One byte more shows that the segment is not the last one.
        let Some((with_header, [_, ..])) = input.split_at_checked(key.layout().segment_size())
        else {
            found = Search::NotEnough;
            break;
        };
        if let Ok(stream) = key.resume(with_header, associated_data) {
            let (_, segment) = with_header.split_at(stream.layout().header_size());
            if let Ok(plaintext) = open_into(&stream, 0, Place::Inner, segment, out) {
                let consumed = with_header.len();
                return Search::Found(
                    stream,
                    Opened {
                        consumed,
                        plaintext,
                    },
                );
            }
        }
        refused += 1;
    }
    keys.drain(..refused);
    found
}

fn open_next(
    stream: &StreamCipher,
    index: u64,
    input: &[u8],
    out: &mut [u8],
) -> Result<Option<Opened>, DecryptError> {
    let Some((segment, [_, ..])) = input.split_at_checked(stream.layout().segment_size()) else {
        return Ok(None);
    };
    let plaintext = open_into(stream, index, Place::Inner, segment, out)?;
    Ok(Some(Opened {
        consumed: segment.len(),
        plaintext,
    }))
}

/// Opens a segment into the start of `out`, and returns the length of its plaintext.
fn open_into(
    stream: &StreamCipher,
    index: u64,
    place: Place,
    segment: &[u8],
    out: &mut [u8],
) -> Result<usize, DecryptError> {
    let plaintext = stream
        .plaintext_len(segment.len())
        .ok_or(DecryptError::FAILED)?;
    let out = out.get_mut(..plaintext).ok_or(DecryptError::FAILED)?;
    stream.open(index, place, segment, out)?;
    Ok(plaintext)
}

fn plaintext_of(opened: &Result<Option<Opened>, DecryptError>) -> usize {
    match opened {
        Ok(Some(opened)) => opened.plaintext,
        Ok(None) | Err(_) => 0,
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Opener");
        match &self.state {
            State::Searching { keys, .. } => debug.field("keys", &keys.len()),
            State::Found { stream, next } => {
                debug.field("layout", stream.layout()).field("next", next)
            }
            State::Failed => debug.field("failed", &true),
        };
        debug.finish_non_exhaustive()
    }
}
