//! Circuit breaker, hedged decryption and fall-back.

use std::{sync::Arc, time::Duration};

use keyseal::{
    Freshness, KeysetHandle, KmsErrorKind, RemoteAead,
    kms::{BreakerPolicy, BreakerState, CircuitBreaker, Fallback, HedgedDecrypt},
};

use crate::support::{Kek, ManualTimer, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_breaker_opens_after_outages_and_one_trial_closes_it() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let policy = BreakerPolicy::new()
        .failures(3)
        .open_for(2 * SECOND, 8 * SECOND);
    let breaker = CircuitBreaker::new(kek.clone(), policy, timer.clone());
    let kind = async || {
        breaker
            .encrypt(b"key", b"")
            .await
            .err()
            .map(|error| error.kind())
    };
    kek.fail(KmsErrorKind::TimedOut);
    for _ in 0..3 {
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert_eq!(kind().await, Some(KmsErrorKind::TimedOut));
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    for _ in 0..100 {
        let error = breaker.decrypt(b"key", b"").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (KmsErrorKind::Unavailable, 0)
        );
    }
    assert_eq!((kek.encryptions(), kek.decryptions()), (3, 0));

    // Each failed trial doubles the time.
    for longest in [2, 4, 8, 8] {
        timer.advance(longest * SECOND / 2 - Duration::from_millis(1));
        assert_eq!(breaker.state(), BreakerState::Open, "{longest}");
        timer.advance(longest * SECOND / 2 + Duration::from_millis(1));
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert_eq!(kind().await, Some(KmsErrorKind::TimedOut));
        assert_eq!(kind().await, Some(KmsErrorKind::Unavailable));
    }
    assert_eq!(kek.encryptions(), 7);

    kek.fail(None);
    timer.advance(8 * SECOND);
    let gate = kek.hold();
    let trial = tokio::spawn({
        let breaker = breaker.clone();
        async move { breaker.encrypt(b"key", b"").await }
    });
    settle().await;
    assert_eq!(
        kind().await,
        Some(KmsErrorKind::Unavailable),
        "one trial at a time"
    );
    gate.add_permits(100);
    trial.await.unwrap().unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(kind().await, None);
}

