//! The cipher of a keyset: its keys decide which primitive that is.

use keyseal::{
    Aead, DecryptError, DeterministicAead as _, EncryptError, KeysetAead, KeysetDeterministicAead,
    KeysetRemoteAead, KeysetStreamingAead,
    key::{KeyKind, OutputPrefix, kms_aead::KmsAeadKey, kms_envelope_aead::KmsEnvelopeAeadKey},
    keyset::{Entry, Status},
    kms::{KmsClients, blocking::BlockingAead},
};

use crate::{
    context::Context,
    error::Failure,
    exit::Exit,
    input::FileArg,
    kek_uri::KekUri,
    keyset_failure::keyset_failure,
    keysets::Keyset,
    kms::{PROVIDERS, new_worker},
};

/// The primitive of a keyset.
pub(crate) enum KeysetPrimitive {
    Aead(Box<dyn Aead>),
    Deterministic(KeysetDeterministicAead),
    Streaming(KeysetStreamingAead),
}

impl KeysetPrimitive {
    /// Makes the primitive of the primary key's kind. `cleartext` allows keys whose URI is a file.
    pub(crate) fn of(
        keyset: &Keyset,
        place: &FileArg,
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
            // The error for a key of unknown kind names its type.
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

    /// Encrypts a message, if the keyset is for messages.
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

    /// Decrypts a message, if the keyset is for messages.
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

/// Returns whether a service holds a key that is enabled.
pub(crate) fn has_remote_keys(keyset: &Keyset) -> bool {
    let mut enabled = keyset
        .handle
        .entries()
        .filter(|entry| entry.status() == Status::Enabled);
    enabled.any(|entry| key_uri(&entry).is_some())
}

/// Returns the files that hold the keyset's keys, whatever their status.
pub(crate) fn files_of_keys(keyset: &Keyset) -> Vec<FileArg> {
    let uris = keyset.handle.entries();
    let uris = uris.filter_map(|entry| KekUri::in_keyset(key_uri(&entry)?).ok());
    uris.filter_map(|uri| uri.file().map(FileArg::File))
        .collect()
}

/// Returns the URI of a key that is stored elsewhere.
fn key_uri<'e>(entry: &Entry<'e>) -> Option<&'e str> {
    let key = entry.key()?;
    let aead = key.downcast_ref::<KmsAeadKey>();
    let envelope = key.downcast_ref::<KmsEnvelopeAeadKey>();
    aead.map(|key| key.parameters().key_uri())
        .or_else(|| envelope.map(|key| key.parameters().kek_uri()))
}

fn remote_aead(
    keyset: &Keyset,
    place: &FileArg,
    cleartext: bool,
    context: &Context,
) -> Result<BlockingAead, Failure> {
    let mut enabled: Vec<KekUri> = Vec::new();
    for entry in keyset.handle.entries() {
        if let (Status::Enabled, Some(uri)) = (entry.status(), key_uri(&entry)) {
            enabled.push(KekUri::in_keyset(uri)?);
        }
    }
    for uri in &enabled {
        let checked = uri.check_key(cleartext, context);
        checked.map_err(|failure| failure.hint(format!("keyset {} names it", place.name())))?;
    }
    let mut clients = KmsClients::new();
    let mut worker = None;
    for provider in &PROVIDERS {
        if enabled
            .iter()
            .any(|uri| uri.provider().scheme == provider.scheme)
        {
            let client = (provider.client)(clients, context)?;
            clients = client.clients;
            worker = worker.or(client.worker);
        }
    }
    let aead = KeysetRemoteAead::new(&keyset.handle, &clients)
        .map_err(|error| keyset_failure(&place.name(), error))?;
    let worker = worker.map_or_else(new_worker, Ok)?;
    Ok(BlockingAead::new(&worker, aead))
}

/// Returns the bytes that encrypting adds, so that the buffer need not grow.
pub(crate) fn overhead(keyset: &Keyset) -> usize {
    let facts = primary(keyset).and_then(|entry| entry.key()?.properties());
    OutputPrefix::SIZE + facts.map_or(0, |facts| facts.overhead)
}

pub(crate) fn primary(keyset: &Keyset) -> Option<Entry<'_>> {
    keyset.handle.entries().find(Entry::is_primary)
}
