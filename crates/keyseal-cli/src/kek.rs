//! Key-encryption keys: opening them, and finding the version that encrypted something.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use keyseal::{
    Aead, BoxFuture, DecryptError, KeysetAead, KeysetError, KeysetHandle, KmsEnvelopeAead,
    KmsError, KmsErrorKind, RemoteAead, SecretAccess,
    keyset::{Finding, Format, Protection},
    kms::{
        LocalAead,
        blocking::{BlockingAead, Worker},
        scaleway::ScalewayKey,
    },
};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    error::{Failure, chain},
    exit::Exit,
    input::{KEYSET_LIMIT, Place},
    kek_uri::{ENVELOPE, KekUri, KeyLocation},
    keysets::{self, keyset_failure},
    kms::{KeyManager, new_worker},
    text::printable,
};

/// The template of the data keys of `envelope+`.
const ENVELOPE_TEMPLATE: &str = "AES256_GCM";

/// A key that encrypts keysets and data keys.
#[derive(Clone)]
pub(crate) struct Kek {
    uri: KekUri,
    key: Arc<dyn WrappingKey>,
    /// The key itself or an envelope under it, as the URI says.
    aead: BlockingAead,
    /// Waits for the key's answers: its connections stay with this worker.
    worker: Worker,
    /// The file that holds the key, if one does.
    place: Option<Place>,
}

/// A plaintext, and the version that its ciphertext is under.
pub(crate) struct Unwrapped {
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    pub(crate) age: Age,
}

/// The version of a key that a ciphertext is under.
pub(crate) enum Age {
    /// The version that encrypts now.
    Newest,
    /// An older version. The service encrypted the plaintext again; this is the new ciphertext.
    Refreshed(Vec<u8>),
    /// An older version.
    Older,
}

/// A key that can tell which of its versions made a ciphertext.
pub(crate) trait WrappingKey: RemoteAead {
    fn unwrap<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Unwrapped, KmsError>>;
}

impl WrappingKey for ScalewayKey {
    fn unwrap<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Unwrapped, KmsError>> {
        Box::pin(async move {
            let decrypted = self
                .decrypt_with_refresh(ciphertext, associated_data)
                .await?;
            let age = match decrypted.rewrapped() {
                Some(refreshed) => Age::Refreshed(refreshed.to_vec()),
                None => Age::Newest,
            };
            Ok(Unwrapped {
                plaintext: Zeroizing::new(decrypted.into_plaintext()),
                age,
            })
        })
    }
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

/// Remembers the last decryption of a key. A service then need not re-encrypt a data key that is
/// already under its newest version.
pub(crate) struct Witness {
    key: Arc<dyn WrappingKey>,
    last: Mutex<Option<Unwrapped>>,
}

impl Witness {
    fn last(&self) -> MutexGuard<'_, Option<Unwrapped>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the last ciphertext was under the version that encrypts now.
    pub(crate) fn saw_newest(&self) -> bool {
        matches!(
            &*self.last(),
            Some(Unwrapped {
                age: Age::Newest,
                ..
            })
        )
    }
}

impl RemoteAead for Witness {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        if let Some(Unwrapped {
            plaintext: known,
            age: Age::Refreshed(ciphertext),
        }) = &*self.last()
            && **known == plaintext
        {
            let ciphertext = ciphertext.clone();
            return Box::pin(async move { Ok(ciphertext) });
        }
        self.key.encrypt(plaintext, associated_data)
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            *self.last() = None;
            let unwrapped = self.key.unwrap(ciphertext, associated_data).await?;
            let plaintext = unwrapped.plaintext.to_vec();
            *self.last() = Some(unwrapped);
            Ok(plaintext)
        })
    }
}

/// Returns whether this build has a client for the URI of a key.
pub(crate) fn is_served(uri: &str) -> bool {
    KekUri::parse(uri).is_ok()
}

impl Kek {
    /// Opens the key of a URI. `cleartext` allows one that is a cleartext file.
    pub(crate) fn open(uri: &KekUri, cleartext: bool, context: &Context) -> Result<Self, Failure> {
        context.detail(&format!("key-encryption key: {}", uri.printable()));
        let (key, worker): (Arc<dyn WrappingKey>, _) = match uri.key() {
            KeyLocation::Scaleway(reference) => {
                let manager = KeyManager::new(context.kms(), context)?;
                let key = manager.key(reference, context)?;
                (Arc::new(key), manager.worker().clone())
            }
            KeyLocation::File(path) => (
                Arc::new(open_file(path, cleartext, context)?),
                new_worker()?,
            ),
        };
        let place = uri.file().map(|path| Place::File(path.to_owned()));
        Self::new(uri.clone(), key, worker, place)
    }

    /// Opens the key of a URI that may start with `envelope+`, for a keyset.
    pub(crate) fn open_for_keyset(
        uri: &str,
        cleartext: bool,
        context: &Context,
    ) -> Result<Self, Failure> {
        Self::open(&KekUri::parse_for_keyset(uri)?, cleartext, context)
    }

    fn new(
        uri: KekUri,
        key: Arc<dyn WrappingKey>,
        worker: Worker,
        place: Option<Place>,
    ) -> Result<Self, Failure> {
        let aead = aead(&uri, &worker, key.clone())?;
        Ok(Self {
            uri,
            key,
            aead,
            worker,
            place,
        })
    }

