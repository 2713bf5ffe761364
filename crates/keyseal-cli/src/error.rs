//! What the program says when something fails.

use std::{error::Error, io, path::Path};

use serde_json::json;

use crate::{context::Style, exit::Exit, text::printable};

/// A failure: `error: WHAT: WHY`, then `hint:` lines. Nothing in it is secret.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// For programs. It never changes.
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
            what: what.into(),
            why: why.into(),
            hints: Vec::new(),
        }
    }

    /// The command line asks for what cannot be.
    pub(crate) fn usage(
        code: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self::new(Exit::Usage, code, what, why)
    }

    /// A file or stream failed.
    pub(crate) fn io(what: impl Into<String>, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::NotFound => "not_found",
            io::ErrorKind::PermissionDenied => "permission_denied",
            // Whoever reads our output has had enough.
            io::ErrorKind::BrokenPipe => {
                return Self::new(Exit::Done, "broken_pipe", what, "nobody reads on");
            }
            _ => "io",
        };
        Self::new(Exit::InputOutput, code, what, io_reason(error))
    }

    /// A file failed that is named by its path.
    pub(crate) fn file(verb: &str, path: &Path, error: &io::Error) -> Self {
        Self::io(
            format!("cannot {verb} {}", printable(path.display())),
            error,
        )
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
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

    /// Writes to standard error, unless there is nothing to tell.
    pub(crate) fn report(&self, style: Style, as_json: bool) {
        if self.exit == Exit::Done {
            return;
        }
        if as_json {
            let object = json!({
                "code": self.code,
                "error": self.message(),
                "exit": self.exit.code(),
                "hints": self.hints,
            });
            eprintln!("{object:#}");
            return;
        }
        eprintln!("{} {}", style.error("error:"), self.message());
        for hint in &self.hints {
            eprintln!("{} {hint}", style.hint("hint:"));
        }
    }
}

/// Joins an error and its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::AlreadyExists => "it exists already".into(),
        io::ErrorKind::IsADirectory => "it is a folder".into(),
        io::ErrorKind::NotADirectory => "a part of its path is no folder".into(),
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
