//! What someone who can write the bucket may try.

use std::sync::Arc;

use bytes::Bytes;
use keyseal::{KmsError, KmsErrorKind, SecretAccess};
use keyseal_object_store::{
    Binding, EncryptedStore, EncryptedStoreBuilder, StoreError, StoreErrorKind, Unsealed,
};
use object_store::{ObjectStore, ObjectStoreExt as _, Result, memory::InMemory, path::Path};

use crate::support::{FakeService, builder, bytes, kek, kind_of};

const HEADER: usize = 1024;

fn path() -> Path {
    Path::from("object")
}

async fn read_all(store: &EncryptedStore, path: &Path) -> Result<Bytes> {
    store.get(path).await?.bytes().await
}

/// A store in memory, its builder for stores with cold caches, and a sealed object.
async fn sealed(binding: Binding) -> (Arc<InMemory>, EncryptedStoreBuilder, Bytes) {
    let inner = Arc::new(InMemory::new());
    let builder = builder(inner.clone()).segment_size(128).binding(binding);
    let store = builder.clone().build().await.unwrap();
    store.put(&path(), bytes(700).into()).await.unwrap();
    let stored = inner.get(&path()).await.unwrap().bytes().await.unwrap();
    (inner, builder, stored)
}

/// Returns the outcome of a full read and of a read by ranges, with a cold cache.
async fn reads(
    inner: &InMemory,
    builder: &EncryptedStoreBuilder,
    stored: Vec<u8>,
) -> [Option<Bytes>; 2] {
    inner.put(&path(), stored.into()).await.unwrap();
    let cold = builder.clone().build().await.unwrap();
    let whole = read_all(&cold, &path()).await.ok();
    let cold = builder.clone().build().await.unwrap();
    let ranges = cold.get_ranges(&path(), &[0..350, 350..701]).await.ok();
    [whole, ranges.map(|ranges| ranges.concat().into())]
}

