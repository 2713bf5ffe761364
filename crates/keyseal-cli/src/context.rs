//! The context of every command: its messages and reports, and the files to clean up.

#[cfg(unix)]
use std::fs::File;
use std::{
    ffi::OsString,
    io::{self, Write as _},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clap::{ArgAction, Args};
use keyseal::kms::scaleway::Environment;
use serde_json::{Value, json};

use crate::{
    display::{Lines, json_text},
    error::Failure,
    exit::Exit,
    hints::Flags,
    interrupt::Leftovers,
    kms_args::KmsArgs,
    style::Style,
    terminal::{say, say_json},
};

/// What every command has.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Globals {
    /// Print reports and errors as JSON
    ///
    /// Errors go to standard error. Reports go to standard output, or to standard error if the data
    /// goes to standard output.
    #[arg(long, global = true, help_heading = "Messages")]
    pub(crate) json: bool,
    /// Print nothing but errors
    #[arg(short, long, global = true, help_heading = "Messages")]
    pub(crate) quiet: bool,
    /// Print more about each step
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Messages")]
    pub(crate) verbose: u8,
}

/// The program itself. Its commands do not know the command line that they are part of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// Returns the command line, for help and manual pages.
    pub(crate) command: fn() -> clap::Command,
    /// Runs a command line.
    pub(crate) run: fn(&[OsString], &Context) -> Result<Exit, Failure>,
}

/// How a command reports, and the files to remove when it is interrupted.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) json: bool,
    pub(crate) style: Style,
    pub(crate) leftovers: Leftovers,
    pub(crate) program: Program,
    /// The flags that hints may name.
    flags: Arc<Flags>,
    quiet: bool,
    verbose: bool,
    kms: KmsArgs,
    /// An environment that replaces the process's.
    environment: Option<Environment>,
    /// The captured output, if it does not go to standard output.
    heard: Option<Arc<Mutex<String>>>,
    document: Arc<Mutex<Document>>,
}

/// The one JSON document of a run with `--json`. It is written at the end, when all warnings are
/// known.
#[derive(Debug, Default)]
struct Document {
    report: Option<Value>,
    /// Data is on standard output, so the document goes to standard error.
    data_on_stdout: bool,
    /// It was written before the end of the run.
    is_written: bool,
    warnings: Vec<String>,
}

impl Document {
    /// Adds the warnings to a report. A list has no place for them, so its warnings are a separate
    /// document on standard error.
    fn with_warnings(&mut self, mut report: Value) -> Value {
        let warnings = mem::take(&mut self.warnings);
        if warnings.is_empty() {
            return report;
        }
        match report.as_object_mut() {
            Some(object) => {
                object.insert("warnings".to_owned(), warnings.into());
            }
            None => say_json(&json!({ "warnings": warnings })),
        }
        report
    }
}

impl Context {
    pub(crate) fn new(
        globals: &Globals,
        flags: Flags,
        program: Program,
        leftovers: Leftovers,
    ) -> Self {
        Self {
            json: globals.json,
            style: Style::detect(),
            leftovers,
            program,
            flags: Arc::new(flags),
            quiet: globals.quiet,
            verbose: globals.verbose > 0,
            kms: KmsArgs::default(),
            environment: None,
            heard: None,
            document: Arc::default(),
        }
    }

    /// Returns the same for a command that runs inside another: with this environment, without
    /// messages, and with its output captured for [`heard`](Self::heard).
    pub(crate) fn inside(&self, environment: &Environment) -> Self {
        Self {
            environment: Some(environment.clone()),
            heard: Some(Arc::default()),
            document: Arc::default(),
            json: false,
            quiet: true,
            verbose: false,
            ..self.clone()
        }
    }

    /// Returns the output so far.
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

    /// Returns the same, for a command with options for Key Manager.
    pub(crate) fn with_kms(&self, kms: &KmsArgs) -> Self {
        Self {
            kms: kms.clone(),
            ..self.clone()
        }
    }

    pub(crate) const fn kms(&self) -> &KmsArgs {
        &self.kms
    }

    /// Tells people about a step that is done.
    pub(crate) fn note(&self, lines: impl Into<Lines>) {
        if !self.quiet && !self.json {
            say("", &lines.into());
        }
    }

