//! All files of a folder, several at once. Each succeeds or fails by itself, and a later failure
//! undoes nothing.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    ffi::{OsStr, OsString},
    fs,
    io::{self, Read as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Builder},
};

use walkdir::{DirEntry, WalkDir};

use crate::{
    context::Context,
    display::printable,
    error::Failure,
    exit::Exit,
    files::{CHANGED, EXISTS, HardLinks, InTree, Output, Overwrite, is_temporary},
    first_bytes::{SAMPLE, possible_prefix},
    input::{FileArg, FileId, Input, Stamp},
    open_folder::{Entry, Missing, OpenFolder},
    progress::Progress,
    report::{Outcome, Report, Verb, is_for_all},
};

/// The suffix of encrypted files, which follows the name of the original.
const SUFFIX: &str = ".sealed";
/// Bytes of inputs that may be in memory at the same time. A larger input waits for all others.
const IN_MEMORY: u64 = 1 << 30;
/// How often we look again at an output that other runs write at the same time. Each time, one of
/// them has finished it, and a third look finds nothing left to do.
const ATTEMPTS: usize = 4;

/// Where the results go.
pub(crate) enum Destination {
    /// To another folder, as a tree of the same shape.
    Folder(PathBuf),
    /// In place of the files.
    InPlace(HardLinks),
}

/// A file to work on: open, and locked if it will be replaced.
pub(crate) struct Item<'i> {
    pub(crate) input: Input,
    pub(crate) output: Output<'i>,
    /// A file that has the name of the output, and may be that of an earlier run.
    pub(crate) earlier: Option<Earlier>,
    /// Whether it and another file of the run may be ciphertexts of the same key.
    pub(crate) has_twin: bool,
}

/// A file where the output goes.
pub(crate) struct Earlier {
    pub(crate) input: Input,
    /// Whether it was begun after the last change of the input.
    pub(crate) is_younger: bool,
}

/// A run over a folder.
pub(crate) struct Run<'r> {
    pub(crate) folder: &'r Path,
    pub(crate) destination: Destination,
    pub(crate) overwrite: Overwrite,
    pub(crate) verb: Verb,
    /// Files that hold keys or are inputs in another way: none of them is replaced.
    pub(crate) protected: Vec<&'r FileArg>,
    /// How many files are worked on at the same time.
    pub(crate) workers: NonZeroUsize,
    /// Whether nothing is written, not even a folder.
    pub(crate) dry_run: bool,
    pub(crate) context: &'r Context,
}

/// A file that was found, and where its output goes.
struct Planned {
    path: PathBuf,
    /// Below the folder of the run.
    relative: PathBuf,
    /// In another folder.
    output: Option<PathBuf>,
    output_exists: bool,
}

/// The open folders of a run. Files are found below them, and not through links that somebody puts
/// in the place of a folder during the run.
struct Roots {
    input: OpenFolder,
    /// There is none in place, nor if nothing is written.
    output: Option<Arc<OpenFolder>>,
}

impl Roots {
    fn input(&self, file: &Planned) -> Result<Entry, Failure> {
        let entry = Entry::below(&self.input, &file.relative, Missing::Fail);
        entry.map_err(|error| Failure::file("read", &file.path, &error))
    }
}

/// The files of the folder, in order, and the folders that cannot be read.
type Found = Vec<Result<Planned, (String, Failure)>>;

