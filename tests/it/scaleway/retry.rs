//! How often a request is sent, how long is waited, and when it ends.

use std::time::{Duration, SystemTime};

use keyseal::{
    BoxFuture, KmsError, KmsErrorKind, RemoteAead,
    kms::scaleway::{
        CreateKey, HttpRequest, HttpResponse, RetryPolicy, ScalewayClient, ScalewayKey, Timer,
        TokioTimer, Transport,
    },
};

use super::scripted::{Answer, FakeTimer, Scripted, key_of};

fn ok() -> Answer {
    Answer::golden(200, "replies/key.json")
}

fn key_with(service: &Scripted, policy: RetryPolicy) -> (ScalewayKey, FakeTimer) {
    let timer = FakeTimer::default();
    let client = service
        .builder()
        .retry_policy(policy)
        .timer(timer.clone())
        .build()
        .unwrap();
    (key_of(&client), timer)
}

fn millis(durations: &[Duration]) -> Vec<u128> {
    durations.iter().map(Duration::as_millis).collect()
}

#[tokio::test]
async fn transient_failures_are_repeated_up_to_four_times_in_all() {
    let failures: [fn() -> Answer; 9] = [
        || Answer::empty(429),
        || Answer::golden(429, "errors/429.json"),
        || Answer::empty(500),
        || Answer::empty(502),
        || Answer::empty(503),
        || Answer::empty(504),
        || Answer::Fail(KmsErrorKind::Unreachable),
        || Answer::Fail(KmsErrorKind::Interrupted),
        || Answer::Fail(KmsErrorKind::TimedOut),
    ];
    for failure in failures {
        let service = Scripted::new([failure(), failure(), failure(), ok()]);
        key_with(&service, RetryPolicy::new())
            .0
            .get()
            .await
            .unwrap();
        assert_eq!(service.sent().len(), 4);
        assert!(service.sent().windows(2).all(|pair| pair[0] == pair[1]));

        let service = Scripted::new([failure(), failure(), failure(), failure()]);
        let error = key_with(&service, RetryPolicy::new())
            .0
            .get()
            .await
            .unwrap_err();
        assert_eq!(error.attempts(), 4);
        assert!(error.to_string().contains("tried 4 times"), "{error}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn everything_else_is_final_at_once() {
    for status in [301, 400, 401, 403, 404, 405, 409, 410, 412, 423, 501, 505] {
        let service = Scripted::new([Answer::empty(status)]);
        let error = key_with(&service, RetryPolicy::new())
            .0
            .get()
            .await
            .unwrap_err();
        assert_eq!((service.sent().len(), error.attempts()), (1, 1), "{status}");
    }
    for kind in [KmsErrorKind::InvalidReply, KmsErrorKind::Configuration] {
        let service = Scripted::new([Answer::Fail(kind)]);
        let error = key_with(&service, RetryPolicy::new())
            .0
            .get()
            .await
            .unwrap_err();
        assert_eq!((service.sent().len(), error.kind()), (1, kind));
    }
    // A success that is not as documented was done nevertheless.
    let service = Scripted::new([Answer::json(200, "{")]);
    key_with(&service, RetryPolicy::new())
        .0
        .get()
        .await
        .unwrap_err();
    assert_eq!(service.sent().len(), 1);
}

#[tokio::test]
async fn what_is_not_safe_to_repeat_is_repeated_only_if_nothing_has_left() {
    for failure in [
        || Answer::empty(429),
        || Answer::empty(500),
        || Answer::empty(503),
        || Answer::Fail(KmsErrorKind::Interrupted),
        || Answer::Fail(KmsErrorKind::TimedOut),
        || Answer::Never,
    ] {
        macro_rules! once {
            ($($call:expr),*) => {$(
                let service = Scripted::new([failure()]);
                let (key, _) = key_with(&service, RetryPolicy::new());
                let call: &dyn AsyncCall = &$call;
                let error = call.run(&service, &key).await;
                assert_eq!(service.sent().len(), 1);
                assert!(!error.is_retryable(), "{error}");
            )*};
        }
        once!(Create, Rotate, Import, DeleteMaterial, Delete, Restore);
    }
    let unreachable = || Answer::Fail(KmsErrorKind::Unreachable);
    let service = Scripted::new([unreachable(), unreachable(), ok()]);
    key_with(&service, RetryPolicy::new())
        .0
        .rotate()
        .await
        .unwrap();
    assert_eq!(service.sent().len(), 3);
}

/// Calls that must not be repeated, so that one loop can try them all.
trait AsyncCall {
    fn run<'a>(&'a self, service: &'a Scripted, key: &'a ScalewayKey) -> BoxFuture<'a, KmsError>;
}

macro_rules! calls {
    ($($name:ident |$service:ident, $key:ident| $call:expr;)*) => {$(
        struct $name;
        impl AsyncCall for $name {
            fn run<'a>(
                &'a self,
                $service: &'a Scripted,
                $key: &'a ScalewayKey,
            ) -> BoxFuture<'a, KmsError> {
                let _ = (&$service, &$key);
                Box::pin(async move { $call.await.map(drop).unwrap_err() })
            }
        }
    )*};
}

