//! `keyset lint`: errors and unwise choices in a keyset file.

use clap::Args;
use keyseal::{
    Key, KeysetHandle, SecretAccess,
    key::{
        kms_aead::{KmsAeadKey, KmsAeadParameters},
        kms_envelope_aead::{KmsEnvelopeAeadKey, KmsEnvelopeAeadParameters},
    },
    keyset::{Finding, Format, Protection, Severity, Status, lint},
};
use serde_json::{Value, json};

use crate::{
    args::KeysetAccess,
    context::Context,
    error::Failure,
    exit::Exit,
    input::{KEYSET_LIMIT, Place, check_one_standard_input},
    kek::is_served,
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
    let protection = Protection::guess(&bytes);
    let encrypted = protection == Some(Protection::Encrypted);
    let findings = match &access.kek {
        Some(kek) if encrypted => kek.lint(&name, &bytes, &access.aad)?,
        _ => lint(&bytes),
    };
    let mut found: Vec<Found> = findings.iter().map(Found::from).collect();
    let outside = access.kek.is_none() && encrypted;
    if protection == Some(Protection::Cleartext) {
        found.extend(check_uris(&bytes));
        if holds_secret(&bytes) {
            found.extend(check_mode(&args.keyset));
        }
    }
    if context.json {
        let findings: Vec<Value> = found.iter().map(Found::as_json).collect();
        context.print_json(&json!({
            "file": name,
            "findings": findings,
            "inside_checked": !outside,
        }))?;
    } else {
        context.print(Lines::of_text(&as_text(&name, &found, outside)))?;
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

/// Returns whether the keys of a cleartext file are secret, as far as it can be read.
fn holds_secret(bytes: &[u8]) -> bool {
    KeysetHandle::read_no_secret(bytes, Format::detect(bytes)).is_err()
}

/// Finds keys of a service for which this build has no client.
fn check_uris(bytes: &[u8]) -> Option<Found> {
    let access = SecretAccess::insecure();
    let keyset = KeysetHandle::read_cleartext(bytes, Format::detect(bytes), access).ok()?;
    let elsewhere: Vec<(u32, &str)> = keyset
        .entries()
        .filter(|entry| entry.status() == Status::Enabled)
        .filter_map(|entry| Some((entry.id().value(), kms_uri(entry.key()?)?)))
        .filter(|(_, uri)| !is_served(uri))
        .collect();
    let (id, uri) = elsewhere.first()?;
    Some(Found {
        code: "kms-scheme",
        severity: Severity::Warning,
        count: elsewhere.len(),
        key_ids: elsewhere.iter().map(|(id, _)| *id).collect(),
        message: match uri.split_once("://") {
            Some((scheme, _)) => format!(
                "key {id} is held at {}://, which this build does not serve",
                printable(scheme)
            ),
            None => format!("key {id} is held at a URI that has no scheme"),
        },
        advice: "use a program that has a client of that service: no command here can use the keyset",
    })
}

/// Returns the location of a key that a service holds.
fn kms_uri(key: &Key) -> Option<&str> {
    let alone = key.downcast_ref().map(KmsAeadKey::parameters);
    let envelope = key.downcast_ref().map(KmsEnvelopeAeadKey::parameters);
    alone
        .map(KmsAeadParameters::key_uri)
        .or_else(|| envelope.map(KmsEnvelopeAeadParameters::kek_uri))
}

/// A finding of the library, or of the file around the keyset.
struct Found {
    code: &'static str,
    severity: Severity,
    count: usize,
    key_ids: Vec<u32>,
    message: String,
    advice: &'static str,
}

impl From<&Finding> for Found {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code(),
            severity: finding.severity(),
            count: finding.count(),
            key_ids: finding.key_ids().iter().map(|id| id.value()).collect(),
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
            "count": self.count,
            "key_id": self.key_ids.first(),
            "key_ids": self.key_ids,
            "message": self.message,
            "severity": self.severity.name(),
        })
    }
}

impl Found {
    /// Adds how many more findings are like the first.
    fn others(&self) -> String {
        match self.count {
            0 | 1 => String::new(),
            count => format!(", and {} more like it", count - 1),
        }
    }
}

fn as_text(name: &str, found: &[Found], outside: bool) -> String {
    if found.is_empty() {
        let checked = if outside { " outside" } else { "" };
        return format!("{name}: nothing found{checked}\n");
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
            "\n{} [{}]: {}{}\n  {}\n",
            found.severity,
            found.code,
            found.message,
            found.others(),
            found.advice
        ));
    }
    text
}

/// Checks who may read a file that contains keys.
#[cfg(unix)]
fn check_mode(place: &Place) -> Option<Found> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = std::fs::metadata(place.path()?).ok()?.mode() & 0o777;
    (mode & 0o077 != 0).then(|| Found {
        code: "file-mode",
        severity: Severity::Warning,
        count: 1,
        key_ids: Vec::new(),
        message: format!("the file is in cleartext, and its mode {mode:03o} is open to others"),
        advice: "chmod 600 it; if others could read it, rotate its keys",
    })
}

#[cfg(not(unix))]
fn check_mode(_: &Place) -> Option<Found> {
    None
}
