//! The errors of this crate: one type for each kind of operation.
//!
//! Every error prints one lower-case clause that says what happened. If it has a cause, the cause
//! is its [`source`](std::error::Error::source), and [`error_chain`] prints both. No error holds key
//! bytes, plaintext or associated data.

pub(crate) mod kms;

pub use kms::{KmsError, KmsErrorKind};

use std::fmt;

use crate::{
    kind::KeyKind,
    prefix::{KeyId, Variant},
    text_form::TextForm,
};

/// Returns the text of an error and of all its causes, for a log: each error prints only its own
/// clause, and the reason is often in the cause.
///
/// A cause may repeat the name of a file, or be an error of another crate. Escape line breaks and
/// other control characters before a terminal or a log of lines shows it.
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, error_chain};
///
/// let error = KeysetHandle::generate("AES256").unwrap_err();
/// assert_eq!(error.to_string(), "no key was generated");
/// let text = error_chain(&error);
/// assert!(text.starts_with("no key was generated: no key template is named `AES256`"), "{text}");
/// ```
#[must_use]
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

/// A ciphertext could not be decrypted.
///
/// The error gives no reason, by design: an attacker who can submit ciphertexts would learn from
/// which key was tried and which step failed. The program `keyseal explain` lists public reasons.
///
/// The one exception reveals nothing about the ciphertext: a key management service could not be
/// reached, or refused to answer. In that case you do not know whether the ciphertext can be
/// decrypted, and [`kms_error`](Self::kms_error) gives the reason.
///
/// # Example
/// ```
/// use keyseal::{DecryptError, KmsErrorKind};
///
/// assert_eq!(DecryptError::FAILED.to_string(), "decryption failed");
/// assert!(!DecryptError::FAILED.is_retryable());
/// let unanswered = DecryptError::from(keyseal::KmsError::new(KmsErrorKind::RateLimited));
/// assert!(unanswered.is_retryable());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecryptError(Option<KmsError>);

impl DecryptError {
    /// The ciphertext cannot be decrypted. No further reason is given.
    pub const FAILED: Self = Self(None);

    /// Returns the reason why a key management service did not answer, or `None` if the ciphertext
    /// itself cannot be decrypted.
    #[must_use]
    pub const fn kms_error(&self) -> Option<&KmsError> {
        self.0.as_ref()
    }

    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.as_ref().is_some_and(KmsError::is_retryable)
    }
}

impl From<KmsError> for DecryptError {
    /// A service that reports a failed decryption has answered, so we discard the rest of its
    /// message.
    fn from(error: KmsError) -> Self {
        match error.kind() {
            KmsErrorKind::DecryptionFailed => Self::FAILED,
            _ => Self(Some(error)),
        }
    }
}

impl fmt::Display for DecryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "decryption failed",
            Some(_) => "the key management service did not decrypt",
        })
    }
}

impl std::error::Error for DecryptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_ref().map(|error| error as _)
    }
}

/// A plaintext could not be encrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// The plaintext or the associated data is longer than the cipher's limit.
    #[error("the plaintext or the associated data is longer than the cipher allows")]
    TooLong,
    /// The operating system provided no randomness for a nonce.
    #[error("no randomness for a nonce")]
    Random(#[source] RandomError),
    /// The stream's segment with this number has already been sealed, or comes after the last one.
    #[error("the segment was already sealed, or comes after the last one")]
    SegmentNumber,
    /// The plaintext of a stream's segment does not have the length required at its position.
    #[error("the plaintext of a segment has the wrong length")]
    SegmentSize,
    /// The cipher provider failed.
    #[error("the cipher provider failed")]
    Provider,
    /// A key management service failed to encrypt.
    #[error("the key management service did not encrypt")]
    Kms(#[source] KmsError),
    /// The key has reached the limit of its use: rotate the keyset.
    #[error(
        "key {key_id} has reached the limit of its use with {messages} messages and {bytes} bytes: \
         rotate the keyset"
    )]
    KeyExhausted {
        /// The key in question.
        key_id: KeyId,
        /// The messages that it has encrypted.
        messages: u64,
        /// The bytes of plaintext that it has encrypted.
        bytes: u64,
    },
    /// The use of the key could not be recorded, so the key is not used.
    #[error("the use of key {key_id} cannot be recorded: {reason}")]
    UsageNotStored {
        /// The key in question.
        key_id: KeyId,
        /// The reason.
        reason: String,
    },
}

