//! [`StoreError`]: the failures that an encrypted store adds to those of the store it wraps.

use std::{error::Error as StdError, fmt, sync::Arc};

use keyseal::{EncryptError, KeysetError, KmsError, KmsErrorKind, ParseError};
use object_store::{Error, path::Path};

/// The name of this store in the errors of [`object_store`].
pub(crate) const STORE: &str = "EncryptedStore";

/// A failure of the encryption. It is the source of an [`object_store::Error::Generic`] whose `store`
/// is `EncryptedStore`.
///
/// The errors of the wrapped store pass through unchanged.
///
/// # Security
/// It holds no bytes of a plaintext or a key, and does not say why a ciphertext did not decrypt.
///
/// # Example
/// ```
/// use keyseal_object_store::{StoreError, StoreErrorKind};
///
/// fn was_altered(error: &object_store::Error) -> bool {
///     StoreError::find(error)
///         .is_some_and(|error| matches!(error.kind(), StoreErrorKind::Decrypt))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    location: Option<Path>,
}

/// The kind of a [`StoreError`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The object is not a sealed stream, and the store refuses others.
    NotSealed,
    /// The object starts as a sealed stream does, but its header is cut or malformed.
    Header(ParseError),
    /// The object's keyset does not open: another KEK wrapped it, or the header was altered.
    Unwrap(KeysetError),
    /// The key management service did not wrap or unwrap the object's keyset.
    Kms(KmsError),
    /// A segment does not decrypt: it was altered, cut, moved or written with another context.
    Decrypt,
    /// The object was replaced three times while it was read.
    Changed,
    /// The wrapped keyset does not fit the store's header size.
    HeaderTooSmall {
        /// The smallest header size in bytes that it fits.
        need: usize,
    },
    /// The plaintext is longer than a stream of this segment size can be.
    TooLong,
    /// The requested range is not one of the object.
    Range(String),
    /// A multipart upload was used in the wrong order.
    Upload(&'static str),
    /// The settings of the store do not go together.
    Configuration(&'static str),
    /// The key of an object could not be generated, or a segment not encrypted.
    Encrypt(Arc<dyn StdError + Send + Sync>),
}

impl StoreError {
    pub(crate) const fn new(kind: StoreErrorKind) -> Self {
        Self {
            kind,
            location: None,
        }
    }

    pub(crate) fn at(kind: StoreErrorKind, location: &Path) -> Self {
        Self {
            kind,
            location: Some(location.clone()),
        }
    }

    /// Returns the kind of failure.
    #[must_use]
    pub const fn kind(&self) -> &StoreErrorKind {
        &self.kind
    }

    /// Returns the object, or `None` if the failure concerns the store.
    #[must_use]
    pub const fn location(&self) -> Option<&Path> {
        self.location.as_ref()
    }

    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.kind {
            StoreErrorKind::Kms(error) => error.is_retryable(),
            StoreErrorKind::Changed => true,
            _ => false,
        }
    }

    /// Finds the failure of an encrypted store in an error of an [`ObjectStore`], or in a cause of
    /// it.
    ///
    /// [`ObjectStore`]: object_store::ObjectStore
    #[must_use]
    pub fn find<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        match &self.kind {
            StoreErrorKind::NotSealed => f.write_str(
                "the object is not a sealed stream: it was written without this store \
                 (Unsealed::PassThrough reads such objects)",
            ),
            StoreErrorKind::Header(error) => write!(f, "{error}"),
            StoreErrorKind::Unwrap(error) => write!(
                f,
                "the object's keyset does not open under this store's key-encryption key: {error}"
            ),
            StoreErrorKind::Kms(error) => write!(f, "{error}"),
            StoreErrorKind::Decrypt => f.write_str("decryption failed"),
            StoreErrorKind::Changed => {
                f.write_str("the object keeps changing: it was replaced three times during a read")
            }
            StoreErrorKind::HeaderTooSmall { need } => write!(
                f,
                "the key-encryption key's ciphertext does not fit the header: set the header size \
                 to at least {need} bytes"
            ),
            StoreErrorKind::TooLong => {
                f.write_str("the object is longer than a stream of this segment size can be")
            }
            StoreErrorKind::Range(reason) => f.write_str(reason),
            StoreErrorKind::Upload(reason) | StoreErrorKind::Configuration(reason) => {
                f.write_str(reason)
            }
            StoreErrorKind::Encrypt(error) => write!(f, "encryption failed: {error}"),
        }
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.kind {
            StoreErrorKind::Header(error) => Some(error),
            StoreErrorKind::Unwrap(error) => Some(error),
            StoreErrorKind::Kms(error) => Some(error),
            StoreErrorKind::Encrypt(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Generic {
            store: STORE,
            source: Box::new(error),
        }
    }
}

impl StoreErrorKind {
    /// Returns the error for an object.
    pub(crate) fn of(self, location: &Path) -> Error {
        StoreError::at(self, location).into()
    }

    /// Sorts the failures of wrapping and unwrapping a keyset.
    pub(crate) fn from_keyset(error: KeysetError) -> Self {
        if let Some(kms) = error.kms_error()
            && kms.kind() != KmsErrorKind::DecryptionFailed
        {
            return Self::Kms(kms.clone());
        }
        match error {
            KeysetError::HeaderSize { needed, .. } => Self::HeaderTooSmall { need: needed },
            KeysetError::Encrypt(_) | KeysetError::Template(_) => Self::Encrypt(Arc::new(error)),
            error => Self::Unwrap(error),
        }
    }
}

impl From<EncryptError> for StoreErrorKind {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::TooLong => Self::TooLong,
            error => Self::Encrypt(Arc::new(error)),
        }
    }
}

/// An error that several callers wait for, as each of them gets it: the same kind, and the first
/// one's text.
pub(crate) fn shared(error: Arc<Error>) -> Error {
    let error = match Arc::try_unwrap(error) {
        Ok(only) => return only,
        Err(error) => error,
    };
    if let Some(ours) = StoreError::find(&*error) {
        return ours.clone().into();
    }
    let source = Box::new(Shared(Arc::clone(&error)));
    match &*error {
        Error::NotFound { path, .. } => Error::NotFound {
            path: path.clone(),
            source,
        },
        Error::PermissionDenied { path, .. } => Error::PermissionDenied {
            path: path.clone(),
            source,
        },
        Error::Unauthenticated { path, .. } => Error::Unauthenticated {
            path: path.clone(),
            source,
        },
        Error::Generic { store, .. } => Error::Generic { store, source },
        _ => Error::Generic {
            store: STORE,
            source,
        },
    }
}

#[derive(Debug)]
struct Shared(Arc<Error>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(source) => write!(f, "{source}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl StdError for Shared {}
