//! A command that runs with the emulator, and whose end stops it.

use std::{
    ffi::OsString,
    process::{self, Child, Command, ExitStatus},
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::{context::Context, error::Failure, exit::Exit, interrupt::Signal, text::printable};

/// How often we check whether the command has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs a command with these variables until it ends, and passes on each signal that should end
/// this process. Calls `meanwhile` repeatedly until then.
///
/// The command is not started if a signal came before.
pub(super) fn run(
    (program, arguments): (&OsString, &[OsString]),
    variables: impl IntoIterator<Item = (String, String)>,
    stopped: &Receiver<Signal>,
    context: &Context,
    mut meanwhile: impl FnMut(),
) -> Result<ExitStatus, Failure> {
    let name = printable(program.to_string_lossy());
    let failed = |error: &std::io::Error| Failure::io(format!("cannot run {name}"), error);
    if stopped.try_recv().is_ok() {
        let (what, why) = ("interrupted", "the command was not started");
        return Err(Failure::new(Exit::Interrupted, "interrupted", what, why));
    }
    let mut child = Command::new(program)
        .args(arguments)
        .envs(variables)
        .spawn()
        .map_err(|error| failed(&error))?;
    loop {
        if let Some(status) = child.try_wait().map_err(|error| failed(&error))? {
            return Ok(status);
        }
        meanwhile();
        match stopped.recv_timeout(PAUSE) {
            // The command decides how to react. If it cannot be told, we still wait for its end: it
            // must not outlive us.
            Ok(signal) => {
                if let Err(error) = pass_on(signal, &child) {
                    context.warn(&format!("cannot pass a signal on to {name}: {error}"));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => thread::sleep(PAUSE),
        }
    }
}

/// Ends this process as the command ended: with its exit code or by its signal.
pub(super) fn end_like(status: ExitStatus) -> ! {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        // This returns only if the signal cannot end this process. Then use the exit code that a
        // shell would.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        process::exit(128 + signal);
    }
    process::exit(status.code().unwrap_or(1))
}

#[cfg(unix)]
fn pass_on(signal: Signal, child: &Child) -> std::io::Result<()> {
    use rustix::process::{Pid, Signal as Named, kill_process};

    let Some(named) = Named::from_named_raw(signal) else {
        return Ok(());
    };
    // Ctrl-C at a terminal reaches the command anyway, and would take a second one for impatience.
    if named == Named::INT && is_in_foreground() {
        return Ok(());
    }
    Ok(kill_process(Pid::from_child(child), named)?)
}

/// Returns whether the terminal sends its signals to this process, and so to the command.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| {
        let group = rustix::termios::tcgetpgrp(terminal);
        group.is_ok_and(|group| group == rustix::process::getpgrp())
    })
}

/// Ctrl-C at a console also reaches the command, and no other signal comes here.
#[cfg(not(unix))]
fn pass_on(_: Signal, _: &Child) -> std::io::Result<()> {
    Ok(())
}
