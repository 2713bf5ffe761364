//! An encrypted bucket on the local file system, under a keyset that a KEK wraps.

use std::sync::Arc;

use keyseal::{KeysetAead, KeysetHandle, SecretAccess, keyset::Format, kms::file::FileKmsClient};
use keyseal::{RemoteAead, kms::KmsClient as _};
use keyseal_object_store::EncryptedStore;
use object_store::{ObjectStoreExt as _, local::LocalFileSystem, path::Path};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (bucket, access) = (tempfile::tempdir()?, SecretAccess::insecure());
    let kek_file = bucket.path().join("kek.json");
    let kek = KeysetHandle::generate("AES256_GCM")?.write_cleartext(Format::Json, access);
    std::fs::write(&kek_file, kek.expose(access))?;
    let uri = format!("file-kms://{}", kek_file.display()); // in earnest: scw-kms://…
    let kek: Arc<dyn RemoteAead> = FileKmsClient::new(access).remote_aead(&uri).ok_or("no key")??;
    let file = KeysetHandle::generate("AES256_GCM")?;
    let file = file.write_encrypted_remote(Format::Json, &kek, b"").await?;
    let keyset = KeysetHandle::read_encrypted_remote(&file, Format::Json, &kek, b"").await?;
    let inner = Arc::new(LocalFileSystem::new_with_prefix(bucket.path())?);
    let builder = EncryptedStore::builder(inner).kek_keyset(keyset.primitive::<KeysetAead>()?);
    let store = builder.context("lake").build().await?;
    store.put(&Path::from("a.txt"), "a secret".into()).await?;
    assert_eq!(store.get_range(&Path::from("a.txt"), 2..8).await?, "secret");
    Ok(())
}
