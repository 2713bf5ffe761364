//! `SealedRegistry`: which store a URL means.

use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreRegistry as _;
use keyseal::KeysetAead;
use keyseal_datafusion::SealedRegistry;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, memory::InMemory, path::Path};
use url::Url;

use crate::support::generate;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn registry() -> (SealedRegistry, Arc<InMemory>) {
    let kek: KeysetAead = generate("AES256_GCM").primitive().unwrap();
    let registry = SealedRegistry::default()
        .sealed("sealed+mem://lake", move |store| {
            store.kek_keyset(kek.clone()).context("lake")
        })
        .unwrap();
    let plain = Arc::new(InMemory::new());
    registry.register_store(&url("mem://lake"), Arc::clone(&plain) as _);
    (registry, plain)
}

#[tokio::test]
async fn a_sealed_url_is_the_plain_store_encrypted() {
    let (registry, plain) = registry();
    let sealed = registry
        .get_store(&url("sealed+mem://lake/any/folder"))
        .unwrap();
    let path = Path::from("any/folder/x");
    sealed.put(&path, "canary".into()).await.unwrap();
    let stored = plain.get(&path).await.unwrap().bytes().await.unwrap();
    assert!(stored.starts_with(b"keyseal\x01"));
    assert!(!stored.windows(6).any(|window| window == b"canary"));
    // Each look-up gives the same store, which has the keys of open objects.
    let again = registry.get_store(&url("sealed+mem://lake")).unwrap();
    assert!(Arc::ptr_eq(&sealed, &again));
    assert_eq!(
        again.get(&path).await.unwrap().bytes().await.unwrap(),
        "canary"
    );
    let same = registry.get_store(&url("mem://lake")).unwrap();
    assert_eq!(
        same.get(&path).await.unwrap().bytes().await.unwrap(),
        stored
    );
}

#[test]
fn a_sealed_url_never_means_the_plain_store() {
    let (registry, plain) = registry();
    registry.register_store(&url("mem://other"), plain);
    let error = registry
        .get_store(&url("sealed+mem://other/t"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no key is configured for sealed+mem://other"),
        "{error}"
    );
    let error = SealedRegistry::default().sealed("s3://lake", |store| store);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("s3://lake does not start with sealed+"),
        "{error}"
    );
}

#[test]
fn settings_that_are_missing_are_an_error() {
    let registry = SealedRegistry::default().sealed("sealed+mem://lake", |store| store);
    let registry = registry.unwrap();
    registry.register_store(&url("mem://lake"), Arc::new(InMemory::new()));
    let error = registry
        .get_store(&url("sealed+mem://lake"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the store has no key-encryption key"),
        "{error}"
    );
}

#[tokio::test]
async fn a_replaced_plain_store_is_not_read_through_the_old_one() {
    let (registry, _plain) = registry();
    let path = Path::from("x");
    let sealed = registry.get_store(&url("sealed+mem://lake")).unwrap();
    sealed.put(&path, "old".into()).await.unwrap();
    registry.register_store(&url("mem://lake"), Arc::new(InMemory::new()));
    let sealed = registry.get_store(&url("sealed+mem://lake")).unwrap();
    assert!(matches!(
        sealed.get(&path).await,
        Err(Error::NotFound { .. })
    ));
    registry.deregister_store(&url("mem://lake")).unwrap();
    assert!(registry.get_store(&url("sealed+mem://lake")).is_err());
}

#[test]
fn a_registered_sealed_store_is_taken_as_it_is() {
    let (registry, _plain) = registry();
    let own: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let sealed = url("sealed+s3://own");
    assert!(registry.register_store(&sealed, Arc::clone(&own)).is_none());
    assert!(Arc::ptr_eq(&registry.get_store(&sealed).unwrap(), &own));
    assert!(Arc::ptr_eq(
        &registry.deregister_store(&sealed).unwrap(),
        &own
    ));
    assert!(registry.get_store(&sealed).is_err());
}

#[test]
fn debug_names_urls_alone() {
    let (registry, _plain) = registry();
    let text = format!("{registry:?}");
    assert!(text.contains("sealed: [\"sealed+mem://lake/\"]"), "{text}");
}
