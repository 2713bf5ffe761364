//! Finds faults and unwise choices in a keyset, even in one that the reader refuses.
//!
//! The reader stops at the first fault and names it in a few words. [`lint`] continues, finds the
//! others, and says how to fix each. It also reports things that the reader accepts but you should
//! know about.

use zeroize::Zeroizing;

pub use self::finding::{Finding, Severity};
use self::{
    faults::Faults,
    finding::Findings,
    keys::{check_key, check_kinds, check_remote_order, check_same_material},
    states::{State, check_states},
};
use super::{Format, KeysetReader, format, text_form::holds_cleartext};
use crate::{
    error::{KeysetError, ParseError, error_chain},
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
mod finding;
mod keys;
mod states;

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
            // Before the file is read a second time.
            drop(keyset);
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
                drop(keyset);
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
                "the file is not a keyset, neither JSON nor binary",
                "check that this is the right file: `keyseal inspect` says what it may be",
            ),
        }),
    }
}

fn damaged() -> Finding {
    Finding::error(
        "binary-damaged",
        "the file names key types, but is not a well-formed binary keyset",
        "get the file again: it was cut short or changed on its way; do not copy it as text",
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
            "split it, or delete the keys under which nothing is encrypted any more",
        ),
        KeysetError::EncryptedInNameOnly => (
            "encrypted-in-name-only",
            "rotate its keys, because anyone who can read the file has them; then write the keyset under a \
             key-encryption key that encrypts",
        ),
        _ => (
            "refused",
            "write the keyset again with `keyseal keyset` or another Tink",
        ),
    };
    Finding::error(code, error_chain(error), advice)
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

#[cfg(test)]
mod tests;
