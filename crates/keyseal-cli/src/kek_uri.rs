//! The URI of a key-encryption key, parsed once.

use std::path::PathBuf;

use crate::{
    context::Context,
    display::printable,
    error::Failure,
    kms::{OpenKey, PROVIDERS, Provider},
};

/// Precedes the URI of a key that wraps a data key, which encrypts the keyset. Nothing in a file
/// tells the two forms apart, so the user says it when the keyset is written and when it is read.
pub(crate) const ENVELOPE: &str = "envelope+";

/// A URI of a scheme that this build serves. Schemes compare without regard to case.
#[derive(Clone, Debug)]
pub(crate) struct KekUri {
    /// The text that the user typed.
    text: String,
    is_envelope: bool,
    provider: &'static Provider,
    /// The part of the URI that follows the scheme.
    key: String,
}

impl KekUri {
    /// Parses the URI of a key that wraps data keys, and finds every fault that can be found
    /// without settings.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let uri = Self::in_keyset(text)?;
        (uri.provider.check)(&uri.key)?;
        Ok(uri)
    }

    /// Parses a URI from a keyset. Only the scheme is checked; the rest is for its client to check.
    pub(crate) fn in_keyset(text: &str) -> Result<Self, Failure> {
        if text.is_empty() {
            let what = "cannot use a key-encryption key";
            return Err(served(Failure::usage(
                "kek_scheme",
                what,
                "its URI is empty",
            )));
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| unserved(text, "it has no scheme".into()))?;
        let provider = PROVIDERS
            .iter()
            .find(|known| scheme.eq_ignore_ascii_case(known.scheme))
            .ok_or_else(|| {
                let why = format!("this build does not serve {}://", printable(scheme));
                unserved(text, why)
            })?;
        Ok(Self {
            text: text.to_owned(),
            is_envelope: false,
            provider,
            key: rest.to_owned(),
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

    /// Returns the file that holds the key, if one does.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        (self.provider.file)(&self.key)
    }

    /// Opens the key. `cleartext` allows one that is a cleartext file.
    pub(crate) fn open(&self, cleartext: bool, context: &Context) -> Result<OpenKey, Failure> {
        (self.provider.open)(&self.key, cleartext, context)
    }

    /// Finds the faults of a key that a keyset names. `cleartext` allows one that is a cleartext file.
    pub(crate) fn check_key(&self, cleartext: bool, context: &Context) -> Result<(), Failure> {
        (self.provider.check_key)(&self.key, cleartext, context)
    }

    /// Returns the provider of the key.
    pub(crate) const fn provider(&self) -> &'static Provider {
        self.provider
    }

    /// Returns the URI for messages, as the user typed it.
    pub(crate) fn printable(&self) -> String {
        printable(&self.text)
    }
}

fn unserved(text: &str, why: String) -> Failure {
    served(Failure::usage(
        "kek_scheme",
        format!("cannot use the key-encryption key {}", printable(text)),
        why,
    ))
}

/// Adds which URIs this build knows.
fn served(failure: Failure) -> Failure {
    let served = PROVIDERS.each_ref().map(|known| known.example).join("; ");
    failure.hint(format!("this build serves {served}"))
}

/// Returns whether this build has a client for the URI of a key.
pub(crate) fn is_served(uri: &str) -> bool {
    KekUri::in_keyset(uri).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_parsed_in_any_case() {
        for text in ["file-kms://a/b", "FILE-KMS://a/b", "File-Kms://a/b"] {
            let uri = KekUri::parse(text).unwrap();
            assert_eq!(uri.file(), Some("a/b".into()));
            let in_envelope = format!("Envelope+{text}");
            let uri = KekUri::parse_for_keyset(&in_envelope).unwrap();
            assert!(uri.is_envelope());
            assert_eq!(uri.file(), Some("a/b".into()));
            assert_eq!(uri.printable(), in_envelope);
        }
        let key = "regions/fr-par/keys/6170692d-7363-7761-8000-000000000001";
        let uri = KekUri::parse(&format!("SCW-KMS://{key}")).unwrap();
        assert_eq!(uri.provider().scheme, "scw-kms");
        assert_eq!((uri.file(), &*uri.key), (None, key));
    }

    #[test]
    fn a_uri_that_names_no_key_is_refused_unless_a_keyset_has_it() {
        for text in ["scw-kms://regions/x/keys/y", "scw-kms://", "file-kms://"] {
            assert!(KekUri::parse(text).is_err(), "{text}");
            assert!(KekUri::in_keyset(text).is_ok() && is_served(text), "{text}");
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        for text in ["", "kek.json", "file-kms:kek.json", "gcp-kms://x"] {
            assert!(KekUri::parse_for_keyset(text).is_err(), "{text}");
        }
        assert!(KekUri::parse("envelope+file-kms://a").is_err());
    }
}
