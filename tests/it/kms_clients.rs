//! Lists of clients.

use std::sync::Arc;

use keyseal::{
    BoxFuture, KmsError, KmsErrorKind, RemoteAead,
    kms::{KmsClient, KmsClients},
};

/// Serves the URIs of one scheme with keys that answer with its name.
struct Named(&'static str);

impl KmsClient for Named {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        let rest = key_uri.strip_prefix("named-kms://")?;
        Some(match rest {
            "" => Err(KmsErrorKind::InvalidUri.into()),
            _ => Ok(Arc::new(Self(self.0))),
        })
    }
}

impl RemoteAead for Named {
    fn encrypt<'a>(&'a self, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async { Ok(self.0.as_bytes().to_vec()) })
    }

    fn decrypt<'a>(&'a self, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async { Err(KmsErrorKind::DecryptionFailed.into()) })
    }
}

#[tokio::test]
async fn the_first_client_that_knows_a_uri_serves_it() {
    let boxed: Box<dyn KmsClient> = Box::new(Named("second"));
    let clients = KmsClients::new().with(Arc::new(Named("first"))).with(boxed);
    let nested = KmsClients::new().with(KmsClients::new()).with(clients);
    let key = nested.find("named-kms://key").unwrap();
    assert_eq!(key.encrypt(b"", b"").await.unwrap(), b"first");
}

#[test]
fn a_malformed_uri_is_not_passed_on_to_the_next_client() {
    struct Anything;
    impl KmsClient for Anything {
        fn remote_aead(&self, _: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
            Some(Ok(Arc::new(Named("anything"))))
        }
    }
    let clients = KmsClients::new().with(Named("first")).with(Anything);
    let kind = |uri| clients.find(uri).err().map(|error| error.kind());
    assert_eq!(kind("named-kms://"), Some(KmsErrorKind::InvalidUri));
    assert_eq!(kind("other"), None);
}

#[test]
fn a_uri_that_nobody_knows_is_not_repeated_beyond_its_scheme() {
    let clients = KmsClients::new().with(Named("first"));
    let error = clients.find("fake-kms://CM2b3_MDElQKSAow").err().unwrap();
    assert_eq!(error.kind(), KmsErrorKind::UnsupportedUri);
    assert_eq!(
        error.to_string(),
        "no client serves this key URI: its scheme is `fake-kms`"
    );
    for without in ["", "://x", "CM2b3_MDElQKSAow"] {
        let error = clients.find(without).err().unwrap();
        assert_eq!(error.message(), Some("it has no scheme"));
    }
}
