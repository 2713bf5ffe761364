//! [`seal_remote`] and [`open_remote`]: whole sealed streams with tokio's readers and writers.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Poll, ready},
};

use ::tokio::io::{AsyncBufRead as _, AsyncRead, AsyncWrite, ReadBuf};
use zeroize::Zeroizing;

use super::{header::SealedStreamHeader, whole::CHUNK_SIZE};
use crate::{
    any_error::Error,
    primitive::StreamingAead as _,
    remote::RemoteAead,
    streaming::{AsyncDecryptingReader, AsyncEncryptingWriter},
};

/// Like [`seal`](super::seal), with a KEK that a service holds, and tokio's reader and writer.
///
/// Calls the service once. A local KEK works too, as a [`LocalAead`](crate::kms::LocalAead). No
/// runtime is needed. You can drop the future; the part that it wrote never decrypts.
///
/// # Errors
/// The errors of [`seal`](super::seal).
///
/// # Example
/// ```
/// use keyseal::{Error, KeysetAead, KeysetHandle, kms::LocalAead, sealed_stream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
/// let kek = LocalAead::new(kek); // or a key of Key Manager
///
/// let mut sealed = Vec::new(); // or a file
/// sealed_stream::seal_remote(&kek, &b"a lot of data"[..], &mut sealed, b"backup 7").await?;
///
/// let mut plaintext = Vec::new();
/// sealed_stream::open_remote(&kek, &sealed[..], &mut plaintext, b"backup 7").await?;
/// assert_eq!(plaintext, b"a lot of data");
/// # Ok(())
/// # }
/// ```
pub async fn seal_remote(
    kek: &dyn RemoteAead,
    mut plaintext: impl AsyncRead + Unpin + Send,
    mut sealed: impl AsyncWrite + Unpin + Send,
    associated_data: &[u8],
) -> Result<u64, Error> {
    let template = SealedStreamHeader::TEMPLATE;
    let (header, aead) = SealedStreamHeader::generate_remote(template, kek).await?;
    write_all(&mut sealed, header.as_bytes()).await?;
    let mut writer = AsyncEncryptingWriter::new(aead.sealer(associated_data)?, sealed);
    let mut chunk = Zeroizing::new(vec![0; CHUNK_SIZE]);
    let mut total = 0;
    loop {
        let len = fill(&mut plaintext, &mut chunk).await?;
        if len == 0 {
            break;
        }
        write_all(&mut writer, chunk.split_at(len).0).await?;
        total += len as u64;
    }
    writer.finish().await?;
    Ok(total)
}

/// Like [`open`](super::open), with a KEK that a service holds, and tokio's reader and writer.
///
/// Calls the service once.
///
/// # Errors
/// The errors of [`open`](super::open).
///
/// # Security
/// Discard all of `plaintext` after an error, or if you drop the future.
pub async fn open_remote(
    kek: &dyn RemoteAead,
    mut sealed: impl AsyncRead + Unpin + Send,
    mut plaintext: impl AsyncWrite + Unpin + Send,
    associated_data: &[u8],
) -> Result<u64, Error> {
    let header = read_header(&mut sealed).await?;
    let aead = header.open_remote(kek).await?;
    let mut reader = AsyncDecryptingReader::new(aead.opener(associated_data), sealed);
    let mut total = 0;
    loop {
        // Writes from the reader's own buffer, so that no copy of the plaintext is left.
        let written = poll_fn(|context| {
            let segment = ready!(Pin::new(&mut reader).poll_fill_buf(context))?;
            if segment.is_empty() {
                return Poll::Ready(Ok(0));
            }
            let len = ready!(Pin::new(&mut plaintext).poll_write(context, segment))?;
            if len == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            Pin::new(&mut reader).consume(len);
            Poll::Ready(io::Result::Ok(len))
        });
        match written.await? {
            0 => break,
            len => total += len as u64,
        }
    }
    poll_fn(|context| Pin::new(&mut plaintext).poll_flush(context)).await?;
    Ok(total)
}

/// Reads exactly the header.
async fn read_header(
    reader: &mut (impl AsyncRead + Unpin + Send),
) -> Result<SealedStreamHeader, Error> {
    let mut bytes = vec![0; SealedStreamHeader::START_SIZE];
    let len = fill(reader, &mut bytes).await?;
    bytes.truncate(len);
    bytes.resize(SealedStreamHeader::size_of(&bytes)?, 0);
    let len = fill(reader, bytes.split_at_mut(len).1).await?;
    bytes.truncate(SealedStreamHeader::START_SIZE + len);
    let (header, _) = SealedStreamHeader::parse(&bytes)?;
    Ok(header)
}

/// Reads until `buffer` is full or the reader ends, and returns how many bytes came.
async fn fill(
    reader: &mut (impl AsyncRead + Unpin + Send),
    buffer: &mut [u8],
) -> io::Result<usize> {
    let mut room = ReadBuf::new(buffer);
    loop {
        let before = room.filled().len();
        poll_fn(|context| Pin::new(&mut *reader).poll_read(context, &mut room)).await?;
        if room.remaining() == 0 || room.filled().len() == before {
            return Ok(room.filled().len());
        }
    }
}

async fn write_all(
    writer: &mut (impl AsyncWrite + Unpin + Send),
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        let len = poll_fn(|context| Pin::new(&mut *writer).poll_write(context, bytes)).await?;
        if len == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.split_at(len).1;
    }
    Ok(())
}
