//! Listings say the sizes of plaintexts.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use keyseal::SealedStreamHeader;
use keyseal_object_store::{EncryptedStore, ListSizes};
use object_store::{ObjectStore as _, ObjectStoreExt as _, memory::InMemory, path::Path};

use crate::support::{builder, bytes};

async fn sizes(store: &EncryptedStore) -> Vec<u64> {
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    listed.iter().map(|meta| meta.size).collect()
}

#[tokio::test]
async fn derived_sizes_are_those_of_the_plaintexts() {
    let store = builder(Arc::new(InMemory::new())).segment_size(128);
    let store = store.build().await.unwrap();
    for size in (0..300).chain([72, 184, 5_000]) {
        let path = Path::from("object");
        store.put(&path, bytes(size).into()).await.unwrap();
        assert_eq!(sizes(&store).await, [size as u64]);
        let listed = store.list_with_delimiter(None).await.unwrap();
        assert_eq!(listed.objects[0].size, size as u64);
        let offset = Path::from("a");
        let after: Vec<_> = store
            .list_with_offset(None, &offset)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(after[0].size, size as u64);
    }
}

#[tokio::test]
async fn exact_sizes_are_right_for_objects_of_other_settings() {
    let inner = Arc::new(InMemory::new());
    let builder = builder(inner);
    for (number, (segment, header)) in [(128, 256), (4096, 1024), (1 << 20, 4096)]
        .into_iter()
        .enumerate()
    {
        let other = builder.clone().segment_size(segment).header_size(header);
        let other = other.build().await.unwrap();
        let path = Path::from(format!("object {number}"));
        other.put(&path, bytes(10_000).into()).await.unwrap();
    }
    let derived = builder.clone().build().await.unwrap();
    assert_ne!(sizes(&derived).await, [10_000; 3]);
    let exact = builder.list_sizes(ListSizes::Exact).build().await.unwrap();
    assert_eq!(sizes(&exact).await, [10_000; 3]);
    let listed = exact.list_with_delimiter(None).await.unwrap();
    assert!(listed.objects.iter().all(|meta| meta.size == 10_000));
    // An object that was replaced behind the cache.
    derived
        .put(&Path::from("object 1"), bytes(7).into())
        .await
        .unwrap();
    assert_eq!(sizes(&exact).await, [10_000, 7, 10_000]);
    // Reading never relies on a listing.
    for store in [&derived, &exact] {
        let read = store.get(&Path::from("object 2")).await.unwrap();
        assert_eq!(read.bytes().await.unwrap(), bytes(10_000));
    }
}

#[tokio::test]
async fn headers_have_the_size_that_was_asked_for() {
    for size in [256, 257, 300, 1024, 4096, SealedStreamHeader::MAX_SIZE] {
        let inner = Arc::new(InMemory::new());
        let store = builder(inner.clone())
            .header_size(size)
            .build()
            .await
            .unwrap();
        let path = Path::from("object");
        store.put(&path, "x".into()).await.unwrap();
        let stored = inner.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(stored.len(), size + 40 + 1 + 16);
        assert_eq!(SealedStreamHeader::size_of(&stored).unwrap(), size);
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "x");
    }
}
