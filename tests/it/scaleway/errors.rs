//! The kind of error for each answer, and the things that no error ever reveals.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyseal::{
    KmsError, KmsErrorKind, RemoteAead, SecretAccess, SecretBytes, kms::client::HttpResponse,
};

use super::scripted::{Answer, KEY_ID, SECRET_KEY, Scripted, full_text, vector};

const PLAINTEXT: &[u8] = b"attack at dawn, quietly";
const ASSOCIATED_DATA: &[u8] = b"letter-7";

async fn get(answer: Answer) -> KmsError {
    Scripted::new([answer]).key().get().await.unwrap_err()
}

#[tokio::test]
async fn bodies_of_errors_become_kinds() {
    use KmsErrorKind::*;
    for (status, name, kind, message) in [
        (
            400,
            "400_argument",
            InvalidInput,
            "invalid argument(s), plaintext is missing, usage is malformed",
        ),
        (
            401,
            "401",
            Unauthenticated,
            "authentication is denied, api_key not_found",
        ),
        (
            403,
            "403_permissions",
            PermissionDenied,
            "insufficient permissions, missing the permission to read a server",
        ),
        (
            403,
            "403_quota",
            QuotaExceeded,
            "quota(s) exceeded for this resource, keys: 100 of 100 used",
        ),
        (
            404,
            "404",
            NotFound,
            "resource is not found, key 11111111-2222-4333-8444-555555555555",
        ),
        (
            409,
            "409_exists",
            Conflict,
            "resource already exists, key 11111111-2222-4333-8444-555555555555, \
             a key has this name",
        ),
        (
            409,
            "409_transient",
            Conflict,
            "resource is in a transient state, group 11111111-2222-4333-8444-555555555555, \
             its state is updating",
        ),
        (
            410,
            "410",
            NotFound,
            "resource is expired, key 11111111-2222-4333-8444-555555555555",
        ),
        (
            412,
            "412",
            PreconditionFailed,
            "precondition is not respected, protected_resource, cannot delete a protected secret",
        ),
        (
            423,
            "423",
            Locked,
            "resource is locked, key 11111111-2222-4333-8444-555555555555",
        ),
        (429, "429", RateLimited, "too many requests, slow down"),
        (503, "503", Unavailable, "resource is out of stock, key"),
    ] {
        let body = vector(&format!("errors/{name}.json"));
        let wanted_type = serde_json::from_str::<serde_json::Value>(&body).unwrap()["type"].clone();
        let error = get(Answer::json(status, body)).await;
        assert_eq!(error.kind(), kind, "{name}");
        assert_eq!(error.status(), Some(status));
        assert_eq!(error.message(), Some(message));
        assert_eq!(error.request_id(), Some("req-1"));
        assert_eq!(error.service_type(), wanted_type.as_str());
        assert_eq!(
            error.is_retryable(),
            matches!(kind, RateLimited | Unavailable),
            "{name}"
        );
        assert_eq!(
            error.to_string(),
            format!(
                "get key, scw-kms://regions/fr-par/keys/{KEY_ID}: {kind}: {message} \
                 (HTTP {status}, request req-1)"
            )
        );
    }
}

#[tokio::test]
async fn statuses_alone_become_kinds() {
    use KmsErrorKind::*;
    for (status, kind, retryable) in [
        (301, InvalidReply, false),
        (302, InvalidReply, false),
        (307, InvalidReply, false),
        (400, InvalidInput, false),
        (401, Unauthenticated, false),
        (403, PermissionDenied, false),
        (404, NotFound, false),
        (405, Refused, false),
        (409, Conflict, false),
        (410, NotFound, false),
        (412, PreconditionFailed, false),
        (413, InvalidInput, false),
        (418, Refused, false),
        (423, Locked, false),
        (429, RateLimited, true),
        (500, Unavailable, true),
        (501, Refused, false),
        (502, Unavailable, true),
        (503, Unavailable, true),
        (504, Unavailable, true),
        (505, Unavailable, false),
        (100, InvalidReply, false),
        (600, InvalidReply, false),
    ] {
        let html = HttpResponse::new(status, b"<html>Bad Gateway</html>".to_vec())
            .header("content-type", "text/html");
        for answer in [
            Answer::empty(status),
            Answer::json(status, "null"),
            Answer::Reply(html),
        ] {
            let error = get(answer).await;
            assert_eq!(
                (error.kind(), error.is_retryable()),
                (kind, retryable),
                "{status}"
            );
            assert_eq!(error.status(), Some(status));
            assert!(!error.to_string().contains("html"));
        }
    }
}

