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
    display::{Lines, closest, count, cut, printable},
    error::Failure,
    exit::Exit,
    input::{FileArg, KEYSET_LIMIT, check_one_standard_input},
    kek::Kek,
    kek_uri::is_served,
    keysets::Access,
};

/// The codes of findings about the file around a keyset.
const OWN_CODES: &[&str] = &["file-mode", "kms-scheme", "not-encrypted"];

/// The longest message of a finding, in characters.
const LONGEST_MESSAGE: usize = 400;

/// Find errors and unwise choices in a keyset file, even in one that nothing else reads
///
/// An encrypted keyset is only checked from outside, unless --keyset-kek decrypts it. The exit code
/// is 8 if there are findings that --accept does not name.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal keyset lint keyset.json
  keyseal keyset lint keyset.json --accept java-config-2026")]
pub(crate) struct LintArgs {
    /// The keyset file; `-` is standard input
    #[arg(value_name = "FILE")]
    keyset: FileArg,
    /// A warning to accept, by its code; can be repeated
    ///
    /// The warning is still shown, but does not change the exit code. You cannot accept an error.
    #[arg(long, value_name = "CODE")]
    accept: Vec<String>,
    #[command(flatten)]
    access: KeysetAccess,
}

pub(crate) fn run(args: LintArgs, context: &Context) -> Result<Exit, Failure> {
    check_accepted(&args.accept)?;
    check_one_standard_input(args.access.places().chain([&args.keyset]))?;
    let access = args.access.resolve(context)?;
    let name = args.keyset.name();
    let bytes = args.keyset.read_small(KEYSET_LIMIT, context)?;
    let protection = Protection::guess(&bytes);
    let encrypted = protection == Some(Protection::Encrypted);
    let inside = match &access.kek {
        Some(kek) if encrypted => Some(inside(kek, &name, &bytes, &access)?),
        Some(kek) if protection.is_none() && kek.may_wrap(&bytes) => {
            let wrapped = kek.unwrap_keyset(&name, &bytes, &access.aad)?;
            let keyset = wrapped.ok_or_else(|| kek.not_unwrapped(&name))?;
            Some(found_in(&keyset))
        }
        _ => None,
    };
    let outside = inside.is_none() && encrypted;
    let mut found = inside.unwrap_or_else(|| found_in(&bytes));
    if access.kek.is_some() && protection == Some(Protection::Cleartext) {
        found.extend(check_protection(&found));
    }
    if protection == Some(Protection::Cleartext) && holds_secret(&bytes) {
        found.extend(check_mode(&args.keyset));
    }
    for finding in &mut found {
        finding.is_accepted = finding.severity == Severity::Warning
            && args.accept.iter().any(|code| code == finding.code);
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
            context.note("only the outside was checked: --keyset-kek decrypts the keyset");
        }
    }
    Ok(match found.iter().all(|finding| finding.is_accepted) {
        true => Exit::Done,
        false => Exit::LintFound,
    })
}

/// Refuses to accept a code that no finding has.
fn check_accepted(codes: &[String]) -> Result<(), Failure> {
    let mut known = [Finding::CODES, OWN_CODES].concat();
    known.sort_unstable();
    let Some(unknown) = codes.iter().find(|code| !known.contains(&code.as_str())) else {
        return Ok(());
    };
    let failure = Failure::usage(
        "unknown_finding",
        format!("cannot accept {}", printable(unknown)),
        "no finding has this code",
    );
    let failure = match closest(unknown, known.iter().copied()) {
        Some(code) => failure.hint(format!("did you mean {code}?")),
        None => failure,
    };
    Err(failure.hint(format!("the codes are {}", known.join(", "))))
}

/// Finds the faults of an encrypted keyset.
fn inside(kek: &Kek, name: &str, bytes: &[u8], access: &Access) -> Result<Vec<Found>, Failure> {
    match kek.lint(name, bytes, &access.aad) {
        Ok(findings) => Ok(findings.iter().map(Found::from).collect()),
        // A ciphertext of Cloud KMS also parses as an encrypted keyset.
        Err(failure) if failure.exit() == Exit::NotDecrypted && kek.may_wrap(bytes) => {
            let wrapped = kek.unwrap_keyset(name, bytes, &access.aad)?;
            wrapped.map(|keyset| found_in(&keyset)).ok_or(failure)
        }
        Err(failure) => Err(failure),
    }
}

/// Finds the faults of a file, or of a keyset that was wrapped.
fn found_in(bytes: &[u8]) -> Vec<Found> {
    let findings = lint(bytes);
    let mut found: Vec<Found> = findings.iter().map(Found::from).collect();
    if Protection::guess(bytes) == Some(Protection::Cleartext) {
        found.extend(check_uris(bytes));
    }
    found
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
        is_accepted: false,
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
    /// Whether the user knows of it, and keeps the keyset as it is.
    is_accepted: bool,
}

impl From<&Finding> for Found {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code(),
            severity: finding.severity(),
            count: finding.count(),
            key_ids: finding.key_ids().iter().map(|id| id.value()).collect(),
            message: printable(cut(finding.message(), LONGEST_MESSAGE)),
            advice: finding.advice(),
            is_accepted: false,
        }
    }
}

impl Found {
    fn as_json(&self) -> Value {
        json!({
            "accepted": self.is_accepted,
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
            "\n{}{} [{}]: {}{}\n  {}\n",
            if found.is_accepted { "accepted " } else { "" },
            found.severity,
            found.code,
            found.message,
            found.others(),
            found.advice
        ));
    }
    text
}

/// Finds that a keyset is not encrypted, though a key-encryption key is named for it.
fn check_protection(found: &[Found]) -> Option<Found> {
    let is_said = found
        .iter()
        .any(|found| found.code == "encrypted-in-name-only");
    (!is_said).then_some(Found {
        code: "not-encrypted",
        severity: Severity::Error,
        count: 1,
        key_ids: Vec::new(),
        message: "the keyset is not encrypted, but a key-encryption key is named".to_owned(),
        advice: "encrypt it with `keyseal keyset convert` if it should be, or leave out \
                 --keyset-kek",
        is_accepted: false,
    })
}

/// Checks who may read a file that contains keys.
#[cfg(unix)]
fn check_mode(place: &FileArg) -> Option<Found> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = std::fs::metadata(place.path()?).ok()?.mode() & 0o777;
    (mode & 0o077 != 0).then(|| Found {
        code: "file-mode",
        severity: Severity::Warning,
        count: 1,
        key_ids: Vec::new(),
        message: format!("the file is in cleartext, and its mode {mode:03o} is open to others"),
        advice: "chmod 600 it; if others could read it, rotate its keys",
        is_accepted: false,
    })
}

#[cfg(not(unix))]
fn check_mode(_: &FileArg) -> Option<Found> {
    None
}
