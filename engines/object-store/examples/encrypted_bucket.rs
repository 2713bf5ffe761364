//! An encrypted bucket on the local file system.
use std::sync::Arc;

use keyseal::{KeysetAead, KeysetHandle};
use keyseal_object_store::EncryptedStore;
use object_store::{ObjectStoreExt as _, local::LocalFileSystem, path::Path};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In earnest: KeysetHandle::read_encrypted_remote, with a key of your KMS.
    let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
    let folder = tempfile::tempdir()?;
    let bucket = Arc::new(LocalFileSystem::new_with_prefix(folder.path())?);
    let builder = EncryptedStore::builder(bucket.clone()).kek_keyset(kek);
    let store = builder.context("lake").build().await?;

    let path = Path::from("letters/7.txt");
    store.put(&path, "attack at dawn".into()).await?;
    assert_eq!(store.get_range(&path, 10..14).await?, "dawn");
    let stored = bucket.get(&path).await?.bytes().await?;
    assert!(stored.starts_with(b"keyseal"));
    Ok(())
}