#[tokio::test]
async fn calls_that_are_not_safe_to_repeat_are_not_retryable() {
    for status in [429, 500, 503] {
        let service = Scripted::new([Answer::empty(status)]);
        assert!(!service.key().rotate().await.unwrap_err().is_retryable());
        let service = Scripted::new([Answer::empty(status)]);
        assert!(service.key().enable().await.unwrap_err().is_retryable());
    }
    let service = Scripted::new([Answer::Fail(KmsErrorKind::Interrupted)]);
    assert!(!service.key().delete().await.unwrap_err().is_retryable());
    // Nothing has left.
    let service = Scripted::new([Answer::Fail(KmsErrorKind::Unreachable)]);
    assert!(service.key().delete().await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_ciphertext_that_does_not_open_has_no_closer_reason() {
    let service = Scripted::new([Answer::golden(400, "errors/400_decrypt.json")]);
    let error = service.key().decrypt(b"ciphertext", b"").await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::DecryptionFailed);
    assert_eq!(error.message(), None);
    assert_eq!(error.request_id(), Some("req-1"));
    assert!(!full_text(&error).contains("authentication"));

    // The same words about another call are about an argument.
    let error = get(Answer::golden(400, "errors/400_decrypt.json")).await;
    assert_eq!(error.kind(), KmsErrorKind::InvalidInput);
}

#[tokio::test]
async fn what_a_gateway_says_is_no_verdict_on_a_ciphertext() {
    use KmsErrorKind::*;
    for (status, kind) in [
        (302, InvalidReply),
        (429, RateLimited),
        (500, Unavailable),
        (999, InvalidReply),
    ] {
        let service = Scripted::new([Answer::golden(status, "errors/400_decrypt.json")]);
        let error = service.key().decrypt(b"ciphertext", b"").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
    }
}

#[tokio::test]
async fn successes_that_are_not_as_documented_are_refused() {
    let id = format!(r#""key_id":"{KEY_ID}""#);
    let other = r#""key_id":"99999999-2222-4333-8444-555555555555""#;
    let long = STANDARD.encode(vec![1; 131_072]);
    for (body, why) in [
        (String::new(), "cut short"),
        ("{".to_owned(), "cut short"),
        (format!(r#"{{{id},"plaintext":"aGVsbG8="#), "cut short"),
        ("<html>".to_owned(), "not JSON"),
        ("[]".to_owned(), "other fields"),
        (
            r#"{"plaintext":"aGVsbG8=","plaintext":"aGVsbG8="}"#.to_owned(),
            "other fields",
        ),
        (format!("{{{id}}}"), "no plaintext"),
        (format!(r#"{{{id},"plaintext":null}}"#), "no plaintext"),
        (
            format!(r#"{{{id},"plaintext":7}}"#),
            "plaintext is not base64",
        ),
        (
            format!(r#"{{{id},"plaintext":"aGVsbG8"}}"#),
            "plaintext is not base64",
        ),
        (
            format!(r#"{{{id},"plaintext":"-_8="}}"#),
            "plaintext is not base64",
        ),
        (
            format!(r#"{{{id},"plaintext":""}}"#),
            "a size that no plaintext",
        ),
        (
            format!(r#"{{{id},"plaintext":"{long}"}}"#),
            "a size that no plaintext",
        ),
        (
            format!(r#"{{{id},"plaintext":"aA==","ciphertext":"!"}}"#),
            "ciphertext is not base64",
        ),
        (
            format!(r#"{{{id},"plaintext":"aA==","ciphertext":"{long}"}}"#),
            "would not decrypt",
        ),
        (format!(r#"{{{other},"plaintext":"aA=="}}"#), "another key"),
    ] {
        let service = Scripted::new([Answer::json(200, body.clone())]);
        let error = service.key().decrypt(b"ciphertext", b"").await.unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::InvalidReply, "{body}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.status(), Some(200));
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_success_must_be_labelled_as_json() {
    let body = vector("replies/decrypt.json").into_bytes();
    for (label, good) in [
        (Some("application/json"), true),
        (Some("application/json; charset=utf-8"), true),
        (Some("Application/JSON"), true),
        (Some("text/html"), false),
        (Some("application/jsonp"), false),
        (None, false),
    ] {
        let response = HttpResponse::new(200, body.clone());
        let response = match label {
            Some(label) => response.header("Content-Type", label),
            None => response,
        };
        let service = Scripted::new([Answer::Reply(response)]);
        let outcome = service.key().decrypt(b"ciphertext", b"").await;
        assert_eq!(outcome.is_ok(), good, "{label:?}");
    }
}

#[tokio::test]
async fn data_keys_of_another_size_are_refused() {
    for size in [0, 16, 31, 33] {
        let body = format!(
            r#"{{"key_id":"{KEY_ID}","ciphertext":"AQ==","plaintext":"{}"}}"#,
            STANDARD.encode(vec![1; size])
        );
        let service = Scripted::new([Answer::json(200, body)]);
        let error = service.key().generate_data_key().await.unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::InvalidReply);
    }
}

/// Every text that a hostile or careless service can put into an error.
fn echoes(secret: &str) -> Vec<Answer> {
    let quoted = serde_json::Value::from(format!("you sent {secret}!")).to_string();
    let bodies = [
        format!(r#"{{"message":{quoted},"type":"invalid_arguments"}}"#),
        format!(r#"{{"message":"no","type":{quoted}}}"#),
        format!(r#"{{"message":"no","help_message":{quoted}}}"#),
        format!(r#"{{"resource":{quoted},"type":"not_found"}}"#),
        format!(
            r#"{{"details":[{{"argument_name":"plaintext","help_message":{quoted}}}],
                "type":"invalid_arguments"}}"#
        ),
        format!(r#"{{"details":[{{"action":{quoted}}}],"type":"permissions_denied"}}"#),
        format!("<html>{secret}</html>"),
        secret.to_owned(),
    ];
    let mut answers: Vec<_> = bodies
        .iter()
        .map(|body| Answer::json(400, body.as_str()))
        .collect();
    answers.push(Answer::Reply(
        HttpResponse::json(400, "{}").header("X-Request-Id", secret),
    ));
    answers.push(Answer::json(200, quoted));
    answers.push(Answer::json(
        200,
        format!(r#"{{"plaintext":["{}"]}}"#, STANDARD.encode(secret)),
    ));
    answers
}

#[tokio::test]
async fn errors_never_tell_a_secret_whatever_the_service_echoes() {
    let inputs = [
        SECRET_KEY.to_owned(),
        SECRET_KEY.to_uppercase(),
        String::from_utf8(PLAINTEXT.to_vec()).unwrap(),
        String::from_utf8(ASSOCIATED_DATA.to_vec()).unwrap(),
        STANDARD.encode(PLAINTEXT),
        STANDARD.encode(ASSOCIATED_DATA),
        // Half of it is too much already.
        String::from_utf8(PLAINTEXT[..18].to_vec()).unwrap(),
    ];
    for secret in inputs {
        for answer in echoes(&secret) {
            let service = Scripted::new([answer]);
            let error = service
                .key()
                .encrypt(PLAINTEXT, ASSOCIATED_DATA)
                .await
                .unwrap_err();
            let text = full_text(&error).to_lowercase();
            assert!(!text.contains(&secret.to_lowercase()), "{secret}: {text}");
        }
    }
    // An error shows spaces in the place of control characters.
    for (plaintext, echoed) in [
        ("attack at dawn", "attack\0at\u{85}dawn"),
        ("attack\nat\tdawn", "attack at dawn"),
        ("attack at dawn", "attack\u{202e}at dawn"),
    ] {
        let answer = HttpResponse::json(400, "{}").header("X-Request-Id", echoed);
        let service = Scripted::new([Answer::Reply(answer)]);
        let error = service.key().encrypt(plaintext.as_bytes(), b"").await;
        let text = full_text(&error.unwrap_err());
        assert!(!text.contains("attack at dawn"), "{echoed:?}: {text}");
    }
    let material = SecretBytes::copy_from(PLAINTEXT, SecretAccess::insecure());
    let secret = STANDARD.encode(PLAINTEXT);
    for answer in echoes(&secret) {
        let service = Scripted::new([answer]);
        let error = service
            .key()
            .import_key_material(&material, b"")
            .await
            .unwrap_err();
        assert!(!full_text(&error).contains(&secret));
    }
}

#[tokio::test]
async fn a_long_message_that_repeats_a_long_plaintext_is_withheld() {
    let plaintext: Vec<u8> = (0..5000_u32)
        .map(|at| b'a' + (at * at % 23) as u8)
        .collect();
    let text = String::from_utf8(plaintext.clone()).unwrap();
    for echoed in [
        text.clone(),
        text[3000..3100].to_owned(),
        "x".repeat(1000) + &text,
    ] {
        let body = format!(r#"{{"message":"{echoed}"}}"#);
        let service = Scripted::new([Answer::json(400, body)]);
        let error = service.key().encrypt(&plaintext, b"").await.unwrap_err();
        let shown = full_text(&error);
        assert!(
            !text
                .as_bytes()
                .windows(24)
                .any(|part| { shown.as_bytes().windows(24).any(|window| window == part) })
        );
    }
}

#[tokio::test]
async fn debug_of_everything_hides_the_secret_key_and_inputs() {
    let service = Scripted::new([Answer::golden(200, "replies/data_key.json")]);
    let builder = service.builder();
    assert!(!format!("{builder:?}").contains(SECRET_KEY));
    let client = builder.build().unwrap();
    let key = super::scripted::key_of(&client);
    let data_key = key.generate_data_key().await.unwrap();
    let text = format!("{client:?} {key:?} {data_key:?}");
    assert!(!text.contains(SECRET_KEY));
    assert!(text.contains("SecretBytes(32 bytes)"));
    let response = HttpResponse::json(200, vector("replies/decrypt.json"));
    assert!(!format!("{response:?}").contains("aGVsbG8"));
}
