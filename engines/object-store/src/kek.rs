//! The key-encryption key of a store, with its calls counted.

use std::sync::Arc;

use keyseal::{BoxFuture, KeysetAead, KmsError, RemoteAead, kms::LocalAead};

use crate::stats::Counters;

#[derive(Clone)]
pub(crate) enum Kek {
    /// A key of a service: each use is a call.
    Remote(Arc<dyn RemoteAead>),
    /// A keyset in this process.
    Keyset(LocalAead<KeysetAead>),
}

/// A KEK for one operation, which counts its calls.
pub(crate) struct CountedKek<'a> {
    pub(crate) kek: &'a Kek,
    pub(crate) counters: &'a Counters,
}

impl CountedKek<'_> {
    fn kek(&self) -> &dyn RemoteAead {
        match self.kek {
            Kek::Remote(kek) => {
                self.counters.kms_calls.add(1);
                &**kek
            }
            Kek::Keyset(kek) => kek,
        }
    }
}

impl RemoteAead for CountedKek<'_> {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.kek().encrypt(plaintext, associated_data)
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.kek().decrypt(ciphertext, associated_data)
    }
}
