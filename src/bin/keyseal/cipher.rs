//! What a keyset encrypts whole messages with: its keys decide.

use keyseal::{
    Aead as _, DecryptError, DeterministicAead as _, EncryptError, KeysetAead,
    KeysetDeterministicAead,
    key::{KeyKind, OutputPrefix},
    keyset::Entry,
};

use crate::{error::Failure, exit::Exit, input::Place, keysets::Keyset};

/// The longest plaintext that is encrypted in memory, in bytes.
pub(crate) const LIMIT: u64 = 2 << 30;

/// The primitive of a keyset that encrypts messages, in the buffer that holds them.
pub(crate) enum Cipher {
    Aead(KeysetAead),
    Deterministic(KeysetDeterministicAead),
}

impl Cipher {
    /// Makes the primitive of the primary key's kind.
    pub(crate) fn of(keyset: &Keyset, place: &Place) -> Result<Self, Failure> {
        match primary(keyset).and_then(|entry| entry.key()?.kind()) {
            Some(KeyKind::DeterministicAead) => keyset.primitive(place).map(Self::Deterministic),
            // A key of no known kind is refused with its type.
            Some(KeyKind::Aead) | None => keyset.primitive(place).map(Self::Aead),
            Some(kind) => Err(Failure::new(
                Exit::KeysetInvalid,
                "wrong_primitive",
                format!("cannot use keyset {}", place.name()),
                format!("its primary key is for {}", kind.with_article()),
            )
            .hint("encrypt and decrypt take a keyset of AEAD or deterministic AEAD keys")
            .hint(format!("keyseal keyset list {}", place.argument()))),
        }
    }

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
        }
    }

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
        }
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