#[tokio::test]
async fn a_flipped_bit_is_an_error_or_in_the_filling() {
    let (inner, builder, stored) = sealed(Binding::Path).await;
    for (position, bit) in (0..stored.len()).map(|position| (position, 1 << (position % 8))) {
        let mut altered = stored.to_vec();
        altered[position] ^= bit;
        for read in reads(&inner, &builder, altered).await {
            match read {
                None => {}
                Some(plaintext) => {
                    assert_eq!(plaintext, bytes(700));
                    assert!((12..HEADER).contains(&position), "byte {position}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_cut_object_is_an_error_at_every_length() {
    let (inner, builder, stored) = sealed(Binding::Path).await;
    for length in 0..stored.len() {
        for read in reads(&inner, &builder, stored[..length].to_vec()).await {
            assert_eq!(read, None, "{length} of {} bytes", stored.len());
        }
    }
    let mut longer = stored.to_vec();
    longer.push(0);
    assert_eq!(reads(&inner, &builder, longer).await, [None, None]);
}

#[tokio::test]
async fn segments_and_headers_of_two_versions_do_not_mix() {
    let (inner, builder, first) = sealed(Binding::Path).await;
    let store = builder.clone().build().await.unwrap();
    store.put(&path(), bytes(700).into()).await.unwrap();
    let second = inner.get(&path()).await.unwrap().bytes().await.unwrap();
    for cut in [
        HEADER,
        HEADER + 40,
        HEADER + 128,
        HEADER + 256,
        HEADER + 512,
    ] {
        let mixed = [&first[..cut], &second[cut..]].concat();
        assert_eq!(reads(&inner, &builder, mixed).await, [None, None], "{cut}");
    }
}

#[tokio::test]
async fn a_moved_object_decrypts_under_the_context_binding_alone() {
    for (binding, opens) in [(Binding::Path, false), (Binding::Context, true)] {
        let (inner, builder, _) = sealed(binding).await;
        let other = Path::from("other");
        inner.copy(&path(), &other).await.unwrap();
        let store = builder.clone().build().await.unwrap();
        let read = read_all(&store, &other).await;
        match opens {
            true => assert_eq!(read.unwrap(), bytes(700)),
            false => assert!(matches!(
                kind_of(&read.unwrap_err()),
                StoreErrorKind::Decrypt
            )),
        }
        let elsewhere = builder.context("another").build().await.unwrap();
        let read = read_all(&elsewhere, &path()).await.unwrap_err();
        assert!(matches!(kind_of(&read), StoreErrorKind::Decrypt));
    }
}

#[tokio::test]
async fn another_kek_is_named_and_a_plain_object_refused() {
    let (inner, builder, _) = sealed(Binding::Path).await;
    let other = builder.clone().kek_keyset(kek()).build().await.unwrap();
    let error = read_all(&other, &path()).await.unwrap_err();
    assert!(
        matches!(kind_of(&error), StoreErrorKind::Unwrap(_)),
        "{error}"
    );
    assert!(!StoreError::find(&error).unwrap().is_retryable());

    let store = builder.clone().build().await.unwrap();
    for plain in ["", "plain", "keysea"] {
        inner.put(&path(), plain.into()).await.unwrap();
        let error = read_all(&store, &path()).await.unwrap_err();
        assert!(
            matches!(kind_of(&error), StoreErrorKind::NotSealed),
            "{error}"
        );
        assert!(error.to_string().contains("object: "), "{error}");
    }
    let unsealed = Unsealed::PassThrough(SecretAccess::insecure());
    let migrating = builder.unsealed(unsealed).build().await.unwrap();
    let big = bytes(2_000);
    for plain in [b"".as_slice(), b"plain", &big] {
        inner.put(&path(), plain.to_vec().into()).await.unwrap();
        assert_eq!(read_all(&migrating, &path()).await.unwrap(), plain);
        assert_eq!(
            migrating.head(&path()).await.unwrap().size,
            plain.len() as u64
        );
    }
    assert_eq!(migrating.get_range(&path(), 5..9).await.unwrap(), big[5..9]);
    assert_eq!(
        migrating.get_ranges(&path(), &[1..3]).await.unwrap(),
        [&big[1..3]]
    );
}

#[tokio::test]
async fn a_refusal_of_the_service_is_one_error_and_one_call() {
    let denied = KmsError::new(KmsErrorKind::PermissionDenied).with_status(403);
    let inner = Arc::new(InMemory::new());
    let service = FakeService::refusing(Some(denied));
    let builder = builder(inner.clone()).kek(service.clone());
    let error = builder.clone().build().await.unwrap_err();
    assert!(matches!(kind_of(&error), StoreErrorKind::Kms(_)));
    assert_eq!(service.take(), 1);

    let writer = crate::support::builder(inner).build().await.unwrap();
    writer.put(&path(), "secret".into()).await.unwrap();
    let reader = builder.build_untried().unwrap();
    for read in [
        read_all(&reader, &path()).await.map(drop),
        reader.get_ranges(&path(), &[0..1]).await.map(drop),
        reader.head(&path()).await.map(drop),
    ] {
        let error = read.unwrap_err();
        let StoreErrorKind::Kms(kms) = kind_of(&error) else {
            panic!("{error}");
        };
        assert_eq!(kms.kind(), KmsErrorKind::PermissionDenied);
    }
    assert_eq!(service.take(), 3);
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let (_, builder, _) = sealed(Binding::Path).await;
    let store = builder.clone().build().await.unwrap();
    let printed = format!("{builder:?} {store:?} {store}");
    assert!(printed.contains("EncryptedStore(InMemory)"), "{printed}");
    assert!(!printed.contains("Key"), "{printed}");
}

#[tokio::test]
async fn settings_out_of_range_are_refused() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let good = || builder(inner.clone());
    for (bad, word) in [
        (good().segment_size(100), "segment size"),
        (good().segment_size(8 << 20), "segment size"),
        (good().header_size(255), "header size"),
        (good().header_size(70_000), "header size"),
        (good().part_size(1 << 20), "part size"),
        (
            EncryptedStore::builder(inner.clone()).kek_keyset(kek()),
            "context",
        ),
        (
            EncryptedStore::builder(inner.clone()).context("x"),
            "key-encryption key",
        ),
    ] {
        let error = bad.build_untried().unwrap_err();
        assert!(matches!(kind_of(&error), StoreErrorKind::Configuration(_)));
        assert!(error.to_string().contains(word), "{error}");
    }
}
