//! Permissions.

use std::time::Duration;

use keyseal::SecretAccess;
use keyseal_emulator::{Emulator, Identity, Permission, Request};
use serde_json::{Value, json};

use super::client::{
    ACCESS_KEY, Caller, DAY, ORGANIZATION, PROJECT, SECRET_KEY, UNKNOWN_KEY, base64, owner, start,
    value_of,
};

#[test]
fn tokens_are_checked_before_anything_else() {
    let caller = Caller::new();
    let path = "/key-manager/v1alpha1/regions/nowhere/keys";
    let with = |headers: &[(&str, &str)]| {
        let mut request = Request::new("POST", path).with_body("nonsense");
        for (name, value) in headers {
            request = request.with_header(name, value);
        }
        let response = caller.emulator.handle(request);
        (
            response.status(),
            String::from_utf8(response.body().to_vec()).unwrap(),
        )
    };
    let denied = |method: &str, reason: &str| {
        (
            401,
            format!(
                r#"{{"message":"authentication is denied","method":"{method}","reason":"{reason}","type":"denied_authentication"}}"#
            ),
        )
    };
    assert_eq!(with(&[]), denied("api_key", "invalid_argument"));
    assert_eq!(
        with(&[("X-Auth-Token", "")]),
        denied("api_key", "invalid_argument")
    );
    assert_eq!(
        with(&[("X-Auth-Token", "  ")]),
        denied("api_key", "invalid_argument")
    );
    assert_eq!(
        with(&[("X-Auth-Token", "secret")]),
        denied("api_key", "invalid_argument")
    );
    assert_eq!(
        with(&[("X-Auth-Token", ACCESS_KEY)]),
        denied("api_key", "invalid_argument")
    );
    assert_eq!(
        with(&[("X-Auth-Token", UNKNOWN_KEY)]),
        denied("api_key", "not_found")
    );
    assert_eq!(
        with(&[("X-Session-Token", "jwt")]),
        denied("jwt", "not_found")
    );
    // A valid token gets as far as the check of the region.
    assert_eq!(with(&[("x-AUTH-token", SECRET_KEY)]).0, 400);
    assert_eq!(with(&[("x-auth-token", &SECRET_KEY.to_uppercase())]).0, 400);
}

#[test]
fn an_api_key_stops_to_work_when_it_expires() {
    let guest = owner().colleague().unwrap().expiring_at(start() + DAY);
    let mut caller = Caller::with(|builder| builder.identity(guest.clone()));
    caller.token = guest.secret_key(SecretAccess::insecure()).to_owned();
    assert_eq!(caller.call("GET", "keys", Value::Null).0, 200);
    caller.clock.advance(DAY - Duration::from_nanos(1));
    assert_eq!(caller.call("GET", "keys", Value::Null).0, 200);
    caller.clock.advance(Duration::from_nanos(1));
    let (status, error) = caller.call("GET", "keys", Value::Null);
    assert_eq!((status, &error["reason"]), (401, &json!("expired")));
}

