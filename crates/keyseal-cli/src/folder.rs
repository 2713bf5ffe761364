//! All files of a folder, one after the other: what is done stays done, whatever fails.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    args::overwrite,
    context::Context,
    error::Failure,
    exit::Exit,
    files::{Holds, Output, is_temporary},
    input::Place,
    text::{about, count, printable},
};

/// What encrypted files are called by, behind the name of the original.
const SUFFIX: &str = ".sealed";

/// What is done with each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Encrypt,
    Decrypt,
    Rewrap,
}

/// Where the results go.
pub(crate) enum Into {
    /// To another folder, as a tree of the same shape.
    Folder(PathBuf),
    /// In place of the files.
    Place,
}

/// What became of one file.
pub(crate) enum Outcome {
    /// So many bytes were read.
    Done(u64),
    /// There was nothing to do, and why.
    Skipped(&'static str),
}

/// Goes through a folder.
pub(crate) struct Walk<'w> {
    pub(crate) folder: &'w Path,
    pub(crate) into: Into,
    pub(crate) force: bool,
    pub(crate) work: Work,
    pub(crate) others: Vec<&'w Place>,
    pub(crate) context: &'w Context,
}

#[derive(Default)]
struct Report {
    done: usize,
    bytes: u64,
    skipped: Vec<(String, &'static str)>,
    failed: Vec<(String, Failure)>,
}

impl Walk<'_> {
    /// Does `each` with every regular file. Links are left alone.
    pub(crate) fn run(
        &self,
        mut each: impl FnMut(&Place, &mut Output<'_>) -> Result<Outcome, Failure>,
    ) -> Result<Exit, Failure> {
        let root = self.folder;
        let read = |path: &Path, error| Failure::file("read", path, &error);
        if !fs::metadata(root)
            .map_err(|error| read(root, error))?
            .is_dir()
        {
            return Err(Failure::usage(
                "recursive",
                format!("cannot go through {}", printable(root.display())),
                "--recursive takes a folder",
            ));
        }
        if let Into::Folder(target) = &self.into {
            fs::create_dir_all(target).map_err(|error| Failure::file("make", target, &error))?;
        }
        let mut files = Vec::new();
        self.list(root, &mut files)?;
        let mut report = Report::default();
        for path in files {
            let name = printable(path.display());
            match self.one(&path, &mut each) {
                Ok(Outcome::Done(bytes)) => {
                    report.done += 1;
                    report.bytes += bytes;
                    self.context.detail(&format!("{}: {name}", self.past()));
                }
                Ok(Outcome::Skipped(why)) => {
                    self.context.detail(&format!("skipped: {name}: {why}"));
                    report.skipped.push((name, why));
                }
                Err(failure) => {
                    if !self.context.json {
                        failure.report(self.context.style, false);
                    }
                    report.failed.push((name, failure));
                }
            }
        }
        self.tell(&report)
    }

    fn one(
        &self,
        path: &Path,
        each: &mut impl FnMut(&Place, &mut Output<'_>) -> Result<Outcome, Failure>,
    ) -> Result<Outcome, Failure> {
        if is_temporary(path) {
            return Ok(Outcome::Skipped("left behind by a run that was killed"));
        }
        let input = Place::File(path.to_owned());
        let holds = Holds::Data;
        let mut output = match &self.into {
            Into::Place => Output::in_place(&input, &self.others, holds, self.context)?,
            Into::Folder(target) => {
                let to = self.target_of(path, target);
                if !self.force
                    && let Some(skipped) = is_done(path, &to)?
                {
                    return Ok(skipped);
                }
                if let Some(folder) = to.parent() {
                    let made = fs::create_dir_all(folder);
                    made.map_err(|error| Failure::file("make", folder, &error))?;
                }
                let mut inputs = self.others.clone();
                inputs.push(&input);
                let place = Place::File(to);
                Output::new(&place, &inputs, holds, overwrite(self.force), self.context)?
            }
        };
        let outcome = each(&input, &mut output)?;
        if let Outcome::Done(_) = outcome {
            output.commit()?;
        }
        Ok(outcome)
    }

    fn target_of(&self, path: &Path, target: &Path) -> PathBuf {
        let relative = path.strip_prefix(self.folder).unwrap_or(path);
        let mut name = relative.file_name().map(OsString::from).unwrap_or_default();
        match self.work {
            Work::Encrypt => name.push(SUFFIX),
            Work::Rewrap => {}
            Work::Decrypt => {
                if Path::new(&name).extension() == Some(OsStr::new(&SUFFIX[1..]))
                    && let Some(stem) = Path::new(&name).file_stem()
                {
                    name = stem.to_owned();
                }
            }
        }
        target.join(relative).with_file_name(name)
    }

    /// Lists the files below a folder, by name, without those of the target folder.
    fn list(&self, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
        if let Into::Folder(target) = &self.into
            && let (Ok(target), Ok(folder)) = (target.canonicalize(), folder.canonicalize())
            && target == folder
        {
            return match folder == self.folder.canonicalize().unwrap_or_default() {
                false => Ok(()),
                true => Err(Failure::usage(
                    "recursive",
                    "cannot write into the folder that is read",
                    "both are the same",
                )
                .hint("--in-place replaces the files themselves")),
            };
        }
        let failed = |error: io::Error| Failure::file("read", folder, &error);
        let mut entries: Vec<_> = fs::read_dir(folder)
            .and_then(|entries| entries.collect::<Result<_, _>>())
            .map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                self.list(&entry.path(), files)?;
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
        Ok(())
    }

    const fn past(&self) -> &'static str {
        match self.work {
            Work::Encrypt => "encrypted",
            Work::Decrypt => "decrypted",
            Work::Rewrap => "wrapped anew",
        }
    }

    fn tell(&self, report: &Report) -> Result<Exit, Failure> {
        let worst = report.failed.iter().map(|(_, failure)| failure.exit());
        let exit = worst.max_by_key(|exit| exit.code()).unwrap_or(Exit::Done);
        let past = self.past();
        let text = format!(
            "{past} {} ({}), skipped {}, failed {}",
            count(report.done, "file"),
            about(report.bytes),
            report.skipped.len(),
            report.failed.len()
        );
        let skipped: Vec<_> = report
            .skipped
            .iter()
            .map(|(file, why)| json!({"file": file, "reason": why}))
            .collect();
        let failed: Vec<_> = report
            .failed
            .iter()
            .map(|(file, failure)| {
                json!({"file": file, "code": failure.code(), "error": failure.message()})
            })
            .collect();
        let value = json!({
            "done": report.done,
            "bytes": report.bytes,
            "skipped": skipped,
            "failed": failed,
        });
        self.context.report(&text, &value, false)?;
        Ok(exit)
    }
}

/// Returns why nothing is to be done where there is an output already. An older one is refused.
fn is_done(input: &Path, output: &Path) -> Result<Option<Outcome>, Failure> {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let Ok(written) = modified(output) else {
        return Ok(None);
    };
    match modified(input) {
        Ok(changed) if changed <= written => Ok(Some(Outcome::Skipped("there is an output"))),
        _ => Err(Failure::new(
            Exit::InputOutput,
            "output_older",
            format!("cannot write {}", printable(output.display())),
            "it exists already, and is older than its input",
        )
        .hint("--force writes all outputs anew")),
    }
}
