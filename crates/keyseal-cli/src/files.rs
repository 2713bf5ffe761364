//! Output files: written whole or not at all, never over an existing file unless asked, mode 0600
//! when they hold keys.

use std::{
    fs::{self, File, Metadata},
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    comparison::Comparison,
    context::Context,
    display::{is_text, printable},
    error::Failure,
    exit::Exit,
    input::{FileArg, InOrder, Input, not_replaceable},
    interrupt::{Leftover, Leftovers},
    open_folder::{Entry, Missing, OpenFolder, TEMPORARY, folder_of},
    standard::check_output,
    terminal::DataWriter,
};

/// The hint for a run over a folder that would replace a file it reads for a key.
const KEEP_OUTSIDE: &str = "keep files with keys or associated data outside the folder, or name the \
     other files one by one";

/// The code of a failure because of an output that exists.
pub(crate) const EXISTS: &str = "output_exists";
/// The code of a failure because of a file that changed while it was read.
pub(crate) const CHANGED: &str = "changed";

/// The kind of an output's content, which decides who may read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Readable by anyone who may read the input, as far as the user's `umask` allows.
    Data,
    /// Readable by its owner alone: 0600. It survives a power failure.
    Keys,
    /// Readable as the user's `umask` says. It survives a power failure, because other data depends
    /// on it.
    WrappedKey,
}

/// Whether an existing file may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overwrite {
    Never,
    Force,
}

impl From<bool> for Overwrite {
    fn from(force: bool) -> Self {
        match force {
            true => Self::Force,
            false => Self::Never,
        }
    }
}

/// Whether a file with several names may be replaced under one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HardLinks {
    /// No, with a hint for the user.
    Refuse(&'static str),
    Break,
}

/// An output. No file exists before the first byte is written, and it gets its name only in
/// [`commit`](Self::commit).
#[derive(Debug)]
pub(crate) struct Output<'c> {
    target: Target,
    /// For messages.
    name: String,
    holds: Content,
    overwrite: Overwrite,
    /// The mode of the input, which the output's does not exceed.
    mode: Option<u32>,
    folder: Folder,
    context: &'c Context,
    sink: Option<Sink>,
}

/// The place of an output in a tree.
#[derive(Clone, Copy)]
pub(crate) struct InTree<'p> {
    /// `None` if the tree does not exist, because nothing is written.
    pub(crate) root: Option<&'p Arc<OpenFolder>>,
    /// The path from the root.
    pub(crate) relative: &'p Path,
    /// The path as the user knows it, for messages.
    pub(crate) path: &'p Path,
}

/// How the folder of an output is found.
#[derive(Debug)]
enum Folder {
    /// By its path, which may lead through links.
    Named,
    /// Below the root of a tree, and not through links. The path is relative to the root.
    Below(Arc<OpenFolder>, PathBuf),
    /// It is open, because the input is in it.
    Open(Entry),
}

#[derive(Debug)]
enum Target {
    Standard,
    /// A terminal, a pipe or the like, which cannot be replaced.
    Device(PathBuf),
    /// A file, and the mode of the one that it replaces.
    File(PathBuf, Option<u32>),
    /// A file that takes over mode, owner and extended attributes of the one that it replaces.
    InPlace(PathBuf, Box<Metadata>),
    /// A file that stays as it is: the output is compared with it.
    Compared,
}

#[derive(Debug)]
enum Sink {
    Standard(DataWriter<io::Stdout>),
    Device(DataWriter<File>),
    Temporary(Temporary),
    Compared(Comparison),
}

/// A file without its final name, which is removed when it is dropped.
#[derive(Debug)]
struct Temporary {
    entry: Entry,
    /// Its name at the end.
    target: Entry,
    file: File,
    leftovers: Leftovers,
    is_final: bool,
}

impl Temporary {
    fn create(target: Entry, mode: u32, leftovers: &Leftovers) -> io::Result<Self> {
        let make = || target.temporary(mode);
        let (entry, file) = leftovers.create(make, |(entry, _)| Leftover::File(entry.clone()))?;
        Ok(Self {
            entry,
            target,
            file,
            leftovers: leftovers.clone(),
            is_final: false,
        })
    }

