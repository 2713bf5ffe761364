//! Re-wrapping under another KEK, and `verify`.

use std::sync::Arc;

use futures_util::StreamExt as _;
use keyseal::{Key, KeysetAead, KeysetHandle, kms::LocalAead};
use keyseal_object_store::{EncryptedStore, Rewrapped, StoreErrorKind};
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt as _, PutOptions, local::LocalFileSystem,
    memory::InMemory, path::Path,
};

use crate::support::{builder, bytes, kek, kind_of};

async fn check_rewrap(inner: Arc<dyn ObjectStore>, size: usize, attributes: Attributes) {
    let (old_kek, new_kek) = (kek(), kek());
    let builder = builder(inner.clone()).part_size(5 << 20);
    let old = builder.clone().kek_keyset(old_kek).build().await.unwrap();
    let new = builder.kek_keyset(new_kek.clone()).build().await.unwrap();
    let path = Path::from("object");
    let options = PutOptions::from(attributes.clone());
    old.put_opts(&path, bytes(size).into(), options)
        .await
        .unwrap();
    let before = inner.get(&path).await.unwrap().bytes().await.unwrap();

    let new_kek = LocalAead::new(new_kek);
    assert_eq!(old.rewrap(&path, &new_kek).await.unwrap(), Rewrapped::Done);
    let after = inner.get(&path).await.unwrap();
    assert_eq!(after.attributes, attributes);
    let after = after.bytes().await.unwrap();
    assert_eq!(before[1024..], after[1024..], "the stream stays as it is");
    assert_eq!(
        new.get(&path).await.unwrap().bytes().await.unwrap(),
        bytes(size)
    );
    let error = old.get(&path).await.unwrap_err();
    assert!(
        matches!(kind_of(&error), StoreErrorKind::Unwrap(_)),
        "{error}"
    );
    assert_eq!(
        old.rewrap(&path, &new_kek).await.unwrap(),
        Rewrapped::Already
    );

    let error = old.rewrap(&path, &LocalAead::new(kek())).await.unwrap_err();
    assert!(
        matches!(kind_of(&error), StoreErrorKind::Unwrap(_)),
        "{error}"
    );
}

#[tokio::test]
async fn a_rewrapped_object_opens_under_the_new_kek_alone() {
    let attributes = Attributes::from_iter([(Attribute::ContentType, "text/csv")]);
    for size in [0, 1_000, 6 << 20] {
        check_rewrap(Arc::new(InMemory::new()), size, attributes.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let disk = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        check_rewrap(Arc::new(disk), size, Attributes::default()).await;
    }
}

#[tokio::test]
async fn a_large_object_is_rewrapped_in_parts() {
    check_rewrap(Arc::new(InMemory::new()), 65 << 20, Attributes::default()).await;
}

#[tokio::test]
async fn all_objects_below_a_prefix_are_rewrapped_and_a_second_run_skips_them() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (old_kek, new_kek) = (kek(), kek());
    let builder = builder(inner.clone());
    let old = builder.clone().kek_keyset(old_kek).build().await.unwrap();
    let path = |number: usize| Path::from(format!("lake/{number:03}"));
    for number in 0..40 {
        old.put(&path(number), bytes(number * 100).into())
            .await
            .unwrap();
    }
    old.put(&Path::from("other/1"), "x".into()).await.unwrap();
    inner
        .put(&Path::from("lake/_SUCCESS"), "".into())
        .await
        .unwrap();
    let run = async |store: &EncryptedStore| {
        let kek = Arc::new(LocalAead::new(new_kek.clone()));
        let results = store.rewrap_all(Some(&Path::from("lake")), kek);
        let results: Vec<_> = results.collect().await;
        let count = |wanted| {
            let done = results
                .iter()
                .filter(|(_, result)| matches!(result, Ok(found) if *found == wanted));
            done.count()
        };
        let failed: Vec<_> = results
            .iter()
            .filter(|(_, result)| result.is_err())
            .collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].0.as_ref(), "lake/_SUCCESS");
        (count(Rewrapped::Done), count(Rewrapped::Already))
    };
    assert_eq!(run(&old).await, (40, 0));
    assert_eq!(run(&old).await, (0, 40));
    let new = builder.kek_keyset(new_kek.clone()).build().await.unwrap();
    for number in 0..40 {
        let read = new.get(&path(number)).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, bytes(number * 100));
    }
    assert_eq!(
        old.get(&Path::from("other/1"))
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap(),
        "x"
    );
}

#[tokio::test]
async fn objects_of_a_rotated_keyset_open_before_and_after_they_are_rewrapped() {
    let mut keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    let before: KeysetAead = keyset.primitive().unwrap();
    keyset.rotate(Key::generate("AES256_GCM").unwrap()).unwrap();
    let after: KeysetAead = keyset.primitive().unwrap();
    let builder = builder(Arc::new(InMemory::new()));
    let old = builder.clone().kek_keyset(before).build().await.unwrap();
    let new = builder.kek_keyset(after.clone()).build().await.unwrap();
    let path = Path::from("object");
    old.put(&path, "secret".into()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            new.get(&path).await.unwrap().bytes().await.unwrap(),
            "secret"
        );
        new.rewrap(&path, &LocalAead::new(after.clone()))
            .await
            .unwrap();
    }
    let error = old.get(&path).await.unwrap_err();
    assert!(matches!(kind_of(&error), StoreErrorKind::Unwrap(_)));
}

#[tokio::test]
async fn verify_reads_all() {
    let inner = Arc::new(InMemory::new());
    let store = builder(inner.clone())
        .segment_size(128)
        .build()
        .await
        .unwrap();
    let path = Path::from("object");
    store.put(&path, bytes(5_000).into()).await.unwrap();
    assert_eq!(store.verify(&path).await.unwrap(), 5_000);
    let stored = inner.get(&path).await.unwrap().bytes().await.unwrap();
    // A read of the start does not see it.
    for cut in [1, 128] {
        inner
            .put(&path, stored.slice(..stored.len() - cut).into())
            .await
            .unwrap();
        assert_eq!(store.get_range(&path, 0..10).await.unwrap(), bytes(10));
        let error = store.verify(&path).await.unwrap_err();
        assert!(
            matches!(kind_of(&error), StoreErrorKind::Decrypt),
            "{error}"
        );
    }
}
