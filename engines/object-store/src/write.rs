//! Writes: plaintext cut into segments, and segments sealed.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use keyseal::{EncryptError, KeysetStreamingAead, StreamingAead as _, streaming::Sealer};
use object_store::{ObjectStore as _, PutOptions, PutPayload, PutResult, Result, path::Path};
use zeroize::Zeroizing;

use crate::{error::StoreErrorKind, read::BATCH_SIZE, store::EncryptedStore};

impl EncryptedStore {
    /// Writes to `stored_at` an object that decrypts at `location`.
    pub(crate) async fn write(
        &self,
        location: &Path,
        stored_at: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let failed = |error: EncryptError| StoreErrorKind::from(error).of(location);
        let mut cutter = self.cutter(location).await?;
        cutter.reserve(payload.content_length());
        for bytes in &payload {
            for batch in bytes.chunks(BATCH_SIZE) {
                cutter.push(batch).map_err(failed)?;
                if batch.len() == BATCH_SIZE {
                    tokio::task::yield_now().await;
                }
            }
        }
        let sealed = Bytes::from(cutter.finish().map_err(failed)?);
        self.count_written(payload.content_length(), sealed.len());
        // Before, for readers that find the new object; after, for those who read the old one
        // meanwhile.
        self.shared.cache.forget(stored_at).await;
        let result = self
            .shared
            .inner
            .put_opts(stored_at, sealed.into(), options)
            .await;
        self.shared.cache.forget(stored_at).await;
        result
    }

    /// Makes a key for an object, and starts its stream.
    pub(crate) async fn cutter(&self, location: &Path) -> Result<Cutter> {
        let failed = |kind: StoreErrorKind| kind.of(location);
        let (header, keyset) = self.new_header().await.map_err(failed)?;
        let aead: KeysetStreamingAead = keyset
            .primitive()
            .map_err(|error| failed(StoreErrorKind::from_keyset(error)))?;
        let sealer = aead
            .sealer(&self.associated_data(location))
            .map_err(|error| failed(error.into()))?;
        Ok(Cutter::new(header.as_bytes(), sealer))
    }

    pub(crate) fn count_written(&self, plaintext: usize, ciphertext: usize) {
        let counters = &self.shared.counters;
        counters.plaintext_bytes_written.add(plaintext as u64);
        counters.ciphertext_bytes_written.add(ciphertext as u64);
        let segment_size = self.shared.parameters.segment_size();
        let stream = ciphertext.saturating_sub(self.shared.header_size);
        counters
            .segments_sealed
            .add(stream.div_ceil(segment_size) as u64);
    }
}

/// Cuts a plaintext into segments and seals them.
///
/// A full segment is held back until a byte follows: it may be the last one, and an empty one after it
/// would be a segment too many.
pub(crate) struct Cutter {
    sealer: Sealer,
    /// The bytes held back. It never grows beyond its capacity, which is a segment.
    plaintext: Zeroizing<Vec<u8>>,
    sealed: Vec<u8>,
    /// Buffers of parts that were uploaded. Allocators keep memory that one thread allocates and another
    /// frees, so an upload that allocated each part would grow by far more than its parts.
    spare: Spare,
}

type Spare = Arc<Mutex<Vec<Vec<u8>>>>;

/// A part that is being uploaded. Its buffer is then used again.
struct Part {
    bytes: Vec<u8>,
    spare: Spare,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(bytes);
    }
}

impl Cutter {
    fn new(header: &[u8], sealer: Sealer) -> Self {
        let segment_size = sealer.layout().segment_size();
        Self {
            plaintext: Zeroizing::new(Vec::with_capacity(segment_size)),
            sealed: [header, sealer.header()].concat(),
            sealer,
            spare: Spare::default(),
        }
    }

    /// Makes room for the ciphertext of so many bytes.
    pub(crate) fn reserve(&mut self, plaintext_size: usize) {
        let layout = self.sealer.layout();
        let tags = plaintext_size / layout.segment_capacity(1) + 2;
        self.sealed
            .reserve(plaintext_size + tags * layout.tag_size());
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), EncryptError> {
        while !bytes.is_empty() {
            let capacity = self.sealer.capacity();
            if self.plaintext.len() == capacity {
                self.sealer.seal(&self.plaintext, &mut self.sealed)?;
                self.plaintext.clear();
            } else if self.plaintext.is_empty() && bytes.len() > capacity {
                let (segment, rest) = bytes.split_at(capacity);
                self.sealer.seal(segment, &mut self.sealed)?;
                bytes = rest;
            } else {
                let size = bytes.len().min(capacity - self.plaintext.len());
                let (piece, rest) = bytes.split_at(size);
                self.plaintext.extend_from_slice(piece);
                bytes = rest;
            }
        }
        Ok(())
    }

    /// Returns the next `size` bytes of the object, or `None` if fewer are sealed.
    pub(crate) fn take(&mut self, size: usize) -> Option<Bytes> {
        if self.sealed.len() < size {
            return None;
        }
        let spare = || {
            let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
            spare.pop()
        };
        // Room for the next part, and for the batch by which it may exceed its size.
        let capacity = size + 2 * BATCH_SIZE;
        let mut rest = spare().unwrap_or_else(|| Vec::with_capacity(capacity));
        rest.clear();
        rest.extend_from_slice(self.sealed.get(size..).unwrap_or_default());
        self.sealed.truncate(size);
        Some(Bytes::from_owner(Part {
            bytes: std::mem::replace(&mut self.sealed, rest),
            spare: Arc::clone(&self.spare),
        }))
    }

    /// Seals the last segment, and returns the rest of the object.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, EncryptError> {
        self.sealer.seal_last(&self.plaintext, &mut self.sealed)?;
        Ok(self.sealed)
    }
}