impl From<EncryptError> for KmsError {
    /// Translates the error of a local cipher into that of a remote one.
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::Kms(error) => error,
            EncryptError::TooLong => Self::new(KmsErrorKind::InvalidInput).with_source(error),
            error => Self::new(KmsErrorKind::Local).with_source(error),
        }
    }
}

impl From<DecryptError> for KmsError {
    /// Translates the error of a local cipher into that of a remote one.
    fn from(error: DecryptError) -> Self {
        error
            .0
            .unwrap_or_else(|| KmsErrorKind::DecryptionFailed.into())
    }
}

impl EncryptError {
    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Kms(error) => error.is_retryable(),
            // Nothing was encrypted, and the store may be back.
            Self::UsageNotStored { .. } => true,
            _ => false,
        }
    }
}

/// A tag does not match the message.
///
/// The error gives no reason, by design: neither which key was tried nor how much of the tag was
/// right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tag does not match the message")]
#[allow(
    clippy::exhaustive_structs,
    reason = "third parties implement Mac and must build it"
)]
pub struct VerifyError;

/// A pseudorandom function produced no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrfError {
    /// The requested output is longer than the function can produce.
    #[error(
        "an output of {length} bytes is longer than the {limit} bytes that the function can produce"
    )]
    TooLong {
        /// The requested length in bytes.
        length: usize,
        /// The longest output in bytes.
        limit: usize,
    },
}

/// The operating system provided no randomness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct RandomError(String);

