//! How many requests and calls each method makes.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use keyseal_object_store::{Binding, EncryptedStore, EncryptedStoreBuilder};
use object_store::{
    Error, GetOptions, GetRange, MultipartUpload as _, ObjectStore as _, ObjectStoreExt as _,
    memory::InMemory, path::Path,
};

use crate::support::{CountingStore, Counts, FakeService, builder, bytes};

struct Setup {
    counts: Arc<Counts>,
    service: Arc<FakeService>,
    builder: EncryptedStoreBuilder,
    store: EncryptedStore,
}

impl Setup {
    async fn new(binding: Binding) -> Self {
        let (inner, counts) = CountingStore::new(InMemory::new());
        let service = FakeService::new();
        let builder = builder(inner).kek(service.clone()).binding(binding);
        let store = builder.clone().build_untried().unwrap();
        store.put(&small(), bytes(1_000).into()).await.unwrap();
        store.put(&large(), bytes(3 << 20).into()).await.unwrap();
        assert_eq!(counts.take(), "2 put");
        assert_eq!(service.take(), 2);
        Self {
            counts,
            service,
            builder,
            store,
        }
    }

    /// Empties the cache.
    fn cold(&mut self) -> &EncryptedStore {
        self.store = self.builder.clone().build_untried().unwrap();
        &self.store
    }

    fn made(&self, requests: &str, calls: u64) {
        assert_eq!(self.counts.take(), requests);
        assert_eq!(self.service.take(), calls);
    }
}

fn small() -> Path {
    Path::from("small")
}

fn large() -> Path {
    Path::from("large")
}

async fn get(store: &EncryptedStore, path: &Path, range: Option<GetRange>) {
    let options = GetOptions::new().with_range(range);
    let result = store.get_opts(path, options).await.unwrap();
    result.bytes().await.unwrap();
}

#[tokio::test]
async fn a_cold_read_takes_one_request_or_two() {
    let mut setup = Setup::new(Binding::Path).await;
    get(setup.cold(), &small(), None).await;
    setup.made("1 get", 1);
    get(setup.cold(), &large(), None).await;
    setup.made("1 get", 1);
    get(setup.cold(), &large(), Some(GetRange::Bounded(0..4096))).await;
    setup.made("1 get", 1);
    get(
        setup.cold(),
        &large(),
        Some(GetRange::Bounded(60_000..1_000_000)),
    )
    .await;
    setup.made("1 get", 1);
    get(
        setup.cold(),
        &large(),
        Some(GetRange::Bounded(70_000..70_001)),
    )
    .await;
    setup.made("2 get", 1);
    get(
        setup.cold(),
        &large(),
        Some(GetRange::Bounded(0..2_000_000)),
    )
    .await;
    setup.made("2 get", 1);
    get(setup.cold(), &large(), Some(GetRange::Suffix(8))).await;
    setup.made("2 get", 1);
    get(setup.cold(), &large(), Some(GetRange::Offset(3_000_000))).await;
    setup.made("2 get", 1);
    setup
        .cold()
        .get_ranges(&large(), &[5..6, 90_000..1 << 20])
        .await
        .unwrap();
    setup.made("1 get, 1 get_ranges", 1);
    setup.cold().head(&large()).await.unwrap();
    setup.made("1 get", 1);
}

#[tokio::test]
async fn a_warm_read_takes_one_request_and_no_call() {
    let setup = Setup::new(Binding::Path).await;
    for path in [small(), large()] {
        setup.store.head(&path).await.unwrap();
        setup.made("1 get", 1);
        for range in [
            None,
            Some(GetRange::Bounded(0..1)),
            Some(GetRange::Offset(999)),
            Some(GetRange::Suffix(1)),
        ] {
            get(&setup.store, &path, range).await;
            setup.made("1 get", 0);
        }
        setup
            .store
            .get_ranges(&path, &[0..1, 7..500])
            .await
            .unwrap();
        setup.made("1 get_ranges", 0);
        setup.store.head(&path).await.unwrap();
        setup.made("1 head", 0);
    }
    let stats = setup.store.stats();
    assert_eq!((stats.cache_misses, stats.cache_hits), (2, 12));
    assert_eq!(stats.kms_calls, 4);
}

