//! Key-encryption keys: opening them, and finding the version that encrypted something.

use std::{fmt, sync::Arc};

use keyseal::{
    Aead, BoxFuture, DecryptError, Decrypted, KeysetError, KeysetHandle, KmsEnvelopeAead, KmsError,
    KmsErrorKind, RemoteAead, SecretAccess, error_chain,
    keyset::{Finding, Format, Severity, lint},
    kms::blocking::{BlockingAead, Worker},
    rewrap::Witness,
};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    display::{is_text, printable},
    error::Failure,
    input::FileArg,
    kek_uri::{ENVELOPE, KekUri},
    keyset_failure::{keyset_failure, unknown_template},
    kms::OpenKey,
};

/// The template of the data keys of `envelope+`.
const ENVELOPE_TEMPLATE: &str = "AES256_GCM";

/// A key that encrypts keysets and data keys.
#[derive(Clone)]
pub(crate) struct Kek {
    uri: KekUri,
    key: Arc<dyn RemoteAead>,
    /// The key itself or an envelope under it, as the URI says.
    aead: BlockingAead,
    /// The URI in its one canonical form.
    canonical: String,
    /// Waits for the key's answers: its connections stay with this worker.
    worker: Worker,
    /// The file that holds the key, if one does.
    place: Option<FileArg>,
}

impl Kek {
    /// Opens the key of a URI. `cleartext` allows one that is a cleartext file.
    pub(crate) fn open(uri: &KekUri, cleartext: bool, context: &Context) -> Result<Self, Failure> {
        context.detail(&format!("key-encryption key: {}", uri.printable()));
        let OpenKey {
            key,
            worker,
            canonical,
        } = uri.open(cleartext, context)?;
        Ok(Self {
            aead: BlockingAead::new(&worker, remote(uri.is_envelope(), key.clone())?),
            place: uri.file().map(FileArg::File),
            uri: uri.clone(),
            key,
            canonical,
            worker,
        })
    }

    /// Opens the key of a URI that may start with `envelope+`, for a keyset.
    pub(crate) fn open_for_keyset(
        uri: &str,
        cleartext: bool,
        context: &Context,
    ) -> Result<Self, Failure> {
        Self::open(&KekUri::parse_for_keyset(uri)?, cleartext, context)
    }

    /// Returns the same key, with a witness of its decryptions: the key itself, or an envelope under
    /// it.
    pub(crate) fn witnessed(&self, as_envelope: bool) -> Result<(Self, Arc<Witness>), Failure> {
        let witness = Arc::new(Witness::new(self.key.clone()));
        let remote = remote(as_envelope, witness.clone())?;
        let kek = Self {
            aead: BlockingAead::new(&self.worker, remote),
            ..self.clone()
        };
        Ok((kek, witness))
    }

    pub(crate) fn uri(&self) -> String {
        self.uri.printable()
    }

