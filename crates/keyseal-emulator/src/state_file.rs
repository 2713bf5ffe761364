//! The state file: the emulator's state, encrypted. Each change is appended.

use std::{
    fmt, fs,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Mutex,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::{
    lock::lock,
    log::{self, Log, SealError},
    state::State,
};
use crate::random::{self, ACCESS, RandomError};
use keyseal::{SecretAccess, SecretBytes};

/// How many bytes of changes a small state may collect before the file is rewritten.
const MIN_CHANGES: u64 = 1 << 20;
const STATE_KEY_LEN: usize = 32;

/// Holds the key of a state file: 32 bytes.
///
/// It comes from a file that only its owner can read or from the environment, never from a
/// command line, which every user of a machine can see.
///
/// # Example
/// ```
/// use keyseal_emulator::{Emulator, StateKey};
///
/// let folder = tempfile::tempdir()?;
/// let key = StateKey::create_file(&folder.path().join("state.key"))?;
/// let emulator = Emulator::builder().state_file(&folder.path().join("state"), key).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct StateKey(SecretBytes);

impl StateKey {
    /// Generates a key.
    ///
    /// # Errors
    /// [`RandomError`] when the operating system gives no randomness.
    pub fn generate() -> Result<Self, RandomError> {
        random::secret(STATE_KEY_LEN).map(Self)
    }

    /// Parses the base64 of 32 bytes, and ignores white space around it.
    ///
    /// # Errors
    /// [`StateError::MalformedKey`] when it is something else.
    pub fn parse(text: &str, _access: SecretAccess) -> Result<Self, StateError> {
        let text = text.trim_ascii();
        let mut bytes = Zeroizing::new([0; STATE_KEY_LEN + 1]);
        match BASE64_STANDARD.decode_slice(text, &mut *bytes) {
            Ok(STATE_KEY_LEN) => {
                let key = bytes.get(..STATE_KEY_LEN).ok_or(StateError::MalformedKey)?;
                Ok(Self(SecretBytes::copy_from(key, ACCESS)))
            }
            Ok(_) | Err(_) => Err(StateError::MalformedKey),
        }
    }

    /// Reads the key from a file, as [`create_file`](Self::create_file) writes it.
    ///
    /// # Errors
    /// [`StateError::NotPrivate`] when users other than the owner may access the file, on Unix;
    /// [`StateError::MalformedKey`]; [`StateError::Io`].
    pub fn read_file(path: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        require_private(path, &file)?;
        // One byte more than the longest valid text, so that a longer one is noticed.
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE + 1));
        let limit = MAX_KEY_FILE as u64 + 1;
        io::Read::read_to_string(&mut io::Read::take(file, limit), &mut text).map_err(failed)?;
        if text.len() > MAX_KEY_FILE {
            return Err(StateError::MalformedKey);
        }
        Self::parse(&text, SecretAccess::insecure())
    }

    /// Generates a key and writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`StateError::Io`], for example when the file exists; [`StateError::Random`].
    pub fn create_file(path: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Io {
            path: path.to_owned(),
            source,
        };
        let key = Self::generate().map_err(StateError::Random)?;
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE));
        BASE64_STANDARD.encode_string(key.0.expose(ACCESS), &mut text);
        text.push('\n');
        let mut file = private().create_new(true).open(path).map_err(failed)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        Ok(key)
    }
}

/// A state file could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The operating system could not read or write a file.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Users other than the owner may read or write the key file.
    #[error("other users than its owner can access {}", path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
    },
    /// The text of the key is not the base64 of 32 bytes.
    #[error("the state key is not the base64 of 32 bytes")]
    MalformedKey,
    /// The file is not a state file, was changed, or belongs to another key.
    #[error("{} does not decrypt with this key", path.display())]
    DoesNotOpen {
        /// The file.
        path: PathBuf,
    },
    /// Another emulator uses the file.
    #[error("{} is in use by another emulator", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no randomness.
    #[error("no randomness for the state file")]
    Random(#[source] RandomError),
}

/// A state file that was locked and read, but is not written yet.
pub(super) struct Found {
    path: PathBuf,
    key: StateKey,
    lock: File,
}