    /// Returns the same key, with a witness of its decryptions.
    pub(crate) fn witnessed(&self) -> Result<(Self, Arc<Witness>), Failure> {
        let witness = Arc::new(Witness {
            key: Arc::clone(&self.key),
            last: Mutex::default(),
        });
        let aead = aead(&self.uri, &self.worker, witness.clone())?;
        let kek = Self {
            aead,
            ..self.clone()
        };
        Ok((kek, witness))
    }

    pub(crate) fn uri(&self) -> String {
        self.uri.printable()
    }

    /// Returns whether both keys have the same URI.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.uri.key() == other.uri.key() && self.uri.is_envelope() == other.uri.is_envelope()
    }

    /// Returns the file that holds the key, if one does.
    pub(crate) const fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Returns whether a service holds the key, so that most of the time goes into waiting.
    pub(crate) const fn is_remote(&self) -> bool {
        self.place.is_none()
    }

    /// Returns the key as a blocking AEAD.
    pub(crate) const fn aead(&self) -> &dyn Aead {
        &self.aead
    }

    /// Unwraps a data key, and says whether it is under the version that encrypts now.
    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Result<Unwrapped, KmsError> {
        self.worker.run(self.key.unwrap(wrapped, b""))
    }

    /// Returns an AEAD that makes a data key of `template` for each message and wraps it with this
    /// key, as every Tink does.
    pub(crate) fn envelope(&self, template: &str) -> Result<BlockingAead, Failure> {
        let envelope = envelope(self.key.clone(), template)?;
        Ok(BlockingAead::new(&self.worker, envelope))
    }

    /// Returns an AEAD for the payload of one envelope, whose data key was unwrapped.
    pub(crate) fn payload(
        &self,
        template: &str,
        dek: &Zeroizing<Vec<u8>>,
    ) -> Result<BlockingAead, Failure> {
        let envelope = envelope(Arc::new(Answered(dek.clone())), template)?;
        Ok(BlockingAead::new(&self.worker, envelope))
    }

    pub(crate) fn read(
        &self,
        name: &str,
        bytes: &[u8],
        format: Format,
        aad: &[u8],
    ) -> Result<KeysetHandle, Failure> {
        KeysetHandle::read_encrypted(bytes, format, &self.aead, aad)
            .map_err(|error| self.not_read(name, error))
    }

    pub(crate) fn write(
        &self,
        handle: &KeysetHandle,
        format: Format,
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        handle
            .write_encrypted(format, &self.aead, aad)
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
    pub(crate) fn read_wrapped(
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

    /// Encrypts the binary form of a keyset, and returns the bare ciphertext.
    pub(crate) fn write_wrapped(
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
        keyseal::keyset::lint_encrypted(bytes, &self.aead, aad)
            .map_err(|error| self.not_read(name, error))
    }

    /// Explains why a keyset did not open, and that it may be in the other form.
    fn not_read(&self, name: &str, error: KeysetError) -> Failure {
        // With a local key file, that form makes no sense.
        let other_form = match &error {
            _ if self.place.is_some() => false,
            KeysetError::Decrypt(DecryptError::FAILED) => true,
            KeysetError::Decrypt(error) => error.kms_error().is_some_and(is_outside_limits),
            _ => false,
        };
        let failure = keyset_failure(name, error);
        match (other_form, self.uri.is_envelope()) {
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
        f.debug_tuple("Kek").field(&self.uri()).finish()
    }
}

/// Returns whether a text was not sent because of its size.
fn is_outside_limits(error: &KmsError) -> bool {
    error.kind() == KmsErrorKind::InvalidInput && error.status().is_none()
}

/// Returns the key itself or an envelope under it, as its URI says.
fn aead(uri: &KekUri, worker: &Worker, key: Arc<dyn RemoteAead>) -> Result<BlockingAead, Failure> {
    Ok(match uri.is_envelope() {
        true => BlockingAead::new(worker, envelope(key, ENVELOPE_TEMPLATE)?),
        false => BlockingAead::new(worker, key),
    })
}

fn envelope(key: Arc<dyn RemoteAead>, template: &str) -> Result<KmsEnvelopeAead, Failure> {
    KmsEnvelopeAead::new(key, template).map_err(|error| match error {
        keyseal::KeyError::UnknownTemplate { name } => keysets::unknown_template(&name),
        error => Failure::usage(
            "dek_template",
            format!("cannot use template {}", printable(template)),
            chain(&error),
        ),
    })
}

/// A key-encryption key whose answer is already known: the data key of one envelope.
struct Answered(Zeroizing<Vec<u8>>);

impl RemoteAead for Answered {
    fn encrypt<'a>(&'a self, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async { Err(KmsErrorKind::Local.into()) })
    }

    fn decrypt<'a>(&'a self, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async { Ok(self.0.to_vec()) })
    }
}

fn open_file(path: &Path, cleartext: bool, context: &Context) -> Result<FileKey, Failure> {
    let place = Place::File(path.to_owned());
    let bytes = place.read_small(KEYSET_LIMIT, context)?;
    let name = place.name();
    let seen = keysets::detect(&name, &bytes)?;
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
