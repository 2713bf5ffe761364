//! The cache that decrypts: bounds, single flight, errors, stale use.

use std::{sync::Arc, time::Duration};

use keyseal::{
    Freshness, Key, KeysetHandle, KmsEnvelopeAead, KmsErrorKind, RemoteAead,
    envelope::{CachePolicy, CachePolicyError, CachedEnvelopeAead, DecryptCache},
};

use crate::support::{Kek, ManualTimer, at_once, settle};

const SECOND: Duration = Duration::from_secs(1);

fn cached(kek: &Kek, timer: &Arc<ManualTimer>, policy: DecryptCache) -> CachedEnvelopeAead {
    let policy = CachePolicy::new().decrypt(policy).timer(timer.clone());
    let aead = KmsEnvelopeAead::new(kek.clone(), "AES256_GCM").unwrap();
    aead.cached(policy).unwrap()
}

fn exact() -> DecryptCache {
    DecryptCache::new().jitter(0.0)
}

/// Messages, each with a key for itself.
fn messages(kek: &Kek, number: u8) -> Vec<Vec<u8>> {
    let aead = KmsEnvelopeAead::new(kek.clone(), "AES256_GCM").unwrap();
    let encrypt = |number| at_once(aead.encrypt(&[number], b"data")).unwrap();
    (0..number).map(encrypt).collect()
}

#[test]
fn a_key_is_unwrapped_once_within_its_age() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact().max_age(10 * SECOND));
    let message = &messages(&kek, 1)[0];
    for _ in 0..5 {
        assert_eq!(at_once(aead.decrypt(message, b"data")).unwrap(), [0]);
        let error = at_once(aead.decrypt(message, b"other")).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::DecryptionFailed);
    }
    assert_eq!(kek.decryptions(), 1);
    let stats = aead.stats();
    assert_eq!((stats.decrypt_hits, stats.decrypt_misses), (9, 1));
    timer.advance(10 * SECOND);
    at_once(aead.decrypt(message, b"data")).unwrap();
    assert_eq!(kek.decryptions(), 2);
}

#[test]
fn entries_and_bytes_are_bounded_and_the_least_recently_used_goes() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let messages = messages(&kek, 4);
    let size = cached(&kek, &timer, exact());
    at_once(size.decrypt(&messages[0], b"data")).unwrap();
    let size = size.stats().decrypt_bytes;
    for policy in [
        exact().max_entries(2),
        exact().max_bytes(2 * size + size / 2),
    ] {
        let aead = cached(&kek, &timer, policy);
        let calls = |at: usize| {
            let before = kek.decryptions();
            timer.advance(SECOND);
            at_once(aead.decrypt(&messages[at], b"data")).unwrap();
            kek.decryptions() - before
        };
        assert_eq!([0, 1, 0, 2, 0, 1, 3].map(calls), [1, 1, 0, 1, 0, 1, 1]);
        assert_eq!(aead.stats().decrypt_entries, 2);
        assert_eq!(aead.stats().evictions, 3);
        aead.clear();
        assert_eq!(aead.stats().decrypt_bytes, 0);
        assert_eq!(calls(3), 1);
    }
    // One that does not fit is used, and not kept.
    let aead = cached(&kek, &timer, exact().max_bytes(size - 1));
    at_once(aead.decrypt(&messages[0], b"data")).unwrap();
    assert_eq!(aead.stats().decrypt_entries, 0);
}

#[test]
fn errors_are_never_cached() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact());
    let message = &messages(&kek, 1)[0];
    let foreign = &messages(&Kek::new(), 1)[0];
    for calls in 1..4 {
        let error = at_once(aead.decrypt(foreign, b"data")).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::DecryptionFailed);
        assert_eq!(kek.decryptions(), calls);
    }
    kek.fail(KmsErrorKind::Unavailable);
    at_once(aead.decrypt(message, b"data")).unwrap_err();
    kek.fail(None);
    at_once(aead.decrypt(message, b"data")).unwrap();
    assert_eq!(aead.stats().decrypt_entries, 1);
    // Anything but an envelope costs no call.
    let before = kek.decryptions();
    at_once(aead.decrypt(&message[..20], b"data")).unwrap_err();
    assert_eq!(kek.decryptions(), before);
}

