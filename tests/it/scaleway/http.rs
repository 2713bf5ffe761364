//! The client against a server that misbehaves.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use keyseal::{
    KmsError, KmsErrorKind, RemoteAead,
    kms::scaleway::{CreateKey, MAX_REPLY_SIZE, RetryPolicy, ScalewayClient},
};

use super::{
    scripted::{KEY_PATH, PROJECT_ID, SECRET_KEY, full_text, key_of, vector},
    server::{Act, Server, answer, json},
};

/// Checks one call that fails: its kind, that it ends in time, and that it tells no secret.
async fn fails(act: Act, kind: KmsErrorKind) -> KmsError {
    let server = Server::start([act]);
    let start = Instant::now();
    let error = server
        .key()
        .encrypt(b"plaintext-canary", b"context-canary")
        .await
        .unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(3), "{error}");
    assert_eq!(error.kind(), kind, "{}", full_text(&error));
    let text = full_text(&error);
    for secret in [
        SECRET_KEY,
        "canary",
        "cGxhaW50ZXh0LWNhbmFyeQ",
        "Y29udGV4dC1jYW5hcnk",
    ] {
        assert!(!text.contains(secret), "{text}");
    }
    error
}

#[tokio::test]
async fn requests_have_the_headers_of_the_service() {
    let server = Server::start([Act::Answer(json(&vector("replies/encrypt.json")))]);
    server.key().encrypt(b"hello", b"").await.unwrap();
    let request = server.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with(&format!("POST {KEY_PATH}/encrypt HTTP/1.1\r\n")),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    for header in [
        format!("x-auth-token: {SECRET_KEY}"),
        "content-type: application/json".to_owned(),
        "accept: application/json".to_owned(),
        format!("user-agent: keyseal/{}", env!("CARGO_PKG_VERSION")),
        format!("host: {}", server.address),
        "content-length: 24".to_owned(),
    ] {
        assert!(
            head.lines().any(|line| line == header),
            "{header} is not in {head}"
        );
    }
    for absent in ["accept-encoding", "cookie", "referer", "transfer-encoding"] {
        assert!(!head.contains(absent), "{head}");
    }
    assert_eq!(body, vector("requests/encrypt.json"));
}

#[tokio::test]
async fn requests_without_body_have_none() {
    let server = Server::start([
        Act::Answer(json(&vector("replies/key.json"))),
        Act::Answer("HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n".to_owned()),
    ]);
    let key = server.key();
    key.get().await.unwrap();
    key.delete().await.unwrap();
    let requests = server.requests();
    assert!(requests[0].starts_with(&format!("GET {KEY_PATH} HTTP/1.1\r\n")));
    assert!(requests[1].starts_with(&format!("DELETE {KEY_PATH} HTTP/1.1\r\n")));
    for request in requests {
        assert!(request.ends_with("\r\n\r\n"));
        assert!(!request.to_ascii_lowercase().contains("content-"));
    }
}

#[tokio::test]
async fn chunked_answers_are_put_together() {
    let body = vector("replies/decrypt.json");
    let chunks: String = body
        .as_bytes()
        .chunks(7)
        .map(|chunk| {
            format!(
                "{:x}\r\n{}\r\n",
                chunk.len(),
                String::from_utf8_lossy(chunk)
            )
        })
        .collect();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
    let server = Server::start([Act::Answer(format!("{head}\r\n\r\n{chunks}0\r\n\r\n"))]);
    assert_eq!(server.key().decrypt(b"x", b"").await.unwrap(), b"hello");
}