calls! {
    Create |service, key| async {
        let client = service.builder().build().unwrap();
        client.create_key(&CreateKey::aes_256_gcm()).await
    };
    Rotate |service, key| key.rotate();
    Import |service, key| async {
        let access = keyseal::SecretAccess::insecure();
        let material = keyseal::SecretBytes::copy_from(&[7; 32], access);
        key.import_key_material(&material, b"").await
    };
    DeleteMaterial |service, key| key.delete_key_material(Default::default());
    Delete |service, key| key.delete();
    Restore |service, key| key.restore();
}

#[tokio::test]
async fn waits_are_random_and_grow_up_to_their_cap() {
    let policy = RetryPolicy::new()
        .max_attempts(8)
        .backoff(Duration::from_millis(100), Duration::from_millis(1000));
    let mut first_waits = Vec::new();
    for _ in 0..20 {
        let service = Scripted::new((0..8).map(|_| Answer::empty(503)));
        let (key, timer) = key_with(&service, policy.clone());
        key.get().await.unwrap_err();
        let slept = timer.slept();
        assert_eq!(slept.len(), 7);
        for (wait, longest) in slept.iter().zip([100, 200, 400, 800, 1000, 1000, 1000]) {
            assert!(*wait <= Duration::from_millis(longest), "{slept:?}");
        }
        first_waits.push(slept[0]);
    }
    first_waits.sort();
    first_waits.dedup();
    assert!(first_waits.len() > 15, "{first_waits:?}");
}

#[tokio::test]
async fn the_service_s_own_wait_is_kept() {
    let busy = || Answer::Reply(HttpResponse::new(429, Vec::new()).header("retry-after", " 7 "));
    let service = Scripted::new([busy(), ok()]);
    let (key, timer) = key_with(&service, RetryPolicy::new());
    key.get().await.unwrap();
    let waited = millis(&timer.slept())[0];
    assert!((7500..=8000).contains(&waited), "{waited}");
}

#[tokio::test]
async fn a_wait_until_a_date_is_kept() {
    let second = Duration::from_secs(1);
    for (seconds, waits) in [(7, 5500..=8000), (0, 500..=1000)] {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds));
        let busy = Answer::Reply(HttpResponse::new(503, Vec::new()).header("Retry-After", &date));
        let service = Scripted::new([busy, ok()]);
        let (key, timer) = key_with(&service, RetryPolicy::new().backoff(second, second));
        key.get().await.unwrap();
        let waited = millis(&timer.slept())[0];
        assert!(waits.contains(&waited), "{date}: {waited}");
    }
}

