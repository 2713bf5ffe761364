//! Encrypts and decrypts slices in several threads.

use std::{
    num::NonZeroUsize,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use super::parallel::{Batches, SealPlan, in_threads};
use crate::{
    error::{DecryptError, EncryptError},
    secret::Wiped,
    segment::{Opener, Sealer, StreamMap, in_memory},
};

/// Encrypts a plaintext that is in memory to a stream, in several threads.
///
/// The stream is byte for byte the same as one thread would write with the same header. With one
/// thread, nothing is spawned.
///
/// # Errors
/// [`EncryptError::TooLong`] if the plaintext has too many segments, or the stream does not fit
/// into memory; [`EncryptError::SegmentSize`] if the sealer has already sealed a segment.
///
/// # Example
/// ```
/// use std::num::NonZeroUsize;
/// use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead, streaming};
/// # let keyset = KeysetHandle::generate("AES128_GCM_HKDF_4KB")?;
/// # let aead: KeysetStreamingAead = keyset.primitive()?;
///
/// let threads = std::thread::available_parallelism()?;
/// let stream = streaming::encrypt_slice(aead.sealer(b"")?, &[7; 100_000], threads)?;
/// let plaintext = streaming::decrypt_slice(aead.opener(b""), &stream, NonZeroUsize::MIN)?;
/// assert_eq!(plaintext, [7; 100_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(
    clippy::missing_panics_doc,
    reason = "the batches cover what they are made of"
)]
pub fn encrypt_slice(
    sealer: Sealer,
    plaintext: &[u8],
    threads: NonZeroUsize,
) -> Result<Vec<u8>, EncryptError> {
    let plan = SealPlan::new(sealer, plaintext.len() as u64)?;
    let size = usize::try_from(plan.map.ciphertext_size())
        .ok()
        .filter(|size| isize::try_from(*size).is_ok())
        .ok_or(EncryptError::TooLong)?;
    let mut out = vec![0; size];
    let (header, segments) = out.split_at_mut(plan.map.layout().header_size());
    header.copy_from_slice(plan.stream.header());

    let batches = Batches::of(&plan.map);
    let (mut plaintext, mut segments) = (plaintext, segments);
    let jobs = Mutex::new(plaintext_and_stream(&plan.map, &batches).map(
        |(batch, of_plaintext, of_stream)| {
            let from = plaintext.split_off(..of_plaintext).expect(COVERED);
            let to = segments.split_off_mut(..of_stream).expect(COVERED);
            (batch, from, to)
        },
    ));
    in_threads(
        threads,
        batches.count(),
        || jobs.lock().unwrap_or_else(PoisonError::into_inner).next(),
        || |(batch, plaintext, out)| plan.seal(batch, plaintext, out),
    )?;
    Ok(out)
}

/// Decrypts a stream that is in memory, in several threads. With one thread nothing is spawned.
///
/// # Errors
/// [`DecryptError`]
#[allow(
    clippy::missing_panics_doc,
    reason = "the batches cover what they are made of"
)]
pub fn decrypt_slice(
    opener: Opener,
    stream: &[u8],
    threads: NonZeroUsize,
) -> Result<Vec<u8>, DecryptError> {
    let (start, _) = stream.split_at(stream.len().min(opener.start_size()));
    let opener = opener.at(start, stream.len() as u64)?;
    let map = opener.map();
    let mut out = Wiped::zeros(in_memory(map.plaintext_size()));
    let (_, segments) = stream.split_at(map.layout().header_size());

    let batches = Batches::of(map);
    let (mut plaintext, mut segments) = (&mut *out, segments);
    let jobs = Mutex::new(plaintext_and_stream(map, &batches).map(
        |(batch, of_plaintext, of_stream)| {
            let from = segments.split_off(..of_stream).expect(COVERED);
            let to = plaintext.split_off_mut(..of_plaintext).expect(COVERED);
            (batch, from, to)
        },
    ));
    in_threads(
        threads,
        batches.count(),
        || jobs.lock().unwrap_or_else(PoisonError::into_inner).next(),
        || |(batch, segments, out)| opener.open_segments(batch, segments, out),
    )?;
    Ok(out.into_vec())
}

const COVERED: &str = "a map covers plaintext and segments exactly";

/// Deals batches out, each with the lengths of its plaintext and of its segments.
fn plaintext_and_stream(
    map: &StreamMap,
    batches: &Batches,
) -> impl Iterator<Item = (Range<u64>, usize, usize)> {
    std::iter::from_fn(|| {
        let batch = batches.next()?;
        let (stream, plaintext) = super::random::bounds(map, &batch);
        let len = |range: Range<u64>| in_memory(range.end - range.start);
        Some((batch, len(plaintext), len(stream)))
    })
}
