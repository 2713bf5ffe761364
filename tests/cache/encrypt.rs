//! The cache that encrypts: limits, partitions, single flight, failures.

use std::{collections::HashSet, time::Duration};

use keyseal::{
    Envelope, KmsEnvelopeAead, KmsErrorKind, RemoteAead,
    envelope::{CachePolicy, CachePolicyError, CachedEnvelopeAead, EncryptCache},
};

use crate::support::{Kek, ManualTimer, at_once, settle};

const SECOND: Duration = Duration::from_secs(1);

fn cached(
    kek: &Kek,
    timer: &std::sync::Arc<ManualTimer>,
    policy: EncryptCache,
) -> CachedEnvelopeAead {
    let policy = CachePolicy::new().encrypt(policy).timer(timer.clone());
    let aead = KmsEnvelopeAead::new(kek.clone(), "AES256_GCM").unwrap();
    aead.cached(policy).unwrap()
}

fn exact() -> EncryptCache {
    EncryptCache::new().jitter(0.0)
}

fn head(message: &[u8]) -> Vec<u8> {
    Envelope::parse(message).unwrap().head().to_vec()
}

#[test]
fn the_ceilings_are_refused_with_their_reason() {
    let aead = KmsEnvelopeAead::new(Kek::new(), "AES256_GCM").unwrap();
    let refused = |policy: EncryptCache| aead.cached(policy).err();
    let messages = |found| refused(EncryptCache::new().max_messages(found));
    assert_eq!(messages(1 << 32), None);
    for found in [0, (1 << 32) + 1] {
        assert_eq!(
            messages(found),
            Some(CachePolicyError::MaxMessages { found })
        );
    }
    let bytes = |found| refused(EncryptCache::new().max_bytes(found));
    assert_eq!(bytes(1 << 52), None);
    for found in [0, (1 << 52) + 1] {
        assert_eq!(bytes(found), Some(CachePolicyError::MaxBytes { found }));
    }
    let day = 86_400 * SECOND;
    assert_eq!(refused(EncryptCache::new().max_age(day)), None);
    for found in [Duration::ZERO, day + SECOND] {
        let error = refused(EncryptCache::new().max_age(found));
        assert_eq!(error, Some(CachePolicyError::MaxAge { found }));
    }
    let text = messages(1 << 33).unwrap().to_string();
    assert!(text.contains("SP 800-38D"), "{text}");
}

#[test]
fn one_wrap_serves_exactly_the_messages_of_the_limit() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    // Large enough for leases, and small enough for none.
    for limit in [1, 2, 3, 100, 5000] {
        let before = kek.encryptions();
        let aead = cached(&kek, &timer, exact().max_messages(limit));
        let first = at_once(aead.encrypt(b"text", b"data")).unwrap();
        for _ in 1..limit {
            let message = at_once(aead.encrypt(b"text", b"data")).unwrap();
            assert_eq!(head(&message), head(&first));
        }
        assert_eq!(kek.encryptions() - before, 1, "{limit}");
        assert!(
            aead.dek_usage().is_none(),
            "the key is gone after its last message"
        );
        let next = at_once(aead.encrypt(b"text", b"data")).unwrap();
        assert_ne!(head(&next), head(&first));
        assert_eq!(kek.encryptions() - before, 2, "{limit}");
        assert_eq!(at_once(aead.decrypt(&next, b"data")).unwrap(), b"text");
    }
}

#[test]
fn a_dek_repeats_no_nonce_in_65_536_messages() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact().max_messages(1 << 32));
    let mut seen = HashSet::new();
    for message in 0..(1 << 16) + 1000 {
        // One message under one nonce has the same bytes each time.
        let fresh = seen.insert(at_once(aead.encrypt(b"", b"")).unwrap());
        assert!(fresh, "message {message} repeats");
    }
    assert_eq!(kek.encryptions(), 1, "they share one DEK");
}

#[test]
fn threads_take_exactly_the_messages_of_the_limit() {
    let kek = Kek::new();
    let aead = KmsEnvelopeAead::new(kek.clone(), "AES128_GCM").unwrap();
    let policy = CachePolicy::new().encrypt(exact().max_messages(1000));
    let aead = aead.cached(policy.timer(ManualTimer::shared())).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            // While one thread gets the next key, the others wait.
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                let runtime = runtime.unwrap();
                for _ in 0..1000 {
                    runtime.block_on(aead.encrypt(b"text", b"")).unwrap();
                }
            });
        }
    });
    let stats = aead.stats();
    assert_eq!(stats.encrypt_hits + stats.encrypt_misses, 8000);
    assert_eq!(stats.encrypted_bytes, 8000 * 4);
    // 8000 messages are the most that 8 keys take; a key that a thread gave up early costs one more.
    assert_eq!(kek.encryptions(), 8);
}