impl Run<'_> {
    /// Calls `each` for every regular file. Links are left alone.
    pub(crate) fn run(
        &self,
        each: impl Fn(Item<'_>) -> Result<Outcome, Failure> + Sync,
    ) -> Result<Exit, Failure> {
        self.check_folders()?;
        let mut report = Report::new(self.verb, self.context);
        let roots = self.roots()?;
        let found = self.find(&mut report);
        self.check_outputs(&found)?;
        let prefixes = match self.verb {
            Verb::Encrypt => prefixes(&found, &roots),
            Verb::Decrypt | Verb::Rewrap => HashMap::new(),
        };
        let twins = prefixes.values().filter(|paths| paths.len() > 1);
        let twins: HashSet<&Path> = twins.flatten().copied().collect();
        let progress = Progress::of_files(found.len(), size_of(&found), self.context);
        let gate = Gate::new(IN_MEMORY);
        let next = AtomicUsize::new(0);
        let ended = AtomicBool::new(false);
        let order = Mutex::new(InOrder::new(found.len(), report));
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(entry) = found.get(index) else {
                    return;
                };
                let outcome = match entry {
                    Err((name, failure)) => (name.clone(), Some(Err(failure.clone()))),
                    Ok(file) => {
                        let name = printable(file.path.display());
                        let outcome = (!ended.load(Ordering::Relaxed)).then(|| {
                            self.one(file, &roots, twins.contains(&*file.path), &gate, &each)
                        });
                        (name, outcome)
                    }
                };
                if let (_, Some(Err(failure))) = &outcome
                    && is_for_all(failure)
                {
                    ended.store(true, Ordering::Relaxed);
                }
                progress.add_file();
                lock(&order).add(index, outcome);
            }
        };
        thread::scope(|scope| {
            let workers = self.workers.get().min(found.len());
            for _ in 1..workers {
                // Without another thread, those that there are do the work.
                if Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        drop(progress);
        let order = order.into_inner().unwrap_or_else(PoisonError::into_inner);
        order.report.finish()
    }

    fn one(
        &self,
        file: &Planned,
        roots: &Roots,
        has_twin: bool,
        gate: &Gate,
        each: &impl Fn(Item<'_>) -> Result<Outcome, Failure>,
    ) -> Result<Outcome, Failure> {
        let mut output_exists = file.output_exists;
        for _ in 1..ATTEMPTS {
            match self.attempt(file, roots, output_exists, has_twin, gate, each) {
                Err(failure) if self.has_lost_race(output_exists, &failure) => output_exists = true,
                outcome => return outcome,
            }
        }
        self.attempt(file, roots, output_exists, has_twin, gate, each)
    }

    /// Returns whether another run has written the output in the meantime. It may be just what this
    /// run would have written, so it has to be looked at.
    fn has_lost_race(&self, output_existed: bool, failure: &Failure) -> bool {
        matches!(self.destination, Destination::Folder(_))
            && self.overwrite == Overwrite::Never
            && match output_existed {
                false => failure.code() == EXISTS,
                true => failure.code() == CHANGED,
            }
    }

    fn attempt(
        &self,
        file: &Planned,
        roots: &Roots,
        output_exists: bool,
        has_twin: bool,
        gate: &Gate,
        each: &impl Fn(Item<'_>) -> Result<Outcome, Failure>,
    ) -> Result<Outcome, Failure> {
        let entry = roots.input(file)?;
        let mut item = match (&self.destination, &file.output) {
            (Destination::Folder(target), Some(output)) => {
                let place = InTree {
                    root: roots.output.as_ref(),
                    relative: output.strip_prefix(target).unwrap_or(output),
                    path: output,
                };
                let input = Input::open_in_tree(&file.path, &entry)?;
                self.to_folder(input, place, output_exists)?
            }
            (Destination::InPlace(hard_links), _) => {
                let input = Input::open_locked_in_tree(&file.path, &entry, self.context)?;
                let output = Output::replacing(&input, &self.protected, *hard_links, self.context)?;
                Item {
                    input,
                    output,
                    earlier: None,
                    has_twin: false,
                }
            }
            // If the destination is a folder, the plan has an output.
            (Destination::Folder(_), None) => {
                return Err(Failure::file(
                    "write",
                    &file.path,
                    &io::ErrorKind::NotFound.into(),
                ));
            }
        };
        item.has_twin = has_twin;
        let _room = gate.enter(item.input.size().unwrap_or_default());
        each(item)
    }

    fn to_folder<'i>(
        &'i self,
        input: Input,
        place: InTree<'_>,
        output_exists: bool,
    ) -> Result<Item<'i>, Failure> {
        // Whether it is the output of an earlier run, and may be replaced, is for the verb to see.
        let earlier = match place.root {
            Some(root) if output_exists && self.overwrite == Overwrite::Never => {
                Some(earlier(&input, root, place)?)
            }
            _ => None,
        };
        let overwrite = match &earlier {
            Some(_) => Overwrite::Force,
            None => self.overwrite,
        };
        let file = input.path().map(|path| FileArg::File(path.to_owned()));
        let mut inputs = self.protected.clone();
        inputs.extend(&file);
        let mut output = Output::in_tree(place, &inputs, overwrite, self.context)?;
        output.limit_mode(&input);
        Ok(Item {
            input,
            output,
            earlier,
            has_twin: false,
        })
    }

    fn roots(&self) -> Result<Roots, Failure> {
        let open = |verb, path: &Path| {
            OpenFolder::open(path).map_err(|error| Failure::file(verb, path, &error))
        };
        let output = match &self.destination {
            Destination::Folder(target) if !self.dry_run || target.exists() => {
                Some(Arc::new(open("write to", target)?))
            }
            Destination::Folder(_) | Destination::InPlace(_) => None,
        };
        Ok(Roots {
            input: open("read", self.folder)?,
            output,
        })
    }

    fn check_folders(&self) -> Result<(), Failure> {
        let root = self.folder;
        let metadata = fs::metadata(root).map_err(|error| Failure::file("read", root, &error))?;
        if !metadata.is_dir() {
            return Err(Failure::usage(
                "recursive",
                format!("cannot process {}", printable(root.display())),
                "--recursive takes a folder",
            ));
        }
        let Destination::Folder(target) = &self.destination else {
            return Ok(());
        };
        match fs::metadata(target) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let error = io::ErrorKind::NotADirectory.into();
                return Err(Failure::file("write to", target, &error));
            }
            Err(_) if self.dry_run => {}
            Err(_) => {
                let made = fs::create_dir_all(target);
                made.map_err(|error| Failure::file("make", target, &error))?;
            }
        }
        let real = target.canonicalize().ok();
        if real.is_some() && real == root.canonicalize().ok() {
            return Err(Failure::usage(
                "recursive",
                "cannot write into the folder that is read",
                "both are the same",
            )
            .hint("--in-place replaces the files themselves"));
        }
        Ok(())
    }

    /// Lists the files by name, without those of the target folder.
    fn find(&self, report: &mut Report<'_>) -> Found {
        let target = match &self.destination {
            Destination::Folder(target) => target.canonicalize().ok(),
            Destination::InPlace(_) => None,
        };
        let is_target = |entry: &DirEntry| {
            entry.file_type().is_dir()
                && target.is_some()
                && entry.path().canonicalize().ok() == target
        };
        let walk = WalkDir::new(self.folder)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !is_target(entry));
        let mut found = Found::new();
        for entry in walk {
            match entry {
                Ok(entry) => match self.left_out(&entry) {
                    Some(why) => report.left_out(printable(entry.path().display()), why),
                    None if entry.file_type().is_file() => found.push(Ok(self.plan(&entry))),
                    None => {}
                },
                Err(error) => {
                    let path = error.path().unwrap_or(self.folder).to_owned();
                    let error = error.into_io_error();
                    let error = error.unwrap_or_else(|| io::ErrorKind::InvalidInput.into());
                    let failure = Failure::file("read", &path, &error);
                    found.push(Err((printable(path.display()), failure)));
                }
            }
        }
        found
    }

    /// Returns the reason to leave out something that is neither a regular file nor a folder with
    /// entries.
    fn left_out(&self, entry: &DirEntry) -> Option<&'static str> {
        let kind = entry.file_type();
        if kind.is_symlink() {
            return Some("it is a link");
        }
        if kind.is_dir() {
            let is_empty =
                || fs::read_dir(entry.path()).is_ok_and(|mut files| files.next().is_none());
            let matters = entry.depth() > 0 && matches!(self.destination, Destination::Folder(_));
            return (matters && is_empty()).then_some("it is an empty folder");
        }
        match kind.is_file() {
            true => is_temporary(entry.path()).then_some("a killed run left it behind"),
            false => Some("it is not a regular file"),
        }
    }

    fn plan(&self, entry: &DirEntry) -> Planned {
        let path = entry.path().to_owned();
        let output = match &self.destination {
            Destination::Folder(target) => Some(self.output_of(&path, target)),
            Destination::InPlace(_) => None,
        };
        let output_exists = output.as_deref().is_some_and(Path::exists);
        let relative = path.strip_prefix(self.folder).unwrap_or(&path);
        Planned {
            relative: relative.to_owned(),
            path,
            output,
            output_exists,
        }
    }

    fn output_of(&self, path: &Path, target: &Path) -> PathBuf {
        let relative = path.strip_prefix(self.folder).unwrap_or(path);
        let mut name = relative.file_name().map(OsString::from).unwrap_or_default();
        match self.verb {
            Verb::Encrypt => name.push(SUFFIX),
            Verb::Rewrap => {}
            Verb::Decrypt => {
                if Path::new(&name).extension() == Some(OsStr::new(&SUFFIX[1..]))
                    && let Some(stem) = Path::new(&name).file_stem()
                {
                    name = stem.to_owned();
                }
            }
        }
        target.join(relative).with_file_name(name)
    }

    /// Refuses the run, before anything is written, if two inputs have the same output, or if the
    /// output of one is another input.
    fn check_outputs(&self, found: &Found) -> Result<(), Failure> {
        let files = || found.iter().flatten();
        let mut inputs: HashSet<FileId> = HashSet::new();
        if files().any(|file| file.output_exists) {
            let metadata = files().filter_map(|file| fs::metadata(&file.path).ok());
            inputs.extend(metadata.map(|metadata| Stamp::of(&metadata).id));
        }
        let mut outputs: HashMap<&Path, &Path> = HashMap::new();
        for file in files() {
            let Some(output) = &file.output else { continue };
            let names = |other: &Path| {
                let path = printable(file.path.display());
                format!(
                    "{path} and {} have the same output",
                    printable(other.display())
                )
            };
            let what = format!("cannot write {}", printable(output.display()));
            if let Some(other) = outputs.insert(output, &file.path) {
                return Err(Failure::usage("same_output", what, names(other))
                    .hint("rename one of them, or process them one at a time with -o FILE"));
            }
            let is_input = |metadata: fs::Metadata| inputs.contains(&Stamp::of(&metadata).id);
            if file.output_exists && cfg!(unix) && fs::metadata(output).is_ok_and(is_input) {
                return Err(Failure::usage("same_file", what, "it is also an input")
                    .hint("name a folder that is not part of the input"));
            }
        }
        Ok(())
    }
}

