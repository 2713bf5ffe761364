//! Finds faults and unwise choices in a keyset, even in one that the reader refuses.
//!
//! The reader stops at the first fault and names it in a few words. [`lint`] continues, finds the
//! others, and says how to fix each. It also reports things that the reader accepts but you should
//! know about.

use std::{collections::BTreeMap, fmt};

use zeroize::Zeroizing;

use self::{
    faults::Faults,
    keys::{check_key, check_kinds, check_remote_order, check_same_material},
    states::{State, check_states},
};
use super::{Format, KeysetReader, format, text_form::holds_cleartext};
use crate::{
    error::{KeysetError, ParseError},
    key::KeyId,
    primitive::Aead,
    secret::SecretAccess,
    text_form::TextForm,
    wire::{
        self,
        json::{self, File},
        proto,
    },
};

mod faults;
mod keys;
mod states;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a third would need another exit")]
pub enum Severity {
    /// The keyset works, and should be changed, or does not work everywhere.
    Warning,
    /// The keyset is refused, or cannot be used.
    Error,
}

impl Severity {
    /// Returns `warning` or `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is wrong or unwise in a keyset, however many times. It holds no key bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    code: &'static str,
    severity: Severity,
    count: usize,
    key_ids: Vec<KeyId>,
    message: String,
    advice: &'static str,
}

impl Finding {
    /// Returns the name of this kind of finding, such as `duplicate-id`. It never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Returns how bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns how many times it was found.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Returns the first of the keys in question, or `None` if the finding is about the whole keyset.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        self.key_ids.first().copied()
    }

    /// Returns the keys in question, in the order of the file.
    #[must_use]
    pub fn key_ids(&self) -> &[KeyId] {
        &self.key_ids
    }

    /// Describes the first place where it was found, in a few words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what to do, as one clause.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        self.advice
    }

    fn error(code: &'static str, message: impl Into<String>, advice: &'static str) -> Self {
        Self {
            code,
            severity: Severity::Error,
            count: 1,
            key_ids: Vec::new(),
            message: message.into(),
            advice,
        }
    }

    fn warning(code: &'static str, message: impl Into<String>, advice: &'static str) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, advice)
        }
    }

    fn of(self, id: u32) -> Self {
        Self {
            key_ids: vec![KeyId::new(id)],
            ..self
        }
    }
}

/// Findings, each kind once: a thousand keys with one fault make one finding.
#[derive(Default)]
struct Findings {
    all: Vec<Finding>,
    /// Where a finding of this code, severity and advice is.
    known: BTreeMap<(&'static str, Severity, &'static str), usize>,
}

impl Findings {
    fn push(&mut self, finding: Finding) {
        let kind = (finding.code, finding.severity, finding.advice);
        let at = *self.known.entry(kind).or_insert(self.all.len());
        match self.all.get_mut(at) {
            Some(known) => {
                known.count += finding.count;
                known.key_ids.extend(finding.key_ids);
            }
            None => self.all.push(finding),
        }
    }

    fn has_errors(&self) -> bool {
        self.all
            .iter()
            .any(|found| found.severity == Severity::Error)
    }

    /// Returns the findings, errors first.
    fn sorted(mut self) -> Vec<Finding> {
        self.all
            .sort_by_key(|found| std::cmp::Reverse(found.severity));
        self.all
    }
}

/// Finds faults and unwise choices in the bytes of a keyset file, of any format.
///
/// If there is no finding of [`Severity::Error`], the reader accepts the file, and its enabled keys
/// are of known types. Only the outside of an encrypted keyset is checked: see [`lint_encrypted`].
/// A fault that many keys share is one finding with a [count](Finding::count).
///
/// # Example
/// ```
/// use keyseal::keyset::{Severity, lint};
///
/// let findings = lint(br#"{"primaryKeyId": 42, "key": []}"#);
/// assert!(findings.iter().any(|found| found.code() == "no-keys"));
/// assert_eq!(findings[0].severity(), Severity::Error);
/// ```
#[must_use]
pub fn lint(bytes: &[u8]) -> Vec<Finding> {
    let mut findings = Findings::default();
    match (TextForm::of(bytes), Format::detect(bytes)) {
        (Some(found), _) => findings.push(refused(&KeysetError::TextForm { found })),
        (None, Format::Json) => lint_json(bytes, &mut findings),
        (None, Format::Binary) => lint_binary(bytes, &mut findings),
    }
    findings.sorted()
}

/// Finds faults and unwise choices in an encrypted keyset, inside and outside.
///
/// # Errors
/// An error that describes the fault on the outside, such as [`KeysetError::Malformed`];
/// [`KeysetError::Decrypt`] if it does not decrypt.
pub fn lint_encrypted(
    bytes: &[u8],
    kek: &dyn Aead,
    associated_data: &[u8],
) -> Result<Vec<Finding>, KeysetError> {
    let file = format::parse_encrypted_keyset(bytes, Format::detect(bytes))?;
    let inside = kek
        .decrypt(&file.encrypted_keyset, associated_data)
        .map_err(KeysetError::Decrypt)?;
    let inside = Zeroizing::new(inside);
    let mut findings = Findings::default();
    lint_binary(&inside, &mut findings);
    let mut all = lint(bytes);
    all.extend(findings.all);
    all.sort_by_key(|found| std::cmp::Reverse(found.severity));
    Ok(all)
}

