//! Reading and writing at positions: files, slices and other types.

#[cfg(any(unix, windows))]
use std::fs::File;
use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use zeroize::Zeroize as _;

use super::buffer::BATCH;

/// A source that you can read at any position, from several threads if it is [`Sync`].
///
/// Files, byte slices and vectors implement it; a [`Mutex`] adds it to anything that reads and
/// seeks. You can write your own wrapper to count bytes for a progress bar, or to return an error
/// that cancels the work.
///
/// # Example
/// ```
/// use keyseal::streaming::ReadAt;
///
/// let mut buf = [0; 3];
/// assert_eq!(b"plaintext".read_at(&mut buf, 5)?, 3);
/// assert_eq!(&buf, b"tex");
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ReadAt {
    /// Reads from a position, and returns the number of bytes; 0 at or past the end.
    ///
    /// # Errors
    /// The source's error.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;

    /// Returns the size in bytes.
    ///
    /// # Errors
    /// The source's error.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buf` from a position.
    ///
    /// # Errors
    /// `UnexpectedEof` if there are fewer bytes, or the source's error.
    fn read_exact_at(&self, mut buf: &mut [u8], mut position: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.read_at(buf, position) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => {
                    buf = buf.split_at_mut_checked(len).ok_or_else(too_much)?.1;
                    position = after(position, len)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Reads up to `len` bytes from a position into the front of `buffer`, and returns how many: fewer
/// only if the source ends.
///
/// The buffer grows as the bytes come, so that a length that the source does not have costs no
/// memory. Each buffer that it outgrows is wiped.
pub(super) fn fill<S: ReadAt + ?Sized>(
    source: &S,
    buffer: &mut Vec<u8>,
    len: usize,
    position: u64,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < len {
        if filled == buffer.len() {
            let mut larger = vec![0; len.min(filled.saturating_mul(4).max(BATCH))];
            larger.split_at_mut(filled).0.copy_from_slice(buffer);
            buffer.as_mut_slice().zeroize();
            *buffer = larger;
        }
        let end = len.min(buffer.len());
        let room = buffer.get_mut(filled..end).unwrap_or_default();
        let size = room.len();
        match source.read_at(room, after(position, filled)?) {
            Ok(0) => break,
            Ok(more) if more > size => return Err(too_much()),
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Like [`fill`], but returns an error of kind `UnexpectedEof` if the source ends early.
pub(super) fn fill_exactly<'b, S: ReadAt + ?Sized>(
    source: &S,
    buffer: &'b mut Vec<u8>,
    len: usize,
    position: u64,
) -> io::Result<&'b [u8]> {
    if fill(source, buffer, len, position)? < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(buffer.split_at(len).0)
}

/// The error for a source or sink that answers with more bytes than it was given room for.
pub(super) fn too_much() -> io::Error {
    io::Error::other("a reader or writer claims more bytes than it was asked for")
}

fn after(position: u64, len: usize) -> io::Result<u64> {
    let too_far = || io::Error::new(io::ErrorKind::InvalidInput, "the position is too large");
    position.checked_add(len as u64).ok_or_else(too_far)
}

/// A sink that you can write at any position, from several threads if it is [`Sync`].
///
/// Files implement it; a [`Mutex`] adds it to anything that writes and seeks.
pub trait WriteAt {
    /// Writes at a position, and returns the number of bytes written.
    ///
    /// # Errors
    /// The sink's error.
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize>;

    /// Writes all of `buf` at a position.
    ///
    /// # Errors
    /// `WriteZero` if the sink takes no more, or the sink's error.
    fn write_all_at(&self, mut buf: &[u8], mut position: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write_at(buf, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => {
                    buf = buf.split_at_checked(len).ok_or_else(too_much)?.1;
                    position = after(position, len)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Cuts the sink to its first `size` bytes. Does not extend it.
    ///
    /// [`encrypt_parallel`](super::encrypt_parallel) and
    /// [`decrypt_parallel`](super::decrypt_parallel) call it, so that no tail of older, longer
    /// content remains after theirs. A wrapper should forward it.
    ///
    /// # Errors
    /// `Unsupported` if the sink cannot be truncated, which is the default: such a sink must be
    /// empty at the start. `InvalidInput` if it is longer and cannot be truncated, or if it ignores
    /// the position of a write, like a file opened to append. Otherwise the sink's error.
    fn truncate(&self, size: u64) -> io::Result<()> {
        let _ = size;
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(unix)]
impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buf, position)
    }

    fn size(&self) -> io::Result<u64> {
        size_of_file(self)
    }
}

#[cfg(unix)]
impl WriteAt for File {
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, buf, position)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        truncate_file(self, size)
    }
}

/// Moves the file's cursor.
#[cfg(windows)]
impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buf, position)
    }

    fn size(&self) -> io::Result<u64> {
        size_of_file(self)
    }
}

