//! Requests to the emulator: every answer is well-formed, a refused request and a `GET` change nothing,
//! and a ciphertext decrypts only if the emulator made it.

use std::{
    collections::HashMap,
    time::{Duration, UNIX_EPOCH},
};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use keyseal_emulator::{Emulator, Identity, ManualClock, Request, Response};
use serde_json::Value;

const SECRET_KEY: &str = "7d5f7a14-3a5e-4b9c-8f60-1c2d3e4f5a6b";
const ORGANIZATION: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const PROJECT: &str = "aaaaaaaa-bbbb-4ccc-8ddd-ffffffffffff";
const REGION: &str = "/key-manager/v1alpha1/regions/fr-par/";

/// An input is a text with a request in each line: method, target and body. `KEY` is a key, `LAST`
/// the last ciphertext, and a target without a slash before it is one of the region.
pub fn law(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let identity = Identity::from_parts("SCWAAAAAAAAAAAAAAAAA", SECRET_KEY, ORGANIZATION, PROJECT);
    let emulator = Emulator::builder()
        .identity(identity.expect("they are well-formed"))
        .clock(ManualClock::new(
            UNIX_EPOCH + Duration::from_secs(1_783_410_366),
        ))
        .build()
        .expect("the system has randomness");
    let key = emulator
        .seed_key("orders")
        .expect("the system has randomness");
    let mut messages: HashMap<String, (Value, String)> = HashMap::new();
    let mut last = String::from("AA==");
    for line in text.lines().take(20) {
        let line = line.replace("KEY", &key).replace("LAST", &last);
        let mut words = line.splitn(3, ' ');
        let [method, target, body] = [(); 3].map(|()| words.next().unwrap_or_default());
        if target.starts_with("/emulator/") {
            let _ = send(&emulator, method, target, body);
            return;
        }
        let target = match target.starts_with('/') {
            true => target.to_owned(),
            false => format!("{REGION}{target}"),
        };
        let before = keys_of(&emulator);
        let response = send(&emulator, method, &target, body);
        let status = response.status();
        let answer = answer_of(&response);
        if method == "GET" || !matches!(status, 200 | 204) {
            assert_eq!(keys_of(&emulator), before, "{method} {target}: {status}");
        }
        let of_key = target.strip_prefix(&format!("{REGION}keys/{key}/"));
        let action = of_key.filter(|_| status == 200 && method == "POST");
        let asked: Value = serde_json::from_str(body).unwrap_or_default();
        let context = asked["associated_data"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let ciphertext = answer["ciphertext"].as_str().map(str::to_owned);
        match (action, ciphertext) {
            (Some("encrypt"), Some(ciphertext)) => {
                messages.insert(ciphertext.clone(), (asked["plaintext"].clone(), context));
                last = ciphertext;
            }
            (Some("generate-data-key"), Some(ciphertext)) => {
                messages.insert(
                    ciphertext.clone(),
                    (answer["plaintext"].clone(), String::new()),
                );
                last = ciphertext;
            }
            (Some("decrypt"), rewrapped) => {
                let asked = asked["ciphertext"].as_str().unwrap_or_default();
                let (plaintext, encrypted_with) = messages
                    .get(asked)
                    .cloned()
                    .expect("a forged ciphertext decrypts");
                assert_eq!(context, encrypted_with);
                assert!(plaintext.is_null() || bytes(&answer["plaintext"]) == bytes(&plaintext));
                messages.extend(rewrapped.map(|rewrapped| (rewrapped, (plaintext, context))));
            }
            _ => {}
        }
    }
}

/// Reads base64 as the service does: of either alphabet; line breaks, padding and the bits behind the
/// last byte say nothing.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = value
        .as_str()?
        .replace(['\r', '\n'], "")
        .replace('-', "+")
        .replace('_', "/");
    GeneralPurpose::new(&STANDARD, config).decode(text).ok()
}

fn send(emulator: &Emulator, method: &str, target: &str, body: &str) -> Response {
    let request = Request::new(method, target).with_header("X-Auth-Token", SECRET_KEY);
    emulator.handle(request.with_body(body.as_bytes()))
}

fn keys_of(emulator: &Emulator) -> Value {
    let keys = send(emulator, "GET", &format!("{REGION}keys?page_size=100"), "");
    assert_eq!(keys.status(), 200);
    answer_of(&keys)
}

fn answer_of(response: &Response) -> Value {
    let status = response.status();
    assert!(
        [200, 204, 400, 401, 403, 404, 409, 412, 413].contains(&status),
        "{status}"
    );
    assert_eq!(response.header("content-type"), Some("application/json"));
    if status == 204 {
        assert!(response.body().is_empty());
        return Value::Null;
    }
    let answer: Value = serde_json::from_slice(response.body()).expect("an answer is JSON");
    assert!(status == 200 || answer["type"].is_string() && answer["message"].is_string());
    answer
}