    /// Returns whether the user asked for details. With `--json`, the one document has them all.
    pub(crate) const fn is_verbose(&self) -> bool {
        self.verbose && !self.quiet && !self.json
    }

    /// Returns whether the progress of long work is shown.
    pub(crate) const fn shows_progress(&self) -> bool {
        !self.quiet && !self.json
    }

    /// Shows details to people who asked for them.
    pub(crate) fn detail(&self, lines: impl Into<Lines>) {
        if self.is_verbose() {
            say("", &lines.into());
        }
    }

    /// Warns, and does not stop the work.
    pub(crate) fn warn(&self, text: &str) {
        if self.json {
            self.document().warnings.push(text.to_owned());
        } else if !self.quiet {
            say(&self.style.warning("warning:"), &text.into());
        }
    }

    /// Writes a report that was asked for to standard output. A reader that stops early is no
    /// error: `keyseal templates | head` succeeds.
    pub(crate) fn print(&self, lines: impl Into<Lines>) -> Result<(), Failure> {
        unless_closed(self.write(&lines.into().to_string()))
    }

    /// Writes irreplaceable output to standard output. It fails if nobody reads it.
    pub(crate) fn print_data(&self, lines: impl Into<Lines>) -> Result<(), Failure> {
        self.write(&lines.into().to_string()).map_err(not_printed)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        if let Some(heard) = &self.heard {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push_str(text);
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    }

    /// Closes standard output for its readers, long before the program ends.
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

    /// Makes this report the run's JSON document, on standard output.
    pub(crate) fn print_json(&self, value: &Value) -> Result<(), Failure> {
        if self.heard.is_some() {
            return self.print(Lines::of_text(&json_text(value)));
        }
        self.document().report = Some(value.clone());
        Ok(())
    }

    /// Writes the run's JSON document to standard output at once. It fails if nobody reads it.
    pub(crate) fn print_json_now(&self, value: &Value) -> Result<(), Failure> {
        let mut document = self.document();
        let value = document.with_warnings(value.clone());
        document.is_written = true;
        self.write(&format!("{}\n", json_text(&value)))
            .map_err(not_printed)
    }

    /// Reports the result: JSON on standard output, or on standard error if the data goes to
    /// standard output.
    pub(crate) fn report(
        &self,
        lines: impl Into<Lines>,
        value: &Value,
        data_on_stdout: bool,
    ) -> Result<(), Failure> {
        if !self.json {
            self.note(lines);
            return Ok(());
        }
        self.document().data_on_stdout = data_on_stdout;
        self.print_json(value)
    }

    /// Tells about a failure that does not end the run; with `--json` the report has them all.
    pub(crate) fn tell(&self, failure: Failure) {
        if !self.json {
            self.for_this_command(failure).report(self.style, false);
        }
    }

    /// Drops the hints that name a flag which the command lacks.
    fn for_this_command(&self, failure: Failure) -> Failure {
        failure.retain_hints(|hint| self.flags.allow(hint))
    }

    /// Says how the run ended, and returns its exit code.
    pub(crate) fn finish(&self, outcome: Result<Exit, Failure>) -> Exit {
        let failure = match outcome {
            Ok(exit) if !self.json => return exit,
            Ok(exit) => match self.write_document(exit) {
                Ok(()) => return exit,
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        let failure = self.for_this_command(failure);
        if !self.json {
            failure.report(self.style, false);
            return failure.exit();
        }
        let mut document = self.document();
        let mut value = failure.as_json();
        if let (Some(object), Some(report)) = (value.as_object_mut(), document.report.take()) {
            object.insert("report".to_owned(), report);
        }
        say_json(&document.with_warnings(value));
        failure.exit()
    }

    fn write_document(&self, exit: Exit) -> Result<(), Failure> {
        let mut document = self.document();
        if document.is_written {
            return Ok(());
        }
        let (report, on_stdout) = match document.report.take() {
            Some(report) => (report, !document.data_on_stdout),
            None => (json!({ "exit": exit.code() }), false),
        };
        let value = document.with_warnings(report);
        if on_stdout {
            return unless_closed(self.write(&format!("{}\n", json_text(&value))));
        }
        say_json(&value);
        Ok(())
    }

    fn document(&self) -> MutexGuard<'_, Document> {
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_printed(error: io::Error) -> Failure {
    Failure::io("cannot write to standard output", &error)
}

fn unless_closed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(not_printed),
    }
}