    /// Returns whether both are the same key, however their URIs are spelt.
    pub(crate) fn is_same_key(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Some(file), Some(other)) => file.is_same_file(other),
            _ => self.canonical == other.canonical,
        }
    }

    /// Returns whether the URI asks for an envelope around keysets.
    pub(crate) const fn is_envelope(&self) -> bool {
        self.uri.is_envelope()
    }

    /// Returns the file that holds the key, if one does.
    pub(crate) const fn place(&self) -> Option<&FileArg> {
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
    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Result<Decrypted, KmsError> {
        self.worker.run(self.key.decrypt_with_refresh(wrapped, b""))
    }

    /// Returns an AEAD that makes a data key of `template` for each message and wraps it with this
    /// key, as every Tink does.
    pub(crate) fn envelope(&self, template: &str) -> Result<BlockingAead, Failure> {
        let envelope = envelope(self.key.clone(), template)?;
        Ok(BlockingAead::new(&self.worker, envelope))
    }

    /// Returns an AEAD for the payload of one envelope, whose data key was unwrapped.
    pub(crate) fn payload(&self, template: &str, dek: &Decrypted) -> Result<BlockingAead, Failure> {
        let dek = Zeroizing::new(dek.plaintext().to_vec());
        let envelope = envelope(Arc::new(Answered(dek)), template)?;
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
            .map_err(|error| self.not_written(error))
    }

    /// Explains why a keyset was not encrypted.
    pub(crate) fn not_written(&self, error: KeysetError) -> Failure {
        match error {
            KeysetError::TooLargeForKek { size, source } => Failure::usage(
                "keyset_too_large",
                "cannot encrypt the keyset",
                format!("it has {size} bytes: {}", printable(error_chain(&source))),
            )
            .hint(format!(
                "an envelope can have any size; pass the same URI to read it: {ENVELOPE}{}",
                self.uri()
            )),
            error => keyset_failure(&self.uri(), error),
        }
    }

    /// Returns whether bytes may be a ciphertext of this key, which holds a keyset. Text never is,
    /// nor are bytes that show a keyset: no damaged keyset in cleartext is sent to a service.
    pub(crate) fn may_wrap(&self, bytes: &[u8]) -> bool {
        let shows_keyset =
            |found: &Finding| found.severity() == Severity::Error && found.code() != "not-a-keyset";
        !bytes.is_empty() && !is_text(bytes) && !lint(bytes).iter().any(shows_keyset)
    }

    /// Returns the plaintext of a bare ciphertext, as BigQuery wraps keysets; `None` if the
    /// key does not decrypt it.
    pub(crate) fn unwrap_keyset(
        &self,
        name: &str,
        bytes: &[u8],
        aad: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        match self.aead.decrypt(bytes, aad) {
            Ok(keyset) => Ok(Some(Zeroizing::new(keyset))),
            Err(DecryptError::FAILED) => Ok(None),
            // The service was not asked, or says that this is no ciphertext of its keys.
            Err(error)
                if error.kms_error().map(KmsError::kind) == Some(KmsErrorKind::InvalidInput) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.not_read(name, KeysetError::Decrypt(error))),
        }
    }

    /// Reads a keyset in its binary form that this key has wrapped.
    pub(crate) fn read_wrapped(
        &self,
        name: &str,
        bytes: &[u8],
        aad: &[u8],
    ) -> Result<Option<KeysetHandle>, Failure> {
        let Some(keyset) = self.unwrap_keyset(name, bytes, aad)? else {
            return Ok(None);
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

    /// The error for a wrapped keyset that this key does not decrypt.
    pub(crate) fn not_unwrapped(&self, name: &str) -> Failure {
        self.not_read(name, KeysetError::Decrypt(DecryptError::FAILED))
    }

    /// Explains why a keyset did not open, and that it may be in the other form.
    fn not_read(&self, name: &str, error: KeysetError) -> Failure {
        let other_form = match &error {
            KeysetError::Decrypt(DecryptError::FAILED) => true,
            KeysetError::Decrypt(error) => error.kms_error().is_some_and(is_outside_limits),
            _ => false,
        };
        let is_refused = matches!(error, KeysetError::Decrypt(DecryptError::FAILED));
        let failure = keyset_failure(name, error);
        let failure = match is_refused {
            true => failure.because(format!("{} does not decrypt it", self.uri())),
            false => failure,
        };
        match other_form {
            true => failure.hint(self.hint_of_other_form()),
            false => failure,
        }
    }

    /// Returns the hint that a keyset may be in the form that the URI does not ask for.
    pub(crate) fn hint_of_other_form(&self) -> String {
        match self.uri.is_envelope() {
            true => format!("if it was written without {ENVELOPE}, read it without"),
            false => format!("if it was written with {ENVELOPE}URI, read it with the same URI"),
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

/// Returns the key itself or an envelope under it.
fn remote(as_envelope: bool, key: Arc<dyn RemoteAead>) -> Result<Arc<dyn RemoteAead>, Failure> {
    Ok(match as_envelope {
        true => Arc::new(envelope(key, ENVELOPE_TEMPLATE)?),
        false => key,
    })
}

fn envelope(key: Arc<dyn RemoteAead>, template: &str) -> Result<KmsEnvelopeAead, Failure> {
    KmsEnvelopeAead::new(key, template).map_err(|error| match error {
        keyseal::KeyError::UnknownTemplate { name, .. } => unknown_template(&name),
        error => Failure::usage(
            "dek_template",
            format!("cannot use template {}", printable(template)),
            error_chain(&error),
        )
        .hint("an envelope takes the templates of AEADs, such as AES256_GCM")
        .hint("keyseal templates lists all of them, with what they are for"),
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
