//! From one key-encryption key to another, with one keyset for all readers: what each step costs.

use std::sync::Arc;

use keyseal::{
    Key, KeyTypes, KeysetHandle, KeysetRemoteAead, KmsEnvelopeAead, KmsError, RemoteAead, Variant,
    envelope::{CachePolicy, DecryptCache, EncryptCache},
    key::kms_envelope_aead::KmsEnvelopeAeadParameters,
    kms::KmsClient,
    rewrap::{Rewrap, Wrapped},
};

use crate::support::{Kek, at_once};

/// Serves `test-kms://old` and `test-kms://new`.
#[derive(Clone)]
struct Keks {
    old: Kek,
    new: Kek,
}

impl KmsClient for Keks {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        let kek = match key_uri.strip_prefix("test-kms://")? {
            "old" => &self.old,
            _ => &self.new,
        };
        Some(Ok(Arc::new(kek.clone())))
    }
}

/// A keyset with envelope keys in this order, of which the one at `primary` encrypts.
fn keyset(uris: &[&str], primary: usize, variant: Variant) -> KeysetHandle {
    let template = KeyTypes::default().template("AES256_GCM").unwrap();
    let key = |uri: &&str| {
        let uri = format!("test-kms://{uri}");
        let template = template.key_template().clone();
        let parameters = KmsEnvelopeAeadParameters::new(uri, template).unwrap();
        Key::generate_with(&parameters, variant).unwrap()
    };
    let mut keys = uris.iter().map(key);
    let mut keyset = KeysetHandle::new(keys.next().unwrap()).unwrap();
    let mut ids = vec![keyset.primary_id()];
    ids.extend(keys.map(|key| keyset.add(key).unwrap()));
    keyset.promote(ids[primary]).unwrap();
    keyset
}

#[test]
fn each_step_of_a_migration_costs_the_requests_that_the_docs_say() {
    let keks = Keks {
        old: Kek::new(),
        new: Kek::new(),
    };
    let aead = |uris: &[&str], primary| {
        KeysetRemoteAead::new(&keyset(uris, primary, Variant::Raw), &keks).unwrap()
    };
    let calls = |work: &dyn Fn()| {
        let before = (keks.old.decryptions(), keks.new.decryptions());
        work();
        (
            keks.old.decryptions() - before.0,
            keks.new.decryptions() - before.1,
        )
    };
    // Before: a plain envelope under the old key, as any Tink writes it.
    let plain = KmsEnvelopeAead::new(keks.old.clone(), "AES256_GCM").unwrap();
    let old = at_once(plain.encrypt(b"text", b"data")).unwrap();

    // 1. Readers learn the new key; the old one encrypts. One request, as before.
    let first = aead(&["old", "new"], 0);
    let decrypt = |aead: &KeysetRemoteAead, message: &[u8]| {
        assert_eq!(at_once(aead.decrypt(message, b"data")).unwrap(), b"text");
    };
    assert_eq!(calls(&|| decrypt(&first, &old)), (1, 0));
    let before = keks.old.encryptions();
    at_once(first.encrypt(b"text", b"data")).unwrap();
    assert_eq!(keks.old.encryptions() - before, 1);

    // 2. The new key encrypts, and comes first. Old messages cost two requests.
    let second = aead(&["new", "old"], 0);
    let new = at_once(second.encrypt(b"text", b"data")).unwrap();
    assert_eq!(calls(&|| decrypt(&second, &new)), (0, 1));
    assert_eq!(calls(&|| decrypt(&second, &old)), (1, 1));
    // A reader that still has the first keyset reads the new messages, too.
    assert_eq!(calls(&|| decrypt(&first, &new)), (1, 1));

    // 3. Re-wrapping costs one request at each key, and nothing for a message that is done.
    let rewrap = Rewrap::between(keks.old.clone(), keks.new.clone());
    let wrapped = Wrapped::detect(&old, old.len() as u64).unwrap();
    let before = keks.new.encryptions();
    let head = at_once(rewrap.head(&wrapped)).unwrap().unwrap();
    assert_eq!(keks.new.encryptions() - before, 1);
    let moved = [&head[..], &old[wrapped.head_size()..]].concat();
    assert_eq!(calls(&|| decrypt(&second, &moved)), (0, 1));

    // 4. The old key is gone.
    let last = aead(&["new"], 0);
    assert_eq!(calls(&|| decrypt(&last, &moved)), (0, 1));
    assert!(at_once(last.decrypt(&old, b"data")).is_err());
}

#[test]
fn with_a_tink_prefix_the_order_costs_nothing() {
    let keks = Keks {
        old: Kek::new(),
        new: Kek::new(),
    };
    let keyset = keyset(&["old", "new"], 1, Variant::Tink);
    let aead = KeysetRemoteAead::new(&keyset, &keks).unwrap();
    let message = at_once(aead.encrypt(b"text", b"data")).unwrap();
    assert_eq!(at_once(aead.decrypt(&message, b"data")).unwrap(), b"text");
    assert_eq!((keks.old.decryptions(), keks.new.decryptions()), (0, 1));
}

#[test]
fn a_cached_keyset_calls_each_of_its_keys_once() {
    let keks = Keks {
        old: Kek::new(),
        new: Kek::new(),
    };
    let (uris, policy) = (["old", "new"], CachePolicy::new());
    let policy = policy
        .encrypt(EncryptCache::new())
        .decrypt(DecryptCache::new());
    let keyset = keyset(&uris, 0, Variant::Tink);
    let before = KeysetRemoteAead::cached(&keyset, &keks, policy.clone()).unwrap();
    let messages: Vec<Vec<u8>> = (0..100_u8)
        .map(|n| at_once(before.encrypt(&[n], b"data")).unwrap())
        .collect();
    assert_eq!((keks.old.encryptions(), keks.new.encryptions()), (1, 0));

    // The other key encrypts now. What the first one wrote is opened with one request.
    let mut promoted = keyset;
    let other = promoted.entries().nth(1).unwrap().id();
    promoted.promote(other).unwrap();
    let after = KeysetRemoteAead::cached(&promoted, &keks, policy).unwrap();
    for (n, message) in (0..).zip(&messages) {
        assert_eq!(at_once(after.decrypt(message, b"data")).unwrap(), [n]);
        at_once(after.encrypt(&[n], b"data")).unwrap();
    }
    assert_eq!((keks.old.encryptions(), keks.new.encryptions()), (1, 1));
    assert_eq!((keks.old.decryptions(), keks.new.decryptions()), (1, 0));

    // Any reader without a cache opens them.
    let plain = KeysetRemoteAead::new(&promoted, &keks).unwrap();
    assert_eq!(at_once(plain.decrypt(&messages[7], b"data")).unwrap(), [7]);
}

#[test]
fn a_cached_keyset_refuses_a_limit_above_its_ceiling() {
    let keks = Keks {
        old: Kek::new(),
        new: Kek::new(),
    };
    let policy = EncryptCache::new().max_messages((1 << 32) + 1);
    let error = KeysetRemoteAead::cached(&keyset(&["old"], 0, Variant::Tink), &keks, policy);
    let error = error.unwrap_err();
    let reason = std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
        error.source()
    })
    .any(|error| error.to_string().contains("SP 800-38D"));
    assert!(reason, "{error:?}");
}
