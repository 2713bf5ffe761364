//! [`ParsedKeyset`]: a keyset with the primitives that SQL uses.

use keyseal::{
    KeysetAead, KeysetDeterministicAead, KeysetHandle, error_chain, key::KeyKind, keyset::Primitive,
};

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

    /// Returns whether a ciphertext names a key that the keyset does not have. Those of RAW keys name
    /// none.
    pub(crate) fn lacks_key_of(&self, ciphertext: &[u8]) -> bool {
        let Some((0 | 1, rest)) = ciphertext.split_first() else {
            return false;
        };
        let Some(id) = rest.first_chunk::<4>() else {
            return false;
        };
        let id = u32::from_be_bytes(*id);
        self.handle.entries().all(|entry| entry.id().value() != id)
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
        _ => error_chain(&error),
    })
}
