//! The way to standard error and to a terminal. Nothing else in the program writes there.

use std::{
    error::Error,
    fmt,
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
};

use indicatif::ProgressBar;
use serde_json::Value;

use crate::text::{Lines, json_text};

/// The bar on the screen, which makes room for messages.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes lines to standard error, the first after one of our labels.
///
/// Standard error may be full, closed or a pipe that nobody reads. Messages only report what the
/// program does: losing one neither stops the work nor changes the exit code.
pub(crate) fn say(label: &str, lines: &Lines) {
    let space = if label.is_empty() { "" } else { " " };
    write_to_stderr(&format!("{label}{space}{lines}"));
}

/// Writes a JSON document to standard error.
pub(crate) fn say_json(value: &Value) {
    write_to_stderr(&format!("{}\n", json_text(value)));
}

fn write_to_stderr(text: &str) {
    let write = || {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    };
    match &*BAR.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Shows a bar on the screen, or removes it.
pub(crate) fn show_bar(bar: Option<ProgressBar>) {
    let mut shown = BAR.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(old) = shown.take() {
        old.finish_and_clear();
    }
    *shown = bar;
}

/// A writer for output data. A terminal gets only text: control characters could change its display
/// and its later behaviour.
#[derive(Debug)]
pub(crate) struct DataWriter<W> {
    inner: W,
    /// The check for text, or `None` if everything may pass.
    watch: Option<TextWatch>,
}

impl<W: Write + IsTerminal> DataWriter<W> {
    /// Wraps a writer. `force` lets everything pass.
    pub(crate) fn new(inner: W, force: bool) -> Self {
        let watch = (!force && inner.is_terminal()).then(TextWatch::default);
        Self { inner, watch }
    }
}

impl<W: Write> Write for DataWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.watch {
            None => self.inner.write(buf),
            Some(watch) => {
                // Write everything that was checked, so that no byte is checked twice.
                watch.pass(buf).map_err(io::Error::other)?;
                self.inner.write_all(buf)?;
                Ok(buf.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Finds anything but text in bytes that arrive in parts.
#[derive(Debug, Default)]
struct TextWatch {
    /// The start of a character whose end is in the next part.
    begun: Vec<u8>,
    /// A carriage return moves the cursor, unless a line feed follows.
    after_return: bool,
}

impl TextWatch {
    fn pass(&mut self, part: &[u8]) -> Result<(), NotText> {
        let bytes = [&self.begun[..], part].concat();
        let (text, begun) = match str::from_utf8(&bytes) {
            Ok(text) => (text, &[][..]),
            Err(error) if error.error_len().is_some() => return Err(NotText),
            Err(error) => {
                let (whole, begun) = bytes.split_at(error.valid_up_to());
                (str::from_utf8(whole).unwrap_or_default(), begun)
            }
        };
        for c in text.chars() {
            let moves = c.is_control() && !matches!(c, '\n' | '\r' | '\t');
            if moves || (self.after_return && c != '\n') {
                return Err(NotText);
            }
            self.after_return = c == '\r';
        }
        self.begun = begun.to_vec();
        Ok(())
    }
}

/// Bytes for a terminal are not text.
#[derive(Debug)]
pub(crate) struct NotText;

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the output is binary, or has control characters")
    }
}

impl Error for NotText {}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(parts: &[&[u8]]) -> bool {
        let mut watch = TextWatch::default();
        parts.iter().all(|part| watch.pass(part).is_ok())
    }

    #[test]
    fn text_passes_in_any_parts() {
        let text = "líne one\r\n\ttwo\u{20ac}\n".as_bytes();
        for at in 0..=text.len() {
            let (first, second) = text.split_at(at);
            assert!(passes(&[first, second]), "{at}");
        }
    }

    #[test]
    fn control_characters_do_not_pass_in_any_parts() {
        for bytes in [
            &b"red \x1b[31m"[..],
            b"bell \x07",
            b"back\x08space",
            b"over\rwritten",
            b"del \x7f",
            "c1 \u{9b}31m".as_bytes(),
            b"not UTF-8 \xff",
            b"nul \0",
        ] {
            for at in 0..=bytes.len() {
                let (first, second) = bytes.split_at(at);
                assert!(!passes(&[first, second]), "{bytes:?} {at}");
            }
        }
    }
}
