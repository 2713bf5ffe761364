//! Shared by the tests of the emulator: an emulator whose clock they set, and a caller.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use keyseal::SecretAccess;
use keyseal_emulator::{Emulator, EmulatorBuilder, Identity, ManualClock, Request, Response};
use serde_json::{Value, json};

pub(crate) const ACCESS_KEY: &str = "SCWAAAAAAAAAAAAAAAAA";
pub(crate) const SECRET_KEY: &str = "7d5f7a14-3a5e-4b9c-8f60-1c2d3e4f5a6b";
pub(crate) const ORGANIZATION: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
pub(crate) const PROJECT: &str = "aaaaaaaa-bbbb-4ccc-8ddd-ffffffffffff";
pub(crate) const UNKNOWN_KEY: &str = "11111111-2222-4333-8444-555555555555";
/// The start of a test's clock: 2026-07-07T07:46:06.576401298Z.
pub(crate) const START: Duration = Duration::new(1_783_410_366, 576_401_298);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) struct Caller {
    pub(crate) emulator: Emulator,
    pub(crate) clock: ManualClock,
    pub(crate) token: String,
    pub(crate) region: &'static str,
}

impl Caller {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(configure: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder) -> Self {
        let clock = ManualClock::new(start());
        let builder = Emulator::builder().clock(clock.clone()).identity(owner());
        let emulator = configure(builder).build().unwrap();
        Self {
            emulator,
            clock,
            token: SECRET_KEY.to_owned(),
            region: "fr-par",
        }
    }

    /// Calls a path below the region.
    pub(crate) fn raw(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Response {
        let path = format!("/key-manager/v1alpha1/regions/{}/{path}", self.region);
        self.emulator.handle(
            Request::new(method, &path)
                .with_header("x-auth-token", &self.token)
                .with_body(body.into()),
        )
    }

    /// Calls a path below the region, and reads the answer, or `null` if it is empty.
    pub(crate) fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let response = self.raw(method, path, body);
        assert_eq!(
            response.header("content-type"),
            Some("application/json"),
            "{method} {path}"
        );
        (response.status(), value_of(&response))
    }

    /// Calls `POST keys/{id}/{action}`.
    pub(crate) fn post(&self, id: &str, action: &str, body: Value) -> (u16, Value) {
        self.call("POST", &format!("keys/{id}/{action}"), body)
    }

    /// Calls, and asserts success.
    pub(crate) fn ok(&self, id: &str, action: &str, body: Value) -> Value {
        let (status, answer) = self.post(id, action, body);
        assert!(matches!(status, 200 | 204), "{action}: {status} {answer}");
        answer
    }

    pub(crate) fn create(&self, members: Value) -> (u16, Value) {
        let mut body = json!({"project_id": PROJECT, "unprotected": true});
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.call("POST", "keys", body)
    }

    /// Creates a key and returns its id.
    pub(crate) fn key(&self, usage: &str, algorithm: &str) -> String {
        let (status, key) = self.create(json!({"name": algorithm, "usage": {usage: algorithm}}));
        assert_eq!(status, 200, "{key}");
        key["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn symmetric_key(&self) -> String {
        self.key("symmetric_encryption", "aes_256_gcm")
    }

    pub(crate) fn external_key(&self) -> String {
        let usage = json!({"symmetric_encryption": "aes_256_gcm"});
        let (status, key) = self.create(json!({"usage": usage, "origin": "external"}));
        assert_eq!(status, 200, "{key}");
        key["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn get(&self, id: &str) -> Value {
        let (status, key) = self.call("GET", &format!("keys/{id}"), Value::Null);
        assert_eq!(status, 200, "{key}");
        key
    }

    /// Encrypts and returns the ciphertext in base64.
    pub(crate) fn encrypt(&self, id: &str, plaintext: &[u8]) -> String {
        let answer = self.ok(id, "encrypt", json!({"plaintext": base64(plaintext)}));
        answer["ciphertext"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn owner() -> Identity {
    let owner = Identity::from_parts(ACCESS_KEY, SECRET_KEY, ORGANIZATION, PROJECT).unwrap();
    assert_eq!(owner.secret_key(SecretAccess::insecure()), SECRET_KEY);
    owner
}

pub(crate) fn start() -> SystemTime {
    UNIX_EPOCH + START
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

pub(crate) fn unbase64(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

pub(crate) fn value_of(response: &Response) -> Value {
    if response.body().is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(response.body()).unwrap()
}
