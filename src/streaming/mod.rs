//! Streams of a keyset: readers and writers, random access, threads.
//!
//! | to | from | with |
//! |---|---|---|
//! | encrypt | a [`Sealer`] | [`EncryptingWriter`], [`encrypt_parallel`], [`encrypt_slice`] |
//! | decrypt | an [`Opener`] | [`DecryptingReader`], [`decrypt_parallel`], [`decrypt_slice`] |
//! | encrypt in parts, in any order | a [`Sealer`] | [`SegmentSealer`] |
//! | decrypt a part | an [`Opener`] | [`RandomAccess`], [`SeekableReader`], [`SegmentOpener`] |
//! | plan sizes and ranges | a [`StreamLayout`] | [`StreamMap`], [`RangePlan`] |
//!
//! [`Sealer`] and [`Opener`] come from a [`StreamingAead`], such as a [`KeysetStreamingAead`], and
//! do no I/O themselves. The feature `tokio` adds an asynchronous writer and reader.
//!
//! # Security
//! A plaintext is complete only once its end is reported. If a stream was cut, everything returned
//! before that point is still authentic. So act only on a whole plaintext, or on parts that are
//! meaningful by themselves.

use std::{
    fmt,
    io::{Read, Write},
    sync::Arc,
};

use crate::{
    cipher::Provider,
    error::{EncryptError, KeysetError},
    key::{Key, KeyKind, PerKey},
    keyset::{KeysetHandle, Primitive},
    primitive::StreamingAead,
    segment::StreamKey,
};

mod at;
mod buffer;
mod decrypting;
mod encrypting;
mod parallel;
mod random;
mod reader;
mod seek;
mod slice;
#[cfg(feature = "tokio")]
mod tokio;
mod until_end;
mod writer;

#[cfg(feature = "tokio")]
pub use self::tokio::{AsyncDecryptingReader, AsyncEncryptingWriter};
pub use crate::segment::{
    Opener, RangePlan, Sealer, SegmentOpener, SegmentSealer, StreamLayout, StreamMap,
};
pub use at::{Offset, ReadAt, WriteAt};
pub use parallel::{decrypt_parallel, encrypt_parallel};
pub use random::RandomAccess;
pub use reader::DecryptingReader;
pub use seek::SeekableReader;
pub use slice::{decrypt_slice, encrypt_slice};
pub use writer::EncryptingWriter;

/// The streaming AEAD of a keyset. Cheap to clone, and safe to share between threads.
///
/// The primary key encrypts. To decrypt, every enabled key is tried on the first segment of a
/// stream: those with small segments first, otherwise in keyset order. Streams have no output
/// prefix, whatever the prefix types of the keys.
///
/// # Example
/// ```
/// use std::io::{Read as _, Write as _};
///
/// use keyseal::{KeysetHandle, KeysetStreamingAead};
///
/// let aead: KeysetStreamingAead =
///     KeysetHandle::generate("AES256_GCM_HKDF_1MB")?.primitive()?;
///
/// let mut writer = aead.encrypting_writer(Vec::new(), b"backup 7")?;
/// writer.write_all(b"attack at dawn")?;
/// let stream = writer.finish()?;
///
/// let mut plaintext = Vec::new();
/// aead.decrypting_reader(stream.as_slice(), b"backup 7").read_to_end(&mut plaintext)?;
/// assert_eq!(plaintext, b"attack at dawn");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeysetStreamingAead(Arc<PerKey<Arc<StreamKey>>>);

impl Primitive for KeysetStreamingAead {
    fn from_keyset(keyset: &KeysetHandle, provider: Provider) -> Result<Self, KeysetError> {
        let stream_key = |_, key: &Key| {
            let made = key.streaming_aead(provider)?;
            Some(made.map(Arc::new))
        };
        let keys = keyset.make_each(KeyKind::StreamingAead, stream_key)?;
        Ok(Self(Arc::new(keys)))
    }
}

impl StreamingAead for KeysetStreamingAead {
    fn sealer(&self, associated_data: &[u8]) -> Result<Sealer, EncryptError> {
        Ok(Sealer::new(self.0.primary().start(associated_data)?))
    }

    fn opener(&self, associated_data: &[u8]) -> Opener {
        let keys = self.0.iter().map(|(_, key)| Arc::clone(key));
        Opener::new(keys.collect(), associated_data)
    }
}

impl KeysetStreamingAead {
    /// Returns the sizes of the streams that the primary key writes.
    #[must_use]
    pub fn layout(&self) -> &StreamLayout {
        self.0.primary().layout()
    }

    /// Starts to encrypt to a writer. Nothing is written to it before your first write.
    ///
    /// # Errors
    /// [`EncryptError::Random`]
    pub fn encrypting_writer<W: Write>(
        &self,
        inner: W,
        associated_data: &[u8],
    ) -> Result<EncryptingWriter<W>, EncryptError> {
        Ok(EncryptingWriter::new(self.sealer(associated_data)?, inner))
    }

    /// Starts to decrypt from a reader. Nothing is read from it before your first read.
    pub fn decrypting_reader<R: Read>(
        &self,
        inner: R,
        associated_data: &[u8],
    ) -> DecryptingReader<R> {
        DecryptingReader::new(self.opener(associated_data), inner)
    }
}

impl fmt::Debug for KeysetStreamingAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetStreamingAead")
            .field("keys", &self.0.len())
            .finish_non_exhaustive()
    }
}