#[tokio::test]
async fn a_wait_that_would_not_end_in_time_is_not_begun() {
    for text in ["61", "18446744073709551615"] {
        let busy = Answer::Reply(HttpResponse::new(429, Vec::new()).header("Retry-After", text));
        let service = Scripted::new([busy]);
        let (key, timer) = key_with(&service, RetryPolicy::new());
        let error = key.get().await.unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::RateLimited);
        assert!(timer.slept().is_empty());
    }
}

#[tokio::test]
async fn an_attempt_that_hangs_is_given_up_and_repeated() {
    let policy = RetryPolicy::new().attempt_timeout(Duration::from_secs(5));
    let service = Scripted::new([Answer::Never, ok()]);
    let (key, timer) = key_with(&service, policy);
    key.get().await.unwrap();
    assert_eq!(service.sent().len(), 2);
    assert_eq!(timer.slept()[0], Duration::from_secs(5));
}

#[tokio::test]
async fn all_attempts_together_end_with_the_total_time() {
    let policy = RetryPolicy::new()
        .max_attempts(100)
        .attempt_timeout(Duration::from_secs(30))
        .total_timeout(Duration::from_secs(45));
    let service = Scripted::new((0..100).map(|_| Answer::Never));
    let (key, timer) = key_with(&service, policy);
    let error = key.get().await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::TimedOut);
    assert_eq!((service.sent().len(), error.attempts()), (2, 2));
    let total: Duration = timer.slept().iter().sum();
    assert_eq!(total, Duration::from_secs(45));
}

#[tokio::test]
async fn a_budget_bounds_the_repetitions_of_all_calls_together() {
    let service = Scripted::new((0..100).map(|_| Answer::empty(503)));
    let (key, _) = key_with(&service, RetryPolicy::new().budget(5));
    for _ in 0..10 {
        key.get().await.unwrap_err();
    }
    assert_eq!(service.sent().len(), 10 + 5);
}

#[tokio::test]
async fn successes_fill_the_budget_again_by_tenths() {
    let answers = [Answer::empty(503), ok(), Answer::empty(503)];
    let successes = (0..10).map(|_| ok());
    let rest = [Answer::empty(503), ok()];
    let service = Scripted::new(answers.into_iter().chain(successes).chain(rest));
    let (key, _) = key_with(&service, RetryPolicy::new().budget(1));
    key.get().await.unwrap();
    key.get().await.unwrap_err();
    for _ in 0..10 {
        key.get().await.unwrap();
    }
    key.get().await.unwrap();
    assert!(service.is_exhausted());
}

#[tokio::test]
async fn denied_permissions_are_repeated_only_if_asked_for() {
    let denied = || Answer::golden(403, "errors/403_permissions.json");
    let service = Scripted::new([denied(), ok()]);
    let (patient, _) = key_with(&service, RetryPolicy::new().retry_permission_denied());
    patient.rotate().await.unwrap();

    let service = Scripted::new([denied()]);
    let error = key_with(&service, RetryPolicy::new())
        .0
        .get()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::PermissionDenied);
}

#[tokio::test]
async fn crypto_operations_are_repeated_with_the_same_body() {
    let service = Scripted::new([
        Answer::empty(503),
        Answer::golden(200, "replies/encrypt.json"),
        Answer::Fail(KmsErrorKind::Interrupted),
        Answer::golden(200, "replies/decrypt.json"),
        Answer::empty(429),
        Answer::golden(200, "replies/data_key.json"),
    ]);
    let (key, _) = key_with(&service, RetryPolicy::new());
    key.encrypt(b"hello", b"ctx").await.unwrap();
    key.decrypt(b"hello", b"ctx").await.unwrap();
    key.generate_data_key().await.unwrap();
    let sent = service.sent();
    for pair in sent.chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
    assert_eq!(sent.len(), 6);
}

#[tokio::test]
async fn the_waits_of_a_rate_limit_reach_seconds() {
    let busy = || Answer::empty(429);
    let service = Scripted::new([busy(), busy(), busy(), busy()]);
    let (key, timer) = key_with(&service, RetryPolicy::new());
    key.get().await.unwrap_err();
    for (wait, longest) in millis(&timer.slept()).into_iter().zip([1000, 2000, 4000]) {
        assert!((longest / 2..=longest).contains(&wait), "{wait} {longest}");
    }
}

