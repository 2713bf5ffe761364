//! What every command is run with: how to talk, and what to clean up.

#[cfg(unix)]
use std::fs::File;
use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    sync::{Arc, Mutex, PoisonError},
};

use keyseal::kms::scaleway::Environment;
use serde_json::Value;

use crate::{args::Globals, error::Failure, interrupt::Leftovers, kms::KmsArgs};

/// Whether standard error takes colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colours: bool,
}

impl Style {
    /// Colours are for terminals, and not where `NO_COLOR` is set.
    pub(crate) fn detect() -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colours: io::stderr().is_terminal() && !set("NO_COLOR") && !dumb,
        }
    }

    pub(crate) fn error(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn hint(self, text: &str) -> String {
        self.paint("36", text)
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// How a command talks, and what is removed when it is interrupted.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) json: bool,
    pub(crate) style: Style,
    pub(crate) leftovers: Leftovers,
    quiet: bool,
    verbose: bool,
    hides_progress: bool,
    kms: KmsArgs,
    /// Another environment than the process's.
    environment: Option<Environment>,
    /// What is printed, where it does not go to standard output.
    heard: Option<Arc<Mutex<String>>>,
}

impl Context {
    pub(crate) fn new(globals: &Globals, leftovers: Leftovers) -> Self {
        Self {
            json: globals.json,
            style: Style::detect(),
            leftovers,
            quiet: globals.quiet,
            verbose: globals.verbose > 0,
            hides_progress: false,
            kms: KmsArgs::default(),
            environment: None,
            heard: None,
        }
    }

    /// Returns the same, for a command that is run inside another: with this environment, without
    /// messages, and what it prints is kept for [`heard`](Self::heard).
    pub(crate) fn inside(&self, environment: &Environment) -> Self {
        Self {
            environment: Some(environment.clone()),
            heard: Some(Arc::default()),
            json: false,
            quiet: true,
            verbose: false,
            ..self.clone()
        }
    }

    /// Returns what was printed so far.
    pub(crate) fn heard(&self) -> String {
        let heard = self.heard.as_ref().map(|heard| heard.lock());
        heard.map_or_else(String::new, |heard| {
            heard.unwrap_or_else(PoisonError::into_inner).clone()
        })
    }

    /// Returns the variables that Scaleway's tools read.
    pub(crate) fn environment(&self) -> Environment {
        match &self.environment {
            Some(environment) => environment.clone(),
            None => Environment::of_process(),
        }
    }

    /// Returns the same, for work on many files at once, which has no one progress to show.
    pub(crate) fn without_progress(self) -> Self {
        Self {
            hides_progress: true,
            ..self
        }
    }

    /// Returns the same, for a command that was told how Key Manager is reached.
    pub(crate) fn with_kms(&self, kms: &KmsArgs) -> Self {
        Self {
            kms: kms.clone(),
            ..self.clone()
        }
    }

    pub(crate) const fn kms(&self) -> &KmsArgs {
        &self.kms
    }

    /// Says what was done, to people.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            eprintln!("{text}");
        }
    }

    /// Returns whether anybody asked how it is done.
    pub(crate) const fn is_verbose(&self) -> bool {
        self.verbose && !self.quiet
    }

    /// Returns whether the progress of long work is shown.
    pub(crate) const fn shows_progress(&self) -> bool {
        !self.quiet && !self.json && !self.hides_progress
    }

    /// Says how it is done, to people who asked.
    pub(crate) fn detail(&self, text: &str) {
        if self.is_verbose() {
            eprintln!("{text}");
        }
    }

    /// Says what should be known, and does not stop the work.
    pub(crate) fn warn(&self, text: &str) {
        if !self.quiet {
            eprintln!("{} {text}", self.style.warning("warning:"));
        }
    }

    /// Writes a report that was asked for to standard output.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        if let Some(heard) = &self.heard {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push_str(text);
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::io("cannot write to standard output", &error))
    }

    /// Says to who reads standard output that this was all, long before the program ends.
    pub(crate) fn end_output(&self) -> Result<(), Failure> {
        #[cfg(unix)]
        if self.heard.is_none() {
            File::options()
                .write(true)
                .open("/dev/null")
                .and_then(|nowhere| Ok(rustix::stdio::dup2_stdout(nowhere)?))
                .map_err(|error| Failure::io("cannot close standard output", &error))?;
        }
        Ok(())
    }

    pub(crate) fn print_json(&self, value: &Value) -> Result<(), Failure> {
        self.print(&format!("{value:#}\n"))
    }

    /// Reports what was done: in JSON on standard output where the data are elsewhere, else on
    /// standard error.
    pub(crate) fn report(
        &self,
        text: &str,
        value: &Value,
        data_on_stdout: bool,
    ) -> Result<(), Failure> {
        if !self.json {
            self.note(text);
        } else if data_on_stdout {
            eprintln!("{value:#}");
        } else {
            self.print_json(value)?;
        }
        Ok(())
    }
}