#[test]
fn bytes_and_age_end_a_key_and_a_long_message_has_its_own() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let policy = exact().max_bytes(100).max_age(10 * SECOND);
    let aead = cached(&kek, &timer, policy);
    at_once(aead.encrypt(&[0; 60], b"")).unwrap();
    at_once(aead.encrypt(&[0; 40], b"")).unwrap();
    let usage = aead.dek_usage().unwrap();
    assert_eq!((usage.messages, usage.bytes), (2, 100));
    at_once(aead.encrypt(b"", b"")).unwrap();
    assert_eq!(kek.encryptions(), 1);
    at_once(aead.encrypt(b"1", b"")).unwrap();
    assert_eq!(kek.encryptions(), 2);

    at_once(aead.encrypt(&[0; 101], b"")).unwrap();
    assert_eq!((kek.encryptions(), aead.stats().encrypt_bypasses), (3, 1));
    assert_eq!(
        aead.dek_usage().unwrap().bytes,
        1,
        "the shared key is untouched"
    );

    timer.advance(10 * SECOND - Duration::from_millis(1));
    at_once(aead.encrypt(b"1", b"")).unwrap();
    assert_eq!(kek.encryptions(), 3);
    timer.advance(Duration::from_millis(1));
    at_once(aead.encrypt(b"1", b"")).unwrap();
    assert_eq!(kek.encryptions(), 4);

    timer.advance(10 * SECOND);
    assert!(aead.dek_usage().is_some());
    aead.purge_expired();
    assert!(aead.dek_usage().is_none());
}

#[test]
fn jitter_only_shortens_the_age() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let policy = EncryptCache::new().max_age(100 * SECOND).jitter(0.5);
    let mut ages = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let aead = cached(&kek, &timer, policy.clone());
        at_once(aead.encrypt(b"", b"")).unwrap();
        let mut age = 0;
        while aead.dek_usage().is_some() {
            timer.advance(SECOND);
            age += 1;
            aead.purge_expired();
        }
        assert!((50..=100).contains(&age), "{age}");
        ages.insert(age);
    }
    assert!(ages.len() > 3, "{ages:?}");
}

#[test]
fn partitions_share_no_key_and_make_room_for_each_other() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact().max_partitions(2));
    let encrypt = |name: &str| {
        timer.advance(SECOND);
        head(&at_once(aead.partition(name).encrypt(b"", b"")).unwrap())
    };
    let (one, two) = (encrypt("1"), encrypt("2"));
    assert_ne!(one, two);
    assert_ne!(head(&at_once(aead.encrypt(b"", b"")).unwrap()), one);
    assert_eq!(encrypt("1"), one);
    assert_eq!(kek.encryptions(), 3);
    encrypt("3");
    assert_eq!((aead.stats().partitions, aead.stats().evictions), (2, 1));
    assert_eq!(encrypt("1"), one, "the least recently used one went");
    assert_ne!(encrypt("2"), two);
    aead.clear();
    assert_ne!(encrypt("1"), one);
}

#[test]
fn an_evicted_partition_loses_its_key_even_if_a_handle_is_left() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact().max_partitions(1));
    let held = aead.partition("1");
    let first = head(&at_once(held.encrypt(b"", b"")).unwrap());
    timer.advance(SECOND);
    at_once(aead.partition("2").encrypt(b"", b"")).unwrap();
    assert_eq!(aead.stats().evictions, 1);
    assert!(held.dek_usage().is_none(), "the key is gone");
    assert_ne!(head(&at_once(held.encrypt(b"", b"")).unwrap()), first);
}

#[tokio::test]
async fn a_thousand_cold_callers_make_one_call() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact());
    let gate = kek.hold();
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let aead = aead.partition("tenant");
            tokio::spawn(async move { aead.encrypt(b"text", b"").await })
        })
        .collect();
    settle().await;
    assert_eq!(kek.encryptions(), 1);
    gate.add_permits(1);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(kek.encryptions(), 1);
    assert_eq!(aead.stats().encrypt_misses, 1000);
}

#[tokio::test]
async fn callers_that_give_up_do_not_cancel_the_call_for_the_last_one() {
    // The one that stays is the one that started the call, one in the middle, or the last.
    for stays in [0, 500, 999] {
        let (kek, timer) = (Kek::new(), ManualTimer::shared());
        let aead = cached(&kek, &timer, exact());
        let gate = kek.hold();
        let calls: Vec<_> = (0..1000)
            .map(|_| {
                let aead = aead.clone();
                tokio::spawn(async move { aead.encrypt(b"text", b"").await })
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
        for (at, call) in calls.into_iter().enumerate() {
            match call.await {
                Ok(outcome) => drop(outcome.unwrap()),
                Err(error) => assert!(error.is_cancelled() && at != stays),
            }
        }
        assert_eq!(kek.encryptions(), 1, "{stays}");
    }
}

#[tokio::test]
async fn a_failure_comes_once_to_each_caller_and_the_next_one_tries_again() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact());
    kek.fail(KmsErrorKind::Unavailable);
    let gate = kek.hold();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let aead = aead.clone();
            tokio::spawn(async move { aead.encrypt(b"text", b"").await })
        })
        .collect();
    settle().await;
    gate.add_permits(1000);
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::Unavailable);
    }
    assert_eq!(kek.encryptions(), 1);
    kek.fail(None);
    let next = tokio::spawn({
        let aead = aead.clone();
        async move { aead.encrypt(b"text", b"").await }
    });
    settle().await;
    assert_eq!(kek.encryptions(), 1, "it waits a moment");
    timer.advance(Duration::from_millis(100));
    next.await.unwrap().unwrap();
    assert_eq!(kek.encryptions(), 2);
    assert_eq!(aead.stats().wrap_failures, 1);
}

