//! Folders that are open: a name in one stays in it, whatever becomes of the folder's path.

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{
    ffi::{OsStr, OsString},
    fs::{File, Metadata},
    io,
    path::{Component, Path},
    sync::Arc,
};

use tempfile::Builder;

/// The suffix of a temporary file that is not yet an output.
pub(crate) const TEMPORARY: &str = ".keyseal-tmp";

/// Whether folders that are missing are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Fail,
    Make,
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct OpenFolder {
    #[cfg(unix)]
    handle: OwnedFd,
    /// The real path of the folder, which is compared before each change.
    #[cfg(not(unix))]
    path: std::path::PathBuf,
}

/// A name in an open folder.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    folder: Arc<OpenFolder>,
    name: OsString,
}

impl Entry {
    pub(crate) fn new(folder: Arc<OpenFolder>, name: OsString) -> Self {
        Self { folder, name }
    }

    /// Returns the file at a path, which may lead through links.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let folder = OpenFolder::open(folder_of(path))?;
        let name = path.file_name().unwrap_or_default().to_owned();
        Ok(Self::new(Arc::new(folder), name))
    }

    /// Returns a file below a folder. No part of the path to it may be a link, so that it is in
    /// the folder even if somebody else changes the tree at the same time.
    pub(crate) fn below(root: &OpenFolder, path: &Path, missing: Missing) -> io::Result<Self> {
        let folder = root.below(path.parent().unwrap_or_else(|| Path::new("")), missing)?;
        let name = path.file_name().unwrap_or_default().to_owned();
        Ok(Self::new(Arc::new(folder), name))
    }

    /// Opens the file to read it. A link is refused, and a pipe is opened without waiting.
    pub(crate) fn open(&self) -> io::Result<File> {
        let opened = self.folder.file(&self.name);
        opened.map_err(|error| self.explained(error, "it is a link"))
    }

    /// Returns the metadata of a file, a folder or a link.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.folder.metadata(&self.name)
    }

    /// Creates a temporary file in the same folder. The process's `umask` applies to the mode.
    pub(crate) fn temporary(&self, mode: u32) -> io::Result<(Self, File)> {
        let mut builder = Builder::new();
        // Without the name of the output, which may already be as long as the system allows.
        builder.prefix(".").rand_bytes(12).suffix(TEMPORARY);
        // Only the name matters of this path.
        let made = builder.disable_cleanup(true).make_in("/", |path| {
            let name = path.file_name().unwrap_or_default();
            self.folder.create(name, mode)
        })?;
        let (file, path) = made.into_parts();
        let name = path.file_name().unwrap_or_default().to_owned();
        Ok((Self::new(Arc::clone(&self.folder), name), file))
    }

    /// Gives the file the name of another one in the same folder, and replaces that one.
    pub(crate) fn replace(&self, other: &Self) -> io::Result<()> {
        self.folder.rename(&self.name, &other.name)
    }

    /// Gives the file a name in the same folder, and fails if there is a file of that name.
    pub(crate) fn rename(&self, other: &Self) -> io::Result<()> {
        self.folder.rename_new(&self.name, &other.name)
    }

    pub(crate) fn remove(&self) -> io::Result<()> {
        self.folder.remove(&self.name)
    }

    /// Makes the names in the folder survive a power failure.
    pub(crate) fn sync_folder(&self) -> io::Result<()> {
        // A folder may be writable but not readable, and not every file system supports this.
        match self.folder.sync() {
            Err(error) if !is_unable(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns whether both are the same name in the same open folder.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.folder, &other.folder)
    }

    fn explained(&self, error: io::Error, why: &str) -> io::Error {
        self.folder.explained(&self.name, error, why)
    }
}

impl OpenFolder {
    /// Opens one folder after the other, and follows no link.
    fn below(&self, path: &Path, missing: Missing) -> io::Result<Self> {
        let mut folder = self.again()?;
        for part in path.components() {
            let name = match part {
                Component::Normal(name) => name,
                Component::CurDir => continue,
                _ => return Err(io::ErrorKind::InvalidInput.into()),
            };
            let mut next = folder.folder(name);
            if missing == Missing::Make && is_missing(&next) {
                match folder.make(name) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    // Another run may have made it.
                    _ => next = folder.folder(name),
                }
            }
            folder = next.map_err(|error| {
                folder.explained(name, error, "a folder of its path has become a link")
            })?;
        }
        Ok(folder)
    }

    /// Says of a link that it was not followed: the system's error tells of too many links, or that
    /// it is not a folder.
    fn explained(&self, name: &OsStr, error: io::Error, why: &str) -> io::Error {
        match self.metadata(name) {
            Ok(metadata) if metadata.is_symlink() => {
                io::Error::other(format!("{why}, and a run over a folder follows none"))
            }
            _ => error,
        }
    }
}