impl RandomError {
    pub(crate) fn new(reason: &impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl From<RandomError> for EncryptError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

/// A key does not meet the requirements of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No key type of the table in use has this type URL.
    #[error("no key type is known for `{}`", .type_url.escape_debug())]
    UnknownType {
        /// The type URL.
        type_url: String,
    },
    /// No key type of the table in use has a template of this name.
    #[error("no key template is named `{}`{}", .name.escape_debug(), did_you_mean(.suggestion))]
    UnknownTemplate {
        /// The requested name.
        name: String,
        /// The name of the template that is spelled most like it, if one is spelled nearly so.
        suggestion: Option<&'static str>,
    },
    /// The serialized key or key format could not be parsed.
    #[error("the serialized key is malformed")]
    Malformed(#[source] ParseError),
    /// The key's version is not 0, the only version that exists.
    #[error("key version {found} is not supported: only version 0 exists")]
    Version {
        /// The version.
        found: u32,
    },
    /// A size or another parameter has a value that the key type does not allow.
    #[error("{name} {found} is not allowed, only {allowed}")]
    Parameter {
        /// Which parameter, in the words of the key type.
        name: &'static str,
        /// The value.
        found: u64,
        /// The allowed values.
        allowed: &'static str,
    },
    /// The key type does not allow this output prefix.
    #[error("output prefix {variant} is not allowed for this key type")]
    Variant {
        /// The output prefix.
        variant: Variant,
    },
    /// The key derives keys whose output prefix differs from its own.
    #[error("output prefix {variant} differs from that of the derived keys, {derived}")]
    DerivedVariant {
        /// The output prefix of the key.
        variant: Variant,
        /// The output prefix of the keys that it derives.
        derived: Variant,
    },
    /// No key of this type can be derived from another key.
    #[error("keys of type `{}` cannot be derived", .type_url.escape_debug())]
    NotDerivable {
        /// The type of the keys to derive.
        type_url: String,
    },
    /// This key type cannot derive keys: only `HkdfPrfKey` can.
    #[error("keys cannot be derived with a key of type `{}`, only with an HkdfPrfKey", .type_url.escape_debug())]
    DerivingPrf {
        /// The type of the key to derive with.
        type_url: String,
    },
    /// The key's material type label does not match its type.
    #[error("the key material type is {found}, but must be {wanted} for this key type")]
    Material {
        /// The label that the key has.
        found: String,
        /// The label that its type requires.
        wanted: &'static str,
    },
    /// The requested cipher provider cannot use the key.
    #[error("the cipher provider refused the key")]
    Provider,
    /// The operating system provided no randomness for a new key.
    #[error("no randomness for a new key")]
    Random(#[source] RandomError),
    /// An envelope cannot use data-encryption keys of this type.
    #[error("an envelope cannot use data-encryption keys of type `{}`", .type_url.escape_debug())]
    DekType {
        /// The type URL of the template.
        type_url: String,
    },
    /// The key is held by a key management service, and no client for it was given: use a
    /// [`KeysetRemoteAead`](crate::KeysetRemoteAead), which takes such clients.
    #[error("a key management service holds the key: use a KeysetRemoteAead")]
    Remote,
    /// The key management service that holds the key cannot be used.
    #[error("the key management service that holds the key cannot be used")]
    Kms(#[source] KmsError),
}

impl KeyError {
    pub(crate) const fn parameter(name: &'static str, found: usize, allowed: &'static str) -> Self {
        Self::Parameter {
            name,
            found: found as u64,
            allowed,
        }
    }
}

impl From<RandomError> for KeyError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

/// A keyset could not be read, changed, used or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysetError {
    /// The bytes are not a keyset in the requested format.
    #[error("the keyset cannot be parsed")]
    Malformed(#[source] ParseError),
    /// The bytes are a keyset in a text form that no Tink implementation reads.
    #[error("{found}")]
    TextForm {
        /// The form.
        found: TextForm,
    },
    /// An encrypted keyset holds its keyset in cleartext: the key that should have encrypted it
    /// returned it unchanged. Anyone who can read the file has the keys.
    #[error("the keyset is in cleartext where its ciphertext should be")]
    EncryptedInNameOnly,
    /// The keyset has no keys.
    #[error("the keyset has no keys")]
    Empty,
    /// The keyset has more than [`KeysetHandle::MAX_KEYS`](crate::KeysetHandle::MAX_KEYS) keys.
    #[error("a keyset cannot have more than 10000 keys")]
    TooManyKeys,
    /// Two keys have the same id.
    #[error("two keys have the id {id}")]
    DuplicateId {
        /// The id in question.
        id: KeyId,
    },
    /// No key has the primary key id.
    #[error("the primary key id {id} names no key of the keyset")]
    NoPrimary {
        /// The primary key id.
        id: KeyId,
    },
    /// The primary key is disabled or destroyed.
    #[error("the primary key {id} is not enabled")]
    PrimaryNotEnabled {
        /// The primary key id.
        id: KeyId,
    },
    /// A key's status is not enabled, disabled or destroyed.
    #[error("key {id} has the unknown status {found}")]
    UnknownStatus {
        /// The key in question.
        id: KeyId,
        /// The number of the status.
        found: i32,
    },
    /// A key's output prefix type is not TINK, LEGACY, RAW or CRUNCHY. WITH_ID_REQUIREMENT is also
    /// allowed if we do not know the key's type.
    #[error("key {id} has the output prefix type {found}, which no symmetric key can have")]
    UnknownPrefix {
        /// The key in question.
        id: KeyId,
        /// The number of the output prefix type.
        found: i32,
    },
    /// A key that is not destroyed has no key data.
    #[error("key {id} has no key data")]
    NoKeyData {
        /// The key in question.
        id: KeyId,
    },
    /// A key of the keyset is invalid.
    #[error("key {id} is not usable")]
    Key {
        /// The key in question.
        id: KeyId,
        /// The reason.
        source: KeyError,
    },
    /// The template for a new key is unknown, or the key could not be generated.
    #[error("no key was generated")]
    Template(#[source] KeyError),
    /// No key of the keyset has this id.
    #[error("the keyset has no key {id}")]
    UnknownId {
        /// The requested id.
        id: KeyId,
    },
    /// The primary key cannot be disabled, destroyed or deleted: promote another key first.
    #[error("key {id} is the primary key and cannot be {operation}")]
    IsPrimary {
        /// The key in question.
        id: KeyId,
        /// The attempted change.
        operation: &'static str,
    },
    /// A disabled key cannot become the primary key: enable it first.
    #[error("key {id} is disabled and cannot become the primary key")]
    NotEnabled {
        /// The key in question.
        id: KeyId,
    },
    /// A destroyed key no longer has any material: it can only be deleted.
    #[error("key {id} is destroyed")]
    Destroyed {
        /// The key in question.
        id: KeyId,
    },
    /// An enabled key of the keyset does not belong to the requested primitive.
    #[error("key {id} is {}, not {} key", described(*found, type_url), wanted.with_article())]
    WrongPrimitive {
        /// The key in question.
        id: KeyId,
        /// The type of the key.
        type_url: String,
        /// The kind of the key, or `None` if its type is not known.
        found: Option<KeyKind>,
        /// The kind of key that the requested primitive takes.
        wanted: KeyKind,
    },
    /// The key to add or enable is of a different kind from the keyset's keys, and no primitive
    /// takes keys of two kinds.
    #[error(
        "{}, but the keyset is for {}",
        added(*id, *found, type_url),
        keyset_kind(*keyset, keyset_type_url)
    )]
    OtherKind {
        /// The id of the key, or `None` if it has none yet.
        id: Option<KeyId>,
        /// The type of the key.
        type_url: String,
        /// The kind of the key, or `None` if its type is not known.
        found: Option<KeyKind>,
        /// The type of the keyset's primary key.
        keyset_type_url: String,
        /// The kind of the keyset, or `None` if the type of its primary key is not known.
        keyset: Option<KeyKind>,
    },
    /// The keyset holds secret key material, but the call only reads or writes public keysets.
    #[error("key {id} holds secret key material")]
    Secret {
        /// The key in question.
        id: KeyId,
    },
    /// The encrypted keyset could not be decrypted: the key-encryption key or the associated data
    /// is different, or the file is damaged.
    #[error("the encrypted keyset did not decrypt")]
    Decrypt(#[source] DecryptError),
    /// The keyset could not be encrypted.
    #[error("the keyset could not be encrypted")]
    Encrypt(#[source] EncryptError),
    /// The keyset is longer than its key-encryption key can encrypt in one call. A
    /// [`KmsEnvelopeAead`](crate::KmsEnvelopeAead) around that key takes keysets of any size.
    #[error(
        "the keyset has {size} bytes, more than its key-encryption key can encrypt: \
         wrap that key in a KmsEnvelopeAead"
    )]
    TooLargeForKek {
        /// The length of the serialized keyset in bytes.
        size: usize,
        /// The error of the key-encryption key.
        source: KmsError,
    },
    /// The header of a sealed stream cannot have this size.
    #[error("the header of a sealed stream cannot have {size} bytes, only {needed} to 65548")]
    HeaderSize {
        /// The requested size in bytes.
        size: usize,
        /// The smallest size in bytes that this keyset and its key-encryption key need, or 0 if the
        /// requested size is too large and nothing was wrapped.
        needed: usize,
    },
    /// The operating system provided no randomness for a key id.
    #[error("no randomness for a key id")]
    Random(#[source] RandomError),
}

impl KeysetError {
    /// Returns the error of a key management service, or `None` if the cause is a different one.
    #[must_use]
    pub const fn kms_error(&self) -> Option<&KmsError> {
        match self {
            Self::Decrypt(error) => error.kms_error(),
            Self::Encrypt(EncryptError::Kms(error))
            | Self::TooLargeForKek { source: error, .. }
            | Self::Key {
                source: KeyError::Kms(error),
                ..
            } => Some(error),
            _ => None,
        }
    }

    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Encrypt(error) => error.is_retryable(),
            _ => self.kms_error().is_some_and(KmsError::is_retryable),
        }
    }
}

impl From<RandomError> for KeysetError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

fn did_you_mean(suggestion: &Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

/// Describes a key that is not of the expected kind.
fn described(found: Option<KeyKind>, type_url: &str) -> String {
    found.map_or_else(
        || format!("of the unknown type `{}`", type_url.escape_debug()),
        |kind| format!("{} key of type `{type_url}`", kind.with_article()),
    )
}

/// Describes a key that does not match the kind of the keyset.
fn added(id: Option<KeyId>, found: Option<KeyKind>, type_url: &str) -> String {
    let which = id.map_or_else(|| "the new key".to_owned(), |id| format!("key {id}"));
    format!("{which} is {}", described(found, type_url))
}

/// Describes the kind of a keyset.
fn keyset_kind(kind: Option<KeyKind>, type_url: &str) -> String {
    kind.map_or_else(
        || format!("keys of the unknown type `{}`", type_url.escape_debug()),
        |kind| kind.with_article().to_owned(),
    )
}

/// The place and the reason where bytes do not follow their format.
///
/// The text names the place and the rule, never the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct ParseError {
    reason: &'static str,
    offset: usize,
}

impl ParseError {
    pub(crate) const fn new(reason: &'static str, offset: usize) -> Self {
        Self { reason, offset }
    }

    pub(crate) const fn reason(&self) -> &'static str {
        self.reason
    }

    /// The offset in bytes, from the start of the input, where parsing stopped. For the binary
    /// form, which is parsed as a whole, it is the length of the input.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}
