//! A buffer that grows as it is needed and is wiped, and errors as readers and writers give them.

use std::{fmt, io};

use zeroize::Zeroize as _;

use crate::{
    error::{DecryptError, EncryptError},
    secret::Wiped,
};

/// Bytes that are read, opened, sealed or written at a time: many small segments, or a part of a
/// large one. It fits a processor's second cache.
pub(super) const BATCH: usize = 256 * 1024;

/// Returns how many segments make a batch, at least one.
pub(super) const fn segments_per_batch(segment_size: usize) -> usize {
    let segments = BATCH / segment_size;
    if segments == 0 { 1 } else { segments }
}

/// Bytes that are filled in at the back and taken from the front. Wiped when dropped, and when
/// they move to a larger place.
#[derive(Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Where nothing was filled in yet: most of a buffer for a short stream.
    untouched: usize,
}

impl Queue {
    /// Returns the bytes that are filled in and not taken.
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Takes bytes from the front.
    pub(super) fn consume(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Returns the free space at the back: at least `needed` bytes.
    pub(super) fn room(&mut self, needed: usize) -> &mut [u8] {
        let len = self.len();
        if self.bytes.len() - self.end < needed {
            if self.bytes.len() - len < needed {
                let mut larger = vec![0; len + needed];
                larger.split_at_mut(len).0.copy_from_slice(self.filled());
                self.wipe();
                (self.bytes, self.untouched) = (larger, len);
            } else {
                self.bytes.copy_within(self.start..self.end, 0);
            }
            (self.start, self.end) = (0, len);
        }
        self.bytes.split_at_mut(self.end).1
    }

    /// Takes `len` bytes of the room as filled in.
    pub(super) fn fill(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.bytes.len());
        self.untouched = self.untouched.max(self.end);
    }

    /// Copies bytes to the back. Grows by doubling, to at most `limit` bytes.
    pub(super) fn push(&mut self, bytes: &[u8], limit: usize) {
        let doubled = self.len().min(limit.saturating_sub(self.len()));
        let room = self.room(bytes.len().max(doubled));
        room.split_at_mut(bytes.len()).0.copy_from_slice(bytes);
        self.fill(bytes.len());
    }

    fn wipe(&mut self) {
        self.bytes.split_at_mut(self.untouched).0.zeroize();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({} bytes)", self.len())
    }
}

impl From<DecryptError> for io::Error {
    fn from(error: DecryptError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl From<EncryptError> for io::Error {
    fn from(error: EncryptError) -> Self {
        let kind = match error {
            EncryptError::TooLong => io::ErrorKind::FileTooLarge,
            EncryptError::SegmentSize | EncryptError::SegmentNumber => io::ErrorKind::InvalidInput,
            EncryptError::KeyExhausted { .. }
            | EncryptError::Kms(_)
            | EncryptError::Provider
            | EncryptError::Random(_)
            | EncryptError::UsageNotStored { .. } => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// Returns the first `len` bytes of a buffer, which is made larger if need be.
pub(super) fn at_least(buffer: &mut Wiped, len: usize) -> &mut [u8] {
    if buffer.len() < len {
        *buffer = Wiped::zeros(len);
    }
    buffer.split_at_mut(len).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut queue = Queue::default();
        let mut taken = Vec::new();
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut rest = bytes.as_slice();
        for step in (1..100).cycle() {
            let (part, after) = rest.split_at(step.min(rest.len()));
            if step % 3 == 0 {
                queue.push(part, 500);
            } else {
                let room = queue.room(part.len());
                assert!(room.len() >= part.len());
                room.split_at_mut(part.len()).0.copy_from_slice(part);
                queue.fill(part.len());
            }
            rest = after;
            let count = (step * 7 % 90).min(queue.len());
            taken.extend_from_slice(queue.filled().split_at(count).0);
            queue.consume(count);
            if rest.is_empty() && queue.is_empty() {
                break;
            }
        }
        assert_eq!(taken, bytes);
    }

    #[test]
    fn a_queue_that_is_emptied_does_not_grow() {
        let mut queue = Queue::default();
        for _ in 0..1000 {
            queue.push(&[7; 64], 100);
            queue.consume(1);
            queue.push(&[7; 36], 100);
            queue.consume(99);
        }
        assert!(queue.bytes.len() <= 128, "{}", queue.bytes.len());
    }
}
