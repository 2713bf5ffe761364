//! Encrypts and decrypts files in several threads.

use std::{
    io,
    num::NonZeroUsize,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use super::{
    RandomAccess,
    at::{ReadAt, WriteAt, cut, fill_exactly},
    buffer::{at_least, segments_per_batch},
    random::bounds,
    until_end::UntilEnd,
};
use crate::{
    error::EncryptError,
    secret::Wiped,
    segment::{Opener, Place, Sealer, StreamCipher, StreamLayout, StreamMap, in_memory},
};

/// Encrypts all of `source` to `sink` in several threads; returns the length of the stream.
///
/// The stream is byte for byte the same as one thread would write with the same header. Each thread
/// holds one segment, or 256 KiB of small ones, both as plaintext and encrypted. With one thread,
/// nothing is spawned.
///
/// The plaintext ends where the source has no more to read. Its size only decides how many threads
/// to start: a file in `/proc` reports 0, and a growing file reports too little. If a source grows
/// or shrinks during the call, the plaintext ends at the first end that a thread finds.
///
/// A sink with longer content is [truncated](WriteAt::truncate) to the stream.
///
/// # Errors
/// [`EncryptError`] inside an error of kind `FileTooLarge` if the plaintext has too many segments;
/// `InvalidInput` if the sink appends, or is longer than the stream and cannot be truncated; or the
/// error of the source or the sink. The sink then holds parts of a stream that never decrypts.
///
/// # Example
/// ```
/// use std::{fs::File, num::NonZeroUsize};
/// use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead, streaming};
/// # let folder = tempfile::tempdir()?;
/// # let (plain, sealed) = (folder.path().join("plain"), folder.path().join("sealed"));
/// # std::fs::write(&plain, vec![7; 1_000_000])?;
/// # let keyset = KeysetHandle::generate("AES256_GCM_HKDF_1MB")?;
/// # let aead: KeysetStreamingAead = keyset.primitive()?;
///
/// let threads = NonZeroUsize::MIN.saturating_add(1);
/// let (source, sink) = (File::open(&plain)?, File::create(&sealed)?);
/// streaming::encrypt_parallel(aead.sealer(b"")?, &source, &sink, threads)?;
///
/// # let opened = folder.path().join("opened");
/// let (source, sink) = (File::open(&sealed)?, File::create(&opened)?);
/// streaming::decrypt_parallel(aead.opener(b""), &source, &sink, threads)?;
/// # assert_eq!(std::fs::read(opened)?, vec![7; 1_000_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encrypt_parallel<S, D>(
    sealer: Sealer,
    source: &S,
    sink: &D,
    threads: NonZeroUsize,
) -> io::Result<u64>
where
    S: ReadAt + Sync + ?Sized,
    D: WriteAt + Sync + ?Sized,
{
    let expected = source.size()?;
    let plan = SealPlan::new(sealer, expected)?;
    cut(sink, plan.map.ciphertext_size())?;
    sink.write_all_at(plan.stream.header(), 0)?;
    let threads_for = Batches::of(&plan.map).count();
    let batches = Batches::new(plan.map.layout(), StreamLayout::MAX_SEGMENTS);
    let sealing = &UntilEnd::new(plan.stream, source, sink);
    in_threads(
        threads,
        threads_for,
        || batches.next().filter(|batch| !sealing.is_behind(batch)),
        || {
            let (mut plaintext, mut sealed) = (Wiped::default(), Wiped::default());
            move |batch| sealing.seal(&batch, &mut plaintext, &mut sealed)
        },
    )?;
    sealing.finish()
}