/// Opens the file that has the output's name.
fn earlier(input: &Input, root: &OpenFolder, place: InTree<'_>) -> Result<Earlier, Failure> {
    let entry = Entry::below(root, place.relative, Missing::Fail);
    let entry = entry.map_err(|error| Failure::file("read", place.path, &error))?;
    let earlier = Input::open_in_tree(place.path, &entry)?;
    let is_younger = match (input.opened(), earlier.metadata()) {
        (Some(opened), Some(written)) => opened.is_before(&written),
        _ => false,
    };
    Ok(Earlier {
        input: earlier,
        is_younger,
    })
}

/// Returns the bytes of all files, for the progress bar.
fn size_of(found: &Found) -> u64 {
    let files = found.iter().flatten();
    let sizes = files.filter_map(|file| Some(fs::metadata(&file.path).ok()?.len()));
    sizes.sum()
}

/// Groups the files that may be ciphertexts by the prefix of the key.
///
/// One file may start like a ciphertext by chance. Two do not start with the same id.
fn prefixes<'f>(found: &'f Found, roots: &Roots) -> HashMap<Vec<u8>, Vec<&'f Path>> {
    let mut prefixes: HashMap<Vec<u8>, Vec<&'f Path>> = HashMap::new();
    for file in found.iter().flatten() {
        let Ok(Ok(opened)) = roots.input(file).map(|entry| entry.open()) else {
            continue;
        };
        let size = opened.metadata().map_or(0, |metadata| metadata.len());
        let mut start = Vec::new();
        let read = opened.take(SAMPLE as u64).read_to_end(&mut start);
        if let (Ok(_), Some(prefix)) = (read, possible_prefix(&start, size)) {
            prefixes
                .entry(prefix.to_vec())
                .or_default()
                .push(&file.path);
        }
    }
    prefixes
}

