//! Objects that another process replaces while they are read.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::{FutureExt as _, TryStreamExt as _};
use keyseal_object_store::{StoreError, StoreErrorKind};
use object_store::{
    GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, local::LocalFileSystem,
    memory::InMemory, path::Path,
};

use crate::support::{builder, bytes, kind_of};

fn path() -> Path {
    Path::from("object")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_one_version_or_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let inner = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    let builder = builder(inner).segment_size(4096);
    let writer = builder.clone().build().await.unwrap();
    let reader = builder.build().await.unwrap();
    // Other sizes, so that a mixture of two versions has no right length either.
    let versions = [vec![1_u8; 30_000], vec![2; 20_000], vec![3; 30_001]];
    writer
        .put(&path(), versions[0].clone().into())
        .await
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let replacing = {
        let (stop, versions) = (stop.clone(), versions.clone());
        tokio::spawn(async move {
            let mut count = 0;
            while !stop.load(Ordering::SeqCst) || count < 1_000 {
                let version = versions[count % 3].clone();
                writer.put(&path(), version.into()).await.unwrap();
                count += 1;
            }
            count
        })
    };
    let is_one = |read: &[u8]| versions.iter().any(|version| version == read);
    let (mut whole, mut changed) = (0, 0);
    while !replacing.is_finished() {
        let read = async { reader.get(&path()).await?.bytes().await };
        match read.await {
            Ok(read) => {
                assert!(is_one(&read), "{} bytes of {:?}", read.len(), &read[..1]);
                whole += 1;
            }
            Err(error) => {
                assert!(
                    matches!(kind_of(&error), StoreErrorKind::Changed),
                    "{error}"
                );
                changed += 1;
            }
        }
        let ranges = [100..5_000, 19_000..19_999];
        match reader.get_ranges(&path(), &ranges).await {
            Ok(read) => {
                let first = read[0][0];
                assert!(read.iter().flatten().all(|byte| *byte == first));
            }
            Err(error) => assert!(StoreError::find(&error).unwrap().is_retryable(), "{error}"),
        }
        if whole + changed >= 1_000 {
            stop.store(true, Ordering::SeqCst);
        }
    }
    assert!(replacing.await.unwrap() >= 1_000);
    assert!(whole > changed, "{whole} reads, {changed} refused");
}

#[tokio::test]
async fn a_replacement_behind_the_cache_is_seen_by_every_kind_of_read() {
    let inner = Arc::new(InMemory::new());
    let builder = builder(inner.clone()).segment_size(128);
    let writer = builder.clone().build().await.unwrap();
    let reader = builder.build().await.unwrap();
    for (count, size) in [700, 500, 700, 90, 1_200, 1_200, 1].into_iter().enumerate() {
        let version = vec![u8::try_from(count).unwrap(); size];
        writer.put(&path(), version.clone().into()).await.unwrap();
        match count % 4 {
            0 => assert_eq!(
                reader.get(&path()).await.unwrap().bytes().await.unwrap(),
                version
            ),
            1 => assert_eq!(
                reader.get_ranges(&path(), &[0..50]).await.unwrap(),
                [&version[..50]]
            ),
            2 => assert_eq!(reader.head(&path()).await.unwrap().size, size as u64),
            _ => {
                let suffix = GetOptions::new().with_range(Some(GetRange::Suffix(40)));
                let read = reader.get_opts(&path(), suffix).await.unwrap();
                assert_eq!(read.bytes().await.unwrap(), version[size - 40..]);
            }
        }
    }
    inner.delete(&path()).await.unwrap();
    let gone = reader.get(&path()).await.unwrap_err();
    assert!(matches!(gone, object_store::Error::NotFound { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_dropped_anywhere_leaves_the_store_usable() {
    let folder = tempfile::tempdir().unwrap();
    let inner = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    let service = crate::support::FakeService::new();
    let builder = builder(inner).kek(service).segment_size(4096);
    let plaintext = bytes(50_000);
    let writer = builder.clone().build().await.unwrap();
    writer.put(&path(), plaintext.clone().into()).await.unwrap();
    let mut dropped = 0;
    for polls in 1..60 {
        let store = builder.clone().build_untried().unwrap();
        let calls = async {
            store.get(&path()).await?.bytes().await?;
            store.get_ranges(&path(), &[1..9_000]).await?;
            store
                .put(&Path::from("other"), plaintext.clone().into())
                .await?;
            let mut upload = store.put_multipart(&Path::from("third")).await?;
            upload.put_part(plaintext.clone().into()).await?;
            upload.complete().await?;
            store.list(None).try_collect::<Vec<_>>().await?;
            store
                .rename(&Path::from("third"), &Path::from("fourth"))
                .await
        };
        let mut calls = Box::pin(calls);
        for _ in 0..polls {
            if calls.as_mut().now_or_never().is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            dropped += 1;
        }
        drop(calls);
        assert_eq!(
            store.get(&path()).await.unwrap().bytes().await.unwrap(),
            plaintext
        );
        store.put(&Path::from("other"), "x".into()).await.unwrap();
    }
    assert!(dropped > 60, "{dropped}");
}
