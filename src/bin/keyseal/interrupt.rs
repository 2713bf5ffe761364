//! Ctrl-C: nothing half-written stays.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{context::Style, error::Failure, exit::Exit};

/// Files and folders that exist only for a while.
///
/// The lock is held while one is made or becomes final, so that an interruption comes before or
/// after, and never in between.
#[derive(Clone, Debug, Default)]
pub struct Leftovers(Arc<Mutex<Vec<PathBuf>>>);

impl Leftovers {
    /// Removes what there is when the process is told to stop, and ends it.
    pub fn remove_on_signal(&self, style: Style, json: bool) -> Result<(), Failure> {
        let leftovers = self.clone();
        let stop = move || {
            leftovers.change(|paths| {
                for path in &*paths {
                    remove(path);
                }
                let why = "nothing half-written is left";
                Failure::new(Exit::Interrupted, "interrupted", "interrupted", why)
                    .report(style, json);
                process::exit(Exit::Interrupted.code().into())
            })
        };
        ctrlc::set_handler(stop).map_err(|error| {
            Failure::new(
                Exit::Failed,
                "signals",
                "cannot wait for signals",
                error.to_string(),
            )
        })
    }

    /// Makes a file or folder that has to go.
    pub fn create<T>(
        &self,
        make: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> PathBuf,
    ) -> io::Result<T> {
        self.change(|paths| {
            let made = make()?;
            paths.push(path(&made));
            Ok(made)
        })
    }

    /// Makes a file or folder final, or removes it.
    pub fn settle<T>(&self, path: &Path, settle: impl FnOnce() -> T) -> T {
        self.change(|paths| {
            let settled = settle();
            paths.retain(|known| known != path);
            settled
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<PathBuf>) -> T) -> T {
        // A list of paths is whole whatever happened to another thread.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn remove(path: &Path) {
    // It may be gone already, and there is nobody left to tell.
    let _ = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
}