impl Found {
    /// Locks the file and reads it. A file that does not exist yet is an empty state.
    pub(super) fn open(path: &Path, key: StateKey) -> Result<(Self, State), StateError> {
        let lock = locked(path)?;
        let state = match fs::read(path) {
            Ok(file) => {
                let changes = log::read(&key.0, &file);
                let state = changes.and_then(|changes| State::of_changes(&changes));
                state.ok_or_else(|| StateError::DoesNotOpen {
                    path: path.to_owned(),
                })?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(source) => {
                return Err(StateError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let found = Self {
            path: path.to_owned(),
            key,
            lock,
        };
        Ok((found, state))
    }

    /// Rewrites the file, so that an unwritable path is noticed at once.
    pub(super) fn begin(self, state: &[u8]) -> Result<StateFile, StateError> {
        let written = Written::afresh(&self.path, &self.key, state)?;
        Ok(StateFile {
            path: self.path,
            key: self.key,
            written: Mutex::new(written),
            _lock: self.lock,
        })
    }
}

/// An open state file. It is locked against other emulators for as long as this value lives.
pub(super) struct StateFile {
    path: PathBuf,
    key: StateKey,
    written: Mutex<Written>,
    _lock: File,
}

impl StateFile {
    /// Appends a change, so that it outlives the process. `whole` is the state after it, in case
    /// the file has to be rewritten.
    pub(super) fn add<E>(
        &self,
        change: &[u8],
        whole: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<(), AddError<E>> {
        let mut written = lock(&self.written);
        if written.has_room() {
            let added = written.add(&self.path, change);
            return added.map_err(|_| AddError::NotSaved);
        }
        let whole = whole().map_err(AddError::State)?;
        *written =
            Written::afresh(&self.path, &self.key, &whole).map_err(|_| AddError::NotSaved)?;
        Ok(())
    }
}

/// A change could not be appended.
pub(super) enum AddError<E> {
    /// The state could not be serialized.
    State(E),
    /// The file could not be written.
    NotSaved,
}

/// The file as far as it is known to be good.
struct Written {
    file: File,
    log: Log,
    /// How long the file was when it was last rewritten, and how long it is.
    first_len: u64,
    len: u64,
}

impl Written {
    /// Replaces the file atomically: it holds either its old content or this state.
    fn afresh(path: &Path, key: &StateKey, state: &[u8]) -> Result<Self, StateError> {
        let failed = |source| StateError::Io {
            path: path.to_owned(),
            source,
        };
        let mut log = Log::new(&key.0).map_err(|error| not_sealed(path, error))?;
        let record = log.seal(state).map_err(|error| not_sealed(path, error))?;
        let bytes = [log.start(), &record].concat();
        let file = replace(path, &bytes).map_err(failed)?;
        log.written();
        let len = bytes.len() as u64;
        Ok(Self {
            file,
            log,
            first_len: len,
            len,
        })
    }

    /// Returns whether there is room to append a change: the file is at most twice as long as the
    /// state, plus a megabyte.
    const fn has_room(&self) -> bool {
        self.len - self.first_len < self.first_len + MIN_CHANGES
    }

    fn add(&mut self, path: &Path, change: &[u8]) -> Result<(), StateError> {
        let record = self
            .log
            .seal(change)
            .map_err(|error| not_sealed(path, error))?;
        self.append(path, &record)
            .map_err(|source| StateError::Io {
                path: path.to_owned(),
                source,
            })?;
        self.log.written();
        self.len += record.len() as u64;
        Ok(())
    }

    fn append(&mut self, path: &Path, record: &[u8]) -> io::Result<()> {
        // Writes to a file that was removed would succeed and be lost.
        require_same(path, &self.file)?;
        // Cut off a record that failed halfway.
        self.file.set_len(self.len)?;
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(record)
    }
}

fn not_sealed(path: &Path, error: SealError) -> StateError {
    match error {
        SealError::Random(error) => StateError::Random(error),
        SealError::WrongKeyLength => StateError::MalformedKey,
        SealError::TooLong => StateError::Io {
            path: path.to_owned(),
            source: io::ErrorKind::FileTooLarge.into(),
        },
    }
}

/// Starts to open a file for writing: a new one is for its owner alone.
fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Replaces a file, for its owner alone.
///
/// The temporary file's name is derived from the file's. A killed process leaves at most this one
/// file, and the next process reuses it: the lock keeps all others out.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let new = beside(path, ".new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = private().create_new(true).open(&new)?;
    let renamed = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if let Err(error) = renamed {
        // The first error says more than a failure to remove the file could.
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    #[cfg(unix)]
    File::open(folder_of(path))?.sync_all()?;
    Ok(file)
}

#[cfg(unix)]
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Refuses a path whose file was replaced or removed in the meantime.
#[cfg(unix)]
fn require_same(path: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    let (there, open) = (fs::metadata(path)?, file.metadata()?);
    match (there.dev(), there.ino()) == (open.dev(), open.ino()) {
        true => Ok(()),
        false => Err(io::Error::other("another file is in its place")),
    }
}

/// An open file can be neither removed nor replaced.
#[cfg(not(unix))]
fn require_same(_path: &Path, _file: &File) -> io::Result<()> {
    Ok(())
}

impl fmt::Debug for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// 44 characters of base64, and room for a line break.
const MAX_KEY_FILE: usize = 48;

#[cfg(unix)]
fn require_private(path: &Path, file: &File) -> Result<(), StateError> {
    use std::os::unix::fs::PermissionsExt as _;

    let failed = |source| StateError::Io {
        path: path.to_owned(),
        source,
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(StateError::NotPrivate {
            path: path.to_owned(),
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn require_private(_path: &Path, _file: &File) -> Result<(), StateError> {
    Ok(())
}

/// Names a file beside another.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Locks a file beside the state file, because the state file itself gets replaced.
fn locked(path: &Path) -> Result<File, StateError> {
    let lock_path = beside(path, ".lock");
    let failed = |source| StateError::Io {
        path: lock_path.clone(),
        source,
    };
    let file = private().create(true).truncate(false).open(&lock_path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
