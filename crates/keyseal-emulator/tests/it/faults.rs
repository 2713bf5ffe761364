//! Injected faults, without a socket.

use std::time::Duration;

use keyseal_emulator::{
    Delivery, ErrorBody, Fault, FaultRule, Operation, Permission, Request, Response,
};
use serde_json::{Value, json};

use super::client::{Caller, DAY, SECRET_KEY, UNKNOWN_KEY, base64, owner, unbase64, value_of};

fn struck(fault: Fault) -> (Caller, String, Response) {
    let caller = Caller::new();
    let id = caller.symmetric_key();
    caller
        .emulator
        .inject(FaultRule::new(fault).on(Operation::Encrypt).times(1));
    let response = caller.raw(
        "POST",
        &format!("keys/{id}/encrypt"),
        r#"{"plaintext":"aGVsbG8="}"#,
    );
    // The fault is gone with its one request.
    assert_eq!(
        caller
            .post(&id, "encrypt", json!({"plaintext": "aGVsbG8="}))
            .0,
        200
    );
    (caller, id, response)
}

#[test]
fn rate_limits_come_as_recorded_or_as_json() {
    let (_, _, response) = struck(Fault::RateLimited);
    assert_eq!(response.status(), 429);
    assert_eq!(response.header("X-Envoy-Ratelimited"), Some("true"));
    assert_eq!(
        (response.header("content-type"), response.body()),
        (None, &b""[..])
    );

    let (_, _, response) = struck(Fault::RateLimitedJson {
        retry_after: Duration::from_secs(3),
    });
    assert_eq!(
        (response.status(), response.header("Retry-After")),
        (429, Some("3"))
    );
    let body = value_of(&response);
    assert_eq!(body["type"], "too_many_requests");
    assert_eq!(body["limit"], json!({"quota": 100, "window_seconds": 3}));
    assert_eq!(
        (&body["reset_seconds"], &body["reset_at"]),
        (&json!(3), &json!("2026-07-07T07:46:09.576401298Z"))
    );
    assert!(body["help_message"].is_string());
}

#[test]
fn server_errors_come_with_the_body_that_was_asked_for() {
    for status in [500, 502, 503, 504] {
        let error = |body| struck(Fault::ServerError { status, body }).2;
        let html = error(ErrorBody::Html);
        assert_eq!(
            (html.status(), html.header("content-type")),
            (status, Some("text/html"))
        );
        assert!(html.body().starts_with(b"<html>"));
        let json = error(ErrorBody::Json);
        assert_eq!(
            (json.status(), &value_of(&json)["type"]),
            (status, &json!("internal_error"))
        );
        let empty = error(ErrorBody::Empty);
        assert_eq!(
            (empty.status(), empty.body(), empty.header("content-type")),
            (status, &b""[..], None)
        );
    }
}

#[test]
fn refusals_look_like_real_ones() {
    let (_, _, response) = struck(Fault::DeniedAuthentication);
    assert_eq!(
        (response.status(), &value_of(&response)["reason"]),
        (401, &json!("not_found"))
    );
    let (_, _, response) = struck(Fault::PermissionsDenied);
    assert_eq!(
        (response.status(), &value_of(&response)["type"]),
        (403, &json!("permissions_denied"))
    );
    let (_, id, response) = struck(Fault::NotFound);
    let body = value_of(&response);
    assert_eq!((response.status(), &body["resource_id"]), (404, &json!(id)));
}

#[test]
fn broken_answers_are_broken_as_they_say() {
    let (_, _, response) = struck(Fault::TruncatedJson);
    assert_eq!(
        (response.status(), response.delivery()),
        (200, Delivery::Whole)
    );
    assert!(serde_json::from_slice::<Value>(response.body()).is_err());

    let (_, _, response) = struck(Fault::CutBody);
    assert_eq!(
        response.delivery(),
        Delivery::Cut {
            after: response.body().len() / 2
        }
    );
    assert!(value_of(&response)["ciphertext"].is_string());

    let content_type = "application/json; charset=utf-8".to_owned();
    let (_, _, response) = struck(Fault::WrongContentType(content_type.clone()));
    let types: Vec<&str> = response
        .headers()
        .filter(|(name, _)| *name == "Content-Type")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(types, [content_type]);

    let (caller, id, response) = struck(Fault::CorruptedCiphertext);
    let ciphertext = &value_of(&response)["ciphertext"];
    assert_eq!(unbase64(ciphertext).len(), 38);
    assert_eq!(
        caller
            .post(&id, "decrypt", json!({"ciphertext": ciphertext}))
            .0,
        400
    );

    let (_, id, response) = struck(Fault::WrongKeyId);
    let body = value_of(&response);
    assert_eq!(body["key_id"].as_str().unwrap().len(), 36);
    assert_ne!(body["key_id"], json!(id));
}

