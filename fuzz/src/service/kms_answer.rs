//! Answers of Key Manager: the client returns the bytes of the answer, refuses an answer about another
//! key, and repeats no secret in an error.

use std::{
    error::Error as _,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyseal::{
    BoxFuture, KmsError, KmsErrorKind, RemoteAead as _,
    kms::{
        client::{HttpRequest, HttpResponse, RetryPolicy, Transport},
        scaleway::{Algorithm, ListKeys, ScalewayClient, ScalewayKey, Uuid},
    },
};
use serde_json::Value;

use super::{Input, keys, still_clock::StillClock};

const SECRET_KEY: &str = "5ec2e700-0000-4000-8000-00000000d00d";
const KEY_ID: &str = "11111111-2222-4333-8444-555555555555";
const PLAINTEXT: &[u8] = b"attack at dawn";

/// An answer, given to every request until it is replaced.
#[derive(Clone, Default)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    requests: usize,
}

#[derive(Clone, Default)]
struct Service(Arc<Mutex<Answer>>);

impl Transport for Service {
    fn send<'a>(&'a self, _: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
        let mut answer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answer.requests += 1;
        let start = HttpResponse::new(answer.status, answer.body.clone());
        let add =
            |response: HttpResponse, (name, value): &(&str, String)| response.header(name, value);
        let response = answer.headers.iter().fold(start, add);
        Box::pin(async { Ok(response) })
    }
}

static CLIENT: LazyLock<(Service, ScalewayClient, ScalewayKey)> = LazyLock::new(|| {
    let service = Service::default();
    let client = ScalewayClient::builder()
        .secret_key(SECRET_KEY)
        .region("fr-par")
        .transport(service.clone())
        .timer(StillClock)
        .retry_policy(RetryPolicy::new().max_attempts(1))
        .build()
        .expect("its settings are complete");
    let uri = format!("scw-kms://{KEY_ID}").parse().expect("it is a URI");
    let key = client.key(&uri).expect("the client has a region");
    (service, client, key)
});

