//! `keyset lint`: what is wrong or unwise in a keyset file.

use clap::Args;
use keyseal::{
    KeysetHandle,
    keyset::{Finding, KeysetFile, Protection, Severity, lint},
};
use serde_json::{Value, json};

use crate::{
    args::KeysetAccess,
    context::Context,
    error::Failure,
    exit::Exit,
    input::{KEYSET_LIMIT, Place, check_one_standard_input},
    text::{Lines, count, printable},
};

/// Say what is wrong or unwise in a keyset file, also in one that nothing else reads
///
/// Of an encrypted keyset only the outside is checked, unless --keyset-kek opens it. The exit code
/// is 8 when something is found.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal keyset lint keyset.json")]
pub(crate) struct LintArgs {
    /// The keyset file; `-` is standard input
    #[arg(value_name = "FILE")]
    keyset: Place,
    #[command(flatten)]
    access: KeysetAccess,
}

pub(crate) fn run(args: LintArgs, context: &Context) -> Result<Exit, Failure> {
    check_one_standard_input(args.access.places().chain([&args.keyset]))?;
    let access = args.access.resolve(context)?;
    let name = args.keyset.name();
    let bytes = args.keyset.read_small(KEYSET_LIMIT, context)?;
    let protection = KeysetFile::recognize(&bytes).map(|file| file.protection());
    let mut found: Vec<Found> = match (&access.kek, &protection) {
        (Some(kek), Ok(Protection::Encrypted)) => kek.lint(&name, &bytes, &access.aad)?,
        _ => lint(&bytes),
    }
    .iter()
    .map(Found::from)
    .collect();
    let outside = access.kek.is_none() && matches!(protection, Ok(Protection::Encrypted));
    if holds_keys(&bytes) {
        found.extend(check_mode(&args.keyset));
    }
    if context.json {
        let findings: Vec<Value> = found.iter().map(Found::as_json).collect();
        context.print_json(&json!({
            "file": name,
            "findings": findings,
            "inside_checked": !outside,
        }))?;
    } else {
        context.print(Lines::of_text(&as_text(&name, &found)))?;
        if outside {
            context.note("only the outside was checked: --keyset-kek opens the keyset");
        }
    }
    Ok(if found.is_empty() {
        Exit::Done
    } else {
        Exit::LintFound
    })
}

/// Returns whether whoever reads the file has keys, as far as it can be read.
fn holds_keys(bytes: &[u8]) -> bool {
    match KeysetFile::recognize(bytes) {
        Ok(file) if file.protection() == Protection::Encrypted => false,
        Ok(file) => KeysetHandle::read_no_secret(bytes, file.format()).is_err(),
        Err(_) => lint(bytes)
            .iter()
            .all(|found| found.code() != "not-a-keyset"),
    }
}

/// A finding of the library, or of the file around the keyset.
struct Found {
    code: &'static str,
    severity: Severity,
    key_id: Option<u32>,
    message: String,
    advice: &'static str,
}

impl From<&Finding> for Found {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code(),
            severity: finding.severity(),
            key_id: finding.key_id().map(keyseal::KeyId::value),
            message: printable(finding.message()),
            advice: finding.advice(),
        }
    }
}

impl Found {
    fn as_json(&self) -> Value {
        json!({
            "advice": self.advice,
            "code": self.code,
            "key_id": self.key_id,
            "message": self.message,
            "severity": self.severity.name(),
        })
    }
}

fn as_text(name: &str, found: &[Found]) -> String {
    if found.is_empty() {
        return format!("{name}: nothing found\n");
    }
    let of = |severity| {
        found
            .iter()
            .filter(|found| found.severity == severity)
            .count()
    };
    let mut text = format!(
        "{name}: {}, {}\n",
        count(of(Severity::Error), "error"),
        count(of(Severity::Warning), "warning")
    );
    for found in found {
        text.push_str(&format!(
            "\n{} [{}]: {}\n  {}\n",
            found.severity, found.code, found.message, found.advice
        ));
    }
    text
}

/// Looks at who may read a file with keys in it.
#[cfg(unix)]
fn check_mode(place: &Place) -> Option<Found> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = std::fs::metadata(place.path()?).ok()?.mode() & 0o777;
    (mode & 0o077 != 0).then(|| Found {
        code: "file-mode",
        severity: Severity::Warning,
        key_id: None,
        message: format!("the file is in cleartext, and its mode {mode:03o} is open to others"),
        advice: "chmod 600 it; if others could read it, rotate its keys",
    })
}

#[cfg(not(unix))]
fn check_mode(_: &Place) -> Option<Found> {
    None
}
