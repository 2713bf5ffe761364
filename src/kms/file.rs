//! `file-kms://PATH`: a keyset file as a key-encryption key.
//!
//! For machines without a network, and for tests. The keyset's AEAD encrypts directly, so a
//! ciphertext has the format of the keyset's primary key.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use zeroize::Zeroizing;

use super::LocalKek;
use crate::{
    error::{KeysetError, KmsError, KmsErrorKind},
    keyset::{Format, KeysetHandle},
    remote::{KmsClient, RemoteAead},
    secret::SecretAccess,
};

/// The scheme of this client's key URIs.
const SCHEME: &str = "file-kms://";

/// The largest keyset file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 16 << 20;

/// Finds keys in files: a cleartext keyset of AEAD keys, JSON or binary, whose path follows
/// `file-kms://`.
///
/// `file-kms://kek.json` is relative to the client's folder, `file-kms:///srv/kek.json` is
/// absolute. The file is read each time the URI is looked up. All enabled keys of its keyset
/// decrypt, so you can rotate the key-encryption key in the file.
///
/// # Security
/// Anyone who can read the file has the key: hence the token. Create the file so that only its owner can
/// read it (mode 0600).
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, SecretAccess, keyset::Format, kms::{KmsClients, file::FileKmsClient}};
///
/// let access = SecretAccess::insecure();
/// let folder = tempfile::tempdir()?;
/// let kek = KeysetHandle::generate("AES256_GCM")?.write_cleartext(Format::Json, access);
/// std::fs::write(folder.path().join("kek.json"), kek.expose(access))?;
///
/// let clients = KmsClients::new().with(FileKmsClient::in_folder(folder.path(), access));
/// let kek = clients.find("file-kms://kek.json")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileKmsClient {
    folder: PathBuf,
}

impl FileKmsClient {
    /// Resolves relative paths against the process's working folder.
    #[must_use]
    pub fn new(access: SecretAccess) -> Self {
        Self::in_folder("", access)
    }

    /// Resolves relative paths against `folder`.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>, _access: SecretAccess) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    fn open(&self, path: &str) -> Result<Arc<dyn RemoteAead>, KmsError> {
        let unusable = |kind| KmsError::new(kind).with_context(format!("{SCHEME}{path}"));
        if path.is_empty() {
            return Err(unusable(KmsErrorKind::InvalidUri).with_message("no path follows"));
        }
        let bytes = read(&self.folder.join(path)).map_err(|error| {
            unusable(match error.kind() {
                io::ErrorKind::NotFound => KmsErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => KmsErrorKind::PermissionDenied,
                _ => KmsErrorKind::Configuration,
            })
            .with_source(error)
        })?;
        let access = SecretAccess::insecure();
        let kek = KeysetHandle::read_cleartext(&bytes, Format::detect(&bytes), access)
            .and_then(|keyset| LocalKek::new(&keyset))
            .map_err(|error: KeysetError| {
                unusable(KmsErrorKind::Configuration)
                    .with_message("the file is not a cleartext keyset of AEAD keys")
                    .with_source(error)
            })?;
        Ok(Arc::new(kek))
    }
}

impl KmsClient for FileKmsClient {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        Some(self.open(key_uri.strip_prefix(SCHEME)?))
    }
}

/// Reads a small file into memory that is wiped and never moved.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // The length of a pipe is not known in advance.
    let expected = if metadata.is_file() {
        metadata.len().min(MAX_FILE_SIZE)
    } else {
        MAX_FILE_SIZE
    };
    let size = usize::try_from(expected).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    let most = bytes.capacity() as u64;
    // A file that grows while we read it is refused rather than moved to a larger buffer.
    let read = file.take(most).read_to_end(&mut bytes)? as u64;
    if read == most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}
