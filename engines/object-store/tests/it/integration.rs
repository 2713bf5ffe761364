//! The test suite of `object_store`, which every store has to pass.
//!
//! These do not run: `multipart` and `list_paginated`, which take a `MultipartStore` and a
//! `PaginatedListStore`; `get_nonexistent_object` on S3, whose server gives another error text;
//! `put_opts` on S3, see [`conditional_puts`]; `put_get_attributes` on the local file system, which has
//! no attributes, and on moto, whose web server drops headers with an underscore in their name; and on S3
//! nothing under the context binding, where copies are those of the wrapped store, and moto has no
//! conditional copy.

use std::sync::Arc;

use keyseal_object_store::{Binding, EncryptedStore};
use object_store::{
    Error, ObjectStore, ObjectStoreExt as _, PutMode, integration as suite, local::LocalFileSystem,
    memory::InMemory, path::Path,
};

use crate::support::{S3Server, builder};

async fn encrypted(inner: Arc<dyn ObjectStore>, binding: Binding, size: usize) -> EncryptedStore {
    let builder = builder(inner).binding(binding).segment_size(size);
    builder.build().await.unwrap()
}

#[derive(Clone, Copy)]
struct Abilities {
    attributes: bool,
    nonexistent: bool,
}

/// Returns the number of functions of the suite that ran.
async fn all(store: &EncryptedStore, abilities: Abilities) -> u32 {
    suite::put_get_delete_list(store).await;
    suite::get_opts(store).await;
    suite::list_uses_directories_correctly(store).await;
    suite::list_with_delimiter(store).await;
    suite::rename_and_copy(store).await;
    suite::copy_if_not_exists(store).await;
    suite::copy_rename_nonexistent_object(store).await;
    suite::multipart_race_condition(store, true).await;
    suite::multipart_out_of_order(store).await;
    suite::list_with_offset_exclusivity(store).await;
    let mut count = 10;
    if abilities.attributes {
        suite::put_get_attributes(store).await;
        count += 1;
    }
    if abilities.nonexistent {
        let missing = suite::get_nonexistent_object(store, None).await;
        assert!(missing.is_err());
        count += 1;
    }
    count
}

const MEMORY: Abilities = Abilities {
    attributes: true,
    nonexistent: true,
};
const DISK: Abilities = Abilities {
    attributes: false,
    nonexistent: true,
};
const S3: Abilities = Abilities {
    attributes: false,
    nonexistent: false,
};

const BINDINGS: [Binding; 2] = [Binding::Path, Binding::Context];
const SEGMENT_SIZES: [usize; 3] = [128, 64 << 10, 1 << 20];

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite_in_memory() {
    for binding in BINDINGS {
        for size in SEGMENT_SIZES {
            let store = encrypted(Arc::new(InMemory::new()), binding, size).await;
            assert_eq!(all(&store, MEMORY).await, 12);
            suite::put_opts(&store, true).await;
            // It expects an empty store.
            let store = encrypted(Arc::new(InMemory::new()), binding, size).await;
            suite::stream_get(&store).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite_on_disk() {
    for binding in BINDINGS {
        for size in SEGMENT_SIZES {
            let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let [first, second] = folders.each_ref().map(|folder| {
                let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
                Arc::new(store)
            });
            let store = encrypted(first, binding, size).await;
            assert_eq!(all(&store, DISK).await, 11);
            suite::put_opts(&store, false).await;
            suite::stream_get(&encrypted(second, binding, size).await).await;
        }
    }
}

/// In place of the suite's `put_opts`, which writes from many tasks at once: moto checks a condition and
/// writes in two steps, so one of two writers may be lost.
async fn conditional_puts(store: &EncryptedStore) {
    let path = Path::from("conditional");
    let put =
        async |mode: PutMode| ObjectStore::put_opts(store, &path, "x".into(), mode.into()).await;
    let first = put(PutMode::Create).await.unwrap();
    let again = put(PutMode::Create).await.unwrap_err();
    assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
    let second = put(PutMode::Update(first.clone().into())).await.unwrap();
    let stale = put(PutMode::Update(first.into())).await.unwrap_err();
    assert!(matches!(stale, Error::Precondition { .. }), "{stale}");
    put(PutMode::Update(second.into())).await.unwrap();
    store.delete(&path).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto_server: engines/ci installs it"]
async fn passes_the_suite_on_s3() {
    let server = S3Server::start();
    let store = encrypted(server.bucket("suite"), Binding::Path, 64 << 10).await;
    assert_eq!(all(&store, S3).await, 10);
    conditional_puts(&store).await;
    let store = encrypted(server.bucket("stream-get"), Binding::Path, 64 << 10).await;
    suite::stream_get(&store).await;
}
