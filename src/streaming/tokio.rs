//! Encrypts and decrypts with tokio's readers and writers.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::{
    decrypting::{Decrypting, Next},
    encrypting::Encrypting,
};
use crate::segment::{Opener, Sealer};

/// Encrypts everything written to it and writes the stream to an inner writer, like
/// [`EncryptingWriter`](super::EncryptingWriter), for tokio.
///
/// **Call [`finish`](Self::finish) or shut it down.** Only that writes the last segment: a writer
/// dropped without it, for example after an error, leaves a stream that cannot be decrypted.
///
/// You can cancel every call that borrows the writer, and make it again. [`finish`](Self::finish)
/// takes it by value: if you drop its future, you lose the writer, the inner writer and the stream.
/// Under a time-out, or in a `select!`, call [`try_finish`](Self::try_finish) first. It needs no
/// runtime.
///
/// # Example
/// ```
/// use keyseal::streaming::{AsyncDecryptingReader, AsyncEncryptingWriter};
/// use keyseal::{KeysetStreamingAead, StreamingAead};
/// use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
///
/// async fn copy_sealed(
///     aead: &KeysetStreamingAead,
///     mut from: impl AsyncRead + Unpin,
///     to: impl AsyncWrite + Unpin,
/// ) -> std::io::Result<()> {
///     let mut writer = AsyncEncryptingWriter::new(aead.sealer(b"")?, to);
///     tokio::io::copy(&mut from, &mut writer).await?;
///     writer.finish().await?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[must_use = "a stream without its last segment never decrypts: call `finish`"]
pub struct AsyncEncryptingWriter<W> {
    state: Encrypting,
    inner: W,
}

impl<W: AsyncWrite + Unpin> AsyncEncryptingWriter<W> {
    /// Encrypts with `sealer` to `inner`. Nothing is written to `inner` before your first write.
    pub fn new(sealer: Sealer, inner: W) -> Self {
        Self {
            state: Encrypting::new(sealer),
            inner,
        }
    }

    /// Writes the last segment, flushes the inner writer and returns it. Does not shut it down.
    ///
    /// Its future must run to its end: see [`try_finish`](Self::try_finish).
    ///
    /// # Errors
    /// The inner writer's error.
    pub async fn finish(mut self) -> io::Result<W> {
        self.try_finish().await?;
        Ok(self.inner)
    }

    /// Writes the last segment and flushes the inner writer. Nothing can be written after it.
    ///
    /// You can cancel it and call it again to continue. Once it has succeeded,
    /// [`finish`](Self::finish) returns the inner writer.
    ///
    /// # Errors
    /// The inner writer's error. You can call it again to continue.
    ///
    /// # Example
    /// ```
    /// use std::time::Duration;
    ///
    /// use keyseal::streaming::AsyncEncryptingWriter;
    /// use tokio::io::AsyncWrite;
    ///
    /// async fn finish_slowly<W: AsyncWrite + Unpin>(
    ///     mut writer: AsyncEncryptingWriter<W>,
    /// ) -> std::io::Result<W> {
    ///     let second = Duration::from_secs(1);
    ///     while tokio::time::timeout(second, writer.try_finish()).await.is_err() {
    ///         println!("not yet");
    ///     }
    ///     writer.finish().await
    /// }
    /// ```
    pub async fn try_finish(&mut self) -> io::Result<()> {
        self.state.finish()?;
        poll_fn(|context| Pin::new(&mut *self).poll_flush(context)).await
    }

    /// Returns the inner writer. Writing to it directly corrupts the stream.
    pub const fn get_ref(&self) -> &W {
        &self.inner
    }

    fn poll_write_sealed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.state.sealed().is_empty() {
            let written = Pin::new(&mut self.inner).poll_write(context, self.state.sealed());
            match ready!(written) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(len) => self.state.written(len)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for AsyncEncryptingWriter<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Before anything is taken: an error or a wait must mean that nothing was.
        ready!(this.poll_write_sealed(context))?;
        Poll::Ready(this.state.accept(buf))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_write_sealed(context))?;
        Pin::new(&mut this.inner).poll_flush(context)
    }

    /// Writes the last segment, and shuts the inner writer down.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.state.finish()?;
        ready!(this.poll_write_sealed(context))?;
        Pin::new(&mut this.inner).poll_shutdown(context)
    }
}

/// Decrypts a stream that it reads from another reader, like
/// [`DecryptingReader`](super::DecryptingReader), for tokio.
///
/// You can cancel every call and make it again. It needs no runtime.
///
/// # Example
/// ```
/// use keyseal::streaming::AsyncDecryptingReader;
/// use keyseal::{KeysetStreamingAead, StreamingAead};
/// use tokio::io::{AsyncRead, AsyncReadExt};
///
/// async fn read_sealed(
///     aead: &KeysetStreamingAead,
///     from: impl AsyncRead + Unpin,
/// ) -> std::io::Result<Vec<u8>> {
///     let mut plaintext = Vec::new();
///     let mut reader = AsyncDecryptingReader::new(aead.opener(b""), from);
///     reader.read_to_end(&mut plaintext).await?;
///     Ok(plaintext)
/// }
/// ```
#[derive(Debug)]
pub struct AsyncDecryptingReader<R> {
    state: Decrypting,
    inner: R,
}

impl<R: AsyncRead + Unpin> AsyncDecryptingReader<R> {
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

impl<R: AsyncRead + Unpin> AsyncBufRead for AsyncDecryptingReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.state.advance()? == Next::Read {
            let mut room = ReadBuf::new(this.state.room());
            match ready!(Pin::new(&mut this.inner).poll_read(context, &mut room)) {
                Ok(()) => {
                    let len = room.filled().len();
                    this.state.read(len)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(this.state.failed(error))),
            }
        }
        Poll::Ready(Ok(this.state.plaintext()))
    }

    fn consume(self: Pin<&mut Self>, len: usize) {
        self.get_mut().state.consume(len);
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for AsyncDecryptingReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let plaintext = ready!(self.as_mut().poll_fill_buf(context))?;
        let (part, _) = plaintext.split_at(plaintext.len().min(buf.remaining()));
        buf.put_slice(part);
        let len = part.len();
        self.consume(len);
        Poll::Ready(Ok(()))
    }
}