/// The name of a file and its outcome; `None` if the run had ended before.
type Finished = (String, Option<Result<Outcome, Failure>>);

/// Reports outcomes in the order of the files, whichever finishes first.
struct InOrder<'r> {
    waiting: VecDeque<Option<Finished>>,
    first: usize,
    report: Report<'r>,
}

impl<'r> InOrder<'r> {
    fn new(files: usize, report: Report<'r>) -> Self {
        Self {
            waiting: (0..files).map(|_| None).collect(),
            first: 0,
            report,
        }
    }

    fn add(&mut self, index: usize, outcome: Finished) {
        if let Some(place) = self.waiting.get_mut(index - self.first) {
            *place = Some(outcome);
        }
        while let Some(Some(_)) = self.waiting.front() {
            self.first += 1;
            if let Some(Some((name, outcome))) = self.waiting.pop_front() {
                self.report.add(name, outcome);
            }
        }
    }
}

/// Lets files in while there is room for them in memory.
struct Gate {
    room: Mutex<u64>,
    left: Condvar,
    size: u64,
}

impl Gate {
    fn new(size: u64) -> Self {
        Self {
            room: Mutex::new(size),
            left: Condvar::new(),
            size,
        }
    }

    fn enter(&self, size: u64) -> Inside<'_> {
        let size = size.min(self.size);
        let mut room = lock(&self.room);
        while *room < size {
            let waited = self.left.wait(room);
            room = waited.unwrap_or_else(PoisonError::into_inner);
        }
        *room -= size;
        Inside { gate: self, size }
    }
}

struct Inside<'g> {
    gate: &'g Gate,
    size: u64,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *lock(&self.gate.room) += self.size;
        self.gate.left.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