    /// Gives the file its final name, if `check` allows it at the last moment.
    fn persist(
        &mut self,
        overwrite: Overwrite,
        check: impl FnOnce() -> Result<(), Failure>,
        failed: impl FnOnce(io::Error) -> Failure,
    ) -> Result<(), Failure> {
        let leftovers = self.leftovers.clone();
        leftovers.settle_if(&Leftover::File(self.entry.clone()), || {
            check()?;
            let renamed = match overwrite {
                Overwrite::Never => self.entry.rename(&self.target),
                Overwrite::Force => self.entry.replace(&self.target),
            };
            renamed.map_err(failed)?;
            self.is_final = true;
            Ok(())
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_final {
            let leftover = Leftover::File(self.entry.clone());
            // Somebody else may have removed it.
            let _ = self.leftovers.settle(&leftover, || self.entry.remove());
        }
    }
}

/// An output that is open.
pub(crate) enum Opened<'o> {
    /// A file that is not visible yet: it is written at any position, and removed after an error.
    File(&'o File),
    /// A comparison, of which nothing is visible.
    Compared(&'o mut Comparison),
    /// A pipe or a terminal, from which nothing can be taken back.
    Gone(&'o mut dyn Write),
}

impl Write for Opened<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(buf),
            Self::Compared(comparison) => comparison.write(buf),
            Self::Gone(writer) => writer.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Compared(comparison) => comparison.flush(),
            Self::Gone(writer) => writer.flush(),
        }
    }
}

impl<'c> Output<'c> {
    /// Plans an output, and refuses one that is also an input.
    pub(crate) fn new(
        place: &FileArg,
        inputs: &[&FileArg],
        holds: Content,
        overwrite: Overwrite,
        context: &'c Context,
    ) -> Result<Self, Failure> {
        let target = match place {
            FileArg::Standard => Target::Standard,
            FileArg::File(path) => plan(path, inputs, overwrite)?,
        };
        Ok(Self {
            target,
            name: match place {
                FileArg::Standard => "standard output".into(),
                FileArg::File(_) => place.name(),
            },
            holds,
            overwrite,
            mode: None,
            folder: Folder::Named,
            context,
            sink: None,
        })
    }

    /// Plans an output in a tree, whose folders are made once something is written. No link is
    /// followed below the root of the tree.
    pub(crate) fn in_tree(
        InTree {
            root,
            relative,
            path,
        }: InTree<'_>,
        inputs: &[&FileArg],
        overwrite: Overwrite,
        context: &'c Context,
    ) -> Result<Self, Failure> {
        // Without a root nothing exists, and nothing will be written.
        let (found, folder) = match root {
            Some(root) => (
                Entry::below(root, relative, Missing::Fail).and_then(|entry| entry.metadata()),
                Folder::Below(Arc::clone(root), relative.to_owned()),
            ),
            None => (Err(io::ErrorKind::NotFound.into()), Folder::Named),
        };
        let mode = match found {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::file("write", path, &error)),
            Ok(_) if overwrite == Overwrite::Never => return Err(exists(path)),
            Ok(metadata) if !metadata.is_file() => return Err(not_a_file(path, &metadata)),
            Ok(metadata) if inputs.iter().any(|input| input.is_file(path, &metadata)) => {
                return Err(same_file(&printable(path.display()), KEEP_OUTSIDE));
            }
            Ok(metadata) => mode(&metadata),
        };
        Ok(Self {
            target: Target::File(path.to_owned(), mode),
            name: printable(path.display()),
            holds: Content::Data,
            overwrite,
            mode: None,
            folder,
            context,
            sink: None,
        })
    }

