//! [`UsageFile`]: the usage of keys in a text file.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::store::{Usage, UsageStore};
use crate::{
    key::KeyId,
    keyset_file::{about, replace},
};

/// The largest file that is read, in bytes: more than a hundred thousand keys.
const MAX_SIZE: u64 = 4 << 20;

/// A [`UsageStore`] in a file: a line `key id, messages, bytes` for each key.
///
/// A change is written to a second file beside it, which then takes its place: after a crash, the
/// file has either the old content or the new. Only one process at a time can use it, which
/// `PATH.lock` ensures.
pub struct UsageFile {
    path: PathBuf,
    usage: Mutex<BTreeMap<u32, Usage>>,
    /// Unlocked when the file is closed, also by a crash.
    _lock: File,
}

impl UsageFile {
    /// Opens the file. The first change creates it; its folder must exist.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process uses it, [`io::ErrorKind::InvalidData`] if
    /// it is damaged, or another [`io::Error`]. The text names the file.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let lock = lock(&beside(&path, ".lock"))?;
        let usage = match read(&path).and_then(|text| parse(&text)) {
            Ok(usage) => usage,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(about("read", &path, &error)),
        };
        Ok(Self {
            path,
            usage: Mutex::new(usage),
            _lock: lock,
        })
    }
}

impl UsageStore for UsageFile {
    fn load(&self, key_id: KeyId) -> io::Result<Usage> {
        let usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(usage.get(&key_id.value()).copied().unwrap_or_default())
    }

    fn store(&self, key_id: KeyId, new: Usage) -> io::Result<()> {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = usage.clone();
        changed.insert(key_id.value(), new);
        write(&self.path, &changed).map_err(|error| about("write", &self.path, &error))?;
        *usage = changed;
        Ok(())
    }
}

impl std::fmt::Debug for UsageFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UsageFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn lock(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = opened.map_err(|error| about("open", path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let used = io::Error::new(io::ErrorKind::WouldBlock, "another process uses it");
            Err(about("lock", path, &used))
        }
        Err(TryLockError::Error(error)) => Err(about("lock", path, &error)),
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_SIZE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    fs::read_to_string(path)
}

/// Refuses anything unexpected: to skip a line would forget the usage of a key.
fn parse(text: &str) -> io::Result<BTreeMap<u32, Usage>> {
    let mut usage = BTreeMap::new();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(damaged(text.lines().count()));
    }
    for (number, line) in text.lines().enumerate() {
        let damaged = || damaged(number + 1);
        let mut fields = line.split(' ');
        let mut field = || fields.next()?.parse::<u64>().ok();
        let (id, messages, bytes) = (field(), field(), field());
        let id = id.and_then(|id| u32::try_from(id).ok());
        let (Some(id), Some(messages), Some(bytes), None) = (id, messages, bytes, fields.next())
        else {
            return Err(damaged());
        };
        let known = usage.insert(id, Usage { messages, bytes });
        if known.is_some() {
            return Err(damaged());
        }
    }
    Ok(usage)
}

fn damaged(line: usize) -> io::Error {
    let text = format!("line {line} is not `key id, messages, bytes`");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn write(path: &Path, usage: &BTreeMap<u32, Usage>) -> io::Result<()> {
    let mut text = String::new();
    for (id, usage) in usage {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{id} {} {}", usage.messages, usage.bytes);
    }
    let new = beside(path, ".new");
    // The lock keeps others away, so leftovers of a crash can be overwritten.
    let file = File::create(&new)?;
    replace(path, &new, file, text.as_bytes())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
