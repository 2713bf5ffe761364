//! Inputs: a file or standard input, opened once.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata},
    io::{self, IsTerminal as _, Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use keyseal::streaming::ReadAt;
use zeroize::Zeroizing;

use crate::{
    context::Context,
    display::{printable, size},
    error::Failure,
    exit::Exit,
    lock::Wait,
    open_folder::Entry,
    progress::Progress,
    standard::check_input,
};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// The largest keyset file that is read, in bytes. One HMAC key may be a megabyte.
pub(crate) const KEYSET_LIMIT: u64 = 16 << 20;

/// A file, or standard input or output if it is `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileArg {
    Standard,
    File(PathBuf),
}

impl From<OsString> for FileArg {
    fn from(argument: OsString) -> Self {
        if argument == "-" {
            Self::Standard
        } else {
            Self::File(argument.into())
        }
    }
}

impl FileArg {
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Standard => None,
            Self::File(path) => Some(path),
        }
    }

    /// Returns the name for messages, as a place to read from.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Standard => "standard input".into(),
            Self::File(path) if path.as_os_str().is_empty() => "a file without a name".into(),
            Self::File(path) => printable(path.display()),
        }
    }

    /// Returns its argument on a command line.
    pub(crate) fn argument(&self) -> String {
        match self {
            Self::Standard => "-".into(),
            Self::File(path) => crate::display::quoted(path.as_os_str()),
        }
    }

    /// Returns whether this is the file at a path, with this metadata.
    #[cfg(unix)]
    pub(crate) fn is_file(&self, _: &Path, metadata: &Metadata) -> bool {
        let own = self.path().and_then(|path| fs::metadata(path).ok());
        own.is_some_and(|own| Stamp::of(&own).id == Stamp::of(metadata).id)
    }

    #[cfg(not(unix))]
    pub(crate) fn is_file(&self, path: &Path, _: &Metadata) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        self.path().is_some_and(|own| real(own) == real(path))
    }

    /// Returns whether both are the same file, whatever their paths.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        other.path().is_some_and(|path| {
            fs::metadata(path).is_ok_and(|metadata| self.is_file(path, &metadata))
        })
    }

    /// Returns whether only the owner of a file can read or write it.
    #[cfg(unix)]
    pub(crate) fn is_its_owners_alone(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = self.path().and_then(|path| path.metadata().ok());
        metadata.is_some_and(|metadata| metadata.is_file() && metadata.mode() & 0o077 == 0)
    }

    /// Returns false, because this system does not tell who can read a file.
    #[cfg(not(unix))]
    pub(crate) const fn is_its_owners_alone(&self) -> bool {
        false
    }

    /// Reads all of it into memory that is wiped, with room for `spare` bytes more.
    ///
    /// Returns `None` if there are more than `limit` bytes.
    pub(crate) fn read(
        &self,
        limit: u64,
        spare: usize,
        context: &Context,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let failed = |error: io::Error| Failure::io(format!("cannot read {}", self.name()), &error);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        match self {
            Self::Standard => {
                standard_input(context)?;
                read_all(io::stdin().lock(), 0, limit, spare).map_err(failed)
            }
            Self::File(path) => {
                let file = File::open(path).map_err(failed)?;
                let metadata = file.metadata().map_err(failed)?;
                if metadata.is_dir() {
                    return Err(folder(&self.name()));
                }
                let expected = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
                if expected > limit {
                    return Ok(None);
                }
                read_all(file, expected, limit, spare).map_err(failed)
            }
        }
    }

    /// Passes all of it to `taker`, in parts, through memory that is wiped.
    pub(crate) fn copy_to(&self, taker: &mut impl Write, context: &Context) -> Result<(), Failure> {
        let metadata = self.path().and_then(|path| path.metadata().ok());
        let size = metadata.filter(Metadata::is_file).map(|file| file.len());
        let progress = Progress::start(size, context);
        let mut taker = progress.counting(taker);
        if *self == Self::Standard {
            standard_input(context)?;
        }
        let mut copy = || match self {
            Self::Standard => copy_all(io::stdin().lock(), &mut taker),
            Self::File(path) => copy_all(File::open(path)?, &mut taker),
        };
        copy().map_err(|error| Failure::io(format!("cannot read {}", self.name()), &error))
    }

    /// Reads a file that is always small.
    pub(crate) fn read_small(
        &self,
        limit: u64,
        context: &Context,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.read(limit, 0, context)?.ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                "too_large",
                format!("cannot read {}", self.name()),
                format!("it is larger than {}", size(limit)),
            )
        })
    }
}

/// The error for a folder in the place of a file.
fn folder(name: &str) -> Failure {
    let error = io::ErrorKind::IsADirectory.into();
    Failure::io(format!("cannot read {name}"), &error)
        .hint("--recursive takes every file of a folder")
}