#[test]
fn a_reset_comes_before_or_after_the_request_is_handled() {
    for (fault, handled) in [(Fault::ResetBefore, 1), (Fault::ResetAfter, 2)] {
        let caller = Caller::new();
        let id = caller.symmetric_key();
        caller
            .emulator
            .inject(FaultRule::new(fault).on(Operation::RotateKey).times(1));
        let response = caller.raw("POST", &format!("keys/{id}/rotate"), "");
        assert_eq!(response.delivery(), Delivery::Reset);
        assert_eq!(caller.get(&id)["rotation_count"], handled);
    }
}

#[test]
fn rules_count_their_own_requests() {
    let caller = Caller::new();
    let id = caller.symmetric_key();
    let rule = FaultRule::new(Fault::NotFound)
        .on(Operation::GetKey)
        .after(1)
        .times(2);
    caller.emulator.inject(rule);
    let status = || caller.call("GET", &format!("keys/{id}"), Value::Null).0;
    assert_eq!(
        caller.post(&id, "encrypt", json!({"plaintext": "YQ=="})).0,
        200
    );
    assert_eq!(
        [status(), status(), status(), status()],
        [200, 404, 404, 200]
    );

    // 403 twice, then 404 once, then success: permissions and keys spread slowly.
    caller
        .emulator
        .inject(FaultRule::new(Fault::PermissionsDenied).times(2));
    caller
        .emulator
        .inject(FaultRule::new(Fault::NotFound).times(1));
    assert_eq!(
        [status(), status(), status(), status()],
        [403, 403, 404, 200]
    );

    // Until cleared.
    caller
        .emulator
        .inject(FaultRule::new(Fault::DeniedAuthentication));
    assert!((0..50).all(|_| status() == 401));
    caller.emulator.clear_faults();
    assert_eq!(status(), 200);
}

#[test]
fn latencies_add_up_and_go_with_other_faults() {
    let caller = Caller::new();
    caller
        .emulator
        .inject(FaultRule::new(Fault::Latency(Duration::from_millis(20))));
    caller
        .emulator
        .inject(FaultRule::new(Fault::Latency(Duration::from_millis(5))).times(1));
    caller
        .emulator
        .inject(FaultRule::new(Fault::RateLimited).times(1));
    let get = || caller.raw("GET", "keys", "");
    let (first, second) = (get(), get());
    assert_eq!(
        (first.status(), first.latency()),
        (429, Duration::from_millis(25))
    );
    assert_eq!(
        (second.status(), second.latency()),
        (200, Duration::from_millis(20))
    );
}

#[test]
fn a_clock_jump_comes_before_its_request() {
    let caller = Caller::new();
    let usage = json!({"symmetric_encryption": "aes_256_gcm"});
    let policy = json!({"rotation_period": "86400s"});
    let (_, key) = caller.create(json!({"usage": usage, "rotation_policy": policy}));
    let id = key["id"].as_str().unwrap();
    caller
        .emulator
        .inject(FaultRule::new(Fault::ClockJump(DAY)).times(1));
    assert_eq!(caller.get(id)["rotation_count"], 2);
    assert_eq!(caller.get(id)["rotation_count"], 2);
}