fn lint_json(bytes: &[u8], findings: &mut Findings) {
    let mut faults = Faults::default();
    let (file, read) = json::read_past_faults(bytes, &mut |fault, name, at| {
        faults.add(fault, name, at);
    });
    faults.report(findings);
    match (read, file) {
        (Err(error), _) => findings.push(illegible(error)),
        (Ok(()), File::Cleartext(keyset)) => {
            check_keyset(&keyset, findings);
            check_reader(bytes, Format::Json, findings);
        }
        (Ok(()), File::Encrypted(keyset)) => {
            if holds_cleartext(&keyset.encrypted_keyset) {
                findings.push(refused(&KeysetError::EncryptedInNameOnly));
            }
            if let Some(info) = &keyset.keyset_info {
                check_info(info, findings);
            }
            check_encrypted_reader(bytes, findings);
        }
    }
}

fn lint_binary(bytes: &[u8], findings: &mut Findings) {
    if wire::looks_like_keyset(bytes) {
        match format::parse_keyset(bytes, Format::Binary) {
            Ok(keyset) => {
                check_keyset(&keyset, findings);
                check_reader(bytes, Format::Binary, findings);
            }
            Err(error @ KeysetError::TooManyKeys) => findings.push(refused(&error)),
            Err(_) => findings.push(damaged()),
        }
        return;
    }
    match format::parse_encrypted_keyset(bytes, Format::Binary) {
        Ok(file) => {
            if let Some(info) = file.keyset_info {
                check_info(&info, findings);
            }
        }
        Err(error @ (KeysetError::EncryptedInNameOnly | KeysetError::TooManyKeys)) => {
            findings.push(refused(&error));
        }
        Err(_) if bytes.is_empty() => check_keyset(&proto::Keyset::default(), findings),
        Err(_) if wire::names_a_type(bytes) => findings.push(damaged()),
        Err(_) => findings.push(match format::parse_keyset(bytes, Format::Binary) {
            Err(error @ KeysetError::TooManyKeys) => refused(&error),
            _ => Finding::error(
                "not-a-keyset",
                "the file is no keyset, neither JSON nor binary",
                "check that this is the right file: `keyseal inspect` says what it may be",
            ),
        }),
    }
}

fn damaged() -> Finding {
    Finding::error(
        "binary-damaged",
        "the file names key types, but is no well-formed binary keyset",
        "get the file again: it was cut short or changed on its way; as text it does not travel",
    )
}

/// Adds the reader's own refusal if no finding explains it.
fn check_reader(bytes: &[u8], format: Format, findings: &mut Findings) {
    if !findings.has_errors() {
        let access = SecretAccess::insecure();
        if let Err(error) = KeysetReader::new().cleartext(bytes, format, access) {
            findings.push(refused(&error));
        }
    }
}

fn check_encrypted_reader(bytes: &[u8], findings: &mut Findings) {
    if !findings.has_errors()
        && let Err(error) = format::parse_encrypted_keyset(bytes, Format::Json)
    {
        findings.push(refused(&error));
    }
}

/// Reports where a text stops being valid JSON.
fn illegible(error: ParseError) -> Finding {
    match format::malformed(error) {
        KeysetError::Malformed(error) => Finding::error(
            "json-malformed",
            error.to_string(),
            "get the file again, or write it with a program instead of by hand",
        ),
        error => refused(&error),
    }
}

fn refused(error: &KeysetError) -> Finding {
    let (code, advice) = match error {
        KeysetError::TextForm { found } => (found.code(), found.advice()),
        KeysetError::TooManyKeys => (
            "too-many-keys",
            "split it, or delete the keys that nothing is encrypted with any more",
        ),
        KeysetError::EncryptedInNameOnly => (
            "encrypted-in-name-only",
            "rotate its keys: who can read the file has them; and write the keyset under a \
             key-encryption key that encrypts",
        ),
        _ => (
            "refused",
            "write the keyset again with `keyseal keyset` or another Tink",
        ),
    };
    Finding::error(code, chain(error), advice)
}

fn check_keyset(keyset: &proto::Keyset, findings: &mut Findings) {
    let states: Vec<State<'_>> = keyset
        .key
        .iter()
        .map(|key| State {
            id: key.key_id,
            status: format::read_status(key.status),
            prefix: key.output_prefix_type,
            type_url: key.key_data.as_ref().map_or("", |data| &data.type_url),
        })
        .collect();
    check_states(keyset.primary_key_id, &states, findings);
    for key in &keyset.key {
        check_key(key, findings);
    }
    check_kinds(keyset, findings);
    check_same_material(keyset, findings);
    check_remote_order(keyset, findings);
}

/// Checks an encrypted keyset's description of its keys. Readers ignore it, so nothing is an error.
fn check_info(info: &proto::KeysetInfo, findings: &mut Findings) {
    let states: Vec<State<'_>> = info
        .key_info
        .iter()
        .map(|key| State {
            id: key.key_id,
            status: format::read_status(key.status),
            prefix: key.output_prefix_type,
            type_url: &key.type_url,
        })
        .collect();
    let mut found = Findings::default();
    check_states(info.primary_key_id, &states, &mut found);
    for found in found.all {
        let beside = "in the description beside the encrypted keys, ";
        findings.push(Finding {
            severity: Severity::Warning,
            message: format!("{beside}{}", found.message),
            ..found
        });
    }
}

/// Returns a text from a file, without the rest of a long one.
fn short(text: &str) -> String {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    }
}

/// Joins an error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