#[test]
fn each_permission_allows_its_operations_and_no_other() {
    let table: [(&str, &str, Permission, &str); 24] = {
        use Permission as P;
        [
            ("GET", "keys", P::KeyManagerReadOnly, "read"),
            ("GET", "algorithms", P::KeyManagerReadOnly, "read"),
            ("GET", "keys/K", P::KeyManagerReadOnly, "read"),
            ("GET", "keys/K/public-key", P::KeyManagerReadOnly, "read"),
            ("GET", "keys/K/rotations", P::KeyManagerReadOnly, "read"),
            ("POST", "keys", P::KeyManagerKeyCreate, "create"),
            ("PATCH", "keys/K", P::KeyManagerKeyWrite, "write"),
            ("POST", "keys/K/rotate", P::KeyManagerKeyWrite, "write"),
            ("POST", "keys/K/protect", P::KeyManagerKeyWrite, "write"),
            ("POST", "keys/K/unprotect", P::KeyManagerKeyWrite, "write"),
            ("POST", "keys/K/enable", P::KeyManagerKeyWrite, "write"),
            ("POST", "keys/K/disable", P::KeyManagerKeyWrite, "write"),
            (
                "POST",
                "keys/K/import-key-material",
                P::KeyManagerKeyWrite,
                "write",
            ),
            (
                "POST",
                "keys/K/import-parameters",
                P::KeyManagerKeyWrite,
                "write",
            ),
            (
                "POST",
                "keys/K/delete-key-material",
                P::KeyManagerKeyWrite,
                "write",
            ),
            ("DELETE", "keys/K", P::KeyManagerKeyDelete, "delete"),
            ("POST", "keys/K/restore", P::KeyManagerKeyRestore, "restore"),
            (
                "POST",
                "keys/K/generate-data-key",
                P::KeyManagerKeyEncrypt,
                "encrypt",
            ),
            ("POST", "keys/K/encrypt", P::KeyManagerKeyEncrypt, "encrypt"),
            ("POST", "keys/K/wrap", P::KeyManagerKeyEncrypt, "encrypt"),
            ("POST", "keys/K/decrypt", P::KeyManagerKeyDecrypt, "decrypt"),
            ("POST", "keys/K/unwrap", P::KeyManagerKeyDecrypt, "decrypt"),
            ("POST", "keys/K/sign", P::KeyManagerKeySign, "sign"),
            ("POST", "keys/K/verify", P::KeyManagerKeyVerify, "verify"),
        ]
    };
    for permission in Permission::ALL {
        let guest = owner().colleague().unwrap().with_permissions([*permission]);
        let mut caller = Caller::with(|builder| builder.identity(guest.clone()));
        caller.token = guest.secret_key(SecretAccess::insecure()).to_owned();
        for (method, path, needed, action) in table {
            let path = path.replace('K', UNKNOWN_KEY);
            let body = json!({
                "plaintext": "YQ==", "ciphertext": "YQ==", "digest": "YQ==", "signature": "YQ==",
                "key_material": base64(&[1; 32]),
            });
            let (status, answer) = caller.call(method, &path, body);
            let is_allowed = [needed, Permission::KeyManagerFullAccess].contains(permission);
            assert_eq!(
                status != 403,
                is_allowed,
                "{} {method} {path}",
                permission.name()
            );
            if !is_allowed {
                let wanted = json!({
                    "details": [{"action": action, "resource": "key"}],
                    "message": "insufficient permissions",
                    "type": "permissions_denied",
                });
                assert_eq!(answer, wanted);
            }
        }
        assert_eq!(Permission::named(permission.name()), Some(*permission));
    }
}

#[test]
fn keys_of_a_foreign_project_are_not_found() {
    let stranger = Identity::generate().unwrap();
    let mut caller = Caller::with(|builder| builder.identity(stranger.clone()));
    let id = caller.symmetric_key();
    caller.token = stranger.secret_key(SecretAccess::insecure()).to_owned();
    assert_eq!(
        caller.call("GET", &format!("keys/{id}"), Value::Null).0,
        404
    );
    assert_eq!(caller.call("GET", "keys", Value::Null).1["total_count"], 0);
    let (status, error) = caller.create(json!({"usage": {"symmetric_encryption": "aes_256_gcm"}}));
    assert_eq!(
        (status, &error["type"]),
        (403, &json!("permissions_denied"))
    );

    // A second project has the same owner.
    let both = owner().with_project(&stranger.project_id()).unwrap();
    let both = Identity::colleague(&both).unwrap();
    caller.emulator.add_identity(both.clone());
    let project_id = stranger.project_id();
    let usage = json!({"symmetric_encryption": "aes_256_gcm"});
    let body = json!({"usage": usage, "project_id": project_id, "unprotected": true});
    let (status, theirs) = caller.call("POST", "keys", body);
    assert_eq!(status, 200);
    caller.token = both.secret_key(SecretAccess::insecure()).to_owned();
    assert_eq!(
        caller.call("GET", &format!("keys/{id}"), Value::Null).0,
        200
    );
    let path = format!("keys/{}", theirs["id"].as_str().unwrap());
    assert_eq!(caller.call("GET", &path, Value::Null).0, 200);
}

