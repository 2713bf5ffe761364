//! Caches of data keys against the service: the requests that it sees, and its outages.

use std::time::{Duration, Instant};

use keyseal::{
    Freshness, KmsEnvelopeAead, KmsErrorKind, RemoteAead,
    envelope::{CachePolicy, CachedEnvelopeAead, DecryptCache, EncryptCache},
    kms::scaleway::{CreateKey, RetryPolicy, ScalewayKey},
};
use keyseal_emulator::{Emulator, ErrorBody, Fault, FaultRule, Operation, Server};

use super::{client_of, create, serve};

/// An emulator, its server, a key, and the number of requests so far.
struct Service {
    emulator: Emulator,
    _server: Server,
    kek: ScalewayKey,
}

impl Service {
    /// A client that tries each request once, and waits a second.
    async fn new() -> Self {
        let emulator = Emulator::new().unwrap();
        let server = serve(&emulator);
        let policy = RetryPolicy::new()
            .max_attempts(1)
            .total_timeout(Duration::from_secs(10));
        let client = client_of(&emulator, &server).retry_policy(policy);
        let kek = create(&client.build().unwrap(), CreateKey::aes_256_gcm()).await;
        Self {
            emulator,
            _server: server,
            kek,
        }
    }

    fn cached(&self, policy: impl Into<CachePolicy>) -> CachedEnvelopeAead {
        let aead = KmsEnvelopeAead::new(self.kek.clone(), "AES256_GCM").unwrap();
        aead.cached(policy).unwrap()
    }

    fn requests(&self, operation: Operation) -> usize {
        let exchanges = self.emulator.exchanges();
        let of_operation = exchanges
            .iter()
            .filter(|one| one.operation() == Some(operation));
        of_operation.count()
    }
}

#[tokio::test]
async fn messages_under_one_key_are_one_request() {
    let service = Service::new().await;
    let aead = service.cached(
        CachePolicy::new()
            .encrypt(EncryptCache::new().max_messages(1000))
            .decrypt(DecryptCache::new()),
    );
    let mut last = Vec::new();
    for number in 0..1000_u32 {
        last = aead.encrypt(&number.to_be_bytes(), b"data").await.unwrap();
    }
    assert_eq!(service.requests(Operation::Encrypt), 1);
    for _ in 0..100 {
        assert_eq!(
            aead.decrypt(&last, b"data").await.unwrap(),
            999_u32.to_be_bytes()
        );
    }
    assert_eq!(service.requests(Operation::Decrypt), 1);
    aead.encrypt(b"one more", b"data").await.unwrap();
    assert_eq!(service.requests(Operation::Encrypt), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cold_callers_are_one_request_also_when_all_but_one_give_up() {
    let service = Service::new().await;
    let late = Fault::Latency(Duration::from_millis(300));
    service
        .emulator
        .inject(FaultRule::new(late).on(Operation::Encrypt));
    for (expected, stays) in [(1, None), (2, Some(0)), (3, Some(999))] {
        let aead = service.cached(EncryptCache::new());
        let calls: Vec<_> = (0..1000)
            .map(|_| {
                let aead = aead.clone();
                tokio::spawn(async move { aead.encrypt(b"text", b"").await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        for (at, call) in calls.iter().enumerate() {
            if stays.is_some_and(|stays| stays != at) {
                call.abort();
            }
        }
        for call in calls {
            match call.await {
                Ok(outcome) => drop(outcome.unwrap()),
                Err(error) => assert!(error.is_cancelled()),
            }
        }
        assert_eq!(service.requests(Operation::Encrypt), expected);
    }
}

#[tokio::test]
async fn a_rotated_key_is_seen_in_the_answer_and_the_newer_envelope_opens() {
    let service = Service::new().await;
    let aead = service.cached(DecryptCache::new());
    let old = aead.encrypt(b"text", b"data").await.unwrap();
    service.kek.rotate().await.unwrap();
    // The hint stays with the cached key.
    for _ in 0..3 {
        let decrypted = aead.decrypt_with_refresh(&old, b"data").await.unwrap();
        assert_eq!(decrypted.freshness(), Freshness::Older);
        let newer = decrypted.rewrapped().unwrap();
        let again = aead.decrypt_with_refresh(newer, b"data").await.unwrap();
        assert_eq!(again.plaintext(), b"text");
        assert_eq!(again.freshness(), Freshness::Newest);
    }
    assert_eq!(service.requests(Operation::Decrypt), 2);
}

#[tokio::test]
async fn an_outage_of_any_kind_is_survived_with_what_is_cached_and_ends_well() {
    let faults = [
        Fault::ResetBefore,
        Fault::CutBody,
        Fault::RateLimited,
        Fault::ServerError {
            status: 503,
            body: ErrorBody::Html,
        },
    ];
    for fault in faults {
        let service = Service::new().await;
        let aead = service.cached(
            CachePolicy::new()
                .encrypt(EncryptCache::new().max_messages(100))
                .decrypt(
                    DecryptCache::new()
                        .max_age(Duration::from_millis(50))
                        .stale(Duration::from_secs(60)),
                ),
        );
        let message = aead.encrypt(b"text", b"").await.unwrap();
        aead.decrypt(&message, b"").await.unwrap();
        service.emulator.inject(FaultRule::new(fault.clone()));
        tokio::time::sleep(Duration::from_millis(60)).await;
        let before = service.requests(Operation::Decrypt);
        for _ in 0..50 {
            let decrypted = aead.decrypt_with_refresh(&message, b"").await.unwrap();
            assert!(decrypted.is_stale(), "{fault:?}");
        }
        assert!(
            service.requests(Operation::Decrypt) - before <= 2,
            "{fault:?}"
        );
        for _ in 1..100 {
            aead.encrypt(b"text", b"").await.unwrap();
        }
        // The key is used up, and there is no other: an error, and no unencrypted message.
        assert!(aead.encrypt(b"text", b"").await.is_err(), "{fault:?}");

        service.emulator.clear_faults();
        aead.encrypt(b"text", b"").await.unwrap();
        let start = Instant::now();
        while aead
            .decrypt_with_refresh(&message, b"")
            .await
            .unwrap()
            .is_stale()
        {
            assert!(start.elapsed() < Duration::from_secs(20), "{fault:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_disabled_key_is_not_used_past_its_age() {
    let service = Service::new().await;
    let aead = service.cached(
        DecryptCache::new()
            .max_age(Duration::from_millis(50))
            .stale(Duration::from_secs(60)),
    );
    let message = aead.encrypt(b"text", b"").await.unwrap();
    aead.decrypt(&message, b"").await.unwrap();
    service.kek.disable().await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    let error = aead.decrypt(&message, b"").await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::PreconditionFailed);
    assert_eq!(aead.stats().stale_uses, 0);
    assert_eq!(aead.stats().decrypt_entries, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_waits_while_a_key_turns_over() {
    let service = Service::new().await;
    let late = Fault::Latency(Duration::from_millis(80));
    service
        .emulator
        .inject(FaultRule::new(late).on(Operation::Encrypt));
    let policy = EncryptCache::new().max_messages(5000).prefetch(true);
    let aead = service.cached(policy);
    aead.encrypt(b"the first one waits", b"").await.unwrap();
    // At most 10,000 messages in a second: the second half of a key lasts 250 ms.
    for number in 0..15_000_u32 {
        if number % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        aead.encrypt(&number.to_be_bytes(), b"").await.unwrap();
    }
    let stats = aead.stats();
    assert!(stats.wraps >= 4, "{stats:?}");
    assert_eq!(stats.encrypt_misses, 1, "only the first message waited");
}