#[test]
fn scripts_know_every_fault_by_its_name() {
    let script = r#"[
        {"fault": "latency", "duration": "0.250s"},
        {"fault": "clock-jump", "duration": "604800s", "times": 1},
        {"fault": "reset-before", "operation": "encrypt"},
        {"fault": "reset-after", "operation": "decrypt", "after": 2, "times": 3},
        {"fault": "rate-limited"},
        {"fault": "rate-limited-json", "duration": "2s"},
        {"fault": "server-error"},
        {"fault": "server-error", "status": 503, "body": "json"},
        {"fault": "server-error", "status": 504, "body": "empty"},
        {"fault": "truncated-json"},
        {"fault": "cut-body"},
        {"fault": "wrong-content-type"},
        {"fault": "wrong-content-type", "content_type": "application/json; charset=utf-8"},
        {"fault": "denied-authentication"},
        {"fault": "permissions-denied"},
        {"fault": "not-found"},
        {"fault": "corrupted-ciphertext"},
        {"fault": "wrong-key-id"}
    ]"#;
    let rules = FaultRule::parse_script(script).unwrap();
    let wanted = [
        FaultRule::new(Fault::Latency(Duration::from_millis(250))),
        FaultRule::new(Fault::ClockJump(7 * DAY)).times(1),
        FaultRule::new(Fault::ResetBefore).on(Operation::Encrypt),
        FaultRule::new(Fault::ResetAfter)
            .on(Operation::Decrypt)
            .after(2)
            .times(3),
        FaultRule::new(Fault::RateLimited),
        FaultRule::new(Fault::RateLimitedJson {
            retry_after: Duration::from_secs(2),
        }),
        FaultRule::new(Fault::ServerError {
            status: 500,
            body: ErrorBody::Html,
        }),
        FaultRule::new(Fault::ServerError {
            status: 503,
            body: ErrorBody::Json,
        }),
        FaultRule::new(Fault::ServerError {
            status: 504,
            body: ErrorBody::Empty,
        }),
        FaultRule::new(Fault::TruncatedJson),
        FaultRule::new(Fault::CutBody),
        FaultRule::new(Fault::WrongContentType("text/html".to_owned())),
        FaultRule::new(Fault::WrongContentType(
            "application/json; charset=utf-8".to_owned(),
        )),
        FaultRule::new(Fault::DeniedAuthentication),
        FaultRule::new(Fault::PermissionsDenied),
        FaultRule::new(Fault::NotFound),
        FaultRule::new(Fault::CorruptedCiphertext),
        FaultRule::new(Fault::WrongKeyId),
    ];
    assert_eq!(rules, wanted);
    assert!(
        rules
            .iter()
            .all(|rule| script.contains(&format!("\"{}\"", rule.fault().name())))
    );
}

#[test]
fn scripts_that_say_nothing_sensible_are_refused_with_the_rule() {
    for (script, wanted) in [
        (
            "{}",
            "rule 0 of the fault script: must be a JSON array of objects",
        ),
        (
            "[1]",
            "rule 0 of the fault script: must be a JSON array of objects",
        ),
        ("[{}]", "rule 1 of the fault script: `fault` is required"),
        (
            r#"[{"fault":"flood"}]"#,
            "rule 1 of the fault script: there is no fault `flood`",
        ),
        (
            r#"[{"fault":"rate-limited"},{"fault":"not-found","operation":"all"}]"#,
            "rule 2 of the fault script: there is no operation `all`",
        ),
        (
            r#"[{"fault":"latency"}]"#,
            "rule 1 of the fault script: `duration` is required",
        ),
        (
            r#"[{"fault":"latency","duration":"250ms"}]"#,
            "rule 1 of the fault script: `duration` must be seconds with at most nine decimals, \
             such as 0.250s",
        ),
        (
            r#"[{"fault":"server-error","status":200}]"#,
            "rule 1 of the fault script: `status` must be between 400 and 599",
        ),
        (
            r#"[{"fault":"not-found","status":404}]"#,
            "rule 1 of the fault script: `status` means nothing here",
        ),
        (
            r#"[{"fault":"not-found","times":-1}]"#,
            "rule 1 of the fault script: `times` must be an unsigned integer",
        ),
        (
            r#"[{"fault":"wrong-content-type","content_type":"a\r\nb: c"}]"#,
            "rule 1 of the fault script: `content_type` must be printable ASCII",
        ),
    ] {
        assert_eq!(
            FaultRule::parse_script(script).unwrap_err().to_string(),
            wanted
        );
    }
}

