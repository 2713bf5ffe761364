//! Keysets that a running program replaces: [`Reloading`] is a primitive whose keyset is read again
//! at an interval or on a signal.

use std::{
    error::Error,
    fmt, fs,
    future::pending,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use crate::{
    aead::KeysetRemoteAead,
    error::{DecryptError, EncryptError, KeysetError, KmsError},
    keyset::{Format, KeysetHandle, Primitive},
    keyset_file::about,
    primitive::Aead,
    remote::{BoxFuture, Decrypted, KmsClient, RemoteAead},
    secret::SecretAccess,
    timer::Timer,
};

/// The largest keyset file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 16 << 20;

/// A source of keysets. You can implement it, for example for a secret manager or a database.
pub trait KeysetSource: Send + Sync {
    /// Reads the keyset; `None` if it has not changed since the last successful call.
    fn load(&self) -> BoxFuture<'_, Result<Option<KeysetHandle>, ReloadError>>;
}

/// A keyset could not be read again. The old one is still in use.
///
/// The reason is the [`source`](Error::source): [`error_chain`](crate::error_chain) prints both.
#[derive(Clone, Debug)]
pub struct ReloadError(Arc<dyn Error + Send + Sync>);

impl ReloadError {
    /// Takes the cause.
    pub fn new(cause: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the keyset could not be loaded")
    }
}

impl Error for ReloadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// Finds an error of this crate inside.
impl From<ReloadError> for crate::any_error::Error {
    fn from(error: ReloadError) -> Self {
        if let Some(cause) = error.0.downcast_ref::<KeysetError>() {
            return cause.clone().into();
        }
        match error.0.downcast_ref::<KmsError>() {
            Some(cause) => cause.clone().into(),
            None => std::io::Error::other(error).into(),
        }
    }
}

/// A keyset file: encrypted under a key-encryption key, or in cleartext. JSON or binary.
///
/// Each load reads the file, and decrypts it only if its bytes have changed.
pub struct KeysetFileSource {
    path: PathBuf,
    protection: FileProtection,
    /// The bytes of the last keyset that was used: encrypted, or wiped when dropped.
    last: Mutex<Zeroizing<Vec<u8>>>,
}

enum FileProtection {
    Cleartext(SecretAccess),
    Encrypted {
        kek: Arc<dyn RemoteAead>,
        associated_data: Vec<u8>,
    },
}

impl KeysetFileSource {
    /// Names a file that is encrypted under `kek`, with this associated data.
    pub fn encrypted(
        path: impl Into<PathBuf>,
        kek: impl RemoteAead + 'static,
        associated_data: &[u8],
    ) -> Self {
        let protection = FileProtection::Encrypted {
            kek: Arc::new(kek),
            associated_data: associated_data.to_vec(),
        };
        Self::new(path.into(), protection)
    }

    /// Names a file in cleartext.
    pub fn cleartext(path: impl Into<PathBuf>, access: SecretAccess) -> Self {
        Self::new(path.into(), FileProtection::Cleartext(access))
    }

    fn new(path: PathBuf, protection: FileProtection) -> Self {
        Self {
            path,
            protection,
            last: Mutex::default(),
        }
    }

    async fn read(&self) -> Result<Option<KeysetHandle>, ReloadError> {
        let unreadable = |error| ReloadError::new(about("read", &self.path, &error));
        let size = fs::metadata(&self.path).map_err(unreadable)?.len();
        if size > MAX_FILE_SIZE {
            return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()));
        }
        let bytes = Zeroizing::new(fs::read(&self.path).map_err(unreadable)?);
        if *self.last.lock().unwrap_or_else(PoisonError::into_inner) == bytes {
            return Ok(None);
        }
        let format = Format::detect(&bytes);
        let keyset = match &self.protection {
            FileProtection::Cleartext(access) => {
                KeysetHandle::read_cleartext(&bytes, format, *access)
            }
            FileProtection::Encrypted {
                kek,
                associated_data,
            } => {
                let kek = &**kek;
                KeysetHandle::read_encrypted_remote(&bytes, format, kek, associated_data).await
            }
        };
        let keyset = keyset.map_err(ReloadError::new)?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        Ok(Some(keyset))
    }
}

impl KeysetSource for KeysetFileSource {
    fn load(&self) -> BoxFuture<'_, Result<Option<KeysetHandle>, ReloadError>> {
        Box::pin(self.read())
    }
}

impl fmt::Debug for KeysetFileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetFileSource")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The outcome of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reloaded {
    /// The keyset is a new one.
    Changed,
    /// The keyset is the same as before.
    Unchanged,
}

/// A primitive whose keyset a running program replaces. Cheap to clone; clones share the keyset.
///
/// A call uses the primitive that is current when it starts, without a lock, and keeps it to the
/// end. If the new keyset cannot be read, or is for another primitive, [`reload`](Self::reload)
/// returns the error, and the old keyset stays in use.
///
/// # Example
/// ```
/// use keyseal::{
///     Aead, Key, KeysetAead, KeysetHandle, SecretAccess,
///     keyset::Format,
///     reload::{KeysetFileSource, Reloaded, Reloading},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let access = SecretAccess::insecure();
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keyset.json");
/// # let mut keyset = KeysetHandle::generate("AES256_GCM")?;
/// # std::fs::write(&path, keyset.write_cleartext(Format::Json, access).expose(access))?;
/// let aead: Reloading<KeysetAead> = Reloading::load(KeysetFileSource::cleartext(&path, access)).await?;
/// let ciphertext = aead.encrypt(b"text", b"")?;
///
/// # keyset.rotate(Key::generate("AES256_GCM")?)?;
/// # std::fs::write(&path, keyset.write_cleartext(Format::Json, access).expose(access))?;
/// // The file was replaced: on SIGHUP, or at an interval.
/// assert_eq!(aead.reload().await?, Reloaded::Changed);
/// assert_eq!(aead.decrypt(&ciphertext, b"")?, b"text");
///
/// std::fs::write(&path, "no keyset")?;
/// assert!(aead.reload().await.is_err());
/// assert_eq!(aead.decrypt(&ciphertext, b"")?, b"text");
/// # Ok(())
/// # }
/// ```
pub struct Reloading<P> {
    current: Arc<ArcSwap<P>>,
    source: Arc<dyn KeysetSource>,
    make: Arc<Make<P>>,
    /// Of a keyset that was read and is of no use: it is not read again until it changes.
    refused: Arc<Mutex<Option<ReloadError>>>,
}

