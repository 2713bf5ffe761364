//! A data-encryption key that a cache has used is gone from memory as soon as it is evicted.

use std::sync::Mutex;

use keyseal::{
    BoxFuture, KmsEnvelopeAead, KmsError, RemoteAead,
    envelope::{CachePolicy, DecryptCache, EncryptCache},
};

use crate::{allocator, alone, at_once, in_thread, memory, needles};

/// A key-encryption key that hands each key which it sees to the search. It keeps them inverted.
#[derive(Default)]
struct Watching(Mutex<usize>);

impl Watching {
    fn search_for(dek: &[u8]) {
        // A field header, and 32 bytes of key.
        needles::add(dek.last_chunk::<32>().unwrap());
    }
}

impl RemoteAead for Watching {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Self::search_for(plaintext);
        *self.0.lock().unwrap() += 1;
        let wrapped = plaintext.iter().map(|byte| !byte).collect();
        Box::pin(async { Ok(wrapped) })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        let opened: Vec<u8> = ciphertext.iter().map(|byte| !byte).collect();
        Self::search_for(&opened);
        Box::pin(async { Ok(opened) })
    }
}

fn gone(when: &str) {
    let found = memory::find_all();
    assert!(found.is_empty(), "{when}: {found:?}");
    assert_eq!(allocator::take_hits(), 0, "{when}");
}

#[test]
fn a_key_is_wiped_at_its_limit_and_when_it_is_evicted() {
    let _alone = alone();
    in_thread(|| {
        let policy = CachePolicy::new()
            .encrypt(EncryptCache::new().max_messages(3).max_partitions(1))
            .decrypt(DecryptCache::new().max_entries(1));
        let aead = KmsEnvelopeAead::new(Watching::default(), "AES256_GCM").unwrap();
        let aead = aead.cached(policy).unwrap();
        let encrypt = || at_once(aead.encrypt(b"text", b"data")).unwrap();

        let first = encrypt();
        encrypt();
        assert!(!memory::find_all().is_empty(), "a key in use is found");
        assert_eq!(
            allocator::take_hits(),
            0,
            "it is in no block that was freed"
        );
        encrypt();
        gone("after the last message");

        at_once(aead.decrypt(&first, b"data")).unwrap();
        at_once(aead.decrypt(&first, b"data")).unwrap();
        assert!(!memory::find_all().is_empty(), "a cached key is found");
        let second = encrypt();
        aead.clear();
        gone("after clearing");

        // Evicted for another one, which the search is not for.
        needles::clear();
        at_once(aead.decrypt(&first, b"data")).unwrap();
        assert!(!memory::find_all().is_empty(), "a cached key is found");
        let evicted = needles::take();
        at_once(aead.decrypt(&second, b"data")).unwrap();
        needles::put(evicted);
        gone("after an eviction");
        needles::clear();

        at_once(aead.partition("one").encrypt(b"text", b"data")).unwrap();
        let evicted = needles::take();
        at_once(aead.partition("two").encrypt(b"text", b"data")).unwrap();
        needles::put(evicted);
        gone("after a partition made room");
        needles::clear();
        drop(aead);
    });
}
