//! Encrypts a column, stores the table in an encrypted bucket, and queries it.
use std::sync::Arc;

use datafusion::{error::Result, execution::runtime_env::RuntimeEnvBuilder, prelude::*};
use keyseal::{KeysetAead, KeysetHandle};
use keyseal_datafusion::{KeyRing, SealedRegistry};
use object_store::memory::InMemory;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In earnest: KeyRing::kms and KeyRing::wrapped_keyset, so that a KMS unwraps the keyset.
    let ring = KeyRing::new().keyset("pii", KeysetHandle::generate("AES256_GCM")?);
    // In earnest: KeysetHandle::read_encrypted_remote.
    let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
    let sealed = SealedRegistry::default().sealed("sealed+s3://lake", move |store| {
        store.kek_keyset(kek.clone()).context("lake")
    })?;

    let runtime = RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(sealed));
    let ctx = SessionContext::new_with_config_rt(SessionConfig::new(), runtime.build_arc()?);
    keyseal_datafusion::register(&ctx, &Arc::new(ring));
    // In earnest: an object_store::aws::AmazonS3.
    ctx.register_object_store(&"s3://lake".parse()?, Arc::new(InMemory::new()));

    for sql in [
        "COPY (SELECT id, AEAD.ENCRYPT(keyset('pii'), email, 'people.email') AS email
               FROM (VALUES (1, 'ada@example.org'), (2, 'bob@example.org')) t(id, email))
         TO 'sealed+s3://lake/people/' STORED AS PARQUET",
        "CREATE EXTERNAL TABLE people STORED AS PARQUET LOCATION 'sealed+s3://lake/people/'",
        "SELECT id, AEAD.DECRYPT_STRING(keyset('pii'), email, 'people.email') AS email FROM people",
    ] {
        ctx.sql(sql).await?.show().await?;
    }
    Ok(())
}
