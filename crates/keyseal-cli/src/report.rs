//! The report of a run over a folder, and the exit code that follows from it.

use serde_json::{Value, json};

use crate::{
    context::Context,
    display::{about, count},
    error::Failure,
    exit::Exit,
};

/// The operation of a run on each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Encrypt,
    Decrypt,
    Rewrap,
}

impl Verb {
    const fn past(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypted",
            Self::Decrypt => "decrypted",
            Self::Rewrap => "re-wrapped",
        }
    }

    const fn infinitive(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Rewrap => "re-wrap",
        }
    }
}

/// The outcome of one file.
pub(crate) enum Outcome {
    /// This many bytes were read.
    Done(u64),
    /// This many bytes would be read if this were not a dry run.
    Planned(u64),
    /// There was nothing to do, for this reason.
    UpToDate(&'static str),
    /// The user told us to leave it alone, for this reason.
    LeftAlone(&'static str),
}

/// The outcomes of the files of a folder so far.
pub(crate) struct Report<'r> {
    verb: Verb,
    context: &'r Context,
    done: usize,
    planned: usize,
    bytes: u64,
    skipped: Vec<(String, &'static str)>,
    /// How many of the skipped files the user told us to leave alone.
    left_alone: usize,
    left_out: Vec<(String, &'static str)>,
    failed: Vec<(String, Failure)>,
    not_tried: usize,
}

impl<'r> Report<'r> {
    pub(crate) const fn new(verb: Verb, context: &'r Context) -> Self {
        Self {
            verb,
            context,
            done: 0,
            planned: 0,
            bytes: 0,
            skipped: Vec::new(),
            left_alone: 0,
            left_out: Vec::new(),
            failed: Vec::new(),
            not_tried: 0,
        }
    }

    /// Adds a link, a special file or an empty folder, which a run does not touch.
    pub(crate) fn left_out(&mut self, name: String, why: &'static str) {
        self.context.detail(&format!("left out: {name}: {why}"));
        self.left_out.push((name, why));
    }

    /// Adds a file, or one that was not tried because the run had ended.
    pub(crate) fn add(&mut self, name: String, outcome: Option<Result<Outcome, Failure>>) {
        match outcome {
            None => self.not_tried += 1,
            Some(Ok(Outcome::Done(bytes))) => {
                self.done += 1;
                self.bytes += bytes;
                let past = self.verb.past();
                self.context.detail(&format!("{past}: {name}"));
            }
            Some(Ok(Outcome::Planned(bytes))) => {
                self.planned += 1;
                self.bytes += bytes;
                let infinitive = self.verb.infinitive();
                self.context.detail(&format!("would {infinitive}: {name}"));
            }
            Some(Ok(Outcome::UpToDate(why))) => self.skip(name, why),
            Some(Ok(Outcome::LeftAlone(why))) => {
                self.left_alone += 1;
                self.skip(name, why);
            }
            Some(Err(failure)) => {
                let ends_run = is_for_all(&failure);
                // Requests that were pending when the run ended get the same refusal.
                let is_said =
                    ends_run && (self.failed.iter()).any(|(_, said)| said.code() == failure.code());
                if !is_said {
                    let hint = "the run ends: every other file would fail in the same way";
                    self.context.tell(match ends_run {
                        true => failure.clone().hint(hint),
                        false => failure.clone(),
                    });
                }
                self.failed.push((name, failure));
            }
        }
    }

    fn skip(&mut self, name: String, why: &'static str) {
        self.context.detail(&format!("skipped: {name}: {why}"));
        self.skipped.push((name, why));
    }

    /// Prints the report, and returns the exit code of the worst failure.
    pub(crate) fn finish(self) -> Result<Exit, Failure> {
        let files = self.done + self.planned + self.skipped.len();
        self.context.report(&self.text(), &self.value(), false)?;
        let worst = self.failed.iter().map(|(_, failure)| failure.exit());
        if let Some(exit) = worst.max_by_key(|exit| exit.code()) {
            return Ok(exit);
        }
        let what = format!("cannot {} the folder", self.verb.infinitive());
        if files == 0 {
            return Err(Failure::new(
                Exit::Failed,
                "no_files",
                what,
                "it has no regular file",
            ));
        }
        if self.left_alone == files {
            return Err(Failure::new(
                Exit::NotDecrypted,
                "nothing_decrypted",
                what,
                "none of its files is encrypted with these keys",
            ));
        }
        Ok(Exit::Done)
    }

    fn text(&self) -> String {
        let (verb, number) = match self.planned {
            0 => (self.verb.past().to_owned(), self.done),
            planned => (format!("would {}", self.verb.infinitive()), planned),
        };
        let mut text = format!(
            "{verb} {} ({}), skipped {}, failed {}",
            count(number, "file"),
            about(self.bytes),
            self.skipped.len(),
            self.failed.len()
        );
        if !self.left_out.is_empty() {
            text.push_str(&format!(", left out {}", self.left_out.len()));
        }
        if self.not_tried > 0 {
            text.push_str(&format!(", not tried {}", self.not_tried));
        }
        text
    }

    fn value(&self) -> Value {
        let reasons = |files: &[(String, &str)]| -> Vec<Value> {
            let each = files.iter();
            each.map(|(file, why)| json!({"file": file, "reason": why}))
                .collect()
        };
        let failed: Vec<_> = self
            .failed
            .iter()
            .map(|(file, failure)| {
                json!({"file": file, "code": failure.code(), "error": failure.message()})
            })
            .collect();
        json!({
            "bytes": self.bytes,
            "done": self.done,
            "failed": failed,
            "left_out": reasons(&self.left_out),
            "not_tried": self.not_tried,
            "planned": self.planned,
            "skipped": reasons(&self.skipped),
        })
    }
}

/// Returns whether every other file would fail with the same refusal.
pub(crate) fn is_for_all(failure: &Failure) -> bool {
    matches!(
        failure.code(),
        "kms_certificate_name"
            | "kms_configuration"
            | "kms_invalid_uri"
            | "kms_locked"
            | "kms_missing_credentials"
            | "kms_not_found"
            | "kms_permission_denied"
            | "kms_precondition_failed"
            | "kms_proxy"
            | "kms_quota_exceeded"
            | "kms_tls"
            | "kms_unauthenticated"
            | "kms_unknown_host"
            | "kms_unreachable"
            | "kms_unsupported_uri"
            | "kms_untrusted_certificate"
    )
}