/// Decrypts all of `source` to `sink` in several threads; returns the length of the plaintext.
///
/// The last segment is authenticated first, so that a stream that was cut or extended is refused
/// before anything is written. Each thread holds one segment, or 256 KiB of small ones, both as
/// plaintext and encrypted. With one thread, nothing is spawned.
///
/// A sink with longer content is [truncated](WriteAt::truncate) to the plaintext.
///
/// # Errors
/// `InvalidData` with a [`DecryptError`](crate::DecryptError) inside if the stream does not
/// decrypt; `InvalidInput` if the sink appends, or is longer than the plaintext and cannot be
/// truncated; or the error of the source or the sink. The sink then holds parts of the plaintext,
/// in any order: discard them.
pub fn decrypt_parallel<S, D>(
    opener: Opener,
    source: &S,
    sink: &D,
    threads: NonZeroUsize,
) -> io::Result<u64>
where
    S: ReadAt + Sync + ?Sized,
    D: WriteAt + Sync + ?Sized,
{
    let stream = &RandomAccess::new(opener, source)?;
    cut(sink, stream.len())?;
    let batches = Batches::of(stream.map());
    in_threads(
        threads,
        batches.count(),
        || batches.next(),
        || {
            let (mut sealed, mut plaintext) = (Vec::new(), Wiped::default());
            move |segments: Range<u64>| {
                let (from, to) = bounds(stream.map(), &segments);
                let len = in_memory(from.end - from.start);
                let sealed = fill_exactly(source, &mut sealed, len, from.start)?;
                let plaintext = at_least(&mut plaintext, in_memory(to.end - to.start));
                stream.opener().open_segments(segments, sealed, plaintext)?;
                sink.write_all_at(plaintext, to.start)
            }
        },
    )?;
    Ok(stream.len())
}

/// A stream whose segments are sealed in any order, each once.
pub(super) struct SealPlan {
    pub(super) stream: StreamCipher,
    pub(super) map: StreamMap,
}

impl SealPlan {
    pub(super) fn new(sealer: Sealer, plaintext_size: u64) -> Result<Self, EncryptError> {
        let stream = sealer.into_unused().ok_or(EncryptError::SegmentSize)?;
        let layout = stream.layout();
        let map = layout
            .ciphertext_size(plaintext_size)
            .and_then(|size| layout.map(size))
            .ok_or(EncryptError::TooLong)?;
        Ok(Self { stream, map })
    }

    /// Seals consecutive segments.
    pub(super) fn seal(
        &self,
        segments: Range<u64>,
        mut plaintext: &[u8],
        mut out: &mut [u8],
    ) -> Result<(), EncryptError> {
        for index in segments {
            let place = if index + 1 == self.map.segments() {
                Place::Last
            } else {
                Place::Inner
            };
            let len = self.map.plaintext_end(index) - self.map.plaintext_start(index);
            let (part, rest) = plaintext
                .split_at_checked(in_memory(len))
                .ok_or(EncryptError::SegmentSize)?;
            let (segment, after) = out
                .split_at_mut_checked(part.len() + self.stream.layout().tag_size())
                .ok_or(EncryptError::SegmentSize)?;
            self.stream.seal(index, place, part, segment)?;
            (plaintext, out) = (rest, after);
        }
        Ok(())
    }
}

/// Deals segments out, a batch at a time.
pub(super) struct Batches {
    next: AtomicU64,
    per_batch: u64,
    segments: u64,
}

impl Batches {
    pub(super) const fn new(layout: &StreamLayout, segments: u64) -> Self {
        Self {
            next: AtomicU64::new(0),
            per_batch: segments_per_batch(layout.segment_size()) as u64,
            segments,
        }
    }

    /// All segments of a stream.
    pub(super) const fn of(map: &StreamMap) -> Self {
        Self::new(map.layout(), map.segments())
    }

    pub(super) const fn count(&self) -> u64 {
        self.segments.div_ceil(self.per_batch)
    }

    pub(super) fn next(&self) -> Option<Range<u64>> {
        // No more than one step past the end for each thread: it cannot wrap.
        let start = self.next.fetch_add(self.per_batch, Ordering::Relaxed);
        (start < self.segments).then(|| start..self.segments.min(start + self.per_batch))
    }
}