    /// Plans to replace `input`, which keeps its name, mode and owner. Refuses an input that is
    /// also one of `others`.
    pub(crate) fn in_place(
        input: &FileArg,
        others: &[&FileArg],
        holds: Content,
        context: &'c Context,
    ) -> Result<Self, Failure> {
        let what = || format!("cannot replace {}", input.name());
        let Some(path) = input.path() else {
            return Err(Failure::usage(
                "in_place_input",
                "cannot write in place",
                "the input is standard input",
            )
            .hint("name a file, or write with -o"));
        };
        let metadata = fs::metadata(path).map_err(|error| Failure::io(what(), &error))?;
        Self::replace(path, None, &metadata, others, holds, context)
    }

    /// Plans to replace the file of `input`, as [`in_place`](Self::in_place), and refuses one that
    /// would keep its old content under another name.
    pub(crate) fn replacing(
        input: &Input,
        others: &[&FileArg],
        hard_links: HardLinks,
        context: &'c Context,
    ) -> Result<Self, Failure> {
        let (Some(path), Some(metadata)) = (input.path(), input.metadata()) else {
            return Err(not_replaceable(input.name()));
        };
        let entry = input.entry();
        let output = Self::replace(path, entry, &metadata, others, Content::Data, context)?;
        let links = links(&metadata);
        if let (2.., HardLinks::Refuse(hint)) = (links, hard_links) {
            return Err(Failure::new(
                Exit::InputOutput,
                "hard_links",
                format!("cannot replace {}", input.name()),
                format!("the file has {links} names, and the others would keep the old content"),
            )
            .hint(hint));
        }
        Ok(output)
    }

    fn replace(
        path: &Path,
        entry: Option<&Entry>,
        metadata: &Metadata,
        others: &[&FileArg],
        holds: Content,
        context: &'c Context,
    ) -> Result<Self, Failure> {
        let name = printable(path.display());
        if !metadata.is_file() {
            return Err(not_replaceable(&name));
        }
        if others.iter().any(|other| other.is_file(path, metadata)) {
            let failure = same_file(
                &name,
                "the command reads it for a key or for associated data",
            );
            return Err(match entry {
                Some(_) => failure.hint(KEEP_OUTSIDE),
                None => failure,
            });
        }
        let (path, folder) = match entry {
            Some(entry) => (Ok(path.to_owned()), Folder::Open(entry.clone())),
            // A link stays a link to the file that is replaced.
            None => (path.canonicalize(), Folder::Named),
        };
        let path = path.map_err(|error| Failure::io(format!("cannot replace {name}"), &error))?;
        Ok(Self {
            target: Target::InPlace(path, Box::new(metadata.clone())),
            name,
            holds,
            overwrite: Overwrite::Force,
            mode: None,
            folder,
            context,
            sink: None,
        })
    }

    /// Compares the output with a file, and writes nothing.
    pub(crate) fn compared_with(file: &Input, context: &'c Context) -> Result<Self, Failure> {
        let opened = match file.file().map(File::try_clone) {
            Some(Ok(opened)) => opened,
            Some(Err(error)) => return Err(file.unreadable(&error)),
            None => return Err(file.unreadable(&io::ErrorKind::NotSeekable.into())),
        };
        let comparison = Comparison::with(Box::new(InOrder(opened, 0)));
        Ok(Self {
            target: Target::Compared,
            name: file.name().to_owned(),
            holds: Content::Data,
            overwrite: Overwrite::Never,
            mode: None,
            folder: Folder::Named,
            context,
            sink: Some(Sink::Compared(comparison)),
        })
    }

    /// Returns whether the output is the file that it is compared with.
    pub(crate) fn same(self) -> Result<bool, Failure> {
        let what = format!("cannot read {}", self.name);
        match self.sink {
            Some(Sink::Compared(comparison)) => {
                comparison.same().map_err(|error| Failure::io(what, &error))
            }
            _ => Ok(false),
        }
    }

    /// Limits the output's mode to that of the input.
    pub(crate) fn limit_mode(&mut self, input: &Input) {
        self.mode = input.metadata().as_ref().and_then(mode);
    }

