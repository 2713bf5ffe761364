//! Bytes that are read and written at positions: files, slices, whatever else can.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A source that is read at any position, by several threads if it is [`Sync`].
///
/// Files, byte slices and vectors are such; a [`Mutex`] makes one of what reads and seeks. A
/// wrapper of one's own counts bytes for a progress bar, or fails to cancel the work.
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
    /// Reads from a position, and returns how much; 0 at and behind the end.
    ///
    /// # Errors
    /// What the source says.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;

    /// Returns the size in bytes.
    ///
    /// # Errors
    /// What the source says.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buf` from a position.
    ///
    /// # Errors
    /// `UnexpectedEof` when there is not so much; else what the source says.
    fn read_exact_at(&self, mut buf: &mut [u8], mut position: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.read_at(buf, position) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => {
                    buf = buf.split_at_mut(len).1;
                    position += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A sink that is written at any position, by several threads if it is [`Sync`].
///
/// Files are such; a [`Mutex`] makes one of what writes and seeks.
pub trait WriteAt {
    /// Writes at a position, and returns how much.
    ///
    /// # Errors
    /// What the sink says.
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize>;

    /// Writes all of `buf` at a position.
    ///
    /// # Errors
    /// `WriteZero` when the sink takes no more; else what the sink says.
    fn write_all_at(&self, mut buf: &[u8], mut position: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write_at(buf, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => {
                    buf = buf.split_at(len).1;
                    position += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
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
        inner.write(buf)
    }
}

/// A thread that panicked left a cursor somewhere, which does no harm: every call sets it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A source or sink without its first bytes, for a stream with something in front of it.
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
}