/// An input is an operation, a status, headers, and a body: the rest, or a good one of its bytes.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let operation = input.below(14);
    let status = *input.one_of(&[
        200, 204, 302, 400, 401, 403, 404, 409, 412, 423, 429, 500, 503, 999,
    ]);
    let content_type = *input.one_of(&[
        "application/json",
        "application/json; charset=utf-8",
        "text/html",
    ]);
    let request_id = String::from_utf8_lossy(input.bytes()).into_owned();
    let is_good = input.below(4) == 3;
    let bytes = input.rest();
    let body = match is_good {
        true => {
            let bytes = STANDARD.encode(bytes);
            serde_json::json!({
                "key_id": KEY_ID, "plaintext": bytes, "ciphertext": bytes, "signature": bytes,
                "public_key": bytes, "import_token": bytes, "valid": true,
            })
            .to_string()
            .into_bytes()
        }
        false => bytes.to_vec(),
    };
    let (service, client, key) = &*CLIENT;
    *service.0.lock().unwrap_or_else(PoisonError::into_inner) = Answer {
        status,
        headers: vec![
            ("Content-Type", content_type.to_owned()),
            ("X-Request-Id", request_id),
        ],
        body: body.clone(),
        requests: 0,
    };
    // The client does not look into members that it does not know, not even for UTF-8.
    let json: Option<Value> = serde_json::from_str(&String::from_utf8_lossy(&body)).ok();
    let is_json = content_type.starts_with("application/json");
    let json = json.filter(|_| (200..300).contains(&status) && is_json);
    let member = |name: &str| decoded(json.as_ref()?.get(name)?);
    // The result, and whether it is the one in the answer.
    let (result, is_right): (Result<(), KmsError>, bool) = match operation {
        0 => {
            let encrypted = keys::now(key.encrypt(PLAINTEXT, b""));
            let is_right = encrypted
                .as_ref()
                .is_ok_and(|it| member("ciphertext").as_ref() == Some(it));
            (encrypted.map(drop), is_right)
        }
        1 => {
            let decrypted = keys::now(key.decrypt_with_refresh(PLAINTEXT, b"context"));
            let is_right = decrypted.as_ref().is_ok_and(|it| {
                member("plaintext").as_deref() == Some(it.plaintext())
                    && member("ciphertext").as_deref() == it.rewrapped()
            });
            (decrypted.map(drop), is_right)
        }
        2 => {
            let made = keys::now(key.generate_data_key());
            let is_right = made.as_ref().is_ok_and(|it| {
                let secret = it.secret().bytes().expose(keys::ACCESS);
                secret.len() == 32
                    && member("plaintext").as_deref() == Some(secret)
                    && member("ciphertext").as_deref() == Some(it.wrapped().ciphertext())
            });
            (made.map(drop), is_right)
        }
        3 => {
            let signed = keys::now(key.sign(PLAINTEXT));
            let is_right = signed
                .as_ref()
                .is_ok_and(|it| member("signature").as_ref() == Some(it));
            (signed.map(drop), is_right)
        }
        4 => {
            let verified = keys::now(key.verify(PLAINTEXT, b"signature"));
            let says = json.as_ref().and_then(|json| json.get("valid")) == Some(&Value::Bool(true));
            (verified, says)
        }
        5 => {
            let given = keys::now(key.import_parameters(&Algorithm::named("rsa_oaep_3072_sha256")));
            let is_right = given.as_ref().is_ok_and(|it| {
                member("public_key").as_deref() == Some(it.public_key())
                    && member("import_token").as_deref() == Some(it.import_token())
            });
            (given.map(drop), is_right)
        }
        6 => {
            let unwrapped = keys::now(key.unwrap_key(PLAINTEXT, b""));
            let is_right = unwrapped
                .as_ref()
                .is_ok_and(|it| member("plaintext").as_deref() == Some(it.expose(keys::ACCESS)));
            (unwrapped.map(drop), is_right)
        }
        7 | 8 => {
            let found = match operation {
                7 => keys::now(key.get()),
                _ => keys::now(key.rotate()),
            };
            let is_right = found
                .as_ref()
                .is_ok_and(|it| it.id().to_string() == KEY_ID && it.region().as_str() == "fr-par");
            (found.map(drop), is_right)
        }
        9 => {
            let listed = keys::now(client.list_keys(&ListKeys::new()));
            let is_right = listed.as_ref().is_ok_and(|it| {
                let mut ids: Vec<Uuid> = it
                    .iter()
                    .map(keyseal::kms::scaleway::KeyMetadata::id)
                    .collect();
                let all = ids.len();
                ids.sort();
                ids.dedup();
                ids.len() == all
            });
            (listed.map(drop), is_right)
        }
        10 => (keys::now(key.list_rotations()).map(drop), json.is_some()),
        11 => (
            keys::now(client.list_algorithms(&[])).map(drop),
            json.is_some(),
        ),
        12 => (keys::now(key.public_key()).map(drop), json.is_some()),
        _ => (keys::now(key.delete()), (200..300).contains(&status)),
    };
    let requests = service
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .requests;
    assert!((1..=2).contains(&requests), "{requests} requests");
    match result {
        Ok(()) => {
            assert!(
                is_right,
                "operation {operation} says what the answer does not"
            );
            let about = json
                .as_ref()
                .and_then(|json| json.get("key_id"))
                .and_then(Value::as_str);
            let is_ours = about.is_none_or(|id| id.eq_ignore_ascii_case(KEY_ID));
            assert!(
                operation >= 7 || is_ours,
                "an answer about another key is believed"
            );
        }
        Err(error) => {
            let is_usable =
                is_good && status == 200 && is_json && matches!(bytes.len(), 1..=65_535);
            assert!(
                !(is_usable && matches!(operation, 0 | 1 | 3..=6)),
                "{error}"
            );
            let plaintext = matches!(operation, 0 | 1 | 3 | 4 | 6).then_some(PLAINTEXT);
            shows_no_secret(&error, plaintext);
            let decrypts = matches!(operation, 1 | 6) && (400..500).contains(&status);
            assert!(decrypts || error.kind() != KmsErrorKind::DecryptionFailed);
        }
    }
}

/// Reads base64 in the one form that the service writes.
fn decoded(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?).ok()
}

/// The service may say anything but the secret key and the plaintext of the request.
fn shows_no_secret(error: &KmsError, plaintext: Option<&[u8]>) {
    let mut shown = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        shown.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    let shown = shown.to_ascii_lowercase();
    assert!(!shown.contains(SECRET_KEY), "an error shows the secret key");
    let Some(plaintext) = plaintext else { return };
    let forms = [
        String::from_utf8_lossy(plaintext).into_owned(),
        STANDARD.encode(plaintext),
    ];
    for form in forms {
        let is_shown = shown.contains(&form.to_ascii_lowercase());
        assert!(!is_shown, "an error shows a plaintext");
    }
}
