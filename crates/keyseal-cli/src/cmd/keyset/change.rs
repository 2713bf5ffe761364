//! The one way to change a keyset: read, changed and written in one step, and under a lock if the
//! file is replaced.
//!
//! A verb gets its keyset from [`KeysetEdit::run`] alone, so it cannot replace a file that it has
//! read before the lock was taken.

use std::{
    fs::{self, File, Metadata, TryLockError},
    io::{self, Read as _, Seek as _},
    path::{Path, PathBuf},
};

use keyseal::KeyId;
use serde_json::Value;
use zeroize::Zeroizing;

use super::list;
use crate::{
    args::{ChangedFile, FormatName},
    context::Context,
    error::Failure,
    exit::Exit,
    files::{Holds, Output},
    input::{KEYSET_LIMIT, Place},
    keysets::{Access, Keyset},
};

/// A change of a keyset that is planned: the input is locked if it will be replaced.
pub(crate) struct KeysetEdit<'c> {
    input: &'c Place,
    lock: Option<Locked>,
    output: Output<'c>,
    context: &'c Context,
}

/// A keyset that was changed and written.
pub(crate) struct Edited<'c, T> {
    pub(crate) keyset: Keyset,
    /// What the change returned.
    pub(crate) told: T,
    name: String,
    is_standard: bool,
    context: &'c Context,
}

impl<'c> KeysetEdit<'c> {
    /// Plans to change the keyset `input`. The output is none of `others` either.
    pub(crate) fn plan(
        input: &'c Place,
        output: &ChangedFile,
        others: &[&Place],
        context: &'c Context,
    ) -> Result<Self, Failure> {
        let lock = match input.path() {
            // Anything else is refused below, and opening a pipe would wait for a writer.
            Some(path) if output.is_in_place() && path.is_file() => {
                Some(Locked::open(path, context)?)
            }
            _ => None,
        };
        let output = output.plan(input, others, Holds::Keys, context)?;
        Ok(Self {
            input,
            lock,
            output,
            context,
        })
    }

    /// Reads the keyset, has `change` change it, and writes it in the format that `change` leaves
    /// in it. A file that another program has changed meanwhile is not replaced.
    pub(crate) fn run<T>(
        mut self,
        access: Access,
        change: impl FnOnce(&mut Keyset) -> Result<T, Failure>,
    ) -> Result<Edited<'c, T>, Failure> {
        let bytes = match &mut self.lock {
            Some(locked) => locked.read()?,
            None => self.input.read_small(KEYSET_LIMIT, self.context)?,
        };
        let mut keyset = Keyset::parse(self.input, &bytes, access, self.context)?;
        let told = change(&mut keyset)?;
        self.warn_of_destroyed(&keyset);
        let written = keyset.seal.serialize(&keyset.handle, keyset.format)?;
        if keyset.format != FormatName::Json {
            self.output.refuse_binary_on_terminal()?;
        }
        // Under a key of a KMS, seconds may have passed since the file was read.
        if let Some(locked) = &mut self.lock {
            locked.check_unchanged(&bytes)?;
        }
        let (name, is_standard) = (self.output.name(), self.output.is_standard());
        self.output.write(&written)?;
        Ok(Edited {
            keyset,
            told,
            name,
            is_standard,
            context: self.context,
        })
    }

    fn warn_of_destroyed(&self, keyset: &Keyset) {
        let left = keyset.handle.entries();
        let left = left.filter(keyseal::keyset::Entry::keeps_destroyed_material);
        for id in left.map(|entry| entry.id()) {
            self.context.warn(&destroyed_material(id, self.input));
        }
    }
}

fn destroyed_material(id: KeyId, place: &Place) -> String {
    let shown = place.argument();
    format!(
        "key {id} is destroyed, and its material is still in {}: \
         keyseal keyset destroy {shown} --key-id {id} wipes it",
        place.name()
    )
}

impl<T> Edited<'_, T> {
    /// Reports what was done, and what is in the keyset now.
    pub(crate) fn report(&self, text: impl FnOnce(&str) -> String) -> Result<Exit, Failure> {
        let value: Value = list::as_json(Some(&self.keyset.handle.info()));
        self.context
            .report(&text(&self.name), &value, self.is_standard)?;
        Ok(Exit::Done)
    }
}

/// A file that will be replaced. No other run replaces it while this one has it: the system drops
/// the lock with the process, however that ends.
#[derive(Debug)]
struct Locked {
    path: PathBuf,
    file: File,
    opened: Metadata,
}

impl Locked {
    /// Opens and locks the file that `path` names once the lock is held.
    fn open(path: &Path, context: &Context) -> Result<Self, Failure> {
        let failed = |error: &io::Error| Failure::file("replace", path, error);
        loop {
            let file = File::open(path).map_err(|error| failed(&error))?;
            lock(&file, path, context)?;
            let opened = file.metadata().map_err(|error| failed(&error))?;
            // Who had the lock before has put another file in the place of this one.
            match fs::metadata(path) {
                Ok(now) if is_same_file(&opened, &now) => {
                    let path = path.to_owned();
                    return Ok(Self { path, file, opened });
                }
                Ok(_) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    fn read(&mut self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut bytes = Zeroizing::new(Vec::new());
        let mut read = || {
            let size = self.file.metadata()?.len().min(KEYSET_LIMIT);
            // With room for all of it, no part is left behind unwiped.
            bytes.reserve_exact(usize::try_from(size).unwrap_or(0) + 1);
            self.file.rewind()?;
            (&self.file).take(KEYSET_LIMIT + 1).read_to_end(&mut bytes)
        };
        match read() {
            Ok(size) if size as u64 <= KEYSET_LIMIT => Ok(bytes),
            Ok(_) => Err(Failure::new(
                Exit::Failed,
                "too_large",
                format!("cannot read {}", self.name()),
                format!("it is larger than {}", crate::text::size(KEYSET_LIMIT)),
            )),
            Err(error) => Err(Failure::file("read", &self.path, &error)),
        }
    }

    /// Refuses a file that is not the one that was read, or has other content than `bytes`.
    fn check_unchanged(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let now = fs::metadata(&self.path);
        let is_same = now.is_ok_and(|now| is_same_file(&self.opened, &now));
        if is_same && *self.read()? == bytes {
            return Ok(());
        }
        Err(Failure::new(
            Exit::InputOutput,
            "changed",
            format!("cannot replace {}", self.name()),
            "it was changed while it was read, and is left alone",
        )
        .hint("run the command again"))
    }

    fn name(&self) -> String {
        Place::File(self.path.clone()).name()
    }
}

fn lock(file: &File, path: &Path, context: &Context) -> Result<(), Failure> {
    let name = || Place::File(path.to_owned()).name();
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            context.detail(&format!("waiting for another run that changes {}", name()));
            file.lock()
                .map_err(|error| Failure::file("lock", path, &error))
        }
        Err(TryLockError::Error(error)) => {
            context.warn(&format!(
                "{}: this file system has no locks ({error}): let one run at a time change it",
                name()
            ));
            Ok(())
        }
    }
}

#[cfg(unix)]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Without inodes, the content alone says whether a file is the one that was read.
#[cfg(not(unix))]
fn is_same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}
