//! The URI of a key-encryption key, parsed once.

use std::path::{Path, PathBuf};

use crate::{error::Failure, text::printable};

/// Precedes the URI of a key that wraps a data key, which encrypts the keyset. Nothing in a file
/// tells the two forms apart, so the user says it when the keyset is written and when it is read.
pub(crate) const ENVELOPE: &str = "envelope+";

/// The schemes that this build serves, with an example of each for messages.
const SERVED: [(&str, &str); 2] = [
    (
        "scw-kms",
        "scw-kms://regions/REGION/keys/ID or scw-kms://ID, a key of Scaleway Key Manager",
    ),
    ("file-kms", "file-kms://PATH, where PATH is a keyset file"),
];

/// A URI of a scheme that this build serves. Schemes compare without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KekUri {
    /// The text that the user typed.
    text: String,
    is_envelope: bool,
    key: KeyLocation,
}

/// The location of a key-encryption key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyLocation {
    /// A key of Scaleway Key Manager: the URI with its scheme in lower case.
    Scaleway(String),
    /// A keyset file.
    File(PathBuf),
}

impl KekUri {
    /// Parses the URI of a key that wraps data keys.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| unserved(text, "it has no scheme".into()))?;
        let key = if scheme.eq_ignore_ascii_case("scw-kms") {
            KeyLocation::Scaleway(format!("scw-kms://{rest}"))
        } else if scheme.eq_ignore_ascii_case("file-kms") {
            if rest.is_empty() {
                return Err(no_path());
            }
            KeyLocation::File(rest.into())
        } else {
            let why = format!("this build does not serve {}://", printable(scheme));
            return Err(unserved(text, why));
        };
        Ok(Self {
            text: text.to_owned(),
            is_envelope: false,
            key,
        })
    }

    /// Parses the URI of a key that encrypts keysets, which may start with `envelope+`.
    pub(crate) fn parse_for_keyset(text: &str) -> Result<Self, Failure> {
        match text.split_at_checked(ENVELOPE.len()) {
            Some((start, uri)) if start.eq_ignore_ascii_case(ENVELOPE) => Ok(Self {
                text: text.to_owned(),
                is_envelope: true,
                ..Self::parse(uri)?
            }),
            _ => Self::parse(text),
        }
    }

    /// Returns whether the key wraps a data key for each keyset.
    pub(crate) const fn is_envelope(&self) -> bool {
        self.is_envelope
    }

    pub(crate) const fn key(&self) -> &KeyLocation {
        &self.key
    }

    /// Returns the file that holds the key, if one does.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.key {
            KeyLocation::File(path) => Some(path),
            KeyLocation::Scaleway(_) => None,
        }
    }

    /// Returns the URI for messages, as the user typed it.
    pub(crate) fn printable(&self) -> String {
        printable(&self.text)
    }
}

fn unserved(text: &str, why: String) -> Failure {
    let served = SERVED.map(|(_, example)| example).join("; ");
    Failure::usage(
        "kek_scheme",
        format!("cannot use the key-encryption key {}", printable(text)),
        why,
    )
    .hint(format!("this build serves {served}"))
}

fn no_path() -> Failure {
    Failure::usage(
        "kek_scheme",
        "cannot use the key-encryption key file-kms://",
        "no path follows",
    )
    .hint("file-kms://kek.json names a file in this folder, file-kms:///srv/kek.json any file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_parsed_in_any_case() {
        for text in ["file-kms://a/b", "FILE-KMS://a/b", "File-Kms://a/b"] {
            let uri = KekUri::parse(text).unwrap();
            assert_eq!(uri.file(), Some(Path::new("a/b")));
            let in_envelope = format!("Envelope+{text}");
            let uri = KekUri::parse_for_keyset(&in_envelope).unwrap();
            assert!(uri.is_envelope());
            assert_eq!(uri.file(), Some(Path::new("a/b")));
            assert_eq!(uri.printable(), in_envelope);
        }
        let uri = KekUri::parse("SCW-KMS://regions/x/keys/y").unwrap();
        let expected = KeyLocation::Scaleway("scw-kms://regions/x/keys/y".into());
        assert_eq!(uri.key(), &expected);
    }

    #[test]
    fn other_schemes_are_refused() {
        for text in [
            "",
            "kek.json",
            "file-kms:kek.json",
            "file-kms://",
            "gcp-kms://x",
        ] {
            assert!(KekUri::parse_for_keyset(text).is_err(), "{text}");
        }
        assert!(KekUri::parse("envelope+file-kms://a").is_err());
    }
}
