//! The state file: everything the emulator remembers, encrypted, replaced whole at each change.
//!
//! `"KSEMUST" ‖ 01 ‖ nonce(24) ‖ body ‖ tag(16)`: XChaCha20-Poly1305 under the state key, the first
//! eight bytes being the associated data.

use std::{
    fmt, fs,
    fs::{File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{AeadInOut as _, inout::InOutBuf},
};
use zeroize::Zeroizing;

use super::state::State;
use crate::random::{self, ACCESS, RandomError};
use keyseal::{SecretAccess, SecretBytes};

const MAGIC: [u8; 8] = *b"KSEMUST\x01";
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
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
    /// Draws a key.
    ///
    /// # Errors
    /// [`RandomError`] when the operating system gives no randomness.
    pub fn generate() -> Result<Self, RandomError> {
        random::secret(STATE_KEY_LEN).map(Self)
    }

    /// Parses the base64 of 32 bytes. White space around it does not count.
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
    /// [`StateError::NotPrivate`] when others than the owner may read or write the file, on Unix;
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

    /// Draws a key and writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`StateError::Io`], also when the file exists; [`StateError::Random`].
    pub fn create_file(path: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Io {
            path: path.to_owned(),
            source,
        };
        let key = Self::generate().map_err(StateError::Random)?;
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE));
        BASE64_STANDARD.encode_string(key.0.expose(ACCESS), &mut text);
        text.push('\n');
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
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
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than the owner may read or write the file of the key.
    #[error("{} is open to other users than its owner", path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
    },
    /// The text of the key is not the base64 of 32 bytes.
    #[error("the state key is not the base64 of 32 bytes")]
    MalformedKey,
    /// The file is no state file, was changed, or belongs to another key.
    #[error("{} does not open with this key", path.display())]
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

/// An open state file. It is locked against other emulators for as long as this value lives.
pub(super) struct StateFile {
    path: PathBuf,
    key: StateKey,
    _lock: File,
}

impl StateFile {
    /// Opens the file and reads what is in it. A file that does not exist yet is an empty state.
    pub(super) fn open(path: &Path, key: StateKey) -> Result<(Self, State), StateError> {
        let lock = locked(path)?;
        let file = Self {
            path: path.to_owned(),
            key,
            _lock: lock,
        };
        let state = match fs::read(path) {
            Ok(sealed) => {
                let bytes = file.unseal(&sealed);
                let state = bytes.and_then(|bytes| State::from_bytes(&bytes));
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
        Ok((file, state))
    }

    /// Replaces the file, so that it holds either the state before or this one, whole.
    pub(super) fn save(&self, state: &[u8]) -> Result<(), StateError> {
        let sealed = self.seal(state)?;
        self.replace(&sealed).map_err(|source| StateError::Io {
            path: self.path.clone(),
            source,
        })
    }

    fn seal(&self, state: &[u8]) -> Result<Vec<u8>, StateError> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce).map_err(StateError::Random)?;
        let mut body = Zeroizing::new(state.to_vec());
        let tag = self
            .cipher()?
            .encrypt_inout_detached(&nonce.into(), &MAGIC, InOutBuf::from(&mut **body))
            .map_err(|_| StateError::DoesNotOpen {
                path: self.path.clone(),
            })?;
        let mut sealed = Vec::with_capacity(MAGIC.len() + NONCE_LEN + body.len() + TAG_LEN);
        sealed.extend_from_slice(&MAGIC);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    fn unseal(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (magic, rest) = sealed.split_first_chunk::<8>()?;
        if *magic != MAGIC {
            return None;
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (body, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let mut state = Zeroizing::new(body.to_vec());
        let buffer = InOutBuf::from(&mut **state);
        self.cipher()
            .ok()?
            .decrypt_inout_detached(&(*nonce).into(), &MAGIC, buffer, &(*tag).into())
            .ok()?;
        Some(state)
    }

    fn cipher(&self) -> Result<XChaCha20Poly1305, StateError> {
        let key = self.key.0.expose(ACCESS);
        XChaCha20Poly1305::new_from_slice(key).map_err(|_| StateError::MalformedKey)
    }

    /// The temporary file is in the same folder and readable by its owner alone.
    fn replace(&self, sealed: &[u8]) -> io::Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        temporary.write_all(sealed)?;
        temporary.as_file().sync_all()?;
        temporary.persist(&self.path).map_err(|error| error.error)?;
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    }
}

impl fmt::Debug for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// 44 characters of base64, and room for an end of line.
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

/// Locks a file beside the state file: the state file itself is replaced at each change.
fn locked(path: &Path) -> Result<File, StateError> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let failed = |source| StateError::Io {
        path: lock_path.clone(),
        source,
    };
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&lock_path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
