//! A stream of bytes that is taken in pieces of chosen sizes.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt as _, stream::BoxStream};
use object_store::Result;

/// The chunks that arrived stay as they are, in a queue: appending them to one buffer and cutting its
/// front would copy a large chunk once for each piece.
pub(crate) struct Chunks {
    inner: BoxStream<'static, Result<Bytes>>,
    queue: VecDeque<Bytes>,
    len: usize,
}

impl Chunks {
    pub(crate) fn new(inner: BoxStream<'static, Result<Bytes>>) -> Self {
        Self {
            inner,
            queue: VecDeque::new(),
            len: 0,
        }
    }

    /// Returns the next `size` bytes, or fewer where the stream ends.
    pub(crate) async fn take(&mut self, size: usize) -> Result<Bytes> {
        while self.len < size {
            let Some(chunk) = self.inner.try_next().await? else {
                break;
            };
            self.len += chunk.len();
            self.queue.push_back(chunk);
        }
        Ok(self.split_front(size.min(self.len)))
    }

    /// Puts bytes back in front.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.queue.push_front(bytes);
    }

    /// Copies only what lies in several chunks.
    fn split_front(&mut self, size: usize) -> Bytes {
        self.len -= size;
        if let Some(front) = self.queue.front_mut()
            && front.len() > size
        {
            return front.split_to(size);
        }
        let first = self.queue.pop_front().unwrap_or_default();
        if first.len() == size {
            return first;
        }
        let mut joined = BytesMut::with_capacity(size);
        joined.extend_from_slice(&first);
        while let Some(mut chunk) = self.queue.pop_front() {
            let rest = size - joined.len();
            if chunk.len() > rest {
                joined.extend_from_slice(&chunk.split_to(rest));
                self.queue.push_front(chunk);
                break;
            }
            joined.extend_from_slice(&chunk);
        }
        joined.freeze()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _, stream};

    use super::*;

    #[test]
    fn pieces_of_any_size_join_to_the_stream() {
        let bytes: Vec<u8> = (0..=255).collect();
        for chunk_size in [1, 3, 7, 100, 256] {
            for piece_size in 1..=64 {
                let chunks: Vec<_> = bytes
                    .chunks(chunk_size)
                    .flat_map(|chunk| [Bytes::new(), Bytes::copy_from_slice(chunk)])
                    .map(Ok)
                    .collect();
                let mut chunks = Chunks::new(stream::iter(chunks).boxed());
                let mut joined = Vec::new();
                loop {
                    let piece = chunks.take(piece_size).now_or_never().unwrap().unwrap();
                    if piece.is_empty() {
                        break;
                    }
                    assert!(piece.len() == piece_size || joined.len() + piece.len() == 256);
                    chunks.put_back(piece);
                    let piece = chunks.take(piece_size).now_or_never().unwrap().unwrap();
                    joined.extend_from_slice(&piece);
                }
                assert_eq!(joined, bytes);
            }
        }
    }
}