#[tokio::test]
async fn connections_are_reused() {
    let answers = (0..20).map(|_| Act::Answer(json(&vector("replies/encrypt.json"))));
    let server = Server::start(answers);
    let key = server.key();
    for _ in 0..20 {
        key.encrypt(b"hello", b"").await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_at_once_share_a_few_connections() {
    let answers = (0..1000).map(|_| Act::Answer(json(&vector("replies/encrypt.json"))));
    let server = Server::start(answers);
    let policy = RetryPolicy::new().max_attempts(1);
    let key = key_of(&server.client(policy));
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let key = key.clone();
            tokio::spawn(async move { key.encrypt(b"hello", b"").await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(server.requests().len(), 1000);
    // 64 at a time, and some that were opened while another was on its way back to the pool.
    let connections = server.connections();
    assert!(connections < 300, "{connections}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = ScalewayClient::builder()
        .secret_key(SECRET_KEY)
        .project_id(PROJECT_ID)
        .region("fr-par")
        .api_url(&format!("http://{address}"))
        .retry_policy(RetryPolicy::new().backoff(Duration::ZERO, Duration::ZERO))
        .build()
        .unwrap();
    let error = key_of(&client).get().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (KmsErrorKind::Unreachable, 4)
    );
    // Nothing has left, so even this may be tried again.
    let error = client
        .create_key(&CreateKey::aes_256_gcm())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (KmsErrorKind::Unreachable, 4)
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn broken_connections_are_interrupted() {
    let body = vector("replies/encrypt.json");
    let whole = json(&body);
    let cut = |at: usize| Act::AnswerAndClose(whole[..at].to_owned());
    for act in [
        Act::Reset,
        Act::Close,
        cut(5),
        cut(20),
        cut(whole.len() - body.len()),
        cut(whole.len() - 1),
        Act::AnswerAndClose(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe".to_owned(),
        ),
        Act::AnswerAndClose("no HTTP at all\r\n\r\n".to_owned()),
    ] {
        let error = fails(act, KmsErrorKind::Interrupted).await;
        assert!(error.is_retryable() && error.status().is_none());
    }
}

#[tokio::test]
async fn broken_connections_are_tried_again_where_that_is_safe() {
    let policy = RetryPolicy::new().backoff(Duration::ZERO, Duration::ZERO);
    let good = Act::Answer(json(&vector("replies/encrypt.json")));
    let server = Server::start([Act::Reset, Act::Close, good]);
    key_of(&server.client(policy.clone()))
        .encrypt(b"hello", b"")
        .await
        .unwrap();

    let server = Server::start([Act::Close]);
    let error = key_of(&server.client(policy)).rotate().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (KmsErrorKind::Interrupted, 1)
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn silence_and_slowness_time_out() {
    let slow_body = json(&vector("replies/encrypt.json"));
    for act in [Act::Hang, Act::Trickle(slow_body)] {
        let error = fails(act, KmsErrorKind::TimedOut).await;
        assert!(
            error.to_string().contains("no answer within 500 ms"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn redirects_are_refused_and_the_secret_key_stays_here() {
    let elsewhere = Server::start([]);
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let location = format!("Location: http://{}/\r\n", elsewhere.address);
        let act = Act::Answer(answer(status, &location, ""));
        let error = fails(act, KmsErrorKind::InvalidReply).await;
        assert!(error.to_string().contains("redirect"), "{error}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn long_answers_are_refused_whether_announced_or_not() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let long = "x".repeat(MAX_REPLY_SIZE + 1);
    for answer in [
        format!("{head}Content-Length: {}\r\n\r\n", long.len()),
        format!("{head}Content-Length: 9007199254740992\r\n\r\n"),
        format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
            long.len()
        ),
        format!("{head}\r\n{long}"),
    ] {
        let error = fails(Act::AnswerAndClose(answer), KmsErrorKind::InvalidReply).await;
        assert!(error.to_string().contains("longer than"), "{error}");
    }
}

#[tokio::test]
async fn rate_limits_and_gateway_pages_keep_their_status() {
    let html = "<html><body>Bad Gateway</body></html>";
    let limited = "X-Envoy-Ratelimited: true\r\n";
    let labelled = "Content-Type: application/json\r\n";
    for (answer, kind, status) in [
        (
            answer("429 Too Many", limited, ""),
            KmsErrorKind::RateLimited,
            429,
        ),
        (
            answer("429 Too Many", labelled, &vector("errors/429.json")),
            KmsErrorKind::RateLimited,
            429,
        ),
        (
            answer("500 Error", "Content-Type: text/html\r\n", html),
            KmsErrorKind::Unavailable,
            500,
        ),
        (
            answer("502 Bad", "Content-Type: text/html\r\n", html),
            KmsErrorKind::Unavailable,
            502,
        ),
        (answer("503 Busy", "", ""), KmsErrorKind::Unavailable, 503),
        (
            answer("504 Late", labelled, "{"),
            KmsErrorKind::Unavailable,
            504,
        ),
    ] {
        let error = fails(Act::Answer(answer), kind).await;
        assert_eq!(error.status(), Some(status));
        assert!(error.is_retryable() && !error.to_string().contains("html"));
    }
}

#[tokio::test]
async fn truncated_json_and_wrong_labels_are_invalid_replies() {
    let body = vector("replies/encrypt.json");
    for answer in [
        json(&body[..body.len() - 1]),
        json(""),
        answer("200 OK", "Content-Type: text/html\r\n", &body),
        answer("200 OK", "", &body),
        answer("204 No", "", ""),
    ] {
        let error = fails(Act::Answer(answer), KmsErrorKind::InvalidReply).await;
        assert!(!error.is_retryable());
    }
    let error = fails(Act::Answer(json("{}")), KmsErrorKind::InvalidReply).await;
    assert_eq!(error.request_id(), Some("req-7"));
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_and_leaves_its_place_to_others() {
    let hang = (0..3).map(|_| Act::Hang);
    let good = Act::Answer(json(&vector("replies/encrypt.json")));
    let server = Server::start(hang.chain([good]));
    let client = ScalewayClient::builder()
        .secret_key(SECRET_KEY)
        .region("fr-par")
        .api_url(&format!("http://{}", server.address))
        .max_in_flight(1)
        .build()
        .unwrap();
    let key = key_of(&client);
    for _ in 0..3 {
        let cancelled =
            tokio::time::timeout(Duration::from_millis(100), key.encrypt(b"hello", b"")).await;
        assert!(cancelled.is_err());
    }
    key.encrypt(b"hello", b"").await.unwrap();
}

#[test]
fn without_a_runtime_a_call_is_an_error_and_no_panic() {
    let server = Server::start([]);
    let key = server.key();
    let mut call = key.encrypt(b"hello", b"");
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(outcome) = call.as_mut().poll(&mut context) else {
        panic!("nobody will wake it");
    };
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::Configuration);
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
}