/// Runs jobs in threads, including this one, until no job is left or one fails.
///
/// `worker` makes, for each thread, what does a job.
pub(super) fn in_threads<J, E, W>(
    threads: NonZeroUsize,
    jobs: u64,
    next: impl Fn() -> Option<J> + Sync,
    worker: impl Fn() -> W + Sync,
) -> Result<(), E>
where
    W: FnMut(J) -> Result<(), E>,
    E: Send,
{
    let stop = AtomicBool::new(false);
    let first_error = Mutex::new(None);
    let work = || {
        let mut job = worker();
        while !stop.load(Ordering::Relaxed) {
            let Some(todo) = next() else { break };
            if let Err(error) = job(todo) {
                stop.store(true, Ordering::Relaxed);
                first_error
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(error);
            }
        }
    };
    let others = in_memory(jobs).min(threads.get()).saturating_sub(1);
    if others == 0 {
        work();
    } else {
        thread::scope(|scope| {
            for _ in 0..others {
                // If a thread cannot be started, the others do its work.
                if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
    }
    first_error
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;
    use crate::{
        cipher::Provider,
        key::{
            Key, Variant, aes_ctr_hmac_streaming::AesCtrHmacStreamingParameters,
            aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters,
        },
        streaming::{EncryptingWriter, encrypt_slice},
    };

    #[test]
    fn threads_write_the_same_bytes_as_one_writer() {
        let tiny = AesGcmHkdfStreamingParameters::new(16, 64).unwrap();
        let small = AesCtrHmacStreamingParameters::new(32, 4096).unwrap();
        let large = AesGcmHkdfStreamingParameters::new(32, 300_000).unwrap();
        // Each longest plaintext is more than two batches.
        let keys = [
            (Key::generate_with(&tiny, Variant::Raw), 600_000),
            (Key::generate_with(&small, Variant::Raw), 600_000),
            (Key::generate_with(&large, Variant::Raw), 1_000_000),
        ];
        let plaintext: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
        for (key, longest) in keys {
            let key = key
                .unwrap()
                .streaming_aead(Provider::FASTEST)
                .unwrap()
                .unwrap();
            let layout = *key.layout();
            let header = vec![u8::try_from(layout.header_size()).unwrap(); 40];
            let sealer = || Sealer::new(key.start_with(&header, b"associated data"));
            let full = layout.segment_capacity(0) + layout.segment_capacity(1);
            for size in [0, 1, full, full + 1, longest] {
                let (plaintext, _) = plaintext.split_at(size);
                let mut writer = EncryptingWriter::new(sealer(), Vec::new());
                writer.write_all(plaintext).unwrap();
                let stream = writer.finish().unwrap();
                for threads in [1, 3] {
                    let threads = NonZeroUsize::new(threads).unwrap();
                    assert_eq!(encrypt_slice(sealer(), plaintext, threads).unwrap(), stream);
                    let sink = Mutex::new(Cursor::new(Vec::new()));
                    let len = encrypt_parallel(sealer(), plaintext, &sink, threads).unwrap();
                    assert_eq!(len, stream.len() as u64);
                    assert_eq!(sink.into_inner().unwrap().into_inner(), stream);
                }
            }
        }
    }

    #[test]
    fn a_sealer_that_was_used_is_refused() {
        let key = Key::generate("AES128_GCM_HKDF_4KB").unwrap();
        let key = key.streaming_aead(Provider::FASTEST).unwrap().unwrap();
        let mut sealer = Sealer::new(key.start(b"").unwrap());
        let full = vec![0; sealer.capacity()];
        sealer.seal(&full, &mut Vec::new()).unwrap();
        assert!(encrypt_slice(sealer, &full, NonZeroUsize::MIN).is_err());
    }

    #[test]
    fn the_first_error_stops_all_threads() {
        let done = AtomicU64::new(0);
        let next = AtomicU64::new(0);
        let result = in_threads(
            NonZeroUsize::new(4).unwrap(),
            u64::MAX,
            || Some(next.fetch_add(1, Ordering::Relaxed)),
            || {
                |job| {
                    done.fetch_add(1, Ordering::Relaxed);
                    if job == 1000 { Err("job 1000") } else { Ok(()) }
                }
            },
        );
        assert_eq!(result, Err("job 1000"));
        assert!(done.into_inner() > 1000);
    }
}
