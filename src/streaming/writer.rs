//! Encrypts to a writer.

use std::io::{self, Write};

use super::encrypting::Encrypting;
use crate::segment::Sealer;

/// Encrypts everything written to it into another writer, in memory of about three segments.
///
/// **Call [`finish`](Self::finish).** Only that writes the last segment: a writer dropped without
/// it, for example after an error, leaves a stream that cannot be decrypted.
///
/// A segment is encrypted once more plaintext follows it. [`flush`](Write::flush) writes the
/// segments that are encrypted so far; it cannot write a segment that is not full. Interrupted
/// calls are repeated. Any other error of the inner writer, such as `WouldBlock`, is returned
/// before any of your bytes are taken, so you can repeat the call.
///
/// # Example
/// ```
/// use std::io::Write as _;
/// # use keyseal::{KeysetHandle, KeysetStreamingAead};
/// # let keyset = KeysetHandle::generate("AES128_GCM_HKDF_4KB")?;
/// # let aead: KeysetStreamingAead = keyset.primitive()?;
///
/// let mut writer = aead.encrypting_writer(Vec::new(), b"report 7")?;
/// for line in 0..1000 {
///     writeln!(writer, "line {line}")?;
/// }
/// let stream = writer.finish()?;
/// # assert!(stream.len() > 8_890);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a stream without its last segment never decrypts: call `finish`"]
pub struct EncryptingWriter<W> {
    state: Encrypting,
    inner: W,
}

impl<W: Write> EncryptingWriter<W> {
    /// Encrypts with `sealer` to `inner`. Nothing is written to `inner` before your first write.
    pub fn new(sealer: Sealer, inner: W) -> Self {
        Self {
            state: Encrypting::new(sealer),
            inner,
        }
    }

    /// Writes the last segment, flushes the inner writer and returns it.
    ///
    /// # Errors
    /// The inner writer's error. If you may need to try again, for example because the writer would
    /// block, use [`try_finish`](Self::try_finish).
    pub fn finish(mut self) -> io::Result<W> {
        self.try_finish()?;
        Ok(self.inner)
    }

    /// Writes the last segment and flushes the inner writer. Nothing can be written after it.
    ///
    /// # Errors
    /// The inner writer's error. You can call it again to continue.
    pub fn try_finish(&mut self) -> io::Result<()> {
        self.state.finish()?;
        self.flush()
    }

    /// Returns the inner writer. Writing to it directly corrupts the stream.
    pub const fn get_ref(&self) -> &W {
        &self.inner
    }

    fn write_sealed(&mut self) -> io::Result<()> {
        while !self.state.sealed().is_empty() {
            match self.inner.write(self.state.sealed()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.state.written(len)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for EncryptingWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // Before anything is taken: an error must mean that nothing was.
        self.write_sealed()?;
        self.state.accept(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_sealed()?;
        loop {
            match self.inner.flush() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}