    /// Returns whether this and another output, both new files, have the same name.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        let real = |path: &Path| {
            Some((
                folder_of(path).canonicalize().ok()?,
                path.file_name()?.to_owned(),
            ))
        };
        match (&self.target, &other.target) {
            (Target::File(path, _), Target::File(other, _)) => real(path) == real(other),
            _ => false,
        }
    }

    pub(crate) const fn is_standard(&self) -> bool {
        matches!(self.target, Target::Standard)
    }

    /// Returns the name for messages.
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    /// Refuses to write bytes that are not text to a terminal.
    pub(crate) fn refuse_binary_on_terminal(&self) -> Result<(), Failure> {
        if self.is_standard() && self.overwrite == Overwrite::Never && io::stdout().is_terminal() {
            return Err(Failure::binary_to_terminal("the output is binary"));
        }
        Ok(())
    }

    /// Refuses to write these bytes to a terminal if they are not text.
    pub(crate) fn refuse_binary(&self, bytes: &[u8]) -> Result<(), Failure> {
        match is_text(bytes) {
            true => Ok(()),
            false => self.refuse_binary_on_terminal(),
        }
    }

    /// Writes everything at once.
    pub(crate) fn write(mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.refuse_binary(bytes)?;
        let what = format!("cannot write {}", self.name());
        self.writer()?
            .write_all(bytes)
            .map_err(|error| Failure::io(what, &error))?;
        self.commit()
    }

    /// Opens the output at the first call, and returns its writer.
    pub(crate) fn writer(&mut self) -> Result<&mut dyn Write, Failure> {
        Ok(match self.sink()? {
            Sink::Standard(stdout) => stdout,
            Sink::Device(file) => file,
            Sink::Temporary(temporary) => &mut temporary.file,
            Sink::Compared(comparison) => comparison,
        })
    }

    /// Opens the output at the first call, and returns it as a file if it can still be discarded.
    pub(crate) fn opened(&mut self) -> Result<Opened<'_>, Failure> {
        Ok(match self.sink()? {
            Sink::Temporary(temporary) => Opened::File(&temporary.file),
            Sink::Compared(comparison) => Opened::Compared(comparison),
            Sink::Device(file) => Opened::Gone(file),
            Sink::Standard(stdout) => Opened::Gone(stdout),
        })
    }

    /// Returns whether the output stays invisible until [`commit`](Self::commit).
    pub(crate) const fn is_revocable(&self) -> bool {
        matches!(
            self.target,
            Target::File(..) | Target::InPlace(..) | Target::Compared
        )
    }

    /// Refuses to replace the file that is there.
    pub(crate) fn exists(&self) -> Failure {
        match &self.target {
            Target::File(path, _) | Target::InPlace(path, _) | Target::Device(path) => exists(path),
            Target::Standard | Target::Compared => exists(Path::new("-")),
        }
    }

    /// Makes the output final: under its name.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        self.commit_if(|| Ok(()))
    }

    /// Makes the output of `input` final. An input that has changed is not replaced.
    pub(crate) fn commit_of(self, input: &Input) -> Result<(), Failure> {
        let is_in_place = matches!(self.target, Target::InPlace(..));
        let context = self.context;
        self.commit_if(|| match input.is_unchanged() {
            true => Ok(()),
            false if is_in_place => Err(changed(input.name())),
            false => {
                context.warn(&format!(
                    "{} was changed while it was read: the output may mix old and new content",
                    input.name()
                ));
                Ok(())
            }
        })
    }

    /// Makes the output of `input` final, unless the input has changed meanwhile.
    ///
    /// A run over a folder must not keep a stale output: later runs would take it for current.
    pub(crate) fn commit_unchanged(self, input: &Input) -> Result<(), Failure> {
        self.commit_if(|| match input.is_unchanged() {
            true => Ok(()),
            false => Err(changed(input.name())),
        })
    }

    /// Makes the output final if `check`, made at the last moment, allows it.
    pub(crate) fn commit_if(
        mut self,
        check: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.writer()?;
        let what = format!("cannot write {}", self.name());
        let failed = |error: io::Error| Failure::io(what.clone(), &error);
        let mut temporary = match self.sink.take() {
            Some(Sink::Temporary(temporary)) => temporary,
            Some(Sink::Standard(mut stdout)) => {
                stdout.flush().map_err(failed)?;
                return check();
            }
            Some(Sink::Device(mut file)) => {
                file.flush().map_err(failed)?;
                return check();
            }
            Some(Sink::Compared(_)) | None => return check(),
        };
        let path = match &self.target {
            Target::InPlace(path, metadata) => {
                self.keep_attributes(&temporary, metadata)
                    .map_err(|error| {
                        failed(error).hint("its mode and owner would not be the same")
                    })?;
                path
            }
            Target::Standard | Target::Device(_) | Target::Compared => return Ok(()),
            Target::File(path, _) => path,
        };
        // A replaced file is gone for good, and other files depend on keys: both must survive a
        // power failure. For other data the input still exists, as it does after `cp`.
        let durable = self.holds != Content::Data || temporary.target.metadata().is_ok();
        if durable {
            temporary.file.sync_all().map_err(failed)?;
        }
        temporary.persist(self.overwrite, check, |error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(path),
            _ => failed(error),
        })?;
        match durable {
            true => temporary.target.sync_folder().map_err(failed),
            false => Ok(()),
        }
    }

    fn keep_attributes(&self, made: &Temporary, wanted: &Metadata) -> io::Result<()> {
        keep_owner_and_mode(&made.file, wanted)?;
        // If the file is gone, it has changed, and is not replaced.
        let Ok(original) = made.target.open() else {
            return Ok(());
        };
        for attribute in keep_extended_attributes(&original, &made.file) {
            self.context.warn(&format!(
                "{}: the extended attribute {} is not kept",
                self.name,
                printable(attribute.display())
            ));
        }
        Ok(())
    }

    fn sink(&mut self) -> Result<&mut Sink, Failure> {
        let sink = match self.sink.take() {
            Some(open) => open,
            None => self.open()?,
        };
        Ok(self.sink.insert(sink))
    }

    fn open(&self) -> Result<Sink, Failure> {
        let failed =
            |error: io::Error| Failure::io(format!("cannot write {}", self.name()), &error);
        let path = match &self.target {
            Target::Standard => {
                check_output()?;
                let data = DataWriter::new(io::stdout(), self.overwrite == Overwrite::Force);
                return Ok(Sink::Standard(data));
            }
            Target::Device(path) => {
                let file = File::options().write(true).open(path).map_err(failed)?;
                let data = DataWriter::new(file, self.overwrite == Overwrite::Force);
                return Ok(Sink::Device(data));
            }
            Target::Compared => return Err(failed(io::ErrorKind::Unsupported.into())),
            Target::File(path, _) | Target::InPlace(path, _) => path,
        };
        // In place, the mode is set at the end; until then only the owner can read the file.
        let mode = match &self.target {
            Target::File(_, replaced) if self.holds != Content::Keys => {
                self.mode.unwrap_or(0o666) & replaced.unwrap_or(0o777)
            }
            _ => 0o600,
        };
        let target = match &self.folder {
            Folder::Open(entry) => entry.clone(),
            Folder::Below(root, relative) => {
                Entry::below(root, relative, Missing::Make).map_err(failed)?
            }
            Folder::Named => Entry::at(path).map_err(failed)?,
        };
        Temporary::create(target, mode, &self.context.leftovers)
            .map(Sink::Temporary)
            .map_err(failed)
    }
}

