//! Readers and writers for tokio, polled by hand: no runtime is needed.

use std::{
    future::Future,
    io::{self, Read as _, Write as _},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use keyseal::{
    KeysetStreamingAead, StreamingAead as _,
    streaming::{AsyncDecryptingReader, AsyncEncryptingWriter},
};
use proptest::prelude::*;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf,
};

use crate::{
    stream::{AAD, full, opens_every_way, opens_no_way, plaintext, seal, small, tiny},
    stream_io::{Act, Scripted, script, sizes},
};

/// Polls until it is done. What waits has seen to it that it is woken: at once.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

/// One of the ways to decrypt a stream.
pub(crate) fn read_to_end(
    aead: &KeysetStreamingAead,
    stream: &[u8],
    aad: &[u8],
) -> io::Result<Vec<u8>> {
    let mut plaintext = Vec::new();
    let mut reader = AsyncDecryptingReader::new(aead.opener(aad), stream);
    block_on(reader.read_to_end(&mut plaintext))?;
    Ok(plaintext)
}

impl<R: io::Read + Unpin> AsyncRead for Scripted<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(buf.remaining() > 0, "reading nothing looks like the end");
        let this = self.get_mut();
        match this.act() {
            Act::Bytes(len) => {
                let mut part = vec![0; len.min(buf.remaining())];
                let len = this.inner.read(&mut part)?;
                buf.put_slice(&part[..len]);
                Poll::Ready(Ok(()))
            }
            Act::Interrupted => Poll::Ready(Err(io::ErrorKind::Interrupted.into())),
            Act::WouldBlock => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl<W: io::Write + Unpin> AsyncWrite for Scripted<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.act() {
            Act::Bytes(len) => Poll::Ready(this.inner.write(&buf[..len.min(buf.len())])),
            Act::Interrupted => Poll::Ready(Err(io::ErrorKind::Interrupted.into())),
            Act::WouldBlock => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Act::WouldBlock = this.act() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_writer_and_a_reader_bring_a_plaintext_through_whatever_is_between_them(
        number in 0..6_usize,
        size in sizes(),
        chunks in prop::collection::vec((1..6_000_usize, any::<bool>()), 1..20),
        writing in script(),
        reading in script(),
        read in 1..6_000_usize,
        shut_down in any::<bool>(),
    ) {
        let kind = tiny().into_iter().chain(small()).nth(number).unwrap();
        let plaintext = plaintext(size);
        let stream = block_on(async {
            let inner = Scripted::new(Vec::new(), writing);
            let mut writer = AsyncEncryptingWriter::new(kind.aead.sealer(AAD).unwrap(), inner);
            let (mut rest, mut chunks) = (plaintext.as_slice(), chunks.into_iter().cycle());
            while let (false, Some((len, flush))) = (rest.is_empty(), chunks.next()) {
                let (part, after) = rest.split_at(len.min(rest.len()));
                writer.write_all(part).await?;
                rest = after;
                if flush {
                    writer.flush().await?;
                }
            }
            if shut_down {
                writer.shutdown().await?;
                return io::Result::Ok(writer.get_ref().inner.clone());
            }
            Ok(writer.finish().await?.inner)
        })
        .unwrap();
        opens_every_way(&kind, &stream, &plaintext);

        let opened = block_on(async {
            let inner = Scripted::new(stream.as_slice(), reading);
            let mut reader = AsyncDecryptingReader::new(kind.aead.opener(AAD), inner);
            let (mut opened, mut buf) = (Vec::new(), vec![0; read]);
            loop {
                match reader.read(&mut buf).await? {
                    0 => return io::Result::Ok(opened),
                    len => opened.extend_from_slice(&buf[..len]),
                }
            }
        })
        .unwrap();
        prop_assert!(opened == plaintext);
    }

    #[test]
    fn a_damaged_stream_ends_in_an_error_that_stays(
        number in 0..6_usize,
        size in sizes(),
        at in any::<prop::sample::Index>(),
        reading in script(),
    ) {
        let kind = tiny().into_iter().chain(small()).nth(number).unwrap();
        let plaintext = plaintext(size);
        let mut stream = seal(&kind.aead, &plaintext);
        let at = at.index(stream.len());
        stream[at] ^= 1;
        let inner = Scripted::new(stream.as_slice(), reading);
        let mut reader = AsyncDecryptingReader::new(kind.aead.opener(AAD), inner);
        let mut opened = Vec::new();
        for _ in 0..3 {
            let error = block_on(reader.read_to_end(&mut opened)).unwrap_err();
            prop_assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        let segment = at / kind.aead.layout().segment_size();
        prop_assert_eq!(opened.len(), full(&kind.aead, segment as u64));
        prop_assert!(plaintext.starts_with(&opened));
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_a_stream_that_never_opens() {
    for kind in tiny() {
        for size in [0, 1, full(&kind.aead, 2), full(&kind.aead, 2) + 1] {
            let mut left = Vec::new();
            let sealer = kind.aead.sealer(AAD).unwrap();
            let mut writer = AsyncEncryptingWriter::new(sealer, &mut left);
            block_on(writer.write_all(&plaintext(size))).unwrap();
            block_on(writer.flush()).unwrap();
            drop(writer);
            opens_no_way(&kind, &left, format_args!("{size} bytes"));
        }
    }
}

#[test]
fn a_write_that_is_cancelled_can_be_made_again() {
    for kind in tiny() {
        let plaintext = plaintext(300);
        let inner = Scripted::new(Vec::new(), vec![Act::WouldBlock, Act::Bytes(7)]);
        let mut writer = AsyncEncryptingWriter::new(kind.aead.sealer(AAD).unwrap(), inner);
        let mut context = Context::from_waker(Waker::noop());
        let mut rest = plaintext.as_slice();
        while !rest.is_empty() {
            // Polled once and dropped: a write that is not ready has taken nothing.
            if let Poll::Ready(taken) = pin!(writer.write(rest)).poll(&mut context) {
                rest = &rest[taken.unwrap()..];
            }
        }
        let stream = block_on(writer.finish()).unwrap().inner;
        opens_every_way(&kind, &stream, &plaintext);
    }
}

#[test]
fn finishing_can_be_cancelled_and_made_again() {
    for kind in tiny() {
        for wait in 1..40 {
            let plaintext = plaintext(300);
            let inner = Scripted::new(Vec::new(), vec![Act::Bytes(wait), Act::WouldBlock]);
            let mut writer = AsyncEncryptingWriter::new(kind.aead.sealer(AAD).unwrap(), inner);
            block_on(writer.write_all(&plaintext)).unwrap();
            let mut context = Context::from_waker(Waker::noop());
            let mut cancelled = 0;
            // Polled once and dropped, until it is ready.
            while pin!(writer.try_finish()).poll(&mut context).is_pending() {
                cancelled += 1;
            }
            assert!(cancelled > 0);
            assert!(block_on(writer.write(b"more")).is_err());
            let stream = block_on(writer.finish()).unwrap().inner;
            opens_every_way(&kind, &stream, &plaintext);
        }
    }
}

#[test]
fn nothing_can_be_written_after_a_shutdown_which_can_be_repeated() {
    for kind in tiny() {
        let mut writer = AsyncEncryptingWriter::new(kind.aead.sealer(AAD).unwrap(), Vec::new());
        block_on(writer.write_all(b"plaintext")).unwrap();
        block_on(writer.shutdown()).unwrap();
        assert!(block_on(writer.write(b"more")).is_err());
        block_on(writer.shutdown()).unwrap();
        let stream = block_on(writer.finish()).unwrap();
        opens_every_way(&kind, &stream, b"plaintext");
    }
}

#[test]
fn what_one_side_writes_the_other_side_reads() {
    for kind in tiny() {
        let stream = block_on(async {
            let mut writer = AsyncEncryptingWriter::new(kind.aead.sealer(AAD).unwrap(), Vec::new());
            writer.write_all(b"first\nsecond\n").await.unwrap();
            writer.finish().await.unwrap()
        });
        let mut text = String::new();
        let mut reader = kind.aead.decrypting_reader(stream.as_slice(), AAD);
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "first\nsecond\n");

        let mut writer = kind.aead.encrypting_writer(Vec::new(), AAD).unwrap();
        writer.write_all(b"first\nsecond\n").unwrap();
        let stream = writer.finish().unwrap();
        let reader = AsyncDecryptingReader::new(kind.aead.opener(AAD), stream.as_slice());
        let mut lines = reader.lines();
        let mut read = Vec::new();
        while let Some(line) = block_on(lines.next_line()).unwrap() {
            read.push(line);
        }
        assert_eq!(read, ["first", "second"]);
    }
}
