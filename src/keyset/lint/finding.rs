//! [`Finding`]: a report of the lint.

use std::{collections::BTreeMap, fmt};

use crate::key::KeyId;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a third would need another exit")]
pub enum Severity {
    /// The keyset works but you should change it, or it does not work everywhere.
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

/// One thing that is wrong or unwise in a keyset, however often it occurs. It holds no key bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub(super) code: &'static str,
    pub(super) severity: Severity,
    pub(super) count: usize,
    pub(super) key_ids: Vec<KeyId>,
    pub(super) message: String,
    pub(super) advice: &'static str,
}

impl Finding {
    /// The names of all kinds of findings.
    pub const CODES: &[&str] = &[
        "binary-damaged",
        "destroyed-key-left",
        "duplicate-id",
        "encrypted-in-name-only",
        "java-config-2026",
        "json-base64",
        "json-base64-padding",
        "json-base64-url",
        "json-duplicate-member",
        "json-enum",
        "json-enum-number",
        "json-id",
        "json-id-form",
        "json-kind",
        "json-list",
        "json-malformed",
        "json-mark",
        "json-no-id",
        "json-no-material-type",
        "json-snake-case",
        "json-string",
        "json-trailing-comma",
        "json-trailing-data",
        "json-two-kinds",
        "json-unknown-member",
        "key-malformed",
        "key-material-type",
        "key-parameter",
        "key-prefix",
        "key-refused",
        "key-version",
        "legacy-prefix",
        "mixed-kinds",
        "no-enabled-key",
        "no-key-data",
        "no-keys",
        "no-primary",
        "not-a-keyset",
        "predictable-key",
        "primary-not-enabled",
        "raw-many",
        "raw-mixed",
        "refused",
        "remote-keys-in-turn",
        "same-material",
        "short-tag",
        "text-base64",
        "text-hexadecimal",
        "text-proto",
        "text-utf-16",
        "too-many-keys",
        "unknown-prefix",
        "unknown-status",
        "unknown-type",
        "zero-id",
    ];

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

    /// Returns the first of the keys in question, or `None` if the finding is about the whole
    /// keyset.
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

    pub(super) fn error(
        code: &'static str,
        message: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            count: 1,
            key_ids: Vec::new(),
            message: message.into(),
            advice,
        }
    }

    pub(super) fn warning(
        code: &'static str,
        message: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, advice)
        }
    }

    pub(super) fn of(self, id: u32) -> Self {
        Self {
            key_ids: vec![KeyId::new(id)],
            ..self
        }
    }
}

/// Findings, each kind once: a thousand keys with one fault make one finding.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
    /// Where a finding of this code, severity and advice is.
    known: BTreeMap<(&'static str, Severity, &'static str), usize>,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        debug_assert!(Finding::CODES.contains(&finding.code), "{}", finding.code);
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

    pub(super) fn has_errors(&self) -> bool {
        self.all
            .iter()
            .any(|found| found.severity == Severity::Error)
    }

    /// Returns the findings, errors first.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.all
            .sort_by_key(|found| std::cmp::Reverse(found.severity));
        self.all
    }
}

/// Returns a text from a file, without the rest of a long one.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    }
}
