//! The other end of a [`Process`](super::Process): children that end with their parent.

use std::{
    ffi::OsString,
    io::{self, Read as _},
    process::{Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

/// Ends this process when its input closes, as it does when its parent ends in any way.
///
/// # Errors
/// [`io::Error`] if there are no threads left.
pub fn exit_with_parent() -> io::Result<()> {
    let watch = || {
        wait_for_end_of_input();
        std::process::exit(0)
    };
    thread::Builder::new()
        .name("parent".to_owned())
        .spawn(watch)
        .map(drop)
}

/// Runs a program that does not know our rule, and kills it when our input closes.
///
/// # Errors
/// [`io::Error`] if the program cannot be started.
pub fn guard(program: &OsString, arguments: &[OsString]) -> io::Result<ExitCode> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()?;
    let input = thread::spawn(wait_for_end_of_input);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        if input.is_finished() {
            child.kill()?;
            child.wait()?;
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn wait_for_end_of_input() {
    let mut input = io::stdin().lock();
    let mut bytes = [0; 64];
    while !matches!(input.read(&mut bytes), Ok(0) | Err(_)) {}
}