#[tokio::test]
async fn a_trial_that_is_cancelled_leaves_room_for_another_and_refusals_do_not_open() {
    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let policy = BreakerPolicy::new().failures(1);
    let breaker = CircuitBreaker::new(kek.clone(), policy, timer.clone());
    kek.fail(KmsErrorKind::PermissionDenied);
    for _ in 0..10 {
        breaker.encrypt(b"key", b"").await.unwrap_err();
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    kek.fail(KmsErrorKind::RateLimited);
    breaker.encrypt(b"key", b"").await.unwrap_err();
    timer.advance(2 * SECOND);
    let gate = kek.hold();
    let trial = tokio::time::timeout(Duration::from_millis(1), breaker.encrypt(b"key", b""));
    assert!(trial.await.is_err());
    kek.fail(None);
    gate.add_permits(1);
    breaker.encrypt(b"key", b"").await.unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_slow_decryption_gets_a_second_call_and_the_first_answer_counts() {
    let keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    let (slow, fast, timer) = (Kek::of(&keyset), Kek::of(&keyset), ManualTimer::shared());
    let wrapped = fast.encrypt(b"key", b"").await.unwrap();
    let hedged = HedgedDecrypt::new(slow.clone(), fast.clone(), SECOND, timer.clone());
    assert_eq!(hedged.decrypt(&wrapped, b"").await.unwrap(), b"key");
    assert_eq!((slow.decryptions(), fast.decryptions()), (1, 0));
    hedged.encrypt(b"key", b"").await.unwrap();
    assert_eq!(fast.encryptions(), 1, "encryption is not repeated");

    let _never = slow.hold();
    let mut hedges = 0;
    for _ in 0..100 {
        let call = tokio::spawn({
            let (hedged, wrapped) = (hedged.clone(), wrapped.clone());
            async move { hedged.decrypt(&wrapped, b"").await }
        });
        settle().await;
        assert!(!call.is_finished());
        timer.advance(SECOND);
        settle().await;
        match call.is_finished() {
            true => {
                hedges += 1;
                assert_eq!(call.await.unwrap().unwrap(), b"key");
            }
            false => call.abort(),
        }
    }
    assert_eq!(hedges, fast.decryptions());
    assert!(
        (10..=21).contains(&hedges),
        "{hedges}: a service that became slow is spared"
    );
}

#[tokio::test]
async fn a_hedge_that_fails_does_not_spoil_the_first_call() {
    let (first, other, timer) = (Kek::new(), Kek::new(), ManualTimer::shared());
    let wrapped = first.encrypt(b"key", b"").await.unwrap();
    let gate = first.hold();
    let hedged = HedgedDecrypt::new(first, other.clone(), SECOND, timer.clone());
    let call = tokio::spawn(async move { hedged.decrypt(&wrapped, b"").await });
    settle().await;
    timer.advance(SECOND);
    settle().await;
    assert_eq!(other.decryptions(), 1);
    assert!(!call.is_finished());
    gate.add_permits(1);
    assert_eq!(call.await.unwrap().unwrap(), b"key");
}

#[tokio::test]
async fn a_second_key_decrypts_what_the_first_cannot_and_encrypts_only_if_allowed() {
    let (first, second) = (Kek::new(), Kek::new());
    let of_first = first.encrypt(b"key", b"").await.unwrap();
    let of_second = second.encrypt(b"key", b"").await.unwrap();
    let fallback = Fallback::new(first.clone(), second.clone());
    assert_eq!(fallback.decrypt(&of_first, b"").await.unwrap(), b"key");
    assert_eq!(second.decryptions(), 0);
    let decrypted = fallback
        .decrypt_with_refresh(&of_second, b"")
        .await
        .unwrap();
    assert_eq!(
        decrypted.freshness(),
        Freshness::Older,
        "it is to be re-wrapped"
    );
    let kind = fallback
        .decrypt(b"of neither", b"")
        .await
        .unwrap_err()
        .kind();
    assert_eq!(kind, KmsErrorKind::DecryptionFailed);

    first.fail(KmsErrorKind::Unreachable);
    assert_eq!(fallback.decrypt(&of_second, b"").await.unwrap(), b"key");
    // The second key knows nothing about it: it is not "decryption failed".
    let kind = fallback.decrypt(&of_first, b"").await.unwrap_err().kind();
    assert_eq!(kind, KmsErrorKind::Unreachable);
    let kind = fallback.encrypt(b"key", b"").await.unwrap_err().kind();
    assert_eq!(kind, KmsErrorKind::Unreachable);

    let encrypting = fallback.clone().encrypting();
    let wrapped = encrypting.encrypt(b"key", b"").await.unwrap();
    assert_eq!(second.decrypt(&wrapped, b"").await.unwrap(), b"key");
    first.fail(KmsErrorKind::PermissionDenied);
    let kind = encrypting.encrypt(b"key", b"").await.unwrap_err().kind();
    assert_eq!(
        kind,
        KmsErrorKind::PermissionDenied,
        "a refusal is no outage"
    );
}

#[tokio::test]
async fn a_cache_with_a_breaker_asks_little_during_a_long_outage_and_recovers() {
    use keyseal::{
        KmsEnvelopeAead,
        envelope::{CachePolicy, EncryptCache},
    };

    let (kek, timer) = (Kek::new(), ManualTimer::shared());
    let breaker = CircuitBreaker::new(kek.clone(), BreakerPolicy::new(), timer.clone());
    let policy = CachePolicy::new()
        .encrypt(EncryptCache::new())
        .timer(timer.clone());
    let aead = KmsEnvelopeAead::new(breaker, "AES256_GCM")
        .unwrap()
        .cached(policy)
        .unwrap();
    kek.fail(KmsErrorKind::Unreachable);
    // Ten minutes, with 20 tenants that try in every second.
    for _ in 0..600 {
        let calls: Vec<_> = (0..20_u8)
            .map(|tenant| {
                let aead = aead.partition([tenant]);
                tokio::spawn(async move { aead.encrypt(b"text", b"").await })
            })
            .collect();
        settle().await;
        timer.advance(SECOND);
        settle().await;
        drop(calls);
    }
    assert!(kek.encryptions() < 80, "{}", kek.encryptions());
    kek.fail(None);
    let mut encrypted = 0;
    for _ in 0..40 {
        timer.advance(SECOND);
        settle().await;
        for tenant in 0..20_u8 {
            let aead = aead.partition([tenant]);
            let call = tokio::spawn(async move { aead.encrypt(b"text", b"").await.is_ok() });
            settle().await;
            if call.is_finished() {
                encrypted += usize::from(call.await.unwrap());
            }
        }
    }
    assert!(encrypted > 100, "{encrypted}");
    drop(Arc::clone(&kek.state));
}
