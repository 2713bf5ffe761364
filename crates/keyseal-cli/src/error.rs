//! The program's error messages.

use std::{io, path::Path};

use serde_json::{Value, json};

use crate::{
    display::{cut, printable},
    exit::Exit,
    style::Style,
    terminal::{NotText, say, say_json},
};

/// The longest part of a message, in characters: a path may have 4096.
const LONGEST: usize = 5000;

/// A failure: `error: WHAT: WHY`, then `hint:` lines. Nothing in it is secret, and each part is
/// one printable line, whatever it was made of.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// A stable code for programs.
    code: &'static str,
    what: String,
    why: String,
    hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(
        exit: Exit,
        code: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            exit,
            code,
            what: printable(cut(&what.into(), LONGEST)),
            why: printable(cut(&why.into(), LONGEST)),
            hints: Vec::new(),
        }
    }

    /// The command line asks for something impossible.
    pub(crate) fn usage(
        code: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self::new(Exit::Usage, code, what, why)
    }

    /// A file or stream failed.
    pub(crate) fn io(what: impl Into<String>, error: &io::Error) -> Self {
        if let Some(not_text) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<NotText>())
        {
            return Self::binary_to_terminal(&not_text.to_string());
        }
        let code = match error.kind() {
            io::ErrorKind::NotFound => "not_found",
            io::ErrorKind::PermissionDenied => "permission_denied",
            // The output is cut short, and only we know: a shell with `pipefail` must see it.
            io::ErrorKind::BrokenPipe => "broken_pipe",
            _ => "io",
        };
        Self::new(Exit::InputOutput, code, what, io_reason(error))
    }

    /// The output is binary and must not go to a terminal.
    pub(crate) fn binary_to_terminal(why: &str) -> Self {
        Self::usage("binary_to_terminal", "cannot write to the terminal", why)
            .hint("write to a file with -o FILE, or pipe it on")
            .hint("--force writes it to the terminal anyway")
    }

    /// A file, named by its path, failed.
    pub(crate) fn file(verb: &str, path: &Path, error: &io::Error) -> Self {
        Self::io(
            format!("cannot {verb} {}", printable(path.display())),
            error,
        )
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(printable(cut(&hint.into(), LONGEST)));
        self
    }

    /// Drops the hints for which `keep` returns false.
    pub(crate) fn retain_hints(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.hints.retain(|hint| keep(hint));
        self
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// Returns the text of the `error:` line.
    pub(crate) fn message(&self) -> String {
        format!("{}: {}", self.what, self.why)
    }

    /// Returns the reason alone.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }

    /// Returns the same failure of something that the user knows by another name.
    pub(crate) fn of(mut self, what: impl Into<String>) -> Self {
        self.what = printable(cut(&what.into(), LONGEST));
        self
    }

    /// Returns the same failure with a more precise reason.
    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = printable(cut(&why.into(), LONGEST));
        self
    }

    /// Returns the failure as a JSON object for programs.
    pub(crate) fn as_json(&self) -> Value {
        json!({
            "code": self.code,
            "error": self.message(),
            "exit": self.exit.code(),
            "hints": self.hints,
        })
    }

    /// Writes to standard error.
    pub(crate) fn report(&self, style: Style, as_json: bool) {
        if as_json {
            return say_json(&self.as_json());
        }
        say(&style.error("error:"), &self.message().as_str().into());
        for hint in &self.hints {
            say(&style.hint("hint:"), &hint.into());
        }
    }
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::BrokenPipe => "nobody reads the rest, so the output is incomplete".into(),
        io::ErrorKind::AlreadyExists => "it already exists".into(),
        io::ErrorKind::IsADirectory => "it is a folder".into(),
        io::ErrorKind::NotADirectory => "a part of its path is not a folder".into(),
        io::ErrorKind::StorageFull => "no space is left".into(),
        io::ErrorKind::OutOfMemory => "it does not fit into memory".into(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
        _ => {
            let text = error.to_string();
            let end = text.find(" (os error").unwrap_or(text.len());
            text.split_at(end).0.to_lowercase()
        }
    }
}