/// An input that is open.
pub(crate) enum Source {
    /// A regular file from its start: it has a size, and is read at any position.
    File(File),
    /// A stream, which can be read only once.
    Stream(Box<dyn Read + Send>),
}

impl FileArg {
    /// Opens the input.
    pub(crate) fn open(&self, context: &Context) -> Result<Source, Failure> {
        let failed = |error: io::Error| Failure::io(format!("cannot read {}", self.name()), &error);
        match self {
            Self::Standard => {
                standard_input(context)?;
                Ok(match standard_input_as_file() {
                    Some(file) => Source::File(file),
                    None => Source::Stream(Box::new(io::stdin())),
                })
            }
            Self::File(path) => {
                let file = File::open(path).map_err(failed)?;
                let metadata = file.metadata().map_err(failed)?;
                if metadata.is_dir() {
                    return Err(folder(&self.name()));
                }
                Ok(match metadata.is_file() {
                    true => Source::File(file),
                    false => Source::Stream(Box::new(file)),
                })
            }
        }
    }
}

/// Says that standard input is a terminal, and refuses one that is closed.
fn standard_input(context: &Context) -> Result<(), Failure> {
    check_input()?;
    if io::stdin().is_terminal() {
        context.note("reading from the terminal; Ctrl-D ends the input");
    }
    Ok(())
}

/// Returns standard input as a file, if it is one at its start.
#[cfg(unix)]
fn standard_input_as_file() -> Option<File> {
    use std::{io::Seek as _, os::fd::AsFd as _};
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let is_file = file.metadata().ok()?.is_file();
    (is_file && file.stream_position().ok()? == 0).then_some(file)
}

#[cfg(not(unix))]
fn standard_input_as_file() -> Option<File> {
    None
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buf),
            Self::Stream(stream) => stream.read(buf),
        }
    }
}

/// An open input. Every decision about it and every byte read come from the same open file,
/// whatever happens to its name in the meantime.
pub(crate) struct Input {
    source: Source,
    /// The first bytes of a stream, inspected before it is read.
    peeked: Zeroizing<Vec<u8>>,
    name: String,
    /// The path, if the file was opened by name.
    path: Option<PathBuf>,
    /// The file in its folder, if it was opened there.
    entry: Option<Entry>,
    opened: Option<Stamp>,
}

/// The state of a file: if it differs, the file was changed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) id: FileId,
    size: u64,
    modified: Option<SystemTime>,
    /// In nanoseconds. Unlike the time of modification, no program can set it back.
    changed: i128,
}

/// The identity of a file, whatever its path: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId(u64, u64);

impl Stamp {
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            id: FileId(metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: metadata.modified().ok(),
            changed: i128::from(metadata.ctime()) * 1_000_000_000
                + i128::from(metadata.ctime_nsec()),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            id: FileId(0, 0),
            size: metadata.len(),
            modified: metadata.modified().ok(),
            changed: nanoseconds(metadata.modified().ok()),
        }
    }

    /// Returns whether the file was last changed before another one was begun, whose writer has
    /// therefore read its current content.
    pub(crate) fn is_before(&self, output: &Metadata) -> bool {
        // A copy that keeps times is younger than they say, and a touched file is older.
        let times = [output.created().ok(), output.modified().ok()];
        let begun = times.into_iter().flatten().min();
        self.changed < nanoseconds(begun)
    }
}

fn nanoseconds(time: Option<SystemTime>) -> i128 {
    let since = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0))
}

impl Input {
    pub(crate) fn open(place: &FileArg, context: &Context) -> Result<Self, Failure> {
        let source = place.open(context)?;
        let opened = match &source {
            Source::File(file) => file.metadata().ok().as_ref().map(Stamp::of),
            Source::Stream(_) => None,
        };
        Ok(Self {
            source,
            peeked: Zeroizing::default(),
            name: place.name(),
            path: place.path().map(Path::to_owned),
            entry: None,
            opened,
        })
    }

    /// Opens a file that will be replaced, and locks it until it is closed: a second run waits,
    /// and then opens the file that has taken the place of this one.
    pub(crate) fn open_locked(path: &Path, context: &Context) -> Result<Self, Failure> {
        Self::lock(path, None, context)
    }

    /// Opens a file of a tree, which will be replaced, and locks it as
    /// [`open_locked`](Self::open_locked).
    pub(crate) fn open_locked_in_tree(
        path: &Path,
        entry: &Entry,
        context: &Context,
    ) -> Result<Self, Failure> {
        Self::lock(path, Some(entry), context)
    }

