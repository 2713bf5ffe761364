//! Key-encryption keys, by URI.
//!
//! A scheme is a line of [`SCHEMES`] and a variant of [`Key`]; no command knows any of them.

use std::path::PathBuf;

use keyseal::{KeysetAead, KeysetHandle, SecretAccess, keyset::Format};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    error::Failure,
    exit::Exit,
    input::{KEYSET_LIMIT, Place},
    keysets::{self, keyset_failure},
    text::printable,
};

/// A key that encrypts keysets.
#[derive(Clone, Debug)]
pub struct Kek {
    uri: String,
    key: Key,
}

#[derive(Clone, Debug)]
enum Key {
    /// The AEAD of a keyset file.
    File { aead: KeysetAead, path: Place },
}

struct Scheme {
    start: &'static str,
    example: &'static str,
    open: fn(rest: &str, cleartext: bool, context: &Context) -> Result<Key, Failure>,
}

const SCHEMES: &[Scheme] = &[Scheme {
    start: "file-kms://",
    example: "file-kms://PATH, where PATH is a keyset file",
    open: open_file,
}];

impl Kek {
    /// Opens the key of a URI. `cleartext` allows one that is a cleartext file.
    pub fn open(uri: &str, cleartext: bool, context: &Context) -> Result<Self, Failure> {
        let known = SCHEMES
            .iter()
            .find_map(|scheme| Some((scheme, uri.strip_prefix(scheme.start)?)));
        let Some((scheme, rest)) = known else {
            let served: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.example).collect();
            let why = match uri.split_once("://") {
                Some((name, _)) => format!("this build does not serve {name}://"),
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
        Ok(Self {
            uri: uri.to_owned(),
            key: (scheme.open)(rest, cleartext, context)?,
        })
    }

    pub fn uri(&self) -> String {
        printable(&self.uri)
    }

    /// Returns the file that holds the key, if one does.
    pub const fn place(&self) -> Option<&Place> {
        match &self.key {
            Key::File { path, .. } => Some(path),
        }
    }

    pub fn read(
        &self,
        name: &str,
        bytes: &[u8],
        format: Format,
        aad: &[u8],
    ) -> Result<KeysetHandle, Failure> {
        match &self.key {
            Key::File { aead, .. } => KeysetHandle::read_encrypted(bytes, format, aead, aad)
                .map_err(|error| keyset_failure(name, error)),
        }
    }

    pub fn write(
        &self,
        handle: &KeysetHandle,
        format: Format,
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match &self.key {
            Key::File { aead, .. } => handle
                .write_encrypted(format, aead, aad)
                .map(Zeroizing::new)
                .map_err(|error| keyset_failure(&self.uri(), error)),
        }
    }

    pub fn lint(
        &self,
        name: &str,
        bytes: &[u8],
        aad: &[u8],
    ) -> Result<Vec<keyseal::keyset::Finding>, Failure> {
        match &self.key {
            Key::File { aead, .. } => keyseal::keyset::lint_encrypted(bytes, aead, aad)
                .map_err(|error| keyset_failure(name, error)),
        }
    }
}

fn open_file(path: &str, cleartext: bool, context: &Context) -> Result<Key, Failure> {
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
    if seen.protection() == keyseal::keyset::Protection::Encrypted {
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
    let aead = KeysetHandle::read_cleartext(&bytes, seen.format(), access)
        .and_then(|handle| handle.primitive())
        .map_err(|error| keyset_failure(&name, error))?;
    Ok(Key::File { aead, path: place })
}
