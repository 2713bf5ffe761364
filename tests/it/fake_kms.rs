//! Tink's fake KMS, in which the URI of a key is its keyset; with no feature of the crate.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use keyseal::{
    KeysetAead, KmsError, KmsErrorKind, RemoteAead,
    keyset::Format,
    kms::{KmsClient, LocalAead},
};

use crate::support::read;

pub(crate) struct FakeKms;

impl KmsClient for FakeKms {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        let keyset = BASE64.decode(key_uri.strip_prefix("fake-kms://")?);
        let unusable = || KmsError::from(KmsErrorKind::InvalidUri);
        Some(keyset.map_err(|_| unusable()).and_then(|keyset| {
            let keyset = read(&keyset, Format::Binary).map_err(|_| unusable())?;
            let aead: KeysetAead = keyset.primitive().map_err(|_| unusable())?;
            Ok(Arc::new(LocalAead::new(aead)) as Arc<dyn RemoteAead>)
        }))
    }
}

/// Nothing here waits for anything.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("a local key waits"),
    }
}
