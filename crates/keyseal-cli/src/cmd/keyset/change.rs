//! The one way to change a keyset: read, changed and written in one step, and under a lock if the
//! file is replaced.
//!
//! A command gets its keyset only from [`KeysetEdit::run`], so it cannot replace a file that it
//! read before it took the lock.

use keyseal::KeyId;
use serde_json::Value;
use zeroize::Zeroizing;

use super::list;
use crate::{
    args::ChangedFile,
    context::Context,
    display::{Lines, size},
    error::Failure,
    exit::Exit,
    files::{Content, HardLinks, Output, changed},
    format_name::FormatName,
    input::{FileArg, Input, KEYSET_LIMIT},
    keysets::{Access, Keyset},
};

/// The hint for a keyset file with several names.
const NAMES: &str = "the other names would keep the old keyset: let the file have one name, \
     or write with -o";

/// A planned change of a keyset: the input is open, and locked if it will be replaced.
pub(crate) struct KeysetEdit<'c> {
    place: &'c FileArg,
    input: Input,
    replaces: bool,
    output: Output<'c>,
    context: &'c Context,
}

/// A keyset that was changed and written.
pub(crate) struct Edited<'c, T> {
    pub(crate) keyset: Keyset,
    /// The return value of the change.
    pub(crate) told: T,
    name: String,
    is_standard: bool,
    context: &'c Context,
}

impl<'c> KeysetEdit<'c> {
    /// Plans to change the keyset at `place`. The output must not be one of `others`.
    pub(crate) fn plan(
        place: &'c FileArg,
        output: &ChangedFile,
        others: &[&FileArg],
        context: &'c Context,
    ) -> Result<Self, Failure> {
        // Only a regular file can be replaced. Planning the output refuses anything else.
        let replaced = place
            .path()
            .filter(|path| output.is_in_place() && path.is_file());
        let (input, output) = if let Some(path) = replaced {
            let input = Input::open_locked(path, context)?;
            let output = Output::replacing(&input, others, HardLinks::Refuse(NAMES), context)?;
            (input, output)
        } else {
            let output = output.plan(place, others, Content::Keys, context)?;
            (Input::open(place, context)?, output)
        };
        Ok(Self {
            place,
            input,
            replaces: replaced.is_some(),
            output,
            context,
        })
    }

    /// Reads the keyset, has `change` change it, and writes it in the format that `change` leaves
    /// in it. A file that another program changed in the meantime is not replaced.
    pub(crate) fn run<T>(
        mut self,
        access: Access,
        change: impl FnOnce(&mut Keyset) -> Result<T, Failure>,
    ) -> Result<Edited<'c, T>, Failure> {
        let bytes = self.read()?;
        let mut keyset = Keyset::parse(self.place, &bytes, access, self.context)?;
        let told = change(&mut keyset)?;
        self.warn_of_destroyed(&keyset);
        let written = keyset.seal.serialize(&keyset.handle, keyset.format)?;
        if self.replaces {
            let Keyset {
                handle,
                format,
                seal,
            } = &keyset;
            seal.check(handle, &written, *format)?;
        }
        if keyset.format != FormatName::Json {
            self.output.refuse_binary_on_terminal()?;
        }
        let (name, is_standard) = (self.output.name(), self.output.is_standard());
        let what = format!("cannot write {name}");
        self.output
            .writer()?
            .write_all(&written)
            .map_err(|error| Failure::io(what, &error))?;
        let Self {
            mut input,
            replaces,
            output,
            context,
            ..
        } = self;
        // Under a key of a KMS, seconds may have passed since the file was read. Two changes within
        // a tick of the clock leave the same times, so the content is compared too.
        output.commit_if(|| {
            let is_same = !replaces
                || (input.is_unchanged()
                    && input.read(KEYSET_LIMIT, 0, None)?.as_ref() == Some(&bytes));
            is_same.then_some(()).ok_or_else(|| changed(input.name()))
        })?;
        Ok(Edited {
            keyset,
            told,
            name,
            is_standard,
            context,
        })
    }

    fn read(&mut self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.input.read(KEYSET_LIMIT, 0, None)?.ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                "too_large",
                format!("cannot read {}", self.input.name()),
                format!("it is larger than {}", size(KEYSET_LIMIT)),
            )
        })
    }

    fn warn_of_destroyed(&self, keyset: &Keyset) {
        let left = keyset.handle.entries();
        let left = left.filter(keyseal::keyset::Entry::keeps_destroyed_material);
        for id in left.map(|entry| entry.id()) {
            self.context.warn(&destroyed_material(id, self.place));
        }
    }
}

fn destroyed_material(id: KeyId, place: &FileArg) -> String {
    let shown = place.argument();
    format!(
        "key {id} is destroyed, but its material is still in {}: \
         keyseal keyset destroy {shown} --key-id {id} wipes it",
        place.name()
    )
}

impl<T> Edited<'_, T> {
    /// Reports the change, and the new content of the keyset.
    pub(crate) fn report(&self, text: impl FnOnce(&str) -> String) -> Result<Exit, Failure> {
        let value: Value = list::as_json(Some(&self.keyset.handle.info()));
        self.context
            .report(Lines::of_text(&text(&self.name)), &value, self.is_standard)?;
        Ok(Exit::Done)
    }
}
