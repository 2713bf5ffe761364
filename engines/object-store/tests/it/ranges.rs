//! Ranges: every kind, at and around the edges of segments, against the plaintext.

use std::{ops::Range, sync::Arc};

use keyseal_object_store::EncryptedStore;
use object_store::{
    GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, memory::InMemory, path::Path,
};
use proptest::prelude::*;

use crate::support::{builder, bytes};

/// Of segments of 128 bytes, the first holds 72 bytes of plaintext and the others 112.
const SEGMENT: usize = 128;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

async fn small_segments() -> EncryptedStore {
    let builder = builder(Arc::new(InMemory::new())).segment_size(SEGMENT);
    builder.build().await.unwrap()
}

/// Sizes at the edge of each of the first segments, and two bytes around it.
fn sizes() -> Vec<usize> {
    let edges = [0, 72, 184, 296, 408, 72 + 112 * 20];
    let mut sizes: Vec<_> = edges
        .iter()
        .flat_map(|edge: &usize| edge.saturating_sub(2)..=edge + 2)
        .collect();
    sizes.dedup();
    sizes
}

/// What the trait says of a range of an object: the bytes, or `None` for an error.
fn expected(range: &GetRange, size: u64) -> Option<Range<u64>> {
    match range {
        GetRange::Bounded(range) => (range.start < range.end && range.start < size)
            .then(|| range.start..range.end.min(size)),
        GetRange::Offset(start) => (*start < size).then_some(*start..size),
        GetRange::Suffix(count) => Some(size.saturating_sub(*count)..size),
    }
}

async fn check(store: &EncryptedStore, path: &Path, plaintext: &[u8], range: GetRange) {
    let options = GetOptions::new().with_range(Some(range.clone()));
    let found = store.get_opts(path, options).await;
    match expected(&range, plaintext.len() as u64) {
        None => assert!(found.is_err(), "{range:?} of {}", plaintext.len()),
        Some(wanted) => {
            let found = found.unwrap();
            assert_eq!(found.range, wanted);
            assert_eq!(found.meta.size, plaintext.len() as u64);
            let wanted = &plaintext[wanted.start as usize..wanted.end as usize];
            assert_eq!(found.bytes().await.unwrap(), wanted);
        }
    }
}

#[tokio::test]
async fn every_kind_of_range_gives_the_bytes_of_the_plaintext() {
    let store = small_segments().await;
    let path = Path::from("object");
    for size in sizes() {
        let plaintext = bytes(size);
        store.put(&path, plaintext.clone().into()).await.unwrap();
        let edges = sizes().into_iter().filter(|edge| *edge <= size + 3);
        for edge in edges.map(|edge| edge as u64) {
            check(&store, &path, &plaintext, GetRange::Offset(edge)).await;
            check(&store, &path, &plaintext, GetRange::Suffix(edge)).await;
            for length in [0, 1, 2, 111, 112, 113, 10_000] {
                check(
                    &store,
                    &path,
                    &plaintext,
                    GetRange::Bounded(edge..edge + length),
                )
                .await;
            }
            if edge > 0 {
                #[allow(clippy::reversed_empty_ranges)]
                check(&store, &path, &plaintext, GetRange::Bounded(edge..edge - 1)).await;
            }
        }
        assert_eq!(store.head(&path).await.unwrap().size, size as u64);
        assert_eq!(
            store.get(&path).await.unwrap().bytes().await.unwrap(),
            plaintext
        );
    }
}

#[tokio::test]
async fn a_cold_cache_gives_the_same_ranges() {
    let inner = Arc::new(InMemory::new());
    let builder = builder(inner).segment_size(SEGMENT);
    let writer = builder.clone().build().await.unwrap();
    let path = Path::from("object");
    for size in sizes() {
        let plaintext = bytes(size);
        writer.put(&path, plaintext.clone().into()).await.unwrap();
        for range in [
            GetRange::Bounded(0..1),
            GetRange::Bounded(71..73),
            GetRange::Bounded(183..10_000),
            GetRange::Offset(0),
            GetRange::Offset(72),
            GetRange::Suffix(0),
            GetRange::Suffix(73),
            GetRange::Suffix(10_000),
        ] {
            let cold = builder.clone().build().await.unwrap();
            check(&cold, &path, &plaintext, range).await;
        }
        let cold = builder.clone().build().await.unwrap();
        assert_eq!(
            cold.get(&path).await.unwrap().bytes().await.unwrap(),
            plaintext
        );
        let cold = builder.clone().build().await.unwrap();
        assert_eq!(cold.head(&path).await.unwrap().size, size as u64);
    }
}

#[tokio::test]
async fn many_ranges_at_once_open_each_segment_once() {
    let store = small_segments().await;
    let path = Path::from("object");
    let plaintext = bytes(72 + 112 * 9);
    store.put(&path, plaintext.clone().into()).await.unwrap();
    store.head(&path).await.unwrap();
    let before = store.stats().segments_opened;
    // Two in segment 0, one over segments 1 and 2, one in segment 2, one in the last.
    let ranges = [60..70, 0..10, 100..250, 200..201, 1075..1080];
    let found = store.get_ranges(&path, &ranges).await.unwrap();
    for (range, found) in ranges.iter().zip(found) {
        assert_eq!(found, plaintext[range.start as usize..range.end as usize]);
    }
    assert_eq!(store.stats().segments_opened - before, 4);
    assert!(store.get_ranges(&path, &[]).await.unwrap().is_empty());
    assert!(store.get_ranges(&path, &[0..1, 5..5]).await.is_err());
    assert!(store.get_ranges(&path, &[0..1, 1080..1081]).await.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_ranges_of_objects_written_in_random_parts(
        size in 0_usize..2_000,
        parts in proptest::collection::vec(1_usize..400, 1..8),
        ranges in proptest::collection::vec((0_u64..2_100, 1_u64..700), 1..6),
    ) {
        runtime().block_on(async {
            let store = small_segments().await;
            let (path, plaintext) = (Path::from("object"), bytes(size));
            let mut upload = store.put_multipart(&path).await.unwrap();
            let mut rest = plaintext.as_slice();
            for part in parts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, after) = rest.split_at(rest.len().min(*part));
                upload.put_part(part.to_vec().into()).await.unwrap();
                rest = after;
            }
            upload.complete().await.unwrap();
            for (start, length) in &ranges {
                check(&store, &path, &plaintext, GetRange::Bounded(*start..start + length)).await;
            }
            let valid: Vec<_> = ranges
                .iter()
                .filter(|(start, _)| *start < size as u64)
                .map(|(start, length)| *start..start + length)
                .collect();
            let found = store.get_ranges(&path, &valid).await.unwrap();
            for (range, found) in valid.iter().zip(found) {
                let end = range.end.min(size as u64);
                assert_eq!(found, plaintext[range.start as usize..end as usize]);
            }
        });
    }
}
