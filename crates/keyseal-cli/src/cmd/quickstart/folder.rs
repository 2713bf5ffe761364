//! The folder of the tour.

use std::{fs, path::PathBuf};

use crate::{context::Context, error::Failure, interrupt::Leftover};

/// The folder of the tour.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) keep: bool,
}

impl Folder {
    pub(super) fn new(keep: Option<PathBuf>, context: &Context) -> Result<Self, Failure> {
        let name = keep.clone();
        let make = || match &keep {
            Some(path) => fs::create_dir(path).and_then(|()| path.canonicalize()),
            None => {
                let mut builder = tempfile::Builder::new();
                builder.prefix("keyseal-quickstart-");
                Ok(builder.tempdir()?.keep())
            }
        };
        let path = context
            .leftovers
            .create(make, |path| Leftover::Path(path.clone()))
            .map_err(|error| match name {
                Some(name) => Failure::file("make the folder", &name, &error),
                None => Failure::io("cannot make a temporary folder", &error),
            })?;
        Ok(Self {
            path,
            keep: keep.is_some(),
        })
    }

    /// Keeps the folder of a successful tour if the user asked for it, and removes any other.
    pub(super) fn close(self, done: bool, context: &Context) -> Result<(), Failure> {
        context
            .leftovers
            .settle(&Leftover::Path(self.path.clone()), || {
                match self.keep && done {
                    true => Ok(()),
                    false => fs::remove_dir_all(&self.path),
                }
            })
            .map_err(|error| Failure::file("remove", &self.path, &error))
    }
}
