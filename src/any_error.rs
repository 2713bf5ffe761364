//! [`Error`]: any error of this crate.

use std::{io, sync::Arc};

use crate::error::{
    DecryptError, EncryptError, KeyError, KeysetError, KmsError, KmsErrorKind, ParseError,
    PrfError, RandomError, VerifyError,
};

/// Any error of this crate, so that `?` works in a function that uses several parts of it.
///
/// It has the text and the source of the error inside it. A service chooses its response by
/// [`kind`](Self::kind), and decides by [`is_retryable`](Self::is_retryable) whether to try again.
/// `docs/errors.md` in the repository has a table.
///
/// # Example
/// ```
/// use keyseal::{Aead, Error, ErrorKind, KeysetAead, KeysetHandle};
///
/// fn round_trip() -> Result<Vec<u8>, Error> {
///     let aead: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
///     let ciphertext = aead.encrypt(b"attack at dawn", b"letter 7")?;
///     Ok(aead.decrypt(&ciphertext, b"letter 8")?)
/// }
///
/// let error = round_trip().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::DecryptionFailed);
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A ciphertext could not be decrypted.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// A plaintext could not be encrypted.
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
    /// A reader or a writer failed. If one of ours reports another error of this crate through
    /// [`io::Error`], you get that one instead.
    #[error(transparent)]
    Io(Arc<io::Error>),
    /// A key does not meet the requirements of its type.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A keyset could not be read, changed, used or written.
    #[error(transparent)]
    Keyset(#[from] KeysetError),
    /// A call to a key management service failed.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// Bytes do not follow their format.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A pseudorandom function produced no output.
    #[error(transparent)]
    Prf(#[from] PrfError),
    /// The operating system provided no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A limit or another setting has a value that is not allowed.
    #[error(transparent)]
    Setting(Arc<dyn std::error::Error + Send + Sync>),
    /// A tag does not match the message.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

/// The meaning of an [`Error`] for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A ciphertext, a stream or an encrypted keyset does not decrypt: the key or the associated
    /// data is different, or the bytes were changed.
    DecryptionFailed,
    /// An argument is too long, or bytes do not follow their format: not those of a sealed stream,
    /// for example, or cut within its header.
    InvalidInput,
    /// A key or a keyset is malformed, of the wrong kind, or does not allow the operation.
    InvalidKeyset,
    /// A limit or another setting has a value that is not allowed.
    InvalidSetting,
    /// A file, a socket, another reader or writer, or a store of usage failed.
    Io,
    /// The key management service answered that it will not serve the call, or the client is not
    /// configured for it: credentials, permissions, quotas, the state of the key.
    KmsRefused,
    /// The key management service did not answer, or asked to be called later.
    KmsUnavailable,
    /// The operating system gave no randomness, or a cipher provider failed.
    Local,
    /// A tag or a signature does not match the message.
    VerificationFailed,
}

impl Error {
    /// Returns the meaning of the error for the caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        if let Some(error) = self.kms_error() {
            return of_kms(error.kind());
        }
        match self {
            Self::Decrypt(_) | Self::Keyset(KeysetError::Decrypt(_)) => ErrorKind::DecryptionFailed,
            Self::Encrypt(error) | Self::Keyset(KeysetError::Encrypt(error)) => of_encrypt(error),
            Self::Io(_) => ErrorKind::Io,
            Self::Key(error)
            | Self::Keyset(KeysetError::Key { source: error, .. } | KeysetError::Template(error)) => {
                of_key(error)
            }
            Self::Random(_) | Self::Keyset(KeysetError::Random(_)) => ErrorKind::Local,
            Self::Keyset(_) => ErrorKind::InvalidKeyset,
            Self::Parse(_) | Self::Prf(_) => ErrorKind::InvalidInput,
            Self::Setting(_) => ErrorKind::InvalidSetting,
            Self::Verify(_) => ErrorKind::VerificationFailed,
            // `kms_error` returned it.
            Self::Kms(error) => of_kms(error.kind()),
        }
    }

    /// Returns the error of a key management service, or `None` if the cause is a different one.
    #[must_use]
    pub const fn kms_error(&self) -> Option<&KmsError> {
        match self {
            Self::Decrypt(error) => error.kms_error(),
            Self::Keyset(error) => error.kms_error(),
            Self::Encrypt(EncryptError::Kms(error))
            | Self::Key(KeyError::Kms(error))
            | Self::Kms(error) => Some(error),
            _ => None,
        }
    }

    /// Returns whether the same call may succeed later, and is safe to repeat.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Encrypt(error) => error.is_retryable(),
            Self::Keyset(error) => error.is_retryable(),
            _ => self.kms_error().is_some_and(KmsError::is_retryable),
        }
    }
}

/// Finds an error of this crate inside, as the readers and writers of streams return it.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        macro_rules! unwrap {
            ($($inner:ty),+) => {$(
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<$inner>());
                if let Some(inner) = inner {
                    return Self::from(inner.clone());
                }
            )+};
        }
        unwrap!(
            Self,
            DecryptError,
            EncryptError,
            KeysetError,
            KmsError,
            ParseError
        );
        Self::Io(Arc::new(error))
    }
}

fn of_kms(kind: KmsErrorKind) -> ErrorKind {
    match kind {
        KmsErrorKind::DecryptionFailed => ErrorKind::DecryptionFailed,
        KmsErrorKind::InvalidInput => ErrorKind::InvalidInput,
        KmsErrorKind::InvalidSignature => ErrorKind::VerificationFailed,
        KmsErrorKind::Local => ErrorKind::Local,
        kind if kind.is_transient() => ErrorKind::KmsUnavailable,
        _ => ErrorKind::KmsRefused,
    }
}

const fn of_encrypt(error: &EncryptError) -> ErrorKind {
    match error {
        EncryptError::KeyExhausted { .. } => ErrorKind::InvalidKeyset,
        EncryptError::Provider | EncryptError::Random(_) => ErrorKind::Local,
        EncryptError::UsageNotStored { .. } => ErrorKind::Io,
        _ => ErrorKind::InvalidInput,
    }
}

const fn of_key(error: &KeyError) -> ErrorKind {
    match error {
        KeyError::Random(_) | KeyError::Provider => ErrorKind::Local,
        _ => ErrorKind::InvalidKeyset,
    }
}