type Make<P> = dyn Fn(&KeysetHandle) -> Result<P, KeysetError> + Send + Sync;

impl<P: Primitive + Send + Sync + 'static> Reloading<P> {
    /// Loads the first keyset.
    ///
    /// # Errors
    /// [`ReloadError`] if there is no keyset, or it is for another primitive.
    pub async fn load(source: impl KeysetSource + 'static) -> Result<Self, ReloadError> {
        Self::load_with(source, KeysetHandle::primitive).await
    }
}

impl Reloading<KeysetRemoteAead> {
    /// Loads the first keyset, whose keys `kms` finds.
    ///
    /// # Errors
    /// [`ReloadError`] if there is no keyset, or it is for another primitive.
    pub async fn load_remote(
        source: impl KeysetSource + 'static,
        kms: impl KmsClient + 'static,
    ) -> Result<Self, ReloadError> {
        let make = move |keyset: &KeysetHandle| KeysetRemoteAead::new(keyset, &kms);
        Self::load_with(source, make).await
    }
}

impl<P: Send + Sync + 'static> Reloading<P> {
    /// Loads the first keyset, and makes from it what you like: a primitive with a
    /// [`Provider`](crate::Provider) of your choice, a [`LimitedAead`](crate::usage::LimitedAead),
    /// or several primitives together.
    ///
    /// # Errors
    /// [`ReloadError`] if there is no keyset, or `make` fails.
    pub async fn load_with(
        source: impl KeysetSource + 'static,
        make: impl Fn(&KeysetHandle) -> Result<P, KeysetError> + Send + Sync + 'static,
    ) -> Result<Self, ReloadError> {
        let keyset = source.load().await?;
        let keyset = keyset.ok_or_else(|| ReloadError::new(KeysetError::Empty))?;
        let made = make(&keyset).map_err(ReloadError::new)?;
        Ok(Self {
            current: Arc::new(ArcSwap::from_pointee(made)),
            source: Arc::new(source),
            make: Arc::new(make),
            refused: Arc::default(),
        })
    }

    /// Reads the keyset again.
    ///
    /// # Errors
    /// [`ReloadError`] with the reason; the old keyset stays in use.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let loaded = self.source.load().await?;
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(keyset) = loaded else {
            return refused.clone().map_or(Ok(Reloaded::Unchanged), Err);
        };
        match (self.make)(&keyset).map_err(ReloadError::new) {
            Ok(made) => {
                self.current.store(Arc::new(made));
                *refused = None;
                Ok(Reloaded::Changed)
            }
            Err(error) => {
                *refused = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Reads the keyset again at every interval, forever, and passes each outcome to `tell`. Spawn
    /// it, or race it against your shutdown.
    pub async fn reload_every(
        &self,
        interval: Duration,
        timer: &dyn Timer,
        mut tell: impl FnMut(Result<Reloaded, ReloadError>),
    ) {
        if interval.is_zero() {
            return pending().await;
        }
        loop {
            timer.sleep(interval).await;
            tell(self.reload().await);
        }
    }

    /// Returns the primitive that is in use now.
    #[must_use]
    pub fn current(&self) -> Arc<P> {
        self.current.load_full()
    }
}

impl<P> Clone for Reloading<P> {
    fn clone(&self) -> Self {
        Self {
            current: self.current.clone(),
            source: self.source.clone(),
            make: self.make.clone(),
            refused: self.refused.clone(),
        }
    }
}

impl<P: fmt::Debug> fmt::Debug for Reloading<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloading")
            .field("current", &*self.current.load())
            .finish_non_exhaustive()
    }
}

impl<P: Aead> Aead for Reloading<P> {
    fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError> {
        self.current.load().encrypt(plaintext, associated_data)
    }

    fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError> {
        self.current.load().decrypt(ciphertext, associated_data)
    }

    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        let current = self.current.load();
        current.encrypt_into(plaintext, associated_data, out)
    }

    fn decrypt_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        let current = self.current.load();
        current.decrypt_into(ciphertext, associated_data, out)
    }

    fn encrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        self.current
            .load()
            .encrypt_in_place(buffer, associated_data)
    }

    fn decrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        self.current
            .load()
            .decrypt_in_place(buffer, associated_data)
    }
}

impl<P: RemoteAead> RemoteAead for Reloading<P> {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        let current = self.current.load_full();
        Box::pin(async move { current.encrypt(plaintext, associated_data).await })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        let current = self.current.load_full();
        Box::pin(async move { current.decrypt(ciphertext, associated_data).await })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        let current = self.current.load_full();
        Box::pin(async move {
            let decrypted = current.decrypt_with_refresh(ciphertext, associated_data);
            decrypted.await
        })
    }
}