#[tokio::test]
async fn a_patient_policy_outlasts_rate_limits_and_not_a_service_that_is_down() {
    // More than either policy has attempts, and more than the budget of the ordinary one.
    let limited = (0..110).map(|_| Answer::empty(429)).chain([ok()]);
    let service = Scripted::new(limited);
    key_with(&service, RetryPolicy::patient())
        .0
        .get()
        .await
        .unwrap();
    assert_eq!(service.sent().len(), 111);

    let without_end = Scripted::new((0..1000).map(|_| Answer::empty(429)));
    let (key, timer) = key_with(&without_end, RetryPolicy::patient());
    let error = key.get().await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::RateLimited);
    let waited: Duration = timer.slept().iter().sum();
    assert!(waited <= Duration::from_secs(600), "{waited:?}");

    let down = Scripted::new((0..8).map(|_| Answer::Fail(KmsErrorKind::Unreachable)));
    let (key, _) = key_with(&down, RetryPolicy::patient());
    assert_eq!(key.get().await.unwrap_err().attempts(), 8);
    assert!(down.is_exhausted());
}

/// A transport whose answers take a while.
struct Slow(Duration, Scripted);

impl Transport for Slow {
    fn send<'a>(
        &'a self,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
        Box::pin(async move {
            tokio::time::sleep(self.0).await;
            self.1.send(request).await
        })
    }
}

fn one_at_a_time(transport: Slow, policy: RetryPolicy) -> ScalewayClient {
    Scripted::default()
        .builder()
        .timer(TokioTimer::new())
        .transport(transport)
        .max_in_flight(1)
        .retry_policy(policy)
        .build()
        .unwrap()
}

#[tokio::test]
async fn time_in_the_queue_is_not_part_of_an_attempt() {
    let service = Scripted::new((0..8).map(|_| ok()));
    let policy = RetryPolicy::new()
        .max_attempts(1)
        .attempt_timeout(Duration::from_millis(1000));
    let key = key_of(&one_at_a_time(
        Slow(Duration::from_millis(200), service.clone()),
        policy,
    ));
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let key = key.clone();
            tokio::spawn(async move { key.get().await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_call_whose_turn_never_comes_was_not_sent() {
    let service = Scripted::new([]);
    let policy = RetryPolicy::new().total_timeout(Duration::from_millis(100));
    let client = one_at_a_time(Slow(Duration::from_secs(60), service), policy);
    let holds = key_of(&client);
    // The first call has the place until its own time is over; no answer is known of it.
    let (first, second) = tokio::join!(holds.delete(), async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        key_of(&client.within(Duration::from_millis(50)))
            .rotate()
            .await
    });
    let (first, second) = (first.unwrap_err(), second.unwrap_err());
    assert_eq!(
        (first.kind(), first.is_retryable(), first.attempts()),
        (KmsErrorKind::TimedOut, false, 1)
    );
    assert_eq!(
        (second.kind(), second.is_retryable(), second.attempts()),
        (KmsErrorKind::NotSent, true, 0)
    );
}

#[tokio::test]
async fn a_deadline_holds_for_all_calls_together() {
    let service = Scripted::new((0..10).map(|_| Answer::empty(503)));
    let timer = FakeTimer::default();
    let client = service.builder().timer(timer.clone()).build().unwrap();
    let client = client.within(Duration::from_secs(7));
    timer.sleep(Duration::from_secs(6)).await;
    // The remaining time is too short for many waits.
    let key = key_of(&client);
    key.get().await.unwrap_err();
    timer.sleep(Duration::from_secs(1)).await;
    let before = service.sent().len();
    let error = key.get().await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::NotSent);
    assert_eq!(service.sent().len(), before);
}