    /// Opens a file of a tree. It must be a regular file, and no link to one.
    pub(crate) fn open_in_tree(path: &Path, entry: &Entry) -> Result<Self, Failure> {
        Self::open_regular(path, Some(entry), not_readable)
    }

    fn lock(path: &Path, entry: Option<&Entry>, context: &Context) -> Result<Self, Failure> {
        let mut wait = Wait::new(context);
        loop {
            let input = Self::open_regular(path, entry, not_replaceable)?;
            if let Source::File(file) = &input.source {
                wait.lock(file, &input.name)?;
            }
            let now = metadata_of(path, entry);
            let now = now.map_err(|error| Failure::file("read", path, &error))?;
            if input.opened.is_none_or(|opened| opened == Stamp::of(&now)) {
                return Ok(input);
            }
        }
    }

    /// Opens a regular file. It does not open anything else, because a pipe waits for a writer,
    /// whose data would be lost.
    fn open_regular(
        path: &Path,
        entry: Option<&Entry>,
        refused: impl Fn(&str) -> Failure,
    ) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::file("read", path, &error);
        let check = |metadata: &Metadata| match metadata.is_dir() {
            true => Err(failed(io::ErrorKind::IsADirectory.into())),
            // Opening says of a link that it is not followed.
            false if !metadata.is_file() && !metadata.is_symlink() => {
                Err(refused(&printable(path.display())))
            }
            false => Ok(()),
        };
        check(&metadata_of(path, entry).map_err(failed)?)?;
        let file = match entry {
            Some(entry) => entry.open(),
            None => open_without_waiting(path),
        };
        let file = file.map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        check(&metadata)?;
        Ok(Self {
            source: Source::File(file),
            peeked: Zeroizing::default(),
            name: printable(path.display()),
            path: Some(path.to_owned()),
            entry: entry.cloned(),
            opened: Some(Stamp::of(&metadata)),
        })
    }

    /// Returns the name for messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the file in its folder, if it was opened there.
    pub(crate) const fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }

    /// Returns the state of the file when it was opened.
    pub(crate) const fn opened(&self) -> Option<Stamp> {
        self.opened
    }

    /// Returns the file, if the input is one, to read at any position.
    pub(crate) const fn file(&self) -> Option<&File> {
        match &self.source {
            Source::File(file) => Some(file),
            Source::Stream(_) => None,
        }
    }

    pub(crate) fn metadata(&self) -> Option<Metadata> {
        self.file().and_then(|file| file.metadata().ok())
    }

    /// Returns the size in bytes that the system reports. Some files have more.
    pub(crate) fn size(&self) -> Option<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    /// Returns whether the file is still the one that was opened, with the same content.
    pub(crate) fn is_unchanged(&self) -> bool {
        let now = |metadata: io::Result<Metadata>| metadata.ok().as_ref().map(Stamp::of);
        match (&self.source, &self.path) {
            (Source::File(file), Some(path)) => {
                now(file.metadata()) == self.opened
                    && now(metadata_of(path, self.entry.as_ref())) == self.opened
            }
            (Source::File(file), None) => now(file.metadata()) == self.opened,
            (Source::Stream(_), _) => true,
        }
    }

    /// Returns the first `size` bytes, or all there are. They are read again later.
    pub(crate) fn peek(&mut self, size: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut start = Zeroizing::new(Vec::new());
        let read = match &mut self.source {
            Source::File(file) => InOrder(&*file, 0)
                .take(size as u64)
                .read_to_end(&mut start)
                .map(drop),
            Source::Stream(stream) => {
                let missing = size.saturating_sub(self.peeked.len());
                let read = stream.take(missing as u64).read_to_end(&mut self.peeked);
                // A terminal reports the end of input only once, so do not ask again.
                if self.peeked.len() < size {
                    *stream = Box::new(io::empty());
                }
                let peeked = self.peeked.iter().take(size);
                start.extend(peeked);
                read.map(drop)
            }
        };
        read.map_err(|error| self.unreadable(&error))?;
        Ok(start)
    }

    /// Returns a reader of the whole input: any number of times for a file, once for a stream.
    pub(crate) fn reader(&mut self) -> Box<dyn Read + Send + '_> {
        match &mut self.source {
            Source::File(file) => Box::new(InOrder(&*file, 0)),
            Source::Stream(stream) => {
                let start = io::Cursor::new(std::mem::take(&mut *self.peeked));
                Box::new(start.chain(stream))
            }
        }
    }

    /// Reads all of it into memory that is wiped, with room for `spare` bytes more; `None` if there
    /// are more than `limit` bytes.
    pub(crate) fn read(
        &mut self,
        limit: u64,
        spare: usize,
        progress: Option<&Progress>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let expected = usize::try_from(self.size().unwrap_or_default()).unwrap_or(usize::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if expected > limit {
            return Ok(None);
        }
        let read = match progress {
            Some(progress) => read_all(progress.counting(self.reader()), expected, limit, spare),
            None => read_all(self.reader(), expected, limit, spare),
        };
        read.map_err(|error| self.unreadable(&error))
    }

    pub(crate) fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::io(format!("cannot read {}", self.name), error)
    }
}