fn is_missing<T>(opened: &io::Result<T>) -> bool {
    matches!(opened, Err(error) if error.kind() == io::ErrorKind::NotFound)
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn is_unable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

/// Names relative to a handle.
#[cfg(unix)]
mod system {
    use rustix::{
        fs::{AtFlags, Mode, OFlags, RawMode, linkat, mkdirat, openat, renameat, unlinkat},
        io::Errno,
    };

    use super::{File, Metadata, OpenFolder, OsStr, Path, io};

    /// A folder that may be entered need not be readable.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const ENTER: OFlags = OFlags::PATH;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const ENTER: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK);
    const ALWAYS: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW);

    impl OpenFolder {
        /// Opens a folder, which may be a link to one.
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            let flags = ENTER | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let handle = rustix::fs::open(path, flags, Mode::empty())?;
            Ok(Self { handle })
        }

        pub(super) fn again(&self) -> io::Result<Self> {
            let handle = self.handle.try_clone()?;
            Ok(Self { handle })
        }

        pub(super) fn folder(&self, name: &OsStr) -> io::Result<Self> {
            let flags = ENTER | ALWAYS | OFlags::DIRECTORY;
            let handle = openat(&self.handle, name, flags, Mode::empty())?;
            Ok(Self { handle })
        }

        pub(super) fn make(&self, name: &OsStr) -> io::Result<()> {
            Ok(mkdirat(&self.handle, name, Mode::from_raw_mode(0o777))?)
        }

        pub(super) fn file(&self, name: &OsStr) -> io::Result<File> {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | ALWAYS;
            Ok(openat(&self.handle, name, flags, Mode::empty())?.into())
        }

        pub(super) fn metadata(&self, name: &OsStr) -> io::Result<Metadata> {
            let file = openat(&self.handle, name, ENTER | ALWAYS, Mode::empty())?;
            File::from(file).metadata()
        }

        #[allow(trivial_numeric_casts, reason = "the type differs between systems")]
        pub(super) fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | ALWAYS;
            let mode = Mode::from_raw_mode(mode as RawMode);
            Ok(openat(&self.handle, name, flags, mode)?.into())
        }

        pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            Ok(renameat(&self.handle, from, &self.handle, to)?)
        }

        pub(super) fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            match self.rename_without_replacing(from, to) {
                Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => {}
                renamed => return Ok(renamed?),
            }
            // A link fails if the name exists, too.
            linkat(&self.handle, from, &self.handle, to, AtFlags::empty())?;
            self.remove(from)
        }

        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        fn rename_without_replacing(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
            use rustix::fs::{RenameFlags, renameat_with};
            let flags = RenameFlags::NOREPLACE;
            renameat_with(&self.handle, from, &self.handle, to, flags)
        }

        #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
        fn rename_without_replacing(&self, _: &OsStr, _: &OsStr) -> Result<(), Errno> {
            Err(Errno::NOSYS)
        }

        pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
            Ok(unlinkat(&self.handle, name, AtFlags::empty())?)
        }

        pub(super) fn sync(&self) -> io::Result<()> {
            // A handle that only enters a folder cannot sync it.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = openat(&self.handle, ".", flags, Mode::empty())?;
            File::from(folder).sync_all()
        }
    }
}

/// Names below a path, which is compared with the real one each time. In the moment between the
/// comparison and the change, somebody else could still replace a folder.
#[cfg(not(unix))]
mod system {
    use std::fs;

    use super::{File, Metadata, OpenFolder, OsStr, Path, io};

    impl OpenFolder {
        /// Opens a folder, which may be a link to one.
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            let path = path.canonicalize()?;
            match path.is_dir() {
                true => Ok(Self { path }),
                false => Err(io::ErrorKind::NotADirectory.into()),
            }
        }

        pub(super) fn again(&self) -> io::Result<Self> {
            let path = self.path.clone();
            Ok(Self { path })
        }

        /// Returns the path of a name, if the folder is still the one that was opened.
        fn path(&self, name: &OsStr) -> io::Result<std::path::PathBuf> {
            match self.path.canonicalize()? == self.path {
                true => Ok(self.path.join(name)),
                false => Err(io::Error::other("a folder of its path was replaced")),
            }
        }

        pub(super) fn folder(&self, name: &OsStr) -> io::Result<Self> {
            match self.metadata(name)?.is_dir() {
                true => Ok(Self {
                    path: self.path(name)?.canonicalize()?,
                }),
                false => Err(io::ErrorKind::NotADirectory.into()),
            }
        }

        pub(super) fn make(&self, name: &OsStr) -> io::Result<()> {
            fs::create_dir(self.path(name)?)
        }

        pub(super) fn file(&self, name: &OsStr) -> io::Result<File> {
            match self.metadata(name)?.is_symlink() {
                true => Err(io::ErrorKind::InvalidInput.into()),
                false => File::open(self.path(name)?),
            }
        }

        pub(super) fn metadata(&self, name: &OsStr) -> io::Result<Metadata> {
            fs::symlink_metadata(self.path(name)?)
        }

        pub(super) fn create(&self, name: &OsStr, _: u32) -> io::Result<File> {
            let mut options = File::options();
            options.read(true).write(true).create_new(true);
            options.open(self.path(name)?)
        }

        pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            fs::rename(self.path(from)?, self.path(to)?)
        }

        pub(super) fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            // A link fails if the name exists.
            fs::hard_link(self.path(from)?, self.path(to)?)?;
            self.remove(from)
        }

        pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
            fs::remove_file(self.path(name)?)
        }

        pub(super) fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }
}
