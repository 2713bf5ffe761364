//! Every argument that can be wrong, and the error that names it.

use serde_json::{Value, json};

use super::client::{Caller, PROJECT, base64};

#[test]
fn invalid_arguments_name_the_argument_the_reason_and_the_rule() {
    let caller = Caller::new();
    let id = caller.symmetric_key();
    let usage = json!({"symmetric_encryption": "aes_256_gcm"});
    let with =
        |name: &str, value: Value| json!({"project_id": PROJECT, "usage": usage, name: value});
    let keys = "keys".to_owned();
    let key = format!("keys/{id}");
    let action = |action: &str| format!("keys/{id}/{action}");
    let cases: Vec<(&str, String, Value, &str, &str)> = vec![
        (
            "POST",
            keys.clone(),
            json!({"usage": usage}),
            "project_id",
            "required",
        ),
        (
            "POST",
            keys.clone(),
            with("project_id", json!("")),
            "project_id",
            "required",
        ),
        (
            "POST",
            keys.clone(),
            with("project_id", Value::Null),
            "project_id",
            "required",
        ),
        (
            "POST",
            keys.clone(),
            with("project_id", json!("x")),
            "project_id",
            "format",
        ),
        (
            "POST",
            keys.clone(),
            json!({"project_id": PROJECT}),
            "usage",
            "required",
        ),
        (
            "POST",
            keys.clone(),
            with("usage", json!({})),
            "usage",
            "required",
        ),
        // What Python writes for KeyUsage(asymmetric_signing=…): nothing is guessed.
        (
            "POST",
            keys.clone(),
            with(
                "usage",
                json!({"symmetric_encryption": "unknown_symmetric_encryption"}),
            ),
            "usage",
            "required",
        ),
        (
            "POST",
            keys.clone(),
            with(
                "usage",
                json!({"symmetric_encryption": "aes_256_gcm", "asymmetric_signing": "ec_p256_sha256"}),
            ),
            "usage",
            "constraint",
        ),
        (
            "POST",
            keys.clone(),
            with("usage", json!("aes_256_gcm")),
            "usage",
            "format",
        ),
        (
            "POST",
            keys.clone(),
            with("usage", json!({"asymmetric_signing": "ml_dsa_65"})),
            "asymmetric_signing",
            "constraint",
        ),
        (
            "POST",
            keys.clone(),
            with("usage", json!({"asymmetric_encryption": "ml_kem_768"})),
            "asymmetric_encryption",
            "constraint",
        ),
        (
            "POST",
            keys.clone(),
            with("usage", json!({"symmetric_encryption": "ec_p256_sha256"})),
            "symmetric_encryption",
            "constraint",
        ),
        (
            "POST",
            keys.clone(),
            with("usage", json!({"key_encapsulation": "ml_kem_768"})),
            "key_encapsulation",
            "constraint",
        ),
        (
            "POST",
            keys.clone(),
            with("protection_level", json!("hsm")),
            "protection_level",
            "constraint",
        ),
        (
            "POST",
            keys.clone(),
            with("origin", json!("elsewhere")),
            "origin",
            "constraint",
        ),
        (
            "POST",
            keys.clone(),
            with("name", json!(1)),
            "name",
            "format",
        ),
        (
            "POST",
            keys.clone(),
            with("tags", json!("a")),
            "tags",
            "format",
        ),
        (
            "POST",
            keys.clone(),
            with("unprotected", json!("yes")),
            "unprotected",
            "format",
        ),
        (
            "POST",
            keys.clone(),
            with("rotation_policy", json!({"rotation_period": "30d"})),
            "rotation_policy.rotation_period",
            "format",
        ),
        (
            "POST",
            keys.clone(),
            with(
                "rotation_policy",
                json!({"rotation_period": "86399.999999999s"}),
            ),
            "rotation_policy.rotation_period",
            "constraint",
        ),
        (
            "POST",
            keys.clone(),
            with(
                "rotation_policy",
                json!({"rotation_period": "3153600000.000000001s"}),
            ),
            "rotation_policy.rotation_period",
            "constraint",
        ),
        (
            "POST",
            keys,
            with(
                "rotation_policy",
                json!({"next_rotation_at": "2027-01-01T00:00:00Z"}),
            ),
            "rotation_policy.rotation_period",
            "required",
        ),
        (
            "PATCH",
            key.clone(),
            json!({"rotation_policy": {"rotation_period": "86400s", "next_rotation_at": "tomorrow"}}),
            "rotation_policy.next_rotation_at",
            "format",
        ),
        (
            "PATCH",
            key.clone(),
            json!({"rotation_policy": {"rotation_period": "86400s", "next_rotation_at": "2026-07-07T07:46:06Z"}}),
            "rotation_policy.next_rotation_at",
            "constraint",
        ),
        ("PATCH", key, json!({"name": ""}), "name", "constraint"),
        (
            "GET",
            "keys/not-a-uuid".to_owned(),
            Value::Null,
            "key_id",
            "format",
        ),
        (
            "POST",
            action("encrypt"),
            json!({}),
            "plaintext",
            "required",
        ),
        (
            "POST",
            action("encrypt"),
            json!({"plaintext": null}),
            "plaintext",
            "required",
        ),
        (
            "POST",
            action("encrypt"),
            json!({"plaintext": ""}),
            "plaintext",
            "constraint",
        ),
        (
            "POST",
            action("encrypt"),
            json!({"plaintext": "a*b="}),
            "plaintext",
            "format",
        ),
        (
            "POST",
            action("encrypt"),
            json!({"plaintext": "YQ==", "associated_data": "*"}),
            "associated_data",
            "format",
        ),
        (
            "POST",
            action("decrypt"),
            json!({}),
            "ciphertext",
            "required",
        ),
        (
            "POST",
            action("decrypt"),
            json!({"ciphertext": ""}),
            "ciphertext",
            "constraint",
        ),
        (
            "POST",
            action("decrypt"),
            json!({"ciphertext": "YQ"}),
            "ciphertext",
            "constraint",
        ),
        (
            "POST",
            action("generate-data-key"),
            json!({"algorithm": "rc4"}),
            "algorithm",
            "constraint",
        ),
        ("POST", action("sign"), json!({}), "digest", "required"),
        (
            "POST",
            action("verify"),
            json!({"digest": "YQ=="}),
            "signature",
            "required",
        ),
        (
            "POST",
            action("import-key-material"),
            json!({"key_material": null}),
            "key_material",
            "required",
        ),
        (
            "POST",
            action("import-key-material"),
            json!({"key_material": base64(&[1; 15])}),
            "key_material",
            "constraint",
        ),
        (
            "POST",
            action("delete-key-material"),
            json!({"key_rotation_index": "1"}),
            "key_rotation_index",
            "format",
        ),
        (
            "GET",
            "keys?protection_level=paper".to_owned(),
            Value::Null,
            "protection_level",
            "constraint",
        ),
        (
            "GET",
            "keys?page=0".to_owned(),
            Value::Null,
            "page",
            "constraint",
        ),
        (
            "GET",
            "keys?page=x".to_owned(),
            Value::Null,
            "page",
            "format",
        ),
        (
            "GET",
            "keys?page_size=0".to_owned(),
            Value::Null,
            "page_size",
            "constraint",
        ),
        (
            "GET",
            "keys?page_size=101".to_owned(),
            Value::Null,
            "page_size",
            "constraint",
        ),
        (
            "GET",
            "keys?order_by=size_asc".to_owned(),
            Value::Null,
            "order_by",
            "constraint",
        ),
        (
            "GET",
            "keys?usage=signing".to_owned(),
            Value::Null,
            "usage",
            "constraint",
        ),
        (
            "GET",
            "keys?project_id=x".to_owned(),
            Value::Null,
            "project_id",
            "format",
        ),
        (
            "GET",
            "keys?scheduled_for_deletion=maybe".to_owned(),
            Value::Null,
            "scheduled_for_deletion",
            "format",
        ),
        (
            "GET",
            "algorithms?usages=signing".to_owned(),
            Value::Null,
            "usages",
            "constraint",
        ),
    ];
    for (method, path, body, argument, reason) in cases {
        let (status, error) = caller.call(method, &path, body.clone());
        assert_eq!(status, 400, "{method} {path} {body}: {error}");
        assert_eq!(error["message"], "invalid argument(s)");
        assert_eq!(error["type"], "invalid_arguments");
        let details = error["details"].as_array().unwrap();
        assert_eq!(details.len(), 1);
        assert_eq!(
            details[0]["argument_name"], argument,
            "{method} {path} {body}"
        );
        assert_eq!(details[0]["reason"], reason, "{method} {path} {body}");
        assert!(details[0]["help_message"].is_string());
    }
}