#[test]
fn the_control_routes_steer_faults_clock_locks_api_keys_and_the_log() {
    let caller = Caller::new();
    let id = caller.symmetric_key();
    let control = |method: &str, path: &str, body: &str| {
        let response = caller.emulator.handle(
            Request::new(method, &format!("/emulator/{path}"))
                .with_header("X-Auth-Token", SECRET_KEY)
                .with_body(body),
        );
        (response.status(), value_of(&response))
    };
    let script = r#"[{"fault":"latency","duration":"0.5s","operation":"get-key","times":2}]"#;
    assert_eq!(control("POST", "faults", script), (204, Value::Null));
    let shown = json!({"faults": [{"fault": "latency", "duration": "0.500s", "operation": "get-key", "times": 2}]});
    assert_eq!(control("GET", "faults", ""), (200, shown));
    assert_eq!(control("DELETE", "faults", "").0, 204);
    assert_eq!(control("GET", "faults", ""), (200, json!({"faults": []})));
    assert_eq!(control("POST", "faults", "[{}]").0, 400);

    assert_eq!(
        control("GET", "clock", "").1["now"],
        "2026-07-07T07:46:06.576401298Z"
    );
    let (_, clock) = control("POST", "clock", r#"{"advance":"86400s"}"#);
    assert_eq!(clock["now"], "2026-07-08T07:46:06.576401298Z");
    assert_eq!(control("POST", "clock", r#"{"advance":"1d"}"#).0, 400);
    assert_eq!(control("POST", "clock", "{}").0, 400);

    assert_eq!(
        control("POST", &format!("keys/{id}/lock"), "").1["locked"],
        true
    );
    assert_eq!(caller.post(&id, "rotate", json!({})).0, 423);
    assert_eq!(
        control("POST", &format!("keys/{id}/unlock"), "").1["locked"],
        false
    );
    assert_eq!(
        control("POST", &format!("keys/{UNKNOWN_KEY}/lock"), "").0,
        404
    );
    assert_eq!(control("POST", "nowhere", "").0, 404);

    let (_, guest) = control(
        "POST",
        "identities",
        r#"{"permissions":["KeyManagerReadOnly"]}"#,
    );
    let mut guest_caller = Caller {
        emulator: caller.emulator.clone(),
        clock: caller.clock.clone(),
        token: String::new(),
        region: "fr-par",
    };
    guest_caller.token = guest["secret_key"].as_str().unwrap().to_owned();
    assert_eq!(guest_caller.get(&id)["id"], json!(id));
    assert_eq!(guest_caller.post(&id, "rotate", json!({})).0, 403);
    assert_eq!(
        control("POST", "identities", r#"{"permissions":["Everything"]}"#).0,
        400
    );

    let (_, log) = control("GET", "exchanges", "");
    let statuses: Vec<u64> = log["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|exchange| exchange["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [200, 423, 200, 403]);
    assert_eq!(log["exchanges"][0]["operation"], "create-key");
    assert_eq!(control("DELETE", "exchanges", "").0, 204);
    assert!(caller.emulator.exchanges().is_empty());

    // Neither a stranger nor a read-only API key controls the emulator.
    for token in ["", guest_caller.token.as_str()] {
        let request = Request::new("DELETE", "/emulator/faults").with_header("X-Auth-Token", token);
        assert!(matches!(
            caller.emulator.handle(request).status(),
            401 | 403
        ));
    }
}

#[test]
fn nothing_secret_is_logged_or_printed() {
    let caller = Caller::with(|builder| {
        builder.identity(
            owner()
                .colleague()
                .unwrap()
                .with_permissions([Permission::KeyManagerReadOnly]),
        )
    });
    let id = caller.symmetric_key();
    let plaintext = base64(b"a plaintext nobody may see");
    let request = Request::new(
        "POST",
        &format!("/key-manager/v1alpha1/regions/fr-par/keys/{id}/encrypt?token=x"),
    )
    .with_header("X-Auth-Token", SECRET_KEY)
    .with_body(format!(r#"{{"plaintext":"{plaintext}"}}"#));
    let printed = format!("{request:?}");
    let response = caller.emulator.handle(request);
    assert_eq!(response.status(), 200);
    let printed = format!(
        "{printed} {response:?} {:?} {:?} {:?}",
        caller.emulator,
        caller.emulator.exchanges(),
        caller.emulator.identity(),
    );
    for secret in [SECRET_KEY, &plaintext, "token=x"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
