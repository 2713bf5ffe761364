//! Contexts, keys and answers.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use datafusion::{prelude::SessionContext, scalar::ScalarValue};
use keyseal::{
    KeysetHandle, KmsError, RemoteAead, SecretAccess,
    keyset::Format,
    kms::{KmsClient, KmsClients, file::FileKmsClient},
};
use keyseal_datafusion::KeyRing;

pub(crate) const KEK: &str = "file-kms://kek.json";

pub(crate) fn aead() -> KeysetHandle {
    KeysetHandle::generate("AES256_GCM").unwrap()
}

pub(crate) fn deterministic() -> KeysetHandle {
    KeysetHandle::generate("AES256_SIV").unwrap()
}

pub(crate) fn binary(keyset: &KeysetHandle) -> Vec<u8> {
    let access = SecretAccess::insecure();
    let bytes = keyset.write_cleartext(Format::Binary, access);
    bytes.expose(access).to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key service in a folder, whose keys are looked up once per call. Looking up is counted.
#[derive(Clone)]
pub(crate) struct Service {
    client: Arc<FileKmsClient>,
    pub(crate) lookups: Arc<AtomicU64>,
}

impl Service {
    /// Makes the keys `kek.json` and `other.json`.
    pub(crate) fn new(folder: &Path) -> Self {
        let access = SecretAccess::insecure();
        for name in ["kek.json", "other.json"] {
            let key = aead().write_cleartext(Format::Json, access);
            std::fs::write(folder.join(name), key.expose(access)).unwrap();
        }
        Self {
            client: Arc::new(FileKmsClient::in_folder(folder, access)),
            lookups: Arc::default(),
        }
    }

    pub(crate) fn clients(&self) -> KmsClients {
        KmsClients::new().with(self.clone())
    }

    /// Wraps a keyset as BigQuery does.
    pub(crate) async fn wrap(&self, keyset: &KeysetHandle) -> Vec<u8> {
        let kek = self.client.remote_aead(KEK).unwrap().unwrap();
        kek.encrypt(&binary(keyset), b"").await.unwrap()
    }
}

impl KmsClient for Service {
    fn remote_aead(&self, uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.client.remote_aead(uri)
    }
}

pub(crate) fn context(ring: KeyRing) -> SessionContext {
    let ctx = SessionContext::new();
    keyseal_datafusion::register(&ctx, &Arc::new(ring));
    ctx
}

/// A context with the keysets `a` and `d`, which also takes cleartext keysets.
pub(crate) fn usual() -> SessionContext {
    let ring = KeyRing::new().keyset("a", aead());
    context(
        ring.keyset("d", deterministic())
            .cleartext_keysets(SecretAccess::insecure()),
    )
}

/// Returns the rows of a query's first column.
pub(crate) async fn column(ctx: &SessionContext, sql: &str) -> Vec<ScalarValue> {
    let batches = match ctx.sql(sql).await {
        Ok(query) => query.collect().await,
        Err(error) => Err(error),
    };
    let batches = batches.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(|row| ScalarValue::try_from_array(batch.column(0), row).unwrap())
    });
    rows.collect()
}

pub(crate) async fn run(ctx: &SessionContext, sql: &str) {
    column(ctx, sql).await;
}

/// Returns a query's only value.
pub(crate) async fn value(ctx: &SessionContext, sql: &str) -> ScalarValue {
    let rows = column(ctx, sql).await;
    assert_eq!(rows.len(), 1, "{sql}");
    rows[0].clone()
}

pub(crate) async fn bytes(ctx: &SessionContext, sql: &str) -> Vec<u8> {
    match value(ctx, sql).await {
        ScalarValue::Binary(Some(bytes)) => bytes,
        other => panic!("{sql}: {other:?}"),
    }
}

pub(crate) async fn text(ctx: &SessionContext, sql: &str) -> String {
    match value(ctx, sql).await {
        ScalarValue::Utf8(Some(text)) => text,
        other => panic!("{sql}: {other:?}"),
    }
}

/// Returns the error of a query.
pub(crate) async fn error(ctx: &SessionContext, sql: &str) -> String {
    let error = match ctx.sql(sql).await {
        Ok(query) => query.collect().await.err(),
        Err(error) => Some(error),
    };
    error.unwrap_or_else(|| panic!("{sql}: it ran")).to_string()
}
