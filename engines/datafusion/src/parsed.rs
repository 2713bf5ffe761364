//! [`ParsedKeyset`]: a keyset with the primitives that SQL uses.

use keyseal::{KeysetAead, KeysetDeterministicAead, KeysetHandle, key::KeyKind, keyset::Primitive};

use crate::error::sentence;

pub(crate) struct ParsedKeyset {
    handle: KeysetHandle,
    aead: Result<KeysetAead, String>,
    deterministic: Result<KeysetDeterministicAead, String>,
}

impl ParsedKeyset {
    pub(crate) fn new(handle: KeysetHandle) -> Self {
        Self {
            aead: primitive(&handle, KeyKind::Aead),
            deterministic: primitive(&handle, KeyKind::DeterministicAead),
            handle,
        }
    }

    pub(crate) const fn handle(&self) -> &KeysetHandle {
        &self.handle
    }

    pub(crate) fn aead(&self) -> Result<&KeysetAead, String> {
        self.aead.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn deterministic(&self) -> Result<&KeysetDeterministicAead, String> {
        self.deterministic.as_ref().map_err(Clone::clone)
    }
}

fn primitive<P: Primitive>(handle: &KeysetHandle, wanted: KeyKind) -> Result<P, String> {
    handle.primitive().map_err(|error| match handle.kind() {
        Some(kind) if kind != wanted => {
            format!("this keyset has keys for {kind}, not for {wanted}")
        }
        _ => sentence(&error),
    })
}
