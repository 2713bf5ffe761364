//! Ctrl-C and other signals: no half-written file is left.

use std::{
    fs, io,
    path::PathBuf,
    process,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
};

use crate::{error::Failure, exit::Exit, open_folder::Entry, style::Style};

/// The number of a signal.
pub(crate) type Signal = i32;

/// Temporary files and folders.
///
/// The lock is held while one is made or becomes final, so that an interruption comes before or
/// after, and never in between.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leftovers(Arc<Mutex<State>>);

/// A temporary file or folder.
#[derive(Clone, Debug)]
pub(crate) enum Leftover {
    /// A file or folder at a path.
    Path(PathBuf),
    /// A file in an open folder.
    File(Entry),
}

impl Leftover {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(path), Self::Path(other)) => path == other,
            (Self::File(file), Self::File(other)) => file.is(other),
            (Self::Path(_), Self::File(_)) | (Self::File(_), Self::Path(_)) => false,
        }
    }

    fn remove(&self) {
        // It may be gone already, and there is no one left to tell.
        let _ = match self {
            Self::File(entry) => entry.remove(),
            Self::Path(path) => match fs::symlink_metadata(path) {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
                _ => fs::remove_file(path),
            },
        };
    }
}

#[derive(Debug, Default)]
struct State {
    leftovers: Vec<Leftover>,
    /// Receives every signal instead, if one is the normal end of the command.
    waiting: Option<Sender<Signal>>,
}

impl Leftovers {
    /// Removes them and ends the process when a signal asks it to stop.
    pub(crate) fn remove_on_signal(&self, style: Style, json: bool) -> Result<(), Failure> {
        let leftovers = self.clone();
        let stop = move |signal| {
            leftovers.change(|state| {
                // Without a receiver the command is ending, and another signal means now.
                if let Some(waiting) = &state.waiting
                    && waiting.send(signal).is_ok()
                {
                    return;
                }
                for leftover in &state.leftovers {
                    leftover.remove();
                }
                let why = "nothing half-written is left";
                Failure::new(Exit::Interrupted, "interrupted", "interrupted", why)
                    .report(style, json);
                process::exit(Exit::Interrupted.code().into())
            });
        };
        on_signal(stop).map_err(|error| {
            let what = "cannot wait for signals";
            Failure::new(Exit::Failed, "signals", what, error.to_string())
        })
    }

    /// Returns where signals arrive, instead of ending the process, until the receiver is dropped.
    pub(crate) fn stopped(&self) -> Receiver<Signal> {
        let (sender, receiver) = mpsc::channel();
        self.change(|state| state.waiting = Some(sender));
        receiver
    }

    /// Creates a temporary file or folder.
    pub(crate) fn create<T>(
        &self,
        make: impl FnOnce() -> io::Result<T>,
        leftover: impl FnOnce(&T) -> Leftover,
    ) -> io::Result<T> {
        self.change(|state| {
            let made = make()?;
            state.leftovers.push(leftover(&made));
            Ok(made)
        })
    }

    /// Makes a file or folder final, or removes it.
    pub(crate) fn settle<T>(&self, leftover: &Leftover, settle: impl FnOnce() -> T) -> T {
        self.change(|state| {
            let settled = settle();
            state.leftovers.retain(|known| !known.is(leftover));
            settled
        })
    }

    /// Makes a file final if `settle` succeeds.
    pub(crate) fn settle_if<T, E>(
        &self,
        leftover: &Leftover,
        settle: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.change(|state| {
            let settled = settle()?;
            state.leftovers.retain(|known| !known.is(leftover));
            Ok(settled)
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // A list is consistent even if another thread panicked.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Calls `stop` for each signal that asks the process to end, except those that were ignored when
/// it started: `nohup` and a shell that runs a job in the background want them to stay ignored.
#[cfg(unix)]
fn on_signal(stop: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ},
        flag,
        iterator::Signals,
    };
    // With a handler, a write above the limit of a file's size (`ulimit -f`) fails like one to a
    // full disk, and is reported. Without, the system ends the process in the middle of the write.
    flag::register(SIGXFSZ, Arc::default())?;
    let ignored = ignored_signals();
    let mut signals = [SIGHUP, SIGINT, SIGTERM].to_vec();
    signals.retain(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new(signals)?;
    let wait = move || signals.forever().for_each(stop);
    std::thread::Builder::new().spawn(wait).map(drop)
}

/// Returns a bit for each signal that is ignored, the lowest for signal 1.
///
/// There is no call for this without unsafe code. If the system has no `/proc`, no signal counts as
/// ignored.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

#[cfg(not(unix))]
fn on_signal(stop: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    const SIGINT: Signal = 2;
    ctrlc::set_handler(move || stop(SIGINT)).map_err(io::Error::other)
}
