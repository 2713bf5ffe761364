//! Ctrl-C: nothing half-written stays.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
};

use crate::{context::Style, error::Failure, exit::Exit};

/// Files and folders that exist only for a while.
///
/// The lock is held while one is made or becomes final, so that an interruption comes before or
/// after, and never in between.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leftovers(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    paths: Vec<PathBuf>,
    /// Who is told instead, where being stopped is how the command ends.
    waiting: Option<Sender<()>>,
}

impl Leftovers {
    /// Removes what there is when the process is told to stop, and ends it.
    pub(crate) fn remove_on_signal(&self, style: Style, json: bool) -> Result<(), Failure> {
        let leftovers = self.clone();
        let stop = move || {
            leftovers.change(|state| {
                // A second signal does not wait for what the first one has begun.
                if let Some(waiting) = state.waiting.take()
                    && waiting.send(()).is_ok()
                {
                    return;
                }
                for path in &state.paths {
                    remove(path);
                }
                let why = "nothing half-written is left";
                Failure::new(Exit::Interrupted, "interrupted", "interrupted", why)
                    .report(style, json);
                process::exit(Exit::Interrupted.code().into())
            });
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

    /// Has the first signal from now on end a wait, and not the process.
    pub(crate) fn stopped(&self) -> Receiver<()> {
        let (sender, receiver) = mpsc::channel();
        self.change(|state| state.waiting = Some(sender));
        receiver
    }

    /// Makes a file or folder that has to go.
    pub(crate) fn create<T>(
        &self,
        make: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> PathBuf,
    ) -> io::Result<T> {
        self.change(|state| {
            let made = make()?;
            state.paths.push(path(&made));
            Ok(made)
        })
    }

    /// Makes a file or folder final, or removes it.
    pub(crate) fn settle<T>(&self, path: &Path, settle: impl FnOnce() -> T) -> T {
        self.change(|state| {
            let settled = settle();
            state.paths.retain(|known| known != path);
            settled
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
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