#[tokio::test]
async fn a_read_fetches_the_segments_it_touches() {
    let setup = Setup::new(Binding::Path).await;
    setup.store.head(&large()).await.unwrap();
    setup.counts.take();
    let bytes_of = |setup: &Setup| setup.counts.bytes.load(std::sync::atomic::Ordering::SeqCst);
    get(
        &setup.store,
        &large(),
        Some(GetRange::Bounded(100_000..100_001)),
    )
    .await;
    assert_eq!(bytes_of(&setup), 65_536);
    setup.counts.take();
    // Two ranges in one segment, and one in the next, are one range.
    let ranges = [70_000..70_010, 120_000..120_010, 131_000..131_010];
    setup.store.get_ranges(&large(), &ranges).await.unwrap();
    assert_eq!(bytes_of(&setup), 2 * 65_536);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_readers_make_one_call() {
    let mut setup = Setup::new(Binding::Path).await;
    for range in [None, Some(GetRange::Suffix(5))] {
        let store = setup.cold().clone();
        let readers: Vec<_> = (0..100)
            .map(|_| {
                let (store, range) = (store.clone(), range.clone());
                tokio::spawn(async move { get(&store, &large(), range).await })
            })
            .collect();
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(setup.service.take(), 1);
    }
}

#[tokio::test]
async fn a_missing_object_is_not_found_and_not_remembered() {
    let setup = Setup::new(Binding::Path).await;
    let path = Path::from("missing");
    for _ in 0..2 {
        let error = setup.store.get(&path).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { path, .. } if path.ends_with("missing")));
        setup.made("1 get", 0);
    }
    setup.store.put(&path, "now".into()).await.unwrap();
    assert_eq!(
        setup.store.get(&path).await.unwrap().bytes().await.unwrap(),
        "now"
    );
}

#[tokio::test]
async fn an_upload_takes_a_call_and_its_parts() {
    let setup = Setup::new(Binding::Path).await;
    let mut upload = setup.store.put_multipart(&small()).await.unwrap();
    upload.put_part(bytes(100).into()).await.unwrap();
    upload.complete().await.unwrap();
    setup.made("1 multipart", 1);
}

#[tokio::test]
async fn copies_are_made_on_the_server_under_the_context_binding() {
    let other = Path::from("other");
    let setup = Setup::new(Binding::Context).await;
    setup.store.copy(&small(), &other).await.unwrap();
    setup.made("1 copy", 0);
    setup
        .store
        .rename(&other, &Path::from("third"))
        .await
        .unwrap();
    setup.made("1 copy", 0);

    let setup = Setup::new(Binding::Path).await;
    setup.store.copy(&small(), &other).await.unwrap();
    setup.made("1 put, 1 get", 2);
    setup.store.rename(&small(), &other).await.unwrap();
    setup.made("1 put, 1 get, 1 head, 1 delete", 1);
}

#[tokio::test]
async fn listings_and_deletions_make_no_call() {
    let setup = Setup::new(Binding::Path).await;
    let listed: Vec<_> = setup.store.list(None).try_collect().await.unwrap();
    let sizes: Vec<_> = listed.iter().map(|meta| meta.size).collect();
    assert_eq!(sizes, [3 << 20, 1_000]);
    setup.made("1 list", 0);
    setup.store.delete(&small()).await.unwrap();
    setup.made("1 delete", 0);
}

#[tokio::test]
async fn a_keyset_as_kek_takes_no_call() {
    let (inner, counts) = CountingStore::new(InMemory::new());
    let store = builder(inner).build().await.unwrap();
    store.put(&small(), "x".into()).await.unwrap();
    get(&store, &small(), None).await;
    assert_eq!(counts.take(), "1 put, 1 get");
    assert_eq!(store.stats().kms_calls, 0);
}