/// Returns the metadata of a file: in its folder, if that is open.
fn metadata_of(path: &Path, entry: Option<&Entry>) -> io::Result<Metadata> {
    match entry {
        Some(entry) => entry.metadata(),
        None => fs::metadata(path),
    }
}

/// Opens a file. If it has become a pipe in the meantime, this does not wait for a writer.
#[cfg(unix)]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    File::options().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    File::open(path)
}

fn not_readable(name: &str) -> Failure {
    Failure::new(
        Exit::InputOutput,
        "io",
        format!("cannot read {name}"),
        "it is not a regular file",
    )
}

pub(crate) fn not_replaceable(name: &str) -> Failure {
    let what = format!("cannot replace {name}");
    Failure::usage("in_place_input", what, "it is not a regular file")
        .hint("name a regular file, or write with -o")
}

/// Reads a file in order, from a position on, without moving its cursor.
pub(crate) struct InOrder<S>(pub(crate) S, pub(crate) u64);

impl<S: ReadAt> Read for InOrder<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read_at(buf, self.1)?;
        self.1 += len as u64;
        Ok(len)
    }
}

/// Refuses a command that would read standard input for two purposes.
pub(crate) fn check_one_standard_input<'p>(
    places: impl IntoIterator<Item = &'p FileArg>,
) -> Result<(), Failure> {
    let standard = places
        .into_iter()
        .filter(|place| **place == FileArg::Standard)
        .count();
    if standard > 1 {
        return Err(Failure::usage(
            "two_standard_inputs",
            "cannot read standard input twice",
            "`-` stands for two inputs",
        )
        .hint("name a file for one of them"));
    }
    Ok(())
}

/// Reads to the end. Every buffer that held a part is wiped before it is freed.
fn read_all(
    mut reader: impl Read,
    expected: usize,
    limit: usize,
    spare: usize,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // One byte more shows the end without another buffer.
    let mut bytes = with_capacity(expected.saturating_add(1).saturating_add(spare))?;
    loop {
        let len = bytes.len();
        if len > limit {
            return Ok(None);
        }
        let mut room = bytes.capacity() - len;
        if room <= spare {
            let mut larger = with_capacity(bytes.capacity().saturating_mul(2).max(CHUNK))?;
            larger.extend_from_slice(&bytes);
            room = larger.capacity() - len;
            bytes = larger;
        }
        bytes.resize(len + (room - spare).min(CHUNK), 0);
        let read = match reader.read(bytes.split_at_mut(len).1) {
            Ok(0) => {
                bytes.truncate(len);
                return Ok(Some(bytes));
            }
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        bytes.truncate(len + read);
    }
}

fn copy_all(mut reader: impl Read, taker: &mut impl Write) -> io::Result<()> {
    let mut part = Zeroizing::new(vec![0; CHUNK]);
    loop {
        match reader.read(&mut part) {
            Ok(0) => return Ok(()),
            Ok(len) => taker.write_all(part.split_at(len).0)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn with_capacity(capacity: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(capacity)
        .map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(Zeroizing::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a byte at a time, with an interruption in between.
    struct Trickle(Vec<u8>, bool);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match (self.0.pop(), buffer.first_mut()) {
                (Some(byte), Some(place)) => {
                    *place = byte;
                    Ok(1)
                }
                _ => Ok(0),
            }
        }
    }

    #[test]
    fn read_all_reads_what_there_is_and_leaves_the_spare_room() {
        for len in [0, 1, 2, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let data = vec![7; len];
            for expected in [0, len / 2, len, len + 10] {
                let read = read_all(&data[..], expected, len, 33).unwrap().unwrap();
                assert_eq!(*read, data);
                assert!(read.capacity() >= len + 33, "{len} {expected}");
            }
        }
        let slow = read_all(Trickle(vec![1, 2, 3], false), 0, 3, 0).unwrap();
        assert_eq!(slow.as_deref(), Some(&vec![3, 2, 1]));
    }

    #[test]
    fn read_all_stops_above_the_limit() {
        assert!(read_all(&[0; 10][..], 0, 10, 0).unwrap().is_some());
        assert!(read_all(&[0; 11][..], 0, 10, 0).unwrap().is_none());
        assert!(read_all(io::repeat(0), 0, 3 * CHUNK, 0).unwrap().is_none());
    }
}
