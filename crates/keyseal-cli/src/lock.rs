//! Locks on files that will be replaced: a second run waits for the first one, up to a limit.

use std::{
    fs::{File, TryLockError},
    thread,
    time::{Duration, Instant},
};

use crate::{context::Context, error::Failure, exit::Exit};

/// A run that waits for longer than this says so.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a run waits for one holder of a lock.
///
/// Another run of ours holds the lock for as long as one file takes: an edit of a keyset takes
/// milliseconds, or seconds if a service is slow, and a minute is enough to encrypt tens of
/// gigabytes. A holder that takes longer probably hangs or is another program, and a run that
/// nobody watches must end with a failure rather than hang too.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest pause between two attempts. The system has no call that waits for a limited time.
const PAUSE: Duration = Duration::from_millis(50);

/// A wait for the lock on a file, perhaps for several holders in turn.
pub(crate) struct Wait<'c> {
    began: Instant,
    is_told: bool,
    limit: Duration,
    context: &'c Context,
}

impl<'c> Wait<'c> {
    pub(crate) fn new(context: &'c Context) -> Self {
        Self {
            began: Instant::now(),
            is_told: false,
            limit: LIMIT,
            context,
        }
    }

    /// Locks a file until it is closed. Each call waits for at most one minute, because a holder
    /// that has replaced the file has made progress.
    pub(crate) fn lock(&mut self, file: &File, name: &str) -> Result<(), Failure> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => {}
                // Not every file system has locks. We notice a change without them too.
                Err(TryLockError::Error(error)) => {
                    self.context.detail(&format!("not locked: {name}: {error}"));
                    return Ok(());
                }
            }
            if began.elapsed() >= self.limit {
                return Err(locked(name, self.limit));
            }
            if !self.is_told && self.began.elapsed() >= PATIENCE {
                self.is_told = true;
                let note = format!("waiting for another process, which has locked {name}");
                self.context.note(&note);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE);
        }
    }
}

fn locked(name: &str, limit: Duration) -> Failure {
    Failure::new(
        Exit::InputOutput,
        "locked",
        format!("cannot replace {name}"),
        format!(
            "another process has locked it for {} seconds",
            limit.as_secs()
        ),
    )
    .hint("run the command again when that process has ended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command_line::PROGRAM, context::Globals, hints::Flags, interrupt::Leftovers};

    #[test]
    fn a_wait_for_a_lock_ends() {
        let globals = Globals {
            json: false,
            quiet: true,
            verbose: 0,
        };
        let context = Context::new(&globals, Flags::default(), PROGRAM, Leftovers::default());
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().lock().unwrap();
        let other = file.reopen().unwrap();
        let mut wait = Wait::new(&context);
        wait.limit = Duration::from_millis(200);
        let failure = wait.lock(&other, "a file").unwrap_err();
        assert_eq!(failure.exit(), Exit::InputOutput);
        assert_eq!(failure.code(), "locked");
        file.as_file().unlock().unwrap();
        wait.lock(&other, "a file").unwrap();
    }
}
