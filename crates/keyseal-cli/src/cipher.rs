//! What a keyset encrypts with: its keys decide.

use keyseal::{
    Aead, DecryptError, DeterministicAead as _, EncryptError, KeysetAead, KeysetDeterministicAead,
    KeysetRemoteAead, KeysetStreamingAead, KmsError, KmsErrorKind, SecretAccess,
    key::{KeyKind, OutputPrefix, kms_aead::KmsAeadKey, kms_envelope_aead::KmsEnvelopeAeadKey},
    keyset::{Entry, Status},
    kms::{KmsClients, blocking::BlockingAead, file::FileKmsClient},
};

use crate::{
    context::Context,
    error::Failure,
    exit::Exit,
    input::Place,
    keysets::{Keyset, cleartext_failure, keyset_failure},
    kms::{KeyManager, new_worker},
};

/// The longest plaintext that is encrypted in memory, in bytes.
pub(crate) const LIMIT: u64 = 2 << 30;

/// The primitive of a keyset.
pub(crate) enum Cipher {
    Aead(Box<dyn Aead>),
    Deterministic(KeysetDeterministicAead),
    Streaming(KeysetStreamingAead),
}

impl Cipher {
    /// Makes the primitive of the primary key's kind. `cleartext` allows keys whose URI is a file.
    pub(crate) fn of(
        keyset: &Keyset,
        place: &Place,
        cleartext: bool,
        context: &Context,
    ) -> Result<Self, Failure> {
        match primary(keyset).and_then(|entry| entry.key()?.kind()) {
            Some(KeyKind::DeterministicAead) => keyset.primitive(place).map(Self::Deterministic),
            Some(KeyKind::StreamingAead) => keyset.primitive(place).map(Self::Streaming),
            Some(KeyKind::Aead) if has_remote_keys(keyset) => {
                remote_aead(keyset, place, cleartext, context)
                    .map(|aead| Self::Aead(Box::new(aead)))
            }
            // A key of no known kind is refused with its type.
            Some(KeyKind::Aead) | None => keyset
                .primitive::<KeysetAead>(place)
                .map(|aead| Self::Aead(Box::new(aead))),
            Some(kind) => Err(Failure::new(
                Exit::KeysetInvalid,
                "wrong_primitive",
                format!("cannot use keyset {}", place.name()),
                format!("its primary key is for {}", kind.with_article()),
            )
            .hint("encrypt and decrypt take a keyset of AEAD, deterministic or streaming AEAD keys")
            .hint(format!("keyseal keyset list {}", place.argument()))),
        }
    }

    /// Encrypts a message, where the keyset is for messages.
    pub(crate) fn encrypt(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        match self {
            Self::Aead(aead) => aead.encrypt_in_place(buffer, associated_data),
            Self::Deterministic(daead) => {
                daead.encrypt_deterministically_in_place(buffer, associated_data)
            }
            Self::Streaming(_) => Err(EncryptError::TooLong),
        }
    }

    /// Decrypts a message, where the keyset is for messages.
    pub(crate) fn decrypt(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        match self {
            Self::Aead(aead) => aead.decrypt_in_place(buffer, associated_data),
            Self::Deterministic(daead) => {
                daead.decrypt_deterministically_in_place(buffer, associated_data)
            }
            Self::Streaming(_) => Err(DecryptError::FAILED),
        }
    }
}

/// Returns whether a key was not found because its URI names a file.
fn is_of_a_file(error: &KmsError) -> bool {
    error.kind() == KmsErrorKind::UnsupportedUri
        && error
            .message()
            .is_some_and(|text| text.contains("`file-kms`"))
}

fn has_remote_keys(keyset: &Keyset) -> bool {
    let mut enabled = keyset
        .handle
        .entries()
        .filter(|entry| entry.status() == Status::Enabled);
    enabled.any(|entry| {
        entry.key().is_some_and(|key| {
            key.downcast_ref::<KmsAeadKey>().is_some()
                || key.downcast_ref::<KmsEnvelopeAeadKey>().is_some()
        })
    })
}

fn remote_aead(
    keyset: &Keyset,
    place: &Place,
    cleartext: bool,
    context: &Context,
) -> Result<BlockingAead, Failure> {
    let manager = KeyManager::new(context.kms(), context);
    let mut clients = KmsClients::new();
    if let Ok(manager) = &manager {
        clients = clients.with(manager.client().clone());
    }
    if cleartext {
        clients = clients.with(FileKmsClient::new(SecretAccess::insecure()));
    }
    let aead = KeysetRemoteAead::new(&keyset.handle, &clients).map_err(|error| {
        match (manager.as_ref(), error.kms_error()) {
            (_, Some(kms)) if !cleartext && is_of_a_file(kms) => Some(cleartext_failure(
                &format!("cannot use keyset {}", place.name()),
                "a key of it is a cleartext file",
            )),
            // Why there is no client for its keys.
            (Err(_), Some(_)) => None,
            _ => Some(keyset_failure(&place.name(), error)),
        }
    });
    match (aead, manager) {
        (Ok(aead), Ok(manager)) => Ok(BlockingAead::new(manager.worker(), aead)),
        (Ok(aead), Err(_)) => Ok(BlockingAead::new(&new_worker()?, aead)),
        (Err(Some(failure)), _) | (Err(None), Err(failure)) => Err(failure),
        (Err(None), Ok(_)) => Err(Failure::new(
            Exit::Failed,
            "failed",
            format!("cannot use keyset {}", place.name()),
            "its keys cannot be used",
        )),
    }
}

/// Returns the bytes that encrypting adds, so that the buffer need not grow.
pub(crate) fn overhead(keyset: &Keyset) -> usize {
    let facts = primary(keyset).and_then(|entry| entry.key()?.facts());
    OutputPrefix::SIZE + facts.map_or(0, |facts| facts.overhead)
}

fn primary(keyset: &Keyset) -> Option<Entry<'_>> {
    keyset.handle.entries().find(Entry::is_primary)
}