/// Returns whether a file is a temporary one that becomes an output, or was to become one.
pub(crate) fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        let name = name.as_encoded_bytes();
        name.starts_with(b".") && name.ends_with(TEMPORARY.as_bytes())
    })
}

/// The error for something in a tree that is not replaced.
fn not_a_file(path: &Path, metadata: &Metadata) -> Failure {
    let why = match metadata.is_symlink() {
        true => "it is a link, and a run over a folder follows none",
        false => "it is not a regular file",
    };
    let what = format!("cannot write {}", printable(path.display()));
    Failure::new(Exit::InputOutput, "io", what, why)
}

fn plan(path: &Path, inputs: &[&FileArg], overwrite: Overwrite) -> Result<Target, Failure> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(Failure::file(
            "write",
            path,
            &io::ErrorKind::IsADirectory.into(),
        )),
        Ok(metadata) if !metadata.is_file() => Ok(Target::Device(path.to_owned())),
        Ok(metadata) if inputs.iter().any(|input| input.is_file(path, &metadata)) => {
            Err(same_file(&printable(path.display()), "name another file"))
        }
        Ok(_) if overwrite == Overwrite::Never => Err(exists(path)),
        // A link stays a link to the file that is replaced.
        Ok(metadata) => match path.canonicalize() {
            Ok(path) => Ok(Target::File(path, mode(&metadata))),
            Err(error) => Err(Failure::file("write", path, &error)),
        },
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::file("write", path, &error))
        }
        // A dangling link counts as an existing file.
        Err(error) => match fs::read_link(path) {
            Ok(_) if overwrite == Overwrite::Never => Err(exists(path)),
            Ok(target) => plan_new(&folder_of(path).join(target), &error),
            Err(_) => plan_new(path, &error),
        },
    }
}