#[tokio::test]
async fn the_wait_after_failures_grows_and_has_an_end() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact());
    kek.fail(KmsErrorKind::RateLimited);
    for failure in 0..12_u32 {
        let call = tokio::spawn({
            let aead = aead.clone();
            async move { aead.encrypt(b"text", b"").await }
        });
        settle().await;
        let mut waited = Duration::ZERO;
        while !call.is_finished() {
            timer.advance(Duration::from_millis(10));
            waited += Duration::from_millis(10);
            settle().await;
        }
        call.await.unwrap().unwrap_err();
        let longest = match failure {
            0 => Duration::ZERO,
            _ => Duration::from_millis(100 << (failure - 1)).min(5 * SECOND),
        };
        let allowed = longest / 2..=longest + Duration::from_millis(10);
        assert!(allowed.contains(&waited), "{failure}: {waited:?}");
    }
    // A later caller, for whom the time is over, does not wait.
    timer.advance(10 * SECOND);
    kek.fail(None);
    aead.encrypt(b"text", b"").await.unwrap();
    assert_eq!(kek.encryptions(), 13);
}

#[tokio::test]
async fn the_next_key_is_there_before_the_old_one_runs_out() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let policy = exact()
        .max_messages(10)
        .max_age(100 * SECOND)
        .prefetch(true);
    let aead = cached(&kek, &timer, policy);
    at_once(aead.encrypt(b"", b"")).unwrap();
    let gate = kek.hold();
    for _ in 1..10 {
        aead.encrypt(b"", b"").await.unwrap();
        settle().await;
    }
    assert_eq!(kek.encryptions(), 2, "the next one is on its way");
    gate.add_permits(1000);
    settle().await;
    for _ in 0..4 {
        at_once(aead.encrypt(b"", b"")).unwrap();
    }
    assert_eq!(kek.encryptions(), 2);
    assert_eq!(
        aead.stats().encrypt_misses,
        1,
        "only the first message waited"
    );

    // By age too.
    timer.advance(91 * SECOND);
    at_once(aead.encrypt(b"", b"")).unwrap();
    settle().await;
    assert_eq!(kek.encryptions(), 3);
    timer.advance(9 * SECOND);
    at_once(aead.encrypt(b"", b"")).unwrap();
    assert_eq!((kek.encryptions(), aead.stats().encrypt_misses), (3, 1));
}

#[tokio::test]
async fn a_prefetch_that_fails_is_tried_again_and_does_no_harm() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let policy = exact().max_messages(100).prefetch(true);
    let aead = cached(&kek, &timer, policy);
    aead.encrypt(b"", b"").await.unwrap();
    kek.fail(KmsErrorKind::Unavailable);
    for _ in 1..99 {
        aead.encrypt(b"", b"").await.unwrap();
        settle().await;
    }
    let tried = kek.encryptions();
    assert_eq!(tried, 2, "the others wait for the back-off");
    kek.fail(None);
    timer.advance(SECOND);
    settle().await;
    aead.encrypt(b"", b"").await.unwrap();
    at_once(aead.encrypt(b"", b"")).unwrap();
    assert_eq!(kek.encryptions(), 3);
}

#[tokio::test]
async fn a_cleared_cache_forgets_the_key_that_was_fetched_ahead() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact().max_messages(4).prefetch(true));
    for _ in 0..3 {
        aead.encrypt(b"", b"").await.unwrap();
        settle().await;
    }
    assert_eq!(kek.encryptions(), 2, "the next key is there");
    aead.clear();
    aead.encrypt(b"", b"").await.unwrap();
    assert_eq!(kek.encryptions(), 3, "neither is used any more");
}

#[tokio::test]
async fn a_task_wipes_an_old_key_without_traffic_and_ends_with_the_cache() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let aead = cached(&kek, &timer, exact().max_age(10 * SECOND));
    aead.encrypt(b"", b"").await.unwrap();
    settle().await;
    assert_eq!(timer.sleepers(), 1);
    timer.advance(10 * SECOND);
    settle().await;
    assert!(aead.dek_usage().is_none());
    assert_eq!(timer.sleepers(), 0, "nothing to do, no task");
    aead.encrypt(b"", b"").await.unwrap();
    settle().await;
    assert_eq!(timer.sleepers(), 1);
    drop(aead);
    timer.advance(100 * SECOND);
    settle().await;
    assert_eq!(timer.sleepers(), 0);
}
