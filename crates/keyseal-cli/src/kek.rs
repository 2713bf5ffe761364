//! Key-encryption keys, by URI.
//!
//! A scheme is a line of [`SCHEMES`]; no command knows any of them. Whatever the scheme, a command
//! gets an [`Aead`] that may wait for an answer, and a [`RemoteAead`] for envelopes.

use std::{fmt, path::PathBuf, sync::Arc};

use keyseal::{
    Aead, DecryptError, KeysetAead, KeysetError, KeysetHandle, KmsEnvelopeAead, KmsError,
    KmsErrorKind, RemoteAead, SecretAccess,
    keyset::{Finding, Format, Protection},
    kms::{
        LocalAead,
        blocking::{BlockingAead, Worker},
    },
};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    error::{Failure, chain},
    exit::Exit,
    input::{KEYSET_LIMIT, Place},
    keysets::{self, keyset_failure},
    kms::{KeyManager, new_worker},
    text::printable,
};

/// What stands before the URI of a key that wraps a key of the keyset's own, which encrypts the
/// keyset. Nothing in a file tells the two forms apart, so it is said, both times.
const ENVELOPE: &str = "envelope+";
/// The template of that key.
const ENVELOPE_TEMPLATE: &str = "AES256_GCM";

/// A key that encrypts keysets, and data keys.
#[derive(Clone)]
pub(crate) struct Kek {
    uri: String,
    aead: Arc<dyn Aead>,
    remote: Arc<dyn RemoteAead>,
    worker: Option<Worker>,
    place: Option<Place>,
}

struct Scheme {
    start: &'static str,
    example: &'static str,
    open: fn(uri: &str, cleartext: bool, context: &Context) -> Result<Opened, Failure>,
}

/// What is behind a URI.
struct Opened {
    aead: Arc<dyn Aead>,
    remote: Arc<dyn RemoteAead>,
    /// What waits for its answers: its connections stay with that.
    worker: Option<Worker>,
    /// The file that holds the key, if one does.
    place: Option<Place>,
}

const SCHEMES: &[Scheme] = &[
    Scheme {
        start: "scw-kms://",
        example: "scw-kms://regions/REGION/keys/ID or scw-kms://ID, a key of Scaleway Key Manager",
        open: open_scaleway,
    },
    Scheme {
        start: "file-kms://",
        example: "file-kms://PATH, where PATH is a keyset file",
        open: open_file,
    },
];

