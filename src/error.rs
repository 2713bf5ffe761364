//! What can go wrong, one type for each kind of operation.
//!
//! Every error prints one lower-case clause that says what happened; its cause, where there is
//! one, is its [`source`](std::error::Error::source). None of them holds key bytes, plaintext or
//! associated data.

pub(crate) mod kms;

pub use kms::{KmsError, KmsErrorKind};

use std::{error::Error, fmt};

use crate::{
    kind::KeyKind,
    prefix::{KeyId, Variant},
    text_form::TextForm,
};

/// A ciphertext did not open.
///
/// There is no reason inside, by design: which key was tried and which step failed would help an
/// attacker who can submit ciphertexts. The program `keyseal explain` lists public reasons.
///
/// The one exception tells nothing of the ciphertext: a key management service that could not be
/// asked, or would not answer. Then it is not known whether the ciphertext opens, and
/// [`kms_error`](Self::kms_error) says why.
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
    /// The ciphertext does not open. No more is said.
    pub const FAILED: Self = Self(None);

    /// Returns why a key management service did not answer; none where the ciphertext does not
    /// open.
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
    /// A service that says that the ciphertext does not open has answered: nothing is left of what
    /// else it said.
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

impl Error for DecryptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_ref().map(|error| error as _)
    }
}

/// A plaintext was not encrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// The plaintext or the associated data is longer than the cipher's limit.
    #[error("the plaintext or the associated data is longer than the cipher allows")]
    TooLong,
    /// The operating system gave no randomness for a nonce.
    #[error("no randomness for a nonce")]
    Random(#[source] RandomError),
    /// A stream's segment of this number was sealed before, or lies behind the last one.
    #[error("the segment was sealed before, or lies behind the last one")]
    SegmentNumber,
    /// The plaintext of a stream's segment is not as long as a segment of its place holds.
    #[error("the plaintext of a segment has the wrong length")]
    SegmentSize,
    /// The cipher provider failed.
    #[error("the cipher provider failed")]
    Provider,
    /// A key management service did not encrypt.
    #[error("the key management service did not encrypt")]
    Kms(#[source] KmsError),
}

impl From<EncryptError> for KmsError {
    /// What a local cipher says, in the words of a remote one.
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::Kms(error) => error,
            EncryptError::TooLong => Self::new(KmsErrorKind::InvalidInput).with_source(error),
            error => Self::new(KmsErrorKind::Local).with_source(error),
        }
    }
}

impl From<DecryptError> for KmsError {
    /// What a local cipher says, in the words of a remote one.
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
        matches!(self, Self::Kms(error) if error.is_retryable())
    }
}

/// A tag is not one of the message.
///
/// There is no reason inside, by design: neither which key was tried nor how much of the tag was
/// right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tag does not match the message")]
#[allow(
    clippy::exhaustive_structs,
    reason = "third parties implement Mac and must build it"
)]
pub struct VerifyError;

/// A pseudorandom function gave no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrfError {
    /// The output that was asked for is longer than the function gives.
    #[error("an output of {length} bytes is more than the {limit} that the function gives")]
    TooLong {
        /// The length in bytes that was asked for.
        length: usize,
        /// The longest output in bytes.
        limit: usize,
    },
}

/// The operating system gave no randomness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct RandomError(String);