#[tokio::test]
async fn callers_share_one_call_and_may_give_up() {
    for stays in [0, 500, 999] {
        let (kek, timer) = (Kek::new(), ManualTimer::shared());
        let message: Arc<[u8]> = messages(&kek, 1)[0].as_slice().into();
        let aead = cached(&kek, &timer, exact());
        let gate = kek.hold();
        let calls: Vec<_> = (0..1000)
            .map(|_| {
                let (aead, message) = (aead.clone(), message.clone());
                tokio::spawn(async move { aead.decrypt(&message, b"data").await })
            })
            .collect();
        settle().await;
        for (at, call) in calls.iter().enumerate() {
            if at != stays {
                call.abort();
            }
        }
        settle().await;
        gate.add_permits(1);
        let outcome = calls.into_iter().nth(stays).unwrap().await.unwrap();
        assert_eq!(outcome.unwrap(), [0]);
        assert_eq!(kek.decryptions(), 1);
    }
}

#[tokio::test]
async fn a_cancelled_call_leaves_no_trace() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let message = &messages(&kek, 1)[0];
    let aead = cached(&kek, &timer, exact());
    let gate = kek.hold();
    for _ in 0..3 {
        let call = aead.decrypt(message, b"data");
        assert!(
            tokio::time::timeout(Duration::from_millis(1), call)
                .await
                .is_err()
        );
    }
    assert_eq!(kek.decryptions(), 3);
    gate.add_permits(1);
    aead.decrypt(message, b"data").await.unwrap();
}

#[test]
fn the_hint_of_a_newer_wrapping_is_kept_with_the_key() {
    let mut keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    let message = &messages(&Kek::of(&keyset), 1)[0];
    keyset.rotate(Key::generate("AES256_GCM").unwrap()).unwrap();
    let (kek, timer) = (Kek::of(&keyset), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact());
    for _ in 0..2 {
        let decrypted = at_once(aead.decrypt_with_refresh(message, b"data")).unwrap();
        assert_eq!(decrypted.freshness(), Freshness::Older);
    }
    assert_eq!(kek.decryptions(), 1);
}

#[tokio::test]
async fn stale_use_is_opt_in_visible_and_ends() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let message = &messages(&kek, 1)[0];
    let strict = cached(&kek, &timer, exact().max_age(10 * SECOND));
    let policy = exact().max_age(10 * SECOND).stale(60 * SECOND);
    let aead = cached(&kek, &timer, policy);
    for aead in [&strict, &aead] {
        aead.decrypt(message, b"data").await.unwrap();
    }
    kek.fail(KmsErrorKind::Unreachable);
    timer.advance(10 * SECOND);
    assert!(strict.decrypt(message, b"data").await.is_err());
    let before = kek.decryptions();
    for _ in 0..100 {
        let decrypted = aead.decrypt_with_refresh(message, b"data").await.unwrap();
        assert!(decrypted.is_stale());
    }
    assert_eq!(
        kek.decryptions() - before,
        1,
        "one asks, the others do not wait"
    );
    assert_eq!(aead.stats().stale_uses, 100);

    // The service comes back: one asks, and the key is fresh again.
    kek.fail(None);
    timer.advance(SECOND);
    let decrypted = aead.decrypt_with_refresh(message, b"data").await.unwrap();
    assert!(!decrypted.is_stale());

    // No use past the cap, however often one asks.
    kek.fail(KmsErrorKind::TimedOut);
    timer.advance(70 * SECOND - Duration::from_millis(1));
    assert!(
        aead.decrypt_with_refresh(message, b"data")
            .await
            .unwrap()
            .is_stale()
    );
    timer.advance(Duration::from_millis(1));
    for _ in 0..3 {
        let error = aead.decrypt(message, b"data").await.unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::TimedOut);
    }
}

