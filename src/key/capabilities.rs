//! Makes the primitive of a key, or nothing if the key is of another kind.
//!
//! Each key leaves the stack clean for the next one. The caller cleans it for the first.

use super::{Key, KeyDeriver, KeyId, PrefixedAead, PrefixedMac, RemoteKey};
use crate::{
    cipher::{Provider, RawPrf},
    error::KeyError,
    secret::{STACK_OF_KEYS, on_wiped_stack},
    segment::StreamKey,
};

impl Key {
    /// Returns the AEAD that this key is for.
    pub(crate) fn aead(
        &self,
        id: KeyId,
        provider: Provider,
    ) -> Option<Result<PrefixedAead, KeyError>> {
        let cipher = on_wiped_stack::<STACK_OF_KEYS, _>(|| self.material.aead(provider))?;
        Some(cipher.map(|cipher| PrefixedAead::new(self.variant.prefix(id), cipher)))
    }

    /// Returns where the service's part of this key is, if a service holds it.
    pub(crate) fn remote_key(&self) -> Option<Result<RemoteKey<'_>, KeyError>> {
        self.material.remote_key()
    }

    /// Returns the deterministic AEAD that this key is for.
    pub(crate) fn daead(&self, id: KeyId) -> Option<Result<PrefixedAead, KeyError>> {
        let cipher = on_wiped_stack::<STACK_OF_KEYS, _>(|| self.material.daead())?;
        Some(cipher.map(|cipher| PrefixedAead::new(self.variant.prefix(id), cipher)))
    }

    /// Returns the MAC that this key is for.
    pub(crate) fn mac(&self, id: KeyId) -> Option<Result<PrefixedMac, KeyError>> {
        let mac = on_wiped_stack::<STACK_OF_KEYS, _>(|| self.material.mac())?;
        Some(mac.map(|mac| PrefixedMac::new(self.variant.prefix(id), self.variant, mac)))
    }

    /// Returns the pseudorandom function that this key is for.
    pub(crate) fn prf(&self) -> Option<Result<Box<dyn RawPrf>, KeyError>> {
        on_wiped_stack::<STACK_OF_KEYS, _>(|| self.material.prf())
    }

    /// Returns the deriver of keys that this key is for.
    pub(crate) fn deriver(&self) -> Option<Result<KeyDeriver, KeyError>> {
        on_wiped_stack::<STACK_OF_KEYS, _>(|| self.material.deriver())
    }

    /// Returns what makes the streams that this key is for.
    pub(crate) fn streaming_aead(&self, provider: Provider) -> Option<Result<StreamKey, KeyError>> {
        on_wiped_stack::<STACK_OF_KEYS, _>(|| self.material.streaming_aead(provider)).map(Ok)
    }
}
