//! Encrypts and decrypts slices in several threads.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use zeroize::Zeroizing;

use super::{
    parallel::{Batches, SealPlan, in_threads},
    random::bounds,
};
use crate::{
    error::{DecryptError, EncryptError},
    segment::{Opener, Sealer, in_memory},
};

/// Encrypts a plaintext that is in memory to a stream, in several threads.
///
/// The stream is the same, byte for byte, as one thread would write with the same header. With one
/// thread nothing is spawned.
///
/// # Errors
/// [`EncryptError::TooLong`] when the plaintext has too many segments, or the stream does not fit
/// into memory; [`EncryptError::SegmentSize`] when the sealer has sealed a segment already.
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
    let (header, mut segments) = out.split_at_mut(plan.map.layout().header_size());
    header.copy_from_slice(plan.stream.header());

    let batches = Batches::new(&plan.map);
    let mut rest = plaintext;
    // Pairs of what is read and what is written, each cut off when a thread asks for it.
    let jobs = Mutex::new(std::iter::from_fn(|| {
        let batch = batches.next()?;
        let (to, from) = bounds(&plan.map, &batch);
        let read;
        (read, rest) = rest.split_at(in_memory(from.end - from.start));
        let (write, after) =
            std::mem::take(&mut segments).split_at_mut(in_memory(to.end - to.start));
        segments = after;
        Some((batch, read, write))
    }));
    in_threads(
        threads,
        batches.count(),
        || jobs.lock().unwrap_or_else(PoisonError::into_inner).next(),
        || |(batch, plaintext, out)| plan.seal(batch, plaintext, out),
    )?;
    drop(jobs);
    Ok(out)
}

/// Decrypts a stream that is in memory, in several threads. With one thread nothing is spawned.
///
/// # Errors
/// [`DecryptError`]
pub fn decrypt_slice(
    opener: Opener,
    stream: &[u8],
    threads: NonZeroUsize,
) -> Result<Vec<u8>, DecryptError> {
    let (start, _) = stream.split_at(stream.len().min(opener.start_size()));
    let opener = opener.at(start, stream.len() as u64)?;
    let map = opener.map();
    let mut out = Zeroizing::new(vec![0; in_memory(map.plaintext_size())]);

    let batches = Batches::new(map);
    let (_, mut rest) = stream.split_at(map.layout().header_size());
    let mut plaintext = out.as_mut_slice();
    let jobs = Mutex::new(std::iter::from_fn(|| {
        let batch = batches.next()?;
        let (from, to) = bounds(map, &batch);
        let read;
        (read, rest) = rest.split_at(in_memory(from.end - from.start));
        let (write, after) =
            std::mem::take(&mut plaintext).split_at_mut(in_memory(to.end - to.start));
        plaintext = after;
        Some((batch, read, write))
    }));
    in_threads(
        threads,
        batches.count(),
        || jobs.lock().unwrap_or_else(PoisonError::into_inner).next(),
        || |(batch, segments, out)| opener.open_segments(batch, segments, out),
    )?;
    drop(jobs);
    Ok(std::mem::take(&mut *out))
}
