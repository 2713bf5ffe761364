//! A client of another key management service, and the suite that checks it.
//!
//! The service here is a table of keys behind a short wait. Replace the wait with your call.
//!
//! ```text
//! cargo run --example own_kms --features testkit
//! ```

use std::{collections::HashMap, sync::Arc, time::Duration};

use keyseal::{
    Aead, BoxFuture, KeysetAead, KeysetHandle, KmsEnvelopeAead, KmsError, KmsErrorKind, RemoteAead,
    kms::{KmsClient, KmsClients, testkit},
};

/// Finds keys by URIs such as `table-kms://orders`.
struct TableKms(HashMap<String, KeysetAead>);

impl KmsClient for TableKms {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        let name = key_uri.strip_prefix("table-kms://")?;
        if name.is_empty() || name.contains('/') {
            return Some(Err(KmsErrorKind::InvalidUri.into()));
        }
        let key = self.0.get(name).cloned();
        Some(match key {
            Some(key) => Ok(Arc::new(TableKey(key))),
            None => Err(KmsError::new(KmsErrorKind::NotFound).with_context(key_uri)),
        })
    }
}

/// One key of the table.
struct TableKey(KeysetAead);

impl RemoteAead for TableKey {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(self.0.encrypt(plaintext, associated_data)?)
        })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(self.0.decrypt(ciphertext, associated_data)?)
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let orders = KeysetHandle::generate("AES256_GCM")?.primitive()?;
    let client = TableKms(HashMap::from([("orders".to_owned(), orders)]));

    let malformed = ["table-kms://", "table-kms://a/b"];
    let key = testkit::check_kms_client(&client, "table-kms://orders", &malformed)?;
    testkit::check_remote_aead(&key).await?;

    let clients = KmsClients::new().with(client);
    let aead = KmsEnvelopeAead::new(clients.find("table-kms://orders")?, "AES256_GCM")?;
    let ciphertext = aead.encrypt(b"attack at dawn", b"letter 7").await?;
    assert_eq!(
        aead.decrypt(&ciphertext, b"letter 7").await?,
        b"attack at dawn"
    );
    Ok(())
}