#[tokio::test]
async fn an_answer_ends_stale_use() {
    for kind in [
        KmsErrorKind::PermissionDenied,
        KmsErrorKind::PreconditionFailed,
        KmsErrorKind::NotFound,
        KmsErrorKind::DecryptionFailed,
    ] {
        let (kek, timer) = (Kek::new(), ManualTimer::shared());
        let message = &messages(&kek, 1)[0];
        let policy = exact().max_age(10 * SECOND).stale(60 * SECOND);
        let aead = cached(&kek, &timer, policy);
        aead.decrypt(message, b"data").await.unwrap();
        timer.advance(10 * SECOND);
        kek.fail(kind);
        assert_eq!(
            aead.decrypt(message, b"data").await.unwrap_err().kind(),
            kind
        );
        // The key is gone: an outage does not bring it back.
        kek.fail(KmsErrorKind::Unavailable);
        assert!(aead.decrypt(message, b"data").await.is_err());
        assert_eq!(aead.stats().stale_uses, 0);
    }
}

#[tokio::test]
async fn a_slow_service_does_not_hold_up_stale_use() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let message: Arc<[u8]> = messages(&kek, 1)[0].as_slice().into();
    let policy = exact().max_age(10 * SECOND).stale(60 * SECOND);
    let aead = cached(&kek, &timer, policy);
    aead.decrypt(&message, b"data").await.unwrap();
    timer.advance(10 * SECOND);
    let gate = kek.hold();
    let call = tokio::spawn({
        let (aead, message) = (aead.clone(), message.clone());
        async move { aead.decrypt_with_refresh(&message, b"data").await }
    });
    settle().await;
    assert!(!call.is_finished());
    timer.advance(Duration::from_millis(500));
    assert!(call.await.unwrap().unwrap().is_stale());
    // The next ones do not wait at all, and the call goes on for them.
    assert!(
        at_once(aead.decrypt_with_refresh(&message, b"data"))
            .unwrap()
            .is_stale()
    );
    gate.add_permits(1);
    settle().await;
    assert!(
        !at_once(aead.decrypt_with_refresh(&message, b"data"))
            .unwrap()
            .is_stale()
    );
    assert_eq!(kek.decryptions(), 2);
}

#[tokio::test]
async fn recovery_is_no_stampede() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let messages: Vec<Arc<[u8]>> = messages(&kek, 200)
        .iter()
        .map(|message| message.as_slice().into())
        .collect();
    let policy = exact().max_age(10 * SECOND).stale(3600 * SECOND);
    let aead = cached(&kek, &timer, policy);
    for message in &messages {
        aead.decrypt(message, b"data").await.unwrap();
    }
    kek.fail(KmsErrorKind::Unavailable);
    timer.advance(10 * SECOND);
    let before = kek.decryptions();
    // Ten minutes without the service, with 200 messages in every second.
    for _ in 0..600 {
        timer.advance(SECOND);
        for message in &messages {
            aead.decrypt(message, b"data").await.unwrap();
        }
    }
    let asked = kek.decryptions() - before;
    assert!(asked < 60, "{asked} calls in ten minutes");
    assert_eq!(aead.stats().stale_uses, 600 * 200);

    // The first call after the outage is one, with all messages wanted at once.
    timer.advance(60 * SECOND);
    let gate = kek.hold();
    let before = kek.decryptions();
    let calls: Vec<_> = messages
        .iter()
        .map(|message| {
            let (aead, message) = (aead.clone(), message.clone());
            tokio::spawn(async move { aead.decrypt(&message, b"data").await })
        })
        .collect();
    settle().await;
    assert_eq!(kek.decryptions() - before, 1);
    kek.fail(None);
    gate.add_permits(1000);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[test]
fn the_ceilings_are_refused() {
    let aead = KmsEnvelopeAead::new(Kek::new(), "AES256_GCM").unwrap();
    let day = 86_400 * SECOND;
    let refused = |policy: DecryptCache| aead.cached(policy).err();
    assert_eq!(refused(DecryptCache::new().max_age(day).stale(day)), None);
    let found = day + SECOND;
    let age = refused(DecryptCache::new().max_age(found));
    assert_eq!(age, Some(CachePolicyError::MaxAge { found }));
    let stale = refused(DecryptCache::new().stale(found));
    assert_eq!(stale, Some(CachePolicyError::Stale { found }));
    for policy in [
        DecryptCache::new().max_entries(0),
        DecryptCache::new().max_bytes(0),
    ] {
        assert_eq!(refused(policy), Some(CachePolicyError::NoRoom));
    }
}
