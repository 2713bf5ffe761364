//! Each error body of the service, and a request that causes it.

use keyseal_emulator::{Fault, FaultRule, Lock, Operation, Request};
use serde_json::{Value, json};

use super::client::{Caller, PROJECT, UNKNOWN_KEY, value_of};

#[test]
fn bodies_that_are_no_json_objects_are_refused() {
    let caller = Caller::new();
    for body in ["{", "[]", "1", "\u{0}", "{\"a\":1}x"] {
        let response = caller.raw("POST", "keys", body);
        assert_eq!(response.status(), 400, "{body}");
        assert_eq!(value_of(&response)["details"][0]["argument_name"], "body");
    }
    // The body of a GET request is ignored.
    assert_eq!(caller.raw("GET", "keys", "nonsense").status(), 200);
}

#[test]
fn error_bodies_are_written_as_the_service_writes_them() {
    let caller = Caller::with(|builder| builder.key_quota(1));
    let id = caller.symmetric_key();
    let get = |path: &str| caller.raw("GET", path, "").body().to_vec();
    let cases = [
        (
            get(&format!("keys/{UNKNOWN_KEY}")),
            r#"{"message":"resource is not found","resource":"key","resource_id":"11111111-2222-4333-8444-555555555555","type":"not_found"}"#.to_owned(),
        ),
        (
            caller.emulator.handle(Request::new("GET", "/nowhere")).body().to_vec(),
            r#"{"message":"route is not found","type":"unknown_route"}"#.to_owned(),
        ),
        (
            caller.raw("POST", "keys", format!(r#"{{"project_id":"{PROJECT}","usage":{{"symmetric_encryption":"aes_256_gcm"}}}}"#)).body().to_vec(),
            r#"{"details":[{"current":1,"quota":1,"resource":"key"}],"message":"quota(s) exceeded for this resource","type":"quotas_exceeded"}"#.to_owned(),
        ),
        (
            caller.raw("POST", &format!("keys/{id}/restore"), "").body().to_vec(),
            r#"{"help_message":"key is not scheduled for deletion","message":"precondition is not respected","precondition":"unknown_precondition","type":"precondition_failed"}"#.to_owned(),
        ),
        (
            {
                caller.emulator.set_locked(&id, Lock::Locked).unwrap();
                caller.raw("POST", &format!("keys/{id}/rotate"), "").body().to_vec()
            },
            format!(r#"{{"message":"resource is locked","resource":"key","resource_id":"{id}","type":"locked"}}"#),
        ),
        (
            caller.raw("GET", "keys?page=0", "").body().to_vec(),
            r#"{"details":[{"argument_name":"page","help_message":"must be at least 1","reason":"constraint"}],"message":"invalid argument(s)","type":"invalid_arguments"}"#.to_owned(),
        ),
    ];
    for (body, wanted) in cases {
        assert_eq!(String::from_utf8(body).unwrap(), wanted);
    }
}

#[test]
fn regions_that_do_not_offer_key_manager_are_refused() {
    let mut caller = Caller::new();
    for region in ["it-mil", "fr-par-1", "FR-PAR", "%66r-par"] {
        caller.region = region;
        let (status, error) = caller.call("GET", "keys", Value::Null);
        assert_eq!(
            (status, &error["details"][0]["argument_name"]),
            (400, &json!("region"))
        );
    }
}

#[test]
fn only_aes_keys_of_the_service_rotate_by_themselves() {
    let caller = Caller::new();
    let policy = json!({"rotation_period": "86400s"});
    for (usage, origin) in [
        (
            json!({"asymmetric_signing": "ec_p256_sha256"}),
            "scaleway_kms",
        ),
        (json!({"symmetric_encryption": "aes_256_gcm"}), "external"),
    ] {
        let body = json!({"usage": usage, "origin": origin, "rotation_policy": policy});
        let (status, error) = caller.create(body);
        assert_eq!(
            (status, &error["details"][0]["argument_name"]),
            (400, &json!("rotation_policy"))
        );
    }
    let usage = json!({"asymmetric_signing": "ec_p256_sha256"});
    let (status, error) = caller.create(json!({"usage": usage, "origin": "external"}));
    assert_eq!(
        (status, &error["details"][0]["argument_name"]),
        (400, &json!("origin"))
    );
}

#[test]
fn every_answer_has_a_request_id_of_its_own() {
    let caller = Caller::new();
    caller.emulator.inject(
        FaultRule::new(Fault::RateLimited)
            .on(Operation::ListKeys)
            .times(1),
    );
    let mut seen = std::collections::BTreeSet::new();
    for path in ["keys", "keys", "keys/x", "nowhere"] {
        let response = caller.raw("GET", path, "");
        assert!(
            response
                .header("server")
                .unwrap()
                .starts_with("Scaleway API Gateway")
        );
        assert!(seen.insert(response.header("X-REQUEST-ID").unwrap().to_owned()));
    }
    let logged = caller.emulator.exchanges();
    let logged: Vec<(u16, bool)> = logged
        .iter()
        .map(|exchange| (exchange.status(), seen.contains(exchange.request_id())))
        .collect();
    assert_eq!(logged, [(429, true), (200, true), (400, true), (404, true)]);
}

#[test]
fn a_body_over_a_mebibyte_is_refused() {
    let caller = Caller::new();
    let response = caller.raw("POST", "keys", vec![b' '; (1 << 20) + 1]);
    assert_eq!(response.status(), 413);
    assert_eq!(value_of(&response)["type"], "request_too_large");
    assert_eq!(
        caller.raw("POST", "keys", vec![b' '; 1 << 20]).status(),
        400
    );
}
