//! Seals a plaintext of unknown length: it ends where the source has no more.

use std::{
    io,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    at::{ReadAt, WriteAt, cut, fill},
    buffer::at_least,
};
use crate::{
    error::EncryptError,
    secret::Wiped,
    segment::{Place, StreamCipher, in_memory},
};

/// Seals batches of segments in any order, each once, until one of them meets the end.
///
/// A source may grow or shrink meanwhile, so that batches disagree on where it ends. The first end,
/// in the order of the plaintext, counts; the sink is truncated after it.
pub(super) struct UntilEnd<'s, S: ?Sized, D: ?Sized> {
    stream: StreamCipher,
    source: &'s S,
    sink: &'s D,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    end: Option<End>,
    /// How far anything is written.
    written: u64,
}

#[derive(Clone, Copy)]
struct End {
    /// How many segments there are.
    segments: u64,
    /// How long the stream is.
    size: u64,
    /// Whether the last segment is written. An empty one waits until it is known to be the last.
    is_sealed: bool,
}

impl<'s, S, D> UntilEnd<'s, S, D>
where
    S: ReadAt + ?Sized,
    D: WriteAt + ?Sized,
{
    pub(super) fn new(stream: StreamCipher, source: &'s S, sink: &'s D) -> Self {
        Self {
            stream,
            source,
            sink,
            progress: Mutex::default(),
        }
    }

    /// Returns whether a batch is past the end.
    pub(super) fn is_behind(&self, batch: &Range<u64>) -> bool {
        let end = self.progress().end;
        end.is_some_and(|end| end.segments <= batch.start)
    }

    /// Reads, seals and writes a batch of segments, as far as the plaintext reaches.
    pub(super) fn seal(
        &self,
        batch: &Range<u64>,
        plaintext: &mut Wiped,
        sealed: &mut Wiped,
    ) -> io::Result<()> {
        let layout = self.stream.layout();
        let start = layout.plaintext_start(batch.start);
        let full = in_memory(layout.plaintext_start(batch.end) - start);
        // One byte more shows that the last segment of the batch is an inner one.
        let wanted = full.saturating_add(1);
        let len = fill(self.source, plaintext.as_mut_vec(), wanted, start)?;
        let (plaintext, _) = plaintext.split_at(len.min(full));
        let at = layout.segment_start(batch.start);
        if plaintext.is_empty() && batch.start > 0 {
            // The last segment is in the batch before, unless the source was longer at that time.
            self.meet(batch.start + 1, at + layout.tag_size() as u64, false);
            return Ok(());
        }
        let tags = in_memory(batch.end - batch.start).saturating_mul(layout.tag_size());
        let sealed = at_least(sealed, plaintext.len().saturating_add(tags));
        let ends = len <= full;
        let (segments, size) = self.seal_batch(batch.start, plaintext, ends, sealed)?;
        let (sealed, _) = sealed.split_at(size);
        self.sink.write_all_at(sealed, at)?;
        let reach = at + sealed.len() as u64;
        if ends {
            self.meet(segments, reach, true);
        }
        let mut progress = self.progress();
        progress.written = progress.written.max(reach);
        Ok(())
    }

    /// Returns the number of the segment after the sealed ones, and their length in bytes.
    fn seal_batch(
        &self,
        mut index: u64,
        mut plaintext: &[u8],
        ends: bool,
        out: &mut [u8],
    ) -> Result<(u64, usize), EncryptError> {
        let layout = self.stream.layout();
        let mut size = 0;
        loop {
            let capacity = layout.segment_capacity(index);
            let (part, after) = plaintext.split_at(plaintext.len().min(capacity));
            let place = if ends && after.is_empty() {
                Place::Last
            } else {
                Place::Inner
            };
            let end = size + part.len() + layout.tag_size();
            let segment = out.get_mut(size..end).ok_or(EncryptError::SegmentSize)?;
            self.stream.seal(index, place, part, segment)?;
            (index, plaintext, size) = (index + 1, after, end);
            if plaintext.is_empty() {
                return Ok((index, size));
            }
        }
    }

    /// Records an end, unless there is an earlier one.
    fn meet(&self, segments: u64, size: u64, is_sealed: bool) {
        let mut progress = self.progress();
        if progress.end.is_none_or(|end| segments < end.segments) {
            progress.end = Some(End {
                segments,
                size,
                is_sealed,
            });
        }
    }

    /// Ends the sink with the stream: writes a last segment if none is sealed, and truncates the
    /// rest. Returns the length of the stream.
    pub(super) fn finish(&self) -> io::Result<u64> {
        let progress = self.progress();
        let end = progress.end.ok_or(EncryptError::TooLong)?;
        if !end.is_sealed {
            let last = end.segments - 1;
            let mut sealed = vec![0; self.stream.layout().tag_size()];
            self.stream.seal(last, Place::Last, &[], &mut sealed)?;
            let at = self.stream.layout().segment_start(last);
            self.sink.write_all_at(&sealed, at)?;
        }
        if progress.written > end.size {
            self.sink.truncate(end.size)?;
        } else {
            cut(self.sink, end.size)?;
        }
        Ok(end.size)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
