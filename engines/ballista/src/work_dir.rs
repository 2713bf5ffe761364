//! [`WorkDir`]: the folder of an executor, for its owner alone.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

const SHUFFLE: &str = "shuffle";

/// The folder of an executor's shuffle and spill files, which hold decrypted columns.
#[derive(Debug)]
pub struct WorkDir {
    path: PathBuf,
    /// Locked, for this executor alone. The system lets go of it when the process ends.
    _lock: Option<File>,
    /// Removed with this value, if the folder is not the user's.
    _temporary: Option<TempDir>,
}

impl WorkDir {
    /// Makes the folder with mode 0700, or checks that it is the user's and that no other user can
    /// enter it. Without a path it is a temporary folder, which is removed with this value. Everything
    /// is in two folders of it, so other files in it stay as they are. Spill files of an executor that
    /// has ended are removed.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be made, is another user's, other users can enter it, or another
    /// executor uses it.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else {
            let temporary = private_builder().tempdir()?;
            create_private(&temporary.path().join(SHUFFLE))?;
            return Ok(Self {
                path: temporary.path().to_owned(),
                _lock: None,
                _temporary: Some(temporary),
            });
        };
        // Somebody else may make it in the meantime, so what is there is checked in any case.
        create_private(path)?;
        check_private(path)?;
        create_private(&path.join(SHUFFLE))?;
        check_private(&path.join(SHUFFLE))?;
        let opened = Self {
            path: path.to_owned(),
            _lock: Some(lock(path)?),
            _temporary: None,
        };
        // Spill files of an executor that was killed hold decrypted columns, and nobody else removes
        // them.
        match fs::remove_dir_all(opened.spill()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        create_private(&opened.spill())?;
        Ok(opened)
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder for shuffle files. The executor empties it.
    #[must_use]
    pub fn shuffle(&self) -> PathBuf {
        self.path.join(SHUFFLE)
    }

    /// Returns the folder for spill files.
    #[must_use]
    pub fn spill(&self) -> PathBuf {
        self.path.join("spill")
    }
}

#[cfg(unix)]
fn private_builder() -> tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt as _;

    let mut builder = tempfile::Builder::new();
    builder
        .prefix("keyseal-executor-")
        .permissions(fs::Permissions::from_mode(0o700));
    builder
}

#[cfg(not(unix))]
fn private_builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("keyseal-executor-");
    builder
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn check_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    // What we make is ours. The superuser can make it in every folder.
    if metadata.uid() != tempfile::tempfile_in(path)?.metadata()?.uid() {
        let path = path.display();
        return Err(io::Error::other(format!(
            "{path} is another user's, who could read the shuffle files: name a folder of your own"
        )));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        return Err(io::Error::other(format!(
            "other users can enter {path}, and shuffle files hold decrypted columns: chmod 700 {path}"
        )));
    }
    Ok(())
}

fn lock(path: &Path) -> io::Result<File> {
    let file = File::create(path.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other(format!(
            "another executor uses {}: give each a folder of its own",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Access lists are not checked.
#[cfg(not(unix))]
fn check_private(path: &Path) -> io::Result<()> {
    fs::read_dir(path).map(drop)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        let metadata = fs::metadata(path);
        metadata.map_or(0, |metadata| metadata.permissions().mode() & 0o777)
    }

    #[test]
    fn a_new_folder_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        assert_eq!(WorkDir::open(Some(&path)).unwrap().path(), path);
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("shuffle")), 0o700);
        let temporary = WorkDir::open(None).unwrap();
        let path = temporary.path().to_owned();
        assert_eq!(mode(&path), 0o700);
        drop(temporary);
        assert!(!path.exists());
    }

    #[test]
    fn spill_files_of_a_killed_executor_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("executor");
        let left = WorkDir::open(Some(&path)).unwrap().spill().join("left");
        fs::write(&left, b"decrypted").unwrap();
        let spill = WorkDir::open(Some(&path)).unwrap().spill();
        assert!(!left.exists());
        assert_eq!(mode(&spill), 0o700);
    }

    #[test]
    fn two_executors_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("executor");
        let first = WorkDir::open(Some(&path)).unwrap();
        let spilled = first.spill().join("spilled");
        fs::write(&spilled, b"decrypted").unwrap();
        let error = WorkDir::open(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("another executor uses"), "{error}");
        assert!(spilled.exists());
        drop(first);
        assert!(WorkDir::open(Some(&path)).is_ok());
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        for theirs in ["executor", "executor/shuffle"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("executor");
            WorkDir::open(Some(&path)).unwrap();
            // Only root may give a folder away.
            if std::os::unix::fs::chown(folder.path().join(theirs), Some(1234), None).is_ok() {
                let error = WorkDir::open(Some(&path)).unwrap_err().to_string();
                assert!(error.contains("another user's"), "{error}");
            }
        }
    }

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o750)).unwrap();
        let error = WorkDir::open(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(WorkDir::open(Some(folder.path())).is_ok());
    }
}
