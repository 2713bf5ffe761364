//! A command that is run with the emulator, and ends it.

use std::{
    ffi::OsString,
    process::{Child, Command, ExitStatus},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use crate::{error::Failure, exit::Exit, interrupt::Signal, text::printable};

/// How often it is asked whether the command has ended.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a command may take to end once it should.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a command with these variables until it ends, or until `stopped`. Does something else again
/// and again `meanwhile`.
pub(super) fn run(
    words: &[OsString],
    variables: impl IntoIterator<Item = (String, String)>,
    stopped: &Receiver<Signal>,
    mut meanwhile: impl FnMut(),
) -> Result<Exit, Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(Exit::Done);
    };
    let name = printable(program.to_string_lossy());
    let failed = |error: &std::io::Error| Failure::io(format!("cannot run {name}"), error);
    let mut child = Command::new(program)
        .args(arguments)
        .envs(variables)
        .spawn()
        .map_err(|error| failed(&error))?;
    let mut deadline = None;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| failed(&error))? {
            break status;
        }
        meanwhile();
        // A terminal sends its signals to the command, too; others may not.
        match stopped.recv_timeout(PAUSE) {
            Ok(_) => deadline = Some(Instant::now() + GRACE),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(PAUSE),
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            break end(&mut child).map_err(|error| failed(&error))?;
        }
    };
    outcome(&name, status, deadline.is_some())
}

fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    child.kill()?;
    child.wait()
}

fn outcome(name: &str, status: ExitStatus, stopped: bool) -> Result<Exit, Failure> {
    match status.code() {
        Some(0) => Ok(Exit::Done),
        _ if stopped => Ok(Exit::Interrupted),
        _ => Err(Failure::new(
            Exit::Failed,
            "command_failed",
            name,
            match status.code() {
                Some(code) => format!("it ended with exit code {code}"),
                None => "it was ended by a signal".to_owned(),
            },
        )),
    }
}