impl From<getrandom::Error> for RandomError {
    fn from(error: getrandom::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<RandomError> for EncryptError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

/// One key is not what its type demands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No key type of the table in use has this type URL.
    #[error("no key type is known for `{}`", .type_url.escape_debug())]
    UnknownType {
        /// The type URL as it was read.
        type_url: String,
    },
    /// No key type of the table in use has a template of this name.
    #[error("no key template is named `{}`", .name.escape_debug())]
    UnknownTemplate {
        /// The name as it was given.
        name: String,
    },
    /// The serialized key or key format could not be parsed.
    #[error("the serialized key is malformed")]
    Malformed(#[source] ParseError),
    /// The key's version is not 0, the only version that exists.
    #[error("key version {found} is not supported, only version 0 exists")]
    Version {
        /// The version as it was read.
        found: u32,
    },
    /// A size or another parameter has a value that its type does not allow.
    #[error("{name} {found} is not allowed, only {allowed}")]
    Parameter {
        /// Which parameter, in the words of the key type.
        name: &'static str,
        /// The value as it was given.
        found: u64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The key type does not go with this output prefix.
    #[error("output prefix {variant} is not allowed for this key type")]
    Variant {
        /// The output prefix as it was given.
        variant: Variant,
    },
    /// The key derives keys that have another output prefix than its own.
    #[error("output prefix {variant} differs from {derived}, that of the keys to derive")]
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
    /// Keys are derived with a key of this type, and only `HkdfPrfKey` will do.
    #[error("keys cannot be derived with a key of type `{}`, only with an HkdfPrfKey", .type_url.escape_debug())]
    DerivingPrf {
        /// The type of the key to derive with.
        type_url: String,
    },
    /// The key's material type label is not the one of its type.
    #[error("the key material type is {found}, and must be {wanted} for this key type")]
    Material {
        /// The label as it was read.
        found: String,
        /// The label of the type.
        wanted: &'static str,
    },
    /// The key cannot be used with the cipher provider that was asked for.
    #[error("the cipher provider refused the key")]
    Provider,
    /// The operating system gave no randomness for a new key.
    #[error("no randomness for a new key")]
    Random(#[source] RandomError),
    /// Data-encryption keys of this type are not made in an envelope.
    #[error("`{}` is no key type of an envelope's data-encryption keys", .type_url.escape_debug())]
    DekType {
        /// The type URL of the template.
        type_url: String,
    },
    /// A key management service holds the key, and was not given: a
    /// [`KeysetRemoteAead`](crate::KeysetRemoteAead) takes the clients of such services.
    #[error("a key management service holds the key, which takes a KeysetRemoteAead")]
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
    /// The bytes are not a keyset in the format that was asked for.
    #[error("the keyset cannot be parsed")]
    Malformed(#[source] ParseError),
    /// The bytes are a keyset in a text form that no Tink reads.
    #[error("{found}")]
    TextForm {
        /// The form.
        found: TextForm,
    },
    /// An encrypted keyset holds its keyset in cleartext: what should have encrypted it gave it back.
    /// Anyone who can read the file has the keys.
    #[error("the keyset is in cleartext where its ciphertext should be")]
    EncryptedInNameOnly,
    /// There is no key.
    #[error("the keyset has no keys")]
    Empty,
    /// There are more than [`KeysetHandle::MAX_KEYS`](crate::KeysetHandle::MAX_KEYS) keys.
    #[error("a keyset has at most 4096 keys")]
    TooManyKeys,
    /// Two keys have the same id.
    #[error("two keys have the id {id}")]
    DuplicateId {
        /// The id in question.
        id: KeyId,
    },
    /// The primary key id names no key.
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
    /// A key's status is none of enabled, disabled and destroyed.
    #[error("key {id} has the unknown status {found}")]
    UnknownStatus {
        /// The key in question.
        id: KeyId,
        /// The number as it was read.
        found: i32,
    },
    /// A key's output prefix type is none of TINK, LEGACY, RAW and CRUNCHY. A key of a type that is not
    /// known here may have WITH_ID_REQUIREMENT as well.
    #[error("key {id} has the output prefix type {found}, which no symmetric key can have")]
    UnknownPrefix {
        /// The key in question.
        id: KeyId,
        /// The number as it was read.
        found: i32,
    },
    /// A key that is not destroyed has no key data.
    #[error("key {id} has no key data")]
    NoKeyData {
        /// The key in question.
        id: KeyId,
    },
    /// One key of the keyset is not acceptable.
    #[error("key {id} is not usable")]
    Key {
        /// The key in question.
        id: KeyId,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The template for a new key is unknown, or the key could not be generated.
    #[error("no key was generated")]
    Template(#[source] KeyError),
    /// No key of the keyset has this id.
    #[error("the keyset has no key {id}")]
    UnknownId {
        /// The id as it was given.
        id: KeyId,
    },
    /// The primary key cannot be disabled, destroyed or deleted: promote another first.
    #[error("key {id} is the primary key and cannot be {operation}")]
    IsPrimary {
        /// The key in question.
        id: KeyId,
        /// What was to be done to it.
        operation: &'static str,
    },
    /// A disabled key cannot become primary: enable it first.
    #[error("key {id} is disabled and cannot become the primary key")]
    NotEnabled {
        /// The key in question.
        id: KeyId,
    },
    /// A destroyed key has no material any more: it can only be deleted.
    #[error("key {id} is destroyed")]
    Destroyed {
        /// The key in question.
        id: KeyId,
    },
    /// An enabled key of the keyset is not a key of the primitive that was asked for.
    #[error("key {id} is {}, not {} key", described(*found, type_url), wanted.with_article())]
    WrongPrimitive {
        /// The key in question.
        id: KeyId,
        /// The type of the key.
        type_url: String,
        /// What the key is for; none where its type is not known.
        found: Option<KeyKind>,
        /// What the primitive that was asked for takes.
        wanted: KeyKind,
    },
    /// A key of another kind than the keyset's was to be added or enabled, and no primitive takes
    /// keys of two kinds.
    #[error(
        "{}, and the keyset is for {}",
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
    /// The keyset holds secret key material, and was to be read or written without any.
    #[error("key {id} holds secret key material")]
    Secret {
        /// The key in question.
        id: KeyId,
    },
    /// The encrypted keyset did not open: another key-encryption key, other associated data, or a
    /// damaged file.
    #[error("the encrypted keyset did not decrypt")]
    Decrypt(#[source] DecryptError),
    /// The keyset could not be encrypted.
    #[error("the keyset could not be encrypted")]
    Encrypt(#[source] EncryptError),
    /// The keyset has more bytes than its key-encryption key takes in one piece. A
    /// [`KmsEnvelopeAead`](crate::KmsEnvelopeAead) around that key takes keysets of any size.
    #[error(
        "the keyset has {size} bytes, more than its key-encryption key takes: \
         put that key into a KmsEnvelopeAead"
    )]
    TooLargeForKek {
        /// The length of the serialized keyset in bytes.
        size: usize,
        /// What the key-encryption key said.
        source: KmsError,
    },
    /// The header of a sealed stream cannot be made in so many bytes.
    #[error("the header of the sealed stream has {size} bytes, and takes at least {needed}")]
    HeaderSize {
        /// The size that was asked for, in bytes.
        size: usize,
        /// The least size that this keyset and its key-encryption key take, in bytes.
        needed: usize,
    },
    /// The operating system gave no randomness for a key id.
    #[error("no randomness for a key id")]
    Random(#[source] RandomError),
}

impl KeysetError {
    /// Returns what a key management service said, where one is the cause.
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
        self.kms_error().is_some_and(KmsError::is_retryable)
    }
}

impl From<RandomError> for KeysetError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

/// Says what a key is that is not the one wanted.
fn described(found: Option<KeyKind>, type_url: &str) -> String {
    found.map_or_else(
        || format!("of the unknown type `{}`", type_url.escape_debug()),
        |kind| format!("{} key of type `{type_url}`", kind.with_article()),
    )
}

/// Says what key was to be added to a keyset of another kind.
fn added(id: Option<KeyId>, found: Option<KeyKind>, type_url: &str) -> String {
    let which = id.map_or_else(|| "the new key".to_owned(), |id| format!("key {id}"));
    format!("{which} is {}", described(found, type_url))
}

/// Says what a keyset is for.
fn keyset_kind(kind: Option<KeyKind>, type_url: &str) -> String {
    kind.map_or_else(
        || format!("keys of the unknown type `{}`", type_url.escape_debug()),
        |kind| kind.with_article().to_owned(),
    )
}

/// Where and why bytes were not what their format says.
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

    /// The offset in bytes, from the start of the input, where parsing stopped; for the binary form,
    /// which is parsed as a whole, the length of the input.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}
