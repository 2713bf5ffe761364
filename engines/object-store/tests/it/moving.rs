//! Copies and renames under the path binding.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use keyseal_object_store::EncryptedStore;
use object_store::{
    Attribute, Attributes, Error, ObjectStore as _, ObjectStoreExt as _, PutOptions, Result,
    memory::InMemory, path::Path,
};

use crate::support::{builder, bytes};

/// Larger than a part of 5 MiB.
const LARGE: usize = 12 << 20;

async fn store() -> (Arc<InMemory>, EncryptedStore) {
    let inner = Arc::new(InMemory::new());
    let builder = builder(inner.clone()).part_size(5 << 20);
    (inner, builder.build().await.unwrap())
}

async fn read(store: &EncryptedStore, path: &str) -> Result<Vec<u8>> {
    Ok(store.get(&Path::from(path)).await?.bytes().await?.to_vec())
}

async fn paths(inner: &InMemory) -> Vec<String> {
    let listed: Vec<_> = inner.list(None).try_collect().await.unwrap();
    listed
        .iter()
        .map(|meta| meta.location.to_string())
        .collect()
}

#[tokio::test]
async fn copies_decrypt_at_their_own_place_and_keep_attributes() {
    let (from, to) = (Path::from("from"), Path::from("to"));
    for size in [10, LARGE] {
        let (inner, store) = store().await;
        let attributes = Attributes::from_iter([(Attribute::ContentType, "text/csv")]);
        let options = PutOptions::from(attributes.clone());
        store
            .put_opts(&from, bytes(size).into(), options)
            .await
            .unwrap();
        store.copy(&from, &to).await.unwrap();
        assert_eq!(read(&store, "to").await.unwrap(), bytes(size));
        assert_eq!(store.get(&to).await.unwrap().attributes, attributes);
        // The same plaintext, but another key.
        let stored = |path: Path| {
            let inner = inner.clone();
            async move { inner.get(&path).await.unwrap().bytes().await.unwrap() }
        };
        assert_ne!(stored(from.clone()).await, stored(to.clone()).await);

        let exists = store.copy_if_not_exists(&from, &to).await.unwrap_err();
        assert!(matches!(exists, Error::AlreadyExists { .. }), "{exists}");
        let third = Path::from("third");
        store.copy_if_not_exists(&from, &third).await.unwrap();
        assert_eq!(read(&store, "third").await.unwrap(), bytes(size));
        assert_eq!(paths(&inner).await, ["from", "third", "to"]);
    }
}

#[tokio::test]
async fn renames_leave_one_object() {
    for size in [10, LARGE] {
        let (inner, store) = store().await;
        let (from, to) = (Path::from("from"), Path::from("to"));
        store.put(&from, bytes(size).into()).await.unwrap();
        store.rename(&from, &from).await.unwrap();
        assert_eq!(read(&store, "from").await.unwrap(), bytes(size));
        store.rename(&from, &to).await.unwrap();
        assert_eq!(paths(&inner).await, ["to"]);
        assert_eq!(read(&store, "to").await.unwrap(), bytes(size));
        assert!(matches!(
            read(&store, "from").await,
            Err(Error::NotFound { .. })
        ));
        store.put(&from, "other".into()).await.unwrap();
        let exists = store.rename_if_not_exists(&to, &from).await.unwrap_err();
        assert!(matches!(exists, Error::AlreadyExists { .. }));
        assert_eq!(read(&store, "from").await.unwrap(), b"other");
        assert_eq!(paths(&inner).await, ["from", "to"]);
    }
}

#[tokio::test]
async fn a_damaged_source_is_not_copied() {
    let (inner, store) = store().await;
    let from = Path::from("from");
    store.put(&from, bytes(LARGE).into()).await.unwrap();
    let stored = inner.get(&from).await.unwrap().bytes().await.unwrap();
    inner
        .put(&from, stored.slice(..stored.len() - 1).into())
        .await
        .unwrap();
    for to in ["to", "from"] {
        assert!(store.copy(&from, &Path::from(to)).await.is_err());
    }
    assert_eq!(paths(&inner).await, ["from"]);
}
