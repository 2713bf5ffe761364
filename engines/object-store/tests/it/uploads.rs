//! Multipart uploads: parts of any size, awaited in any order, and uploads that go wrong.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::{FutureExt as _, TryStreamExt as _, future::try_join_all};
use keyseal_object_store::{EncryptedStore, StoreErrorKind};
use object_store::{
    MultipartUpload, ObjectStore as _, ObjectStoreExt as _, PutPayload, WriteMultipart,
    memory::InMemory, path::Path,
};

use crate::support::{builder, bytes, kind_of};

const MIB: usize = 1 << 20;

fn path() -> Path {
    Path::from("object")
}

async fn store() -> (Arc<InMemory>, EncryptedStore) {
    let inner = Arc::new(InMemory::new());
    let builder = builder(inner.clone()).part_size(5 * MIB);
    (inner, builder.build().await.unwrap())
}

async fn read(store: &EncryptedStore) -> Vec<u8> {
    let read = store.get(&path()).await.unwrap();
    read.bytes().await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_any_size_join_to_the_plaintext() {
    let (_, store) = store().await;
    // Around the edges of segments (65,480 bytes, then 65,520) and of parts.
    for (size, part) in [
        (0, 1),
        (1, 1),
        (65_480, 65_480),
        (65_481, 65_480),
        (131_000, 65_520),
        (5 * MIB, 5 * MIB),
        (10 * MIB + 7, 777_777),
        (16 * MIB, 6 * MIB),
    ] {
        let plaintext = bytes(size);
        let mut upload = store.put_multipart(&path()).await.unwrap();
        let parts: Vec<_> = plaintext
            .chunks(part)
            .map(|part| upload.put_part(PutPayload::from(part.to_vec())))
            .collect();
        try_join_all(parts).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(
            read(&store).await,
            plaintext,
            "{size} bytes in parts of {part}"
        );
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        assert_eq!(listed[0].size, size as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_may_be_awaited_in_any_order() {
    let (_, store) = store().await;
    let plaintext = bytes(40 * MIB);
    let mut upload = store.put_multipart(&path()).await.unwrap();
    let mut parts: Vec<_> = plaintext
        .chunks(8 * MIB)
        .map(|part| upload.put_part(part.to_vec().into()))
        .collect();
    while let Some(last) = parts.pop() {
        last.await.unwrap();
    }
    upload.complete().await.unwrap();
    assert_eq!(read(&store).await, plaintext);
}

#[test]
fn an_upload_needs_no_runtime() {
    let (_, store) = store().now_or_never().unwrap();
    let plaintext = bytes(MIB);
    let upload = async {
        let mut upload = store.put_multipart(&path()).await.unwrap();
        upload.put_part(plaintext.clone().into()).await.unwrap();
        upload.complete().await.unwrap();
    };
    upload.now_or_never().unwrap();
    let written = futures_util::FutureExt::now_or_never(store.head(&path()));
    assert_eq!(written.unwrap().unwrap().size, MIB as u64);
}

#[tokio::test]
async fn complete_before_the_parts_is_an_error_and_twice_too() {
    let (inner, store) = store().await;
    let mut upload = store.put_multipart(&path()).await.unwrap();
    let part = upload.put_part(bytes(100).into());
    let early = upload.complete().await.unwrap_err();
    assert!(
        matches!(kind_of(&early), StoreErrorKind::Upload(_)),
        "{early}"
    );
    part.await.unwrap();
    upload.complete().await.unwrap();
    for again in [upload.complete().await.map(drop), upload.abort().await] {
        assert!(matches!(
            kind_of(&again.unwrap_err()),
            StoreErrorKind::Upload(_)
        ));
    }
    let late = upload.put_part(bytes(1).into()).await.unwrap_err();
    assert!(matches!(kind_of(&late), StoreErrorKind::Upload(_)));
    assert_eq!(read(&store).await, bytes(100));
    inner.delete(&path()).await.unwrap();

    let mut upload = store.put_multipart(&path()).await.unwrap();
    upload.put_part(bytes(6 * MIB).into()).await.unwrap();
    upload.abort().await.unwrap();
    assert!(upload.complete().await.is_err());
    drop(upload);
    assert!(inner.head(&path()).await.is_err());
}

/// Remembers the sizes of the parts that it gets.
#[derive(Debug)]
struct Recorder {
    inner: Box<dyn MultipartUpload>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

#[async_trait]
impl MultipartUpload for Recorder {
    fn put_part(&mut self, data: PutPayload) -> object_store::UploadPart {
        self.sizes.lock().unwrap().push(data.content_length());
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> object_store::Result<object_store::PutResult> {
        self.inner.complete().await
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.inner.abort().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrapped_store_gets_parts_of_one_size() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let recording = crate::support::UploadsThrough::new(InMemory::new(), {
        let sizes = sizes.clone();
        move |inner| -> Box<dyn MultipartUpload> {
            Box::new(Recorder {
                inner,
                sizes: sizes.clone(),
            })
        }
    });
    let builder = builder(Arc::new(recording)).part_size(5 * MIB);
    let store = builder.build().await.unwrap();
    let upload = store.put_multipart(&path()).await.unwrap();
    let mut writer = WriteMultipart::new(upload);
    writer.write(&bytes(23 * MIB));
    writer.finish().await.unwrap();
    let sizes = sizes.lock().unwrap().clone();
    assert_eq!(sizes[..4], [5 * MIB; 4]);
    assert_eq!(sizes.len(), 5);
    assert_eq!(read(&store).await, bytes(23 * MIB));
}

/// Pages of this process that are in memory, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// 5 GiB with `KEYSEAL_LARGE=5`, else 1.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a gigabyte of disk, and other tests beside it would be counted: engines/ci runs it"]
async fn a_large_object_takes_little_memory() {
    let gibibytes = std::env::var("KEYSEAL_LARGE").map_or(1, |size| size.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let inner = object_store::local::LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let store = builder(Arc::new(inner)).build().await.unwrap();
    let part = bytes(8 * MIB);
    let before = resident();
    let mut peak = 0;
    let mut writer = WriteMultipart::new_with_chunk_size(
        store.put_multipart(&path()).await.unwrap(),
        part.len(),
    );
    for _ in 0..gibibytes * 128 {
        writer.wait_for_capacity(8).await.unwrap();
        writer.write(&part);
        peak = peak.max(resident());
    }
    writer.finish().await.unwrap();
    let grown = peak.saturating_sub(before);
    // Eight parts, and room for the plaintexts of some, which the allocator keeps though they are
    // freed. On a machine with nothing else to do, it is 80 MiB.
    assert!(
        grown <= 2 * 8 * 8 * MIB,
        "uploading took {} MiB",
        grown / MIB
    );

    let mut read = store.get(&path()).await.unwrap().into_stream();
    let (before, mut peak, mut size) = (resident(), 0, 0);
    while let Some(bytes) = read.try_next().await.unwrap() {
        size += bytes.len();
        peak = peak.max(resident());
    }
    assert_eq!(size, gibibytes << 30);
    let grown = peak.saturating_sub(before);
    assert!(grown <= 8 * MIB, "reading took {} MiB", grown / MIB);
}