#[test]
fn session_tokens_and_anonymous_calls_work_where_they_are_allowed() {
    let path = "/key-manager/v1alpha1/regions/fr-par/keys";
    let emulator = Emulator::builder()
        .identity(owner().with_session_token("header.claims.signature"))
        .build()
        .unwrap();
    let request = Request::new("GET", path);
    let session = |token: &str| request.clone().with_header("X-Session-Token", token);
    assert_eq!(
        emulator.handle(session("header.claims.signature")).status(),
        200
    );
    assert_eq!(
        emulator.handle(session("header.claims.other")).status(),
        401
    );
    assert_eq!(emulator.handle(request.clone()).status(), 401);

    let emulator = Emulator::builder()
        .identity(owner())
        .allow_anonymous()
        .build()
        .unwrap();
    assert_eq!(emulator.handle(request.clone()).status(), 200);
    let wrong = request.with_header("X-Auth-Token", UNKNOWN_KEY);
    assert_eq!(emulator.handle(wrong).status(), 401);
}

#[test]
fn an_api_key_is_shown_to_its_organization_without_its_secret() {
    let stranger = Identity::generate().unwrap();
    let caller = Caller::with(|builder| builder.identity(stranger.clone()));
    let look_up = |access_key: &str, token: &str| {
        let path = format!("/iam/v1alpha1/api-keys/{access_key}");
        let request = Request::new("GET", &path).with_header("X-Auth-Token", token);
        let response = caller.emulator.handle(request);
        (response.status(), value_of(&response))
    };
    let (status, key) = look_up(ACCESS_KEY, SECRET_KEY);
    assert_eq!(
        (status, &key["expires_at"], &key["secret_key"]),
        (200, &Value::Null, &Value::Null)
    );
    assert_eq!(look_up(stranger.access_key(), SECRET_KEY).0, 404);
    assert_eq!(
        look_up("SCWNOBODYNOBODYNOBOD", SECRET_KEY).1["resource"],
        "api_key"
    );
    assert_eq!(look_up(ACCESS_KEY, "").0, 401);
}

#[test]
fn identities_are_in_scaleway_s_form() {
    for (access_key, secret_key, organization, project, wanted) in [
        ("SCW", SECRET_KEY, ORGANIZATION, PROJECT, "access key"),
        (
            "scwaaaaaaaaaaaaaaaaa",
            SECRET_KEY,
            ORGANIZATION,
            PROJECT,
            "access key",
        ),
        (
            "SCWAAAAAAAAAAAAAAAA_",
            SECRET_KEY,
            ORGANIZATION,
            PROJECT,
            "access key",
        ),
        (ACCESS_KEY, "secret", ORGANIZATION, PROJECT, "secret key"),
        (ACCESS_KEY, SECRET_KEY, "x", PROJECT, "organization id"),
        (ACCESS_KEY, SECRET_KEY, ORGANIZATION, "x", "project id"),
    ] {
        let error = Identity::from_parts(access_key, secret_key, organization, project);
        let text = error.unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("the {wanted} must be ")),
            "{text}"
        );
        assert!(!text.contains("secret key must be secret"), "{text}");
    }
    let drawn = Identity::generate().unwrap();
    let secret_key = drawn.secret_key(SecretAccess::insecure());
    let (organization, project) = (drawn.organization_id(), drawn.project_id());
    Identity::from_parts(drawn.access_key(), secret_key, &organization, &project).unwrap();
    assert!(!format!("{drawn:?}").contains(secret_key));
}

#[test]
fn the_environment_is_what_official_clients_read() {
    let environment = owner().environment("http://127.0.0.1:1", SecretAccess::insecure());
    let lines: Vec<String> = environment
        .iter()
        .map(|(name, value)| format!("{name}={}", **value))
        .collect();
    assert_eq!(
        lines,
        [
            "SCW_API_URL=http://127.0.0.1:1".to_owned(),
            format!("SCW_ACCESS_KEY={ACCESS_KEY}"),
            format!("SCW_SECRET_KEY={SECRET_KEY}"),
            format!("SCW_DEFAULT_ORGANIZATION_ID={ORGANIZATION}"),
            format!("SCW_DEFAULT_PROJECT_ID={PROJECT}"),
            "SCW_DEFAULT_REGION=fr-par".to_owned(),
        ]
    );
}
