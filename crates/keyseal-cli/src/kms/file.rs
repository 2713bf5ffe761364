//! Keys in a keyset file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use keyseal::{
    KeysetHandle, SecretAccess,
    keyset::Protection,
    kms::{LocalKek, file::FileKmsClient},
};

use super::provider::{Client, OpenKey, Provider, new_worker};
use crate::{
    context::Context,
    error::Failure,
    exit::Exit,
    input::{FileArg, KEYSET_LIMIT},
    keyset_failure::{detect, keyset_failure},
};

pub(super) const PROVIDER: Provider = Provider {
    scheme: "file-kms",
    example: "file-kms://PATH, where PATH is a keyset file",
    check: |path| match path {
        "" => Err(no_path()),
        _ => Ok(()),
    },
    file: |path| Some(PathBuf::from(path)),
    open: |path, cleartext, context| {
        Ok(OpenKey {
            key: Arc::new(open(Path::new(path), cleartext, context)?),
            worker: new_worker()?,
            canonical: format!("file-kms://{path}"),
        })
    },
    check_key: |path, cleartext, context| open(Path::new(path), cleartext, context).map(drop),
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

fn open(path: &Path, cleartext: bool, context: &Context) -> Result<LocalKek, Failure> {
    let place = FileArg::File(path.to_owned());
    let name = place.name();
    // A command may read several files: say which of them this one is.
    let what = || format!("cannot use {name} as a key-encryption key");
    let read = place.read_small(KEYSET_LIMIT, context);
    let bytes = read.map_err(|failure| failure.of(what()))?;
    let seen = detect(&name, &bytes).map_err(|failure| failure.of(what()))?;
    if seen.protection() == Protection::Encrypted {
        return Err(Failure::new(
            Exit::KeysetInvalid,
            "kek_encrypted",
            what(),
            "it is itself encrypted",
        ));
    }
    if !cleartext && !place.is_its_owners_alone() {
        return Err(Failure::usage(
            "kek_file_open",
            what(),
            "users other than its owner can read the file",
        )
        .hint(format!("chmod 600 {}", place.argument()))
        .hint("--insecure-cleartext allows it as it is"));
    }
    let access = SecretAccess::insecure();
    KeysetHandle::read_cleartext(&bytes, seen.format(), access)
        .and_then(|handle| LocalKek::new(&handle))
        .map_err(|error| keyset_failure(&name, error).of(what()))
}