fn plan_new(path: &Path, error: &io::Error) -> Result<Target, Failure> {
    match fs::metadata(folder_of(path)) {
        Ok(folder) if folder.is_dir() => Ok(Target::File(path.to_owned(), None)),
        _ => Err(Failure::file("write", path, error).hint(format!(
            "make the folder {} first",
            printable(folder_of(path).display())
        ))),
    }
}

/// The error for a file that cannot be replaced because it is not the one that was read.
pub(crate) fn changed(name: &str) -> Failure {
    Failure::new(
        Exit::InputOutput,
        CHANGED,
        format!("cannot replace {name}"),
        "it was changed while it was read, and is left as it is",
    )
    .hint("run the command again when nothing else writes to the file")
}

fn same_file(name: &str, hint: &str) -> Failure {
    Failure::usage(
        "same_file",
        format!("cannot write {name}"),
        "it is also an input",
    )
    .hint(hint)
}

pub(crate) fn exists(path: &Path) -> Failure {
    Failure::new(
        Exit::InputOutput,
        EXISTS,
        format!("cannot write {}", printable(path.display())),
        "it already exists",
    )
    .hint("name another file, or replace it with --force")
}

#[cfg(unix)]
fn links(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_: &Metadata) -> u64 {
    1
}

/// Returns who may read, write and execute a file.
#[cfg(unix)]
fn mode(metadata: &Metadata) -> Option<u32> {
    metadata
        .is_file()
        .then(|| std::os::unix::fs::MetadataExt::mode(metadata) & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> Option<u32> {
    None
}

/// Copies extended attributes, access control lists among them, and returns those that cannot be
/// set.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn keep_extended_attributes(from: &File, to: &File) -> Vec<std::ffi::OsString> {
    use std::os::unix::ffi::OsStringExt as _;

    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
    let mut names = vec![0; 1 << 16];
    // A file system without extended attributes has none to keep.
    let size = flistxattr(from, &mut names[..]).unwrap_or(0);
    names.truncate(size);
    let mut value = vec![0; 1 << 16];
    let mut is_lost = |name: &[u8]| {
        let size = fgetxattr(from, name, &mut value[..]).ok();
        let value = size.and_then(|size| value.get(..size));
        value.is_none_or(|value| fsetxattr(to, name, value, XattrFlags::empty()).is_err())
    };
    names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty() && is_lost(name))
        .map(|name| std::ffi::OsString::from_vec(name.to_vec()))
        .collect()
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn keep_extended_attributes(_: &File, _: &File) -> Vec<std::ffi::OsString> {
    Vec::new()
}

#[cfg(unix)]
fn keep_owner_and_mode(file: &File, wanted: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (wanted.uid(), wanted.gid()) {
        fchown(file, Some(wanted.uid()), Some(wanted.gid()))?;
    }
    file.set_permissions(wanted.permissions())
}

#[cfg(not(unix))]
fn keep_owner_and_mode(file: &File, wanted: &Metadata) -> io::Result<()> {
    file.set_permissions(wanted.permissions())
}