impl Kek {
    /// Opens the key of a URI. `cleartext` allows one that is a cleartext file.
    pub(crate) fn open(uri: &str, cleartext: bool, context: &Context) -> Result<Self, Failure> {
        let starts = |scheme: &&Scheme| {
            uri.get(..scheme.start.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme.start))
        };
        let Some(scheme) = SCHEMES.iter().find(starts) else {
            let served: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.example).collect();
            let why = match uri.split_once("://") {
                Some((name, _)) => format!("this build does not serve {}://", printable(name)),
                None => "it has no scheme".into(),
            };
            return Err(Failure::usage(
                "kek_scheme",
                format!("cannot use the key-encryption key {}", printable(uri)),
                why,
            )
            .hint(format!("this build serves {}", served.join("; "))));
        };
        context.detail(&format!("key-encryption key: {}", printable(uri)));
        let opened = (scheme.open)(uri, cleartext, context)?;
        Ok(Self {
            uri: uri.to_owned(),
            aead: opened.aead,
            remote: opened.remote,
            worker: opened.worker,
            place: opened.place,
        })
    }

    /// Opens the key of a URI that may say `envelope+`, for a keyset.
    pub(crate) fn open_for_keyset(
        uri: &str,
        cleartext: bool,
        context: &Context,
    ) -> Result<Self, Failure> {
        let Some(inner) = uri.strip_prefix(ENVELOPE) else {
            return Self::open(uri, cleartext, context);
        };
        let kek = Self::open(inner, cleartext, context)?;
        Ok(Self {
            uri: uri.to_owned(),
            aead: Arc::new(kek.envelope(ENVELOPE_TEMPLATE)?),
            ..kek
        })
    }

    pub(crate) fn uri(&self) -> String {
        printable(&self.uri)
    }

    /// Returns the file that holds the key, if one does.
    pub(crate) const fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Returns the key as an AEAD that waits for its answers.
    pub(crate) fn aead(&self) -> &dyn Aead {
        &*self.aead
    }

    /// Returns the key itself, for who packs it into something else.
    pub(crate) fn remote(&self) -> Arc<dyn RemoteAead> {
        Arc::clone(&self.remote)
    }

    /// Returns an AEAD that makes a data key of `template` for each message and wraps it with this
    /// key, as every Tink does.
    pub(crate) fn envelope(&self, template: &str) -> Result<BlockingAead, Failure> {
        let envelope =
            KmsEnvelopeAead::new(self.remote(), template).map_err(|error| match error {
                keyseal::KeyError::UnknownTemplate { name } => keysets::unknown_template(&name),
                error => Failure::usage(
                    "dek_template",
                    format!("cannot use template {}", printable(template)),
                    chain(&error),
                ),
            })?;
        let worker = self.worker.clone().map_or_else(new_worker, Ok)?;
        Ok(BlockingAead::new(&worker, envelope))
    }

    pub(crate) fn read(
        &self,
        name: &str,
        bytes: &[u8],
        format: Format,
        aad: &[u8],
    ) -> Result<KeysetHandle, Failure> {
        KeysetHandle::read_encrypted(bytes, format, &*self.aead, aad)
            .map_err(|error| self.not_read(name, error))
    }

    pub(crate) fn write(
        &self,
        handle: &KeysetHandle,
        format: Format,
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        handle
            .write_encrypted(format, &*self.aead, aad)
            .map(Zeroizing::new)
            .map_err(|error| match error {
                KeysetError::TooLargeForKek { size, source } => Failure::usage(
                    "keyset_too_large",
                    "cannot encrypt the keyset",
                    format!("it has {size} bytes: {}", printable(chain(&source))),
                )
                .hint(format!(
                    "as an envelope it has any size, and is read with the same URI: {ENVELOPE}{}",
                    self.uri()
                )),
                error => keyset_failure(&self.uri(), error),
            })
    }

    /// Returns the keyset that a bare ciphertext of this key holds in its binary form, as BigQuery
    /// wraps keysets; `None` if the key does not decrypt it.
    pub(crate) fn unwrap(
        &self,
        name: &str,
        bytes: &[u8],
        aad: &[u8],
    ) -> Result<Option<KeysetHandle>, Failure> {
        let keyset = match self.aead.decrypt(bytes, aad) {
            Ok(keyset) => Zeroizing::new(keyset),
            Err(DecryptError::FAILED) => return Ok(None),
            Err(error) => return Err(self.not_read(name, KeysetError::Decrypt(error))),
        };
        KeysetHandle::read_cleartext(&keyset, Format::Binary, SecretAccess::insecure())
            .map(Some)
            .map_err(|error| keyset_failure(name, error))
    }

    /// Encrypts the binary form of a keyset, and writes nothing around the ciphertext.
    pub(crate) fn wrap(
        &self,
        handle: &KeysetHandle,
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let access = SecretAccess::insecure();
        let keyset = handle.write_cleartext(Format::Binary, access);
        let wrapped = self.aead.encrypt(keyset.expose(access), aad);
        wrapped
            .map(Zeroizing::new)
            .map_err(|error| keyset_failure(&self.uri(), KeysetError::Encrypt(error)))
    }

    pub(crate) fn lint(
        &self,
        name: &str,
        bytes: &[u8],
        aad: &[u8],
    ) -> Result<Vec<Finding>, Failure> {
        keyseal::keyset::lint_encrypted(bytes, &*self.aead, aad)
            .map_err(|error| self.not_read(name, error))
    }

    /// Says why a keyset did not open, and that it may be in the other form.
    fn not_read(&self, name: &str, error: KeysetError) -> Failure {
        // Of a file that is local such a form is of no use.
        let other_form = match &error {
            _ if self.place.is_some() => false,
            KeysetError::Decrypt(DecryptError::FAILED) => true,
            KeysetError::Decrypt(error) => error.kms_error().is_some_and(is_outside_limits),
            _ => false,
        };
        let failure = keyset_failure(name, error);
        match (other_form, self.uri.starts_with(ENVELOPE)) {
            (true, false) => failure.hint(format!(
                "if it was written with {ENVELOPE}URI, it is read with the same"
            )),
            (true, true) => failure.hint(format!(
                "if it was written without {ENVELOPE}, it is read without"
            )),
            (false, _) => failure,
        }
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kek").field(&self.uri).finish()
    }
}

/// Returns whether a text was not even sent, because of its size.
fn is_outside_limits(error: &KmsError) -> bool {
    error.kind() == KmsErrorKind::InvalidInput && error.status().is_none()
}

fn open_scaleway(uri: &str, _: bool, context: &Context) -> Result<Opened, Failure> {
    let manager = KeyManager::new(context.kms(), context)?;
    let key = manager.key(uri, context)?;
    Ok(Opened {
        aead: Arc::new(BlockingAead::new(manager.worker(), key.clone())),
        remote: Arc::new(key),
        worker: Some(manager.worker().clone()),
        place: None,
    })
}

fn open_file(uri: &str, cleartext: bool, context: &Context) -> Result<Opened, Failure> {
    let path = uri.split_once("://").map_or("", |(_, path)| path);
    if path.is_empty() {
        return Err(Failure::usage(
            "kek_scheme",
            "cannot use the key-encryption key file-kms://",
            "no path follows",
        )
        .hint(
            "file-kms://kek.json names a file in this folder, file-kms:///srv/kek.json any file",
        ));
    }
    let place = Place::File(PathBuf::from(path));
    let bytes = place.read_small(KEYSET_LIMIT, context)?;
    let name = place.name();
    let seen = keysets::recognize(&name, &bytes)?;
    if seen.protection() == Protection::Encrypted {
        return Err(Failure::new(
            Exit::KeysetInvalid,
            "kek_encrypted",
            format!("cannot use {name} as a key-encryption key"),
            "it is itself encrypted",
        ));
    }
    if !cleartext {
        return Err(keysets::cleartext_failure(
            &format!("cannot use {name} as a key-encryption key"),
            "it is a cleartext keyset",
        ));
    }
    let access = SecretAccess::insecure();
    let aead: KeysetAead = KeysetHandle::read_cleartext(&bytes, seen.format(), access)
        .and_then(|handle| handle.primitive())
        .map_err(|error| keyset_failure(&name, error))?;
    Ok(Opened {
        aead: Arc::new(aead.clone()),
        remote: Arc::new(LocalAead::new(aead)),
        worker: None,
        place: Some(place),
    })
}
