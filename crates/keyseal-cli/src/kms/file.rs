//! Keys in a keyset file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use keyseal::{
    Aead as _, BoxFuture, KeysetAead, KeysetHandle, KmsError, RemoteAead, SecretAccess,
    keyset::Protection,
    kms::{LocalAead, file::FileKmsClient},
};
use zeroize::Zeroizing;

use super::{
    provider::{Client, OpenKey, Provider, new_worker},
    wrapping::{Age, Unwrapped, WrappingKey},
};
use crate::{
    context::Context,
    error::Failure,
    exit::Exit,
    input::{KEYSET_LIMIT, Place},
    keyset_failure::{detect, keyset_failure},
};

pub(super) const PROVIDER: Provider = Provider {
    scheme: "file-kms",
    example: "file-kms://PATH, where PATH is a keyset file",
    file: |path| Some(PathBuf::from(path)),
    open: |path, cleartext, context| {
        if path.is_empty() {
            return Err(no_path());
        }
        Ok(OpenKey {
            key: Arc::new(open(Path::new(path), cleartext, context)?),
            worker: new_worker()?,
            canonical: format!("file-kms://{path}"),
        })
    },
    client: |clients, _| {
        Ok(Client {
            clients: clients.with(FileKmsClient::new(SecretAccess::insecure())),
            worker: None,
        })
    },
};

fn no_path() -> Failure {
    let what = "cannot use the key-encryption key file-kms://";
    Failure::usage("kek_scheme", what, "no path follows")
        .hint("file-kms://kek.json names a file in this folder, file-kms:///srv/kek.json any file")
}

/// The keys of a keyset file.
struct FileKey {
    all: LocalAead<KeysetAead>,
    primary: KeysetAead,
}

impl RemoteAead for FileKey {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.all.encrypt(plaintext, associated_data)
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.all.decrypt(ciphertext, associated_data)
    }
}

impl WrappingKey for FileKey {
    fn unwrap<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Unwrapped, KmsError>> {
        Box::pin(async move {
            let (plaintext, age) = match self.primary.decrypt(ciphertext, associated_data) {
                Ok(plaintext) => (plaintext, Age::Newest),
                Err(_) => (
                    self.all.decrypt(ciphertext, associated_data).await?,
                    Age::Older,
                ),
            };
            let plaintext = Zeroizing::new(plaintext);
            Ok(Unwrapped { plaintext, age })
        })
    }
}

fn open(path: &Path, cleartext: bool, context: &Context) -> Result<FileKey, Failure> {
    let place = Place::File(path.to_owned());
    let bytes = place.read_small(KEYSET_LIMIT, context)?;
    let name = place.name();
    let seen = detect(&name, &bytes)?;
    if seen.protection() == Protection::Encrypted {
        return Err(Failure::new(
            Exit::KeysetInvalid,
            "kek_encrypted",
            format!("cannot use {name} as a key-encryption key"),
            "it is itself encrypted",
        ));
    }
    if !cleartext && !place.is_its_owners_alone() {
        return Err(Failure::usage(
            "kek_file_open",
            format!("cannot use {name} as a key-encryption key"),
            "others than its owner can read the file",
        )
        .hint(format!("chmod 600 {}", place.argument()))
        .hint("--insecure-cleartext allows it as it is"));
    }
    let access = SecretAccess::insecure();
    let keys = KeysetHandle::read_cleartext(&bytes, seen.format(), access).and_then(|handle| {
        let primary = handle.entries().find(keyseal::keyset::Entry::is_primary);
        let primary = primary.and_then(|entry| Some((entry.key()?.clone(), entry.id())));
        let all: KeysetAead = handle.primitive()?;
        let primary = match primary {
            Some((key, id)) => KeysetHandle::with_id(key, id).primitive()?,
            None => all.clone(),
        };
        Ok(FileKey {
            all: LocalAead::new(all),
            primary,
        })
    });
    keys.map_err(|error| keyset_failure(&name, error))
}
