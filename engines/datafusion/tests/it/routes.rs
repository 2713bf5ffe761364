//! Folders of one bucket with different keys.

use std::{collections::BTreeMap, sync::Arc};

use datafusion::execution::object_store::ObjectStoreRegistry as _;
use futures_util::TryStreamExt as _;
use keyseal::KeysetAead;
use keyseal_datafusion::SealedRegistry;
use keyseal_object_store::EncryptedStoreBuilder;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, memory::InMemory, path::Path};

use crate::support::generate;

fn settings() -> impl Fn(EncryptedStoreBuilder) -> EncryptedStoreBuilder + Send + Sync + 'static {
    let kek: KeysetAead = generate("AES256_GCM").primitive().unwrap();
    move |store| store.kek_keyset(kek.clone()).context("lake")
}

/// Keys for `a`, for `a/b` in it, and for `c/d`.
fn bucket() -> (Arc<dyn ObjectStore>, Arc<InMemory>) {
    let mut registry = SealedRegistry::default();
    for folder in ["a", "a/b/", "c/d"] {
        let url = format!("sealed+mem://lake/{folder}");
        registry = registry.sealed(&url, settings()).unwrap();
    }
    let plain = Arc::new(InMemory::new());
    let register = |url: &str, store| registry.register_store(&url.parse().unwrap(), store);
    register("mem://lake", Arc::clone(&plain) as _);
    let sealed = registry.get_store(&"sealed+mem://lake/a".parse().unwrap());
    (sealed.unwrap(), plain)
}

const PATHS: [&str; 4] = ["a/1", "a/b/2", "a/bc/3", "c/d/e/4"];

async fn written() -> (Arc<dyn ObjectStore>, Arc<InMemory>) {
    let (sealed, plain) = bucket();
    for path in PATHS {
        sealed.put(&path.into(), path.into()).await.unwrap();
    }
    for path in ["5", "c/6"] {
        plain
            .put(&path.into(), "not encrypted".into())
            .await
            .unwrap();
    }
    (sealed, plain)
}

#[tokio::test]
async fn the_longest_prefix_has_the_keys() {
    let (sealed, plain) = written().await;
    for path in PATHS {
        let bytes = sealed.get(&path.into()).await.unwrap().bytes().await;
        assert_eq!(bytes.unwrap(), path);
        let ranges = sealed
            .get_ranges(&path.into(), &[0..1, 1..3])
            .await
            .unwrap();
        assert_eq!(ranges, [path[..1].to_owned(), path[1..3].to_owned()]);
        let mut upload = sealed.put_multipart(&path.into()).await.unwrap();
        upload.put_part(path.into()).await.unwrap();
        upload.complete().await.unwrap();
        let stored = plain.get(&path.into()).await.unwrap().bytes().await;
        assert!(stored.unwrap().starts_with(b"keyseal\x01"));
    }
    // a/b has other keys than a: its objects do not open among those of a.
    let stored = plain.get(&"a/b/2".into()).await.unwrap().bytes().await;
    plain
        .put(&"a/2".into(), stored.unwrap().into())
        .await
        .unwrap();
    assert!(sealed.get(&"a/2".into()).await.is_err());
}

#[tokio::test]
async fn a_path_without_keys_is_an_error() {
    let (sealed, plain) = written().await;
    for path in ["5", "c/6", "c", "ab", "b"] {
        let path = Path::from(path);
        let read = sealed.get(&path).await.map(drop).unwrap_err();
        let write = sealed.put(&path, "x".into()).await.map(drop).unwrap_err();
        let delete = sealed.delete(&path).await.unwrap_err();
        for error in [read, write, delete] {
            let expected = format!("no key is configured for sealed+mem://lake/{path}");
            assert!(error.to_string().contains(&expected), "{error}");
        }
    }
    assert!(plain.get(&"5".into()).await.is_ok());
}

#[tokio::test]
async fn listings_have_the_objects_with_keys_once() {
    let (sealed, _plain) = written().await;
    for (folder, expected) in [
        (None, &PATHS[..]),
        (Some("a"), &PATHS[..3]),
        (Some("a/b"), &PATHS[1..2]),
        (Some("c"), &PATHS[3..]),
        (Some("c/d/e"), &PATHS[3..]),
        (Some("f"), &[]),
    ] {
        let folder = folder.map(Path::from);
        let listed = sealed.list(folder.as_ref()).try_collect::<Vec<_>>().await;
        let listed = listed.unwrap().into_iter();
        let sizes: BTreeMap<_, _> = listed
            .map(|meta| (meta.location.to_string(), meta.size))
            .collect();
        let expected = expected
            .iter()
            .map(|path| ((*path).to_owned(), path.len() as u64));
        assert_eq!(sizes, expected.collect(), "{folder:?}");
    }
}

#[tokio::test]
async fn folders_lead_to_the_ones_with_keys() {
    let (sealed, _plain) = written().await;
    for (folder, objects, folders) in [
        (None, &[][..], &["a", "c"][..]),
        (Some("a"), &["a/1"], &["a/b", "a/bc"]),
        (Some("a/b"), &["a/b/2"], &[]),
        (Some("c"), &[], &["c/d"]),
        (Some("c/d"), &[], &["c/d/e"]),
    ] {
        let folder = folder.map(Path::from);
        let listed = sealed.list_with_delimiter(folder.as_ref()).await.unwrap();
        let names = listed.objects.iter().map(|meta| meta.location.as_ref());
        assert_eq!(names.collect::<Vec<_>>(), objects, "{folder:?}");
        let names = listed.common_prefixes.iter().map(AsRef::as_ref);
        assert_eq!(names.collect::<Vec<&str>>(), folders, "{folder:?}");
    }
}

#[tokio::test]
async fn objects_move_among_their_own_keys_alone() {
    let (sealed, _plain) = written().await;
    sealed.copy(&"a/1".into(), &"a/7".into()).await.unwrap();
    sealed
        .rename(&"a/7".into(), &"a/bc/7".into())
        .await
        .unwrap();
    let moved = sealed.get(&"a/bc/7".into()).await.unwrap().bytes().await;
    assert_eq!(moved.unwrap(), "a/1");
    let across = sealed.copy(&"a/1".into(), &"a/b/1".into()).await;
    assert!(
        matches!(across, Err(Error::NotImplemented { .. })),
        "{across:?}"
    );
    let across = sealed.rename(&"a/1".into(), &"c/d/1".into()).await;
    assert!(
        matches!(across, Err(Error::NotImplemented { .. })),
        "{across:?}"
    );
    sealed.delete(&"a/bc/7".into()).await.unwrap();
    let gone = sealed.get(&"a/bc/7".into()).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
}
