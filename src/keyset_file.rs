//! Keyset files that a crash does not lose.
//!
//! `std::fs::write` empties the file first: if the process ends there, every key is gone, and with
//! them all that they encrypted.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::rng;

/// Stores the bytes of a keyset file, new or in place of an old one.
///
/// The bytes go into a second file in the same folder, which is on the disk before it takes the name.
/// So after an error, or a crash of the process, the file has either the old content or the new; on
/// Unix, after a power failure too. On Unix the file keeps its owner and group, and only the owner
/// can read and write it (mode 0600), whatever the mode of the old one. If `path` is a link, the file
/// that it names is replaced. After a kill, a hidden file whose name ends in `.keyseal-tmp` can
/// remain, which you can delete.
///
/// It blocks until the disk has the file. If two processes change a keyset at the same time, the
/// last one wins, and the other's new key is lost: let one process change it, or lock it.
///
/// # Errors
/// [`io::Error`] with the path: the old file is as it was, and no other is left behind. If only the
/// last step fails, which makes the new name survive a power failure, the file may be the new one. A
/// folder, a device, a link to a file that is missing, and a file whose owner cannot be kept are
/// refused.
///
/// # Example
/// ```
/// use keyseal::{Key, KeysetAead, KeysetHandle, keyset::Format, keyset_file};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("orders.json");
/// # let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
/// let mut keyset = KeysetHandle::generate("AES256_GCM")?;
/// keyset_file::store(&path, &keyset.write_encrypted(Format::Json, &kek, b"orders.json")?)?;
///
/// keyset.rotate(Key::generate("AES256_GCM")?)?;
/// keyset_file::store(&path, &keyset.write_encrypted(Format::Json, &kek, b"orders.json")?)?;
/// # Ok::<(), keyseal::Error>(())
/// ```
pub fn store(path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
    let path = path.as_ref();
    try_store(path, bytes).map_err(|error| about("store", path, &error))
}

fn try_store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = match fs::canonicalize(path) {
        Ok(real) => real,
        // A link to a file that is missing is not found either.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            path.to_owned()
        }
        Err(error) => return Err(error),
    };
    let old = fs::metadata(&path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let temporary = temporary(&path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&temporary)?;
    let owned = old.map_or(Ok(()), |old| keep_owner(&file, &old));
    let replaced = owned.and_then(|()| replace(&path, &temporary, file, bytes));
    replaced.inspect_err(|_| {
        // Nothing more can be done about a file that cannot be removed.
        let _ = fs::remove_file(&temporary);
    })
}

/// Gives the new file the owner and group of the old one.
#[cfg(unix)]
fn keep_owner(new: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let made = new.metadata()?;
    if (made.uid(), made.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(new, Some(old.uid()), Some(old.gid())).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("its owner and group cannot be kept: {error}"),
        )
    })
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "as where files have an owner")]
fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Writes `file`, whose name is `temporary`, and gives it the name `path`, so that a crash leaves the
/// old content or the new one.
pub(crate) fn replace(
    path: &Path,
    temporary: &Path,
    mut file: File,
    bytes: &[u8],
) -> io::Result<()> {
    file.write_all(bytes)?;
    // The content is on the disk before the name is, and the name before this returns.
    file.sync_all()?;
    drop(file);
    fs::rename(temporary, path)?;
    #[cfg(unix)]
    File::open(folder(path))?.sync_all()?;
    Ok(())
}

/// Adds the file to an error of the system, which names none.
pub(crate) fn about(verb: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot {verb} {}: {error}", path.display()),
    )
}

/// Returns a name beside `path` that no other writer uses.
fn temporary(path: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    rng::fill_nonce(&mut random).map_err(io::Error::other)?;
    let random = u64::from_le_bytes(random);
    Ok(path.with_file_name(format!(".{random:016x}.keyseal-tmp")))
}

#[cfg(unix)]
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