/// Moves the file's cursor.
#[cfg(windows)]
impl WriteAt for File {
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(self, buf, position)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        truncate_file(self, size)
    }
}

/// Cuts a file, and refuses one that was opened to append, with its content as before. A device or
/// a pipe has no size to change.
#[cfg(any(unix, windows))]
fn truncate_file(file: &File, size: u64) -> io::Result<()> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let len = metadata.len();
    // A byte beyond the end, with one left out before it: a file that appends leaves none out.
    file.write_all_at(&[0], after(len, 1)?)?;
    let appended = file.metadata()?.len() == len + 1;
    file.set_len(if appended { len } else { size.min(len) })?;
    if appended {
        return Err(not_where_told());
    }
    Ok(())
}

fn not_where_told() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "it does not write where it is told to: is it opened to append?",
    )
}

#[cfg(any(unix, windows))]
fn size_of_file(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    // A block device has its size at its end; a pipe refuses, as it should.
    let mut file = file;
    let here = file.stream_position()?;
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(here))?;
    Ok(end)
}

impl ReadAt for [u8] {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut rest = usize::try_from(position)
            .ok()
            .and_then(|position| self.get(position..))
            .unwrap_or_default();
        rest.read(buf)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.as_slice().read_at(buf, position)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        (**self).read_at(buf, position)
    }

    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }
}

impl<T: WriteAt + ?Sized> WriteAt for &T {
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        (**self).write_at(buf, position)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        (**self).truncate(size)
    }
}

impl<T: Read + Seek> ReadAt for Mutex<T> {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut inner = lock(self);
        inner.seek(SeekFrom::Start(position))?;
        inner.read(buf)
    }

    fn size(&self) -> io::Result<u64> {
        lock(self).seek(SeekFrom::End(0))
    }
}

impl<T: Write + Seek> WriteAt for Mutex<T> {
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        let mut inner = lock(self);
        inner.seek(SeekFrom::Start(position))?;
        let len = inner.write(buf)?;
        if inner.stream_position()? != after(position, len)? {
            return Err(not_where_told());
        }
        Ok(len)
    }

    /// It cannot be truncated, and returns an error if it would have to be.
    fn truncate(&self, size: u64) -> io::Result<()> {
        if lock(self).seek(SeekFrom::End(0))? > size {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is longer than what is written to it, and cannot be cut",
            ));
        }
        Ok(())
    }
}

/// A thread that panicked left a cursor somewhere, which does no harm: every call sets it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A source or sink without its first bytes, for a stream that does not start at the beginning of a
/// file.
///
/// # Example
/// ```
/// use keyseal::streaming::{Offset, ReadAt};
///
/// let stream = Offset::new(b"in front; the stream".as_slice(), 10);
/// assert_eq!(stream.size()?, 10);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Offset<T> {
    inner: T,
    offset: u64,
}

impl<T> Offset<T> {
    /// Leaves out the first `offset` bytes.
    pub const fn new(inner: T, offset: u64) -> Self {
        Self { inner, offset }
    }

    fn shift(&self, position: u64) -> io::Result<u64> {
        let too_far = || io::Error::new(io::ErrorKind::InvalidInput, "the position is too large");
        position.checked_add(self.offset).ok_or_else(too_far)
    }
}

impl<T: ReadAt> ReadAt for Offset<T> {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.inner.read_at(buf, self.shift(position)?)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.inner.size()?.saturating_sub(self.offset))
    }
}

impl<T: WriteAt> WriteAt for Offset<T> {
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        self.inner.write_at(buf, self.shift(position)?)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.inner.truncate(self.shift(size)?)
    }
}

/// Cuts a sink that can be cut.
pub(super) fn cut<D: WriteAt + ?Sized>(sink: &D, size: u64) -> io::Result<()> {
    match sink.truncate(size) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        done => done,
    }
}
