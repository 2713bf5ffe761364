//! The code that the examples share: keysets in files, each encrypted under a key-encryption key.

#![forbid(unsafe_code)]

use std::{fmt, fs, io, path::PathBuf, sync::Arc};

use keyseal::{
    Error, KeysetHandle, RemoteAead, SecretAccess,
    keyset::Format,
    keyset_file,
    kms::{KmsClients, file::FileKmsClient},
};

/// The clients that the examples find a key-encryption key with.
#[must_use]
pub fn clients() -> KmsClients {
    // A file is a secret that others may copy, hence the token. A key of a service is not.
    KmsClients::new().with(FileKmsClient::new(SecretAccess::insecure()))
}

/// A folder of keysets, encrypted under one key-encryption key.
#[derive(Clone)]
pub struct KeysetFolder {
    folder: PathBuf,
    kek: Arc<dyn RemoteAead>,
}

impl KeysetFolder {
    /// Finds the key-encryption key of `kek_uri`. Calls no service yet.
    ///
    /// # Errors
    /// The URI is malformed, or its key cannot be used.
    pub fn new(folder: impl Into<PathBuf>, kek_uri: &str) -> Result<Self, Error> {
        Ok(Self {
            folder: folder.into(),
            kek: clients().find(kek_uri)?,
        })
    }

    /// Reads the keyset of a name, or generates it the first time.
    ///
    /// # Errors
    /// The file cannot be read or written, or does not decrypt.
    pub async fn open_or_create(&self, name: &str, template: &str) -> Result<KeysetHandle, Error> {
        match fs::read(self.path(name)) {
            Ok(file) => {
                let name = name.as_bytes();
                Ok(
                    KeysetHandle::read_encrypted_remote(&file, Format::Json, &self.kek, name)
                        .await?,
                )
            }
            // Any other error must not make a new keyset: it would replace the one that exists.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keyset = KeysetHandle::generate(template)?;
                self.save(name, &keyset).await?;
                Ok(keyset)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a keyset: the file holds either the old one or the new one, whatever happens.
    ///
    /// # Errors
    /// The file cannot be written, or the keyset cannot be encrypted.
    pub async fn save(&self, name: &str, keyset: &KeysetHandle) -> Result<(), Error> {
        // The name is associated data, so that nobody can swap two files of the folder.
        let associated_data = name.as_bytes();
        let encrypted = keyset
            .write_encrypted_remote(Format::Json, &self.kek, associated_data)
            .await?;
        keyset_file::store(self.path(name), &encrypted)?;
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl fmt::Debug for KeysetFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetFolder")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}
