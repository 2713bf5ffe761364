//! What is wrong or unwise in a keyset, also in one that the reader refuses.
//!
//! The reader stops at the first fault and says it in a clause. [`lint`] goes on, finds the
//! others, and says what to do. It also finds what the reader takes and a person should know.

use std::fmt;

use zeroize::Zeroizing;

use self::{
    keys::{check_key, check_kinds, check_same_material},
    states::{State, check_states},
};
use super::{Format, Reader, format, info::names_a_type};
use crate::{error::KeysetError, key::KeyId, primitive::Aead, secret::SecretAccess, wire::proto};

mod json;
mod keys;
mod states;
mod tree;

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

/// One thing that is wrong or unwise in a keyset. It holds no key bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    code: &'static str,
    severity: Severity,
    key_id: Option<KeyId>,
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

    /// Returns the key in question; none where it is the whole keyset.
    #[must_use]
    pub const fn key_id(&self) -> Option<KeyId> {
        self.key_id
    }

    /// Returns what was found, as one clause.
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
            key_id: None,
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
            key_id: Some(KeyId::new(id)),
            ..self
        }
    }
}

/// Finds what is wrong or unwise in the bytes of a keyset file, of any format.
///
/// No finding of [`Severity::Error`] means that the reader takes the file, and that its enabled
/// keys are of known types. Of an encrypted keyset only the outside is seen: see
/// [`lint_encrypted`].
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
    let mut findings = Vec::new();
    if json::looks_like_json(bytes) {
        lint_json(bytes, &mut findings);
    } else {
        lint_binary(bytes, &mut findings);
    }
    findings.sort_by_key(|found| std::cmp::Reverse(found.severity));
    findings
}

/// Finds what is wrong or unwise in an encrypted keyset, inside and outside.
///
/// # Errors
/// [`KeysetError::Malformed`] when it is no encrypted keyset; [`KeysetError::Decrypt`] when it
/// does not open.
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
    let mut findings = lint(bytes);
    lint_binary(&inside, &mut findings);
    findings.sort_by_key(|found| std::cmp::Reverse(found.severity));
    Ok(findings)
}

fn lint_json(bytes: &[u8], findings: &mut Vec<Finding>) {
    match json::read(bytes, findings) {
        Some(json::File::Cleartext(keyset)) => {
            check_keyset(&keyset, findings);
            check_reader(bytes, Format::Json, findings);
        }
        Some(json::File::Encrypted(info)) => {
            if let Some(info) = info {
                check_info(&info, findings);
            }
            check_encrypted_reader(bytes, findings);
        }
        None => {}
    }
}

fn lint_binary(bytes: &[u8], findings: &mut Vec<Finding>) {
    match format::parse_keyset(bytes, Format::Binary) {
        Ok(keyset) if bytes.is_empty() || keyset.key.iter().any(names_a_type) => {
            check_keyset(&keyset, findings);
            check_reader(bytes, Format::Binary, findings);
        }
        _ if contains(bytes, b"type.googleapis.com/") => findings.push(Finding::error(
            "binary-damaged",
            "the file names key types, but is no well-formed binary keyset",
            "get the file again: it was cut short or changed on its way; as text it does not travel",
        )),
        _ => match format::parse_encrypted_keyset(bytes, Format::Binary) {
            Ok(file) => {
                if let Some(info) = file.keyset_info {
                    check_info(&info, findings);
                }
            }
            Err(_) => findings.push(Finding::error(
                "not-a-keyset",
                "the file is no keyset, neither JSON nor binary",
                "check that this is the right file: `keyseal inspect` says what it may be",
            )),
        },
    }
}

/// Adds the reader's own refusal where no finding explains it.
fn check_reader(bytes: &[u8], format: Format, findings: &mut Vec<Finding>) {
    if findings
        .iter()
        .all(|found| found.severity == Severity::Warning)
    {
        let access = SecretAccess::insecure();
        if let Err(error) = Reader::new().cleartext(bytes, format, access) {
            findings.push(refused(&error));
        }
    }
}

fn check_encrypted_reader(bytes: &[u8], findings: &mut Vec<Finding>) {
    if findings
        .iter()
        .all(|found| found.severity == Severity::Warning)
        && let Err(error) = format::parse_encrypted_keyset(bytes, Format::Json)
    {
        findings.push(refused(&error));
    }
}

fn refused(error: &KeysetError) -> Finding {
    Finding::error(
        "refused",
        chain(error),
        "write the keyset again with `keyseal keyset` or another Tink",
    )
}

fn check_keyset(keyset: &proto::Keyset, findings: &mut Vec<Finding>) {
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
}

/// Checks what an encrypted keyset says of itself. Readers do not look, so nothing is an error.
fn check_info(info: &proto::KeysetInfo, findings: &mut Vec<Finding>) {
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
    let mut found = Vec::new();
    check_states(info.primary_key_id, &states, &mut found);
    findings.extend(found.into_iter().map(|found| Finding {
        severity: Severity::Warning,
        message: format!(
            "in the description beside the encrypted keys, {}",
            found.message
        ),
        ..found
    }));
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
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
