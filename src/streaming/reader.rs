//! Decrypts from a reader.

use std::io::{self, BufRead, Read};

use super::decrypting::{Decrypting, Next};
use crate::segment::Opener;

/// Decrypts a stream that it reads from another reader, in memory of about two segments.
///
/// It reports the end only when the last segment has decrypted: a stream that was cut or extended
/// ends in an error of kind `InvalidData` with a [`DecryptError`](crate::DecryptError) inside.
/// After an error, every later call fails too. The exceptions are `WouldBlock` and `TimedOut` of
/// the inner reader, after which you may try again. Interrupted calls are repeated. The stream
/// extends to the end of the inner reader.
///
/// It reads from the inner reader in large pieces, so the inner reader needs no buffer. [`BufRead`]
/// gives you the plaintext without copying it.
///
/// # Example
/// ```
/// use std::io::BufRead as _;
/// # use keyseal::{KeysetHandle, KeysetStreamingAead};
/// # let keyset = KeysetHandle::generate("AES128_GCM_HKDF_4KB")?;
/// # let aead: KeysetStreamingAead = keyset.primitive()?;
/// # let mut writer = aead.encrypting_writer(Vec::new(), b"report 7")?;
/// # std::io::Write::write_all(&mut writer, b"first\nsecond\n")?;
/// # let file = writer.finish()?;
/// # let file = file.as_slice();
///
/// let lines = aead.decrypting_reader(file, b"report 7").lines();
/// let all: Vec<String> = lines.collect::<Result<_, _>>()?; // Only now are they complete.
/// assert_eq!(all, ["first", "second"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DecryptingReader<R> {
    state: Decrypting,
    inner: R,
}

impl<R: Read> DecryptingReader<R> {
    /// Decrypts with `opener` from `inner`. Nothing is read from `inner` before your first read.
    pub fn new(opener: Opener, inner: R) -> Self {
        Self {
            state: Decrypting::new(opener),
            inner,
        }
    }

    /// Returns the inner reader.
    pub const fn get_ref(&self) -> &R {
        &self.inner
    }

    /// Returns the inner reader. Its position may be ahead of the plaintext that you have read.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> BufRead for DecryptingReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.state.advance()? == Next::Read {
            match self.inner.read(self.state.room()) {
                Ok(len) => self.state.read(len)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.state.failed(error)),
            }
        }
        Ok(self.state.plaintext())
    }

    fn consume(&mut self, len: usize) {
        self.state.consume(len);
    }
}

impl<R: Read> Read for DecryptingReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let len = self.fill_buf()?.read(buf)?;
        self.consume(len);
        Ok(len)
    }
}
