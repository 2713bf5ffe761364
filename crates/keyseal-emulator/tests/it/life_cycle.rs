//! The life of a key: each state, each event, each date.

use std::time::Duration;

use keyseal_emulator::Lock;
use serde_json::{Value, json};

use super::client::{Caller, DAY, PROJECT, UNKNOWN_KEY, base64, unbase64};

const MATERIAL: &[u8] = &[7; 32];

/// Brings a new key into a state. Returns its id.
fn key_in(caller: &Caller, state: &str) -> String {
    match state {
        "enabled" => caller.symmetric_key(),
        "disabled" => {
            let id = caller.symmetric_key();
            caller.ok(&id, "disable", Value::Null);
            id
        }
        "pending_key_material" => caller.external_key(),
        "external" => {
            let id = caller.external_key();
            caller.ok(
                &id,
                "import-key-material",
                json!({"key_material": base64(MATERIAL)}),
            );
            id
        }
        "scheduled_for_deletion" => {
            let id = caller.symmetric_key();
            delete(caller, &id);
            id
        }
        "protected" => {
            let id = caller.symmetric_key();
            caller.ok(&id, "protect", Value::Null);
            id
        }
        "locked" => {
            let id = caller.symmetric_key();
            caller.emulator.set_locked(&id, Lock::Locked).unwrap();
            id
        }
        "signing" => caller.key("asymmetric_signing", "ec_p256_sha256"),
        other => panic!("{other}"),
    }
}

fn delete(caller: &Caller, id: &str) {
    let (status, answer) = caller.call("DELETE", &format!("keys/{id}"), Value::Null);
    assert_eq!((status, answer), (204, Value::Null));
}

/// Applies an event to a key. Returns the status.
fn apply(caller: &Caller, id: &str, event: &str) -> u16 {
    let path = format!("keys/{id}");
    match event {
        "get" => caller.call("GET", &path, Value::Null).0,
        "delete" => caller.call("DELETE", &path, Value::Null).0,
        "update" => caller.call("PATCH", &path, json!({"name": "other"})).0,
        "encrypt" => caller.post(id, event, json!({"plaintext": "aGVsbG8="})).0,
        "import-key-material" => {
            caller
                .post(id, event, json!({"key_material": base64(MATERIAL)}))
                .0
        }
        _ => caller.post(id, event, json!({})).0,
    }
}

const EVENTS: [&str; 13] = [
    "get",
    "update",
    "rotate",
    "protect",
    "unprotect",
    "enable",
    "disable",
    "delete",
    "restore",
    "import-key-material",
    "delete-key-material",
    "generate-data-key",
    "encrypt",
];

#[test]
fn every_event_in_every_state_has_its_status() {
    #[rustfmt::skip]
    let table = [
        // state                      get  upd  rot  pro  unp  ena  dis  del  res  imp  dm   gdk  enc
        ("enabled",                [200, 200, 200, 200, 200, 200, 200, 204, 412, 412, 412, 200, 200]),
        ("disabled",               [200, 200, 412, 200, 200, 200, 200, 204, 412, 412, 412, 412, 412]),
        ("pending_key_material",   [200, 200, 412, 200, 200, 412, 412, 204, 412, 200, 412, 412, 412]),
        ("external",               [200, 200, 412, 200, 200, 200, 200, 204, 412, 200, 204, 200, 200]),
        ("scheduled_for_deletion", [200, 412, 412, 412, 412, 412, 412, 412, 200, 412, 412, 412, 412]),
        ("protected",              [200, 200, 200, 200, 200, 200, 200, 412, 412, 412, 412, 200, 200]),
        ("locked",                 [200, 423, 423, 423, 423, 423, 423, 423, 423, 423, 423, 423, 423]),
        ("signing",                [200, 200, 400, 200, 200, 200, 200, 204, 412, 412, 412, 400, 400]),
    ];
    let caller = Caller::new();
    for (state, statuses) in table {
        for (event, wanted) in EVENTS.into_iter().zip(statuses) {
            let id = key_in(&caller, state);
            let before = caller.get(&id);
            assert_eq!(apply(&caller, &id, event), wanted, "{event} on {state}");
            if wanted >= 400 {
                assert_eq!(
                    caller.get(&id),
                    before,
                    "{event} on {state} must change nothing"
                );
            }
        }
    }
}

#[test]
fn every_event_on_an_unknown_key_is_not_found() {
    let caller = Caller::new();
    for event in EVENTS {
        assert_eq!(apply(&caller, UNKNOWN_KEY, event), 404, "{event}");
    }
}

#[test]
fn states_are_named_as_the_service_names_them() {
    let caller = Caller::new();
    for state in [
        "enabled",
        "disabled",
        "pending_key_material",
        "scheduled_for_deletion",
    ] {
        let id = key_in(&caller, state);
        assert_eq!(caller.get(&id)["state"], state);
    }
    let id = key_in(&caller, "locked");
    assert_eq!(caller.get(&id)["locked"], true);
    caller.emulator.set_locked(&id, Lock::Unlocked).unwrap();
    assert_eq!(apply(&caller, &id, "encrypt"), 200);
}

#[test]
fn a_key_is_protected_unless_asked_otherwise() {
    let caller = Caller::new();
    let usage = json!({"symmetric_encryption": "aes_256_gcm"});
    for (body, protected) in [
        (json!({"usage": usage, "unprotected": true}), false),
        (json!({"usage": usage, "unprotected": false}), true),
        (json!({"usage": usage, "unprotected": null}), true),
    ] {
        let (_, key) = caller.create(body);
        assert_eq!(key["protected"], protected);
        let id = key["id"].as_str().unwrap();
        assert_eq!(
            apply(&caller, id, "delete"),
            if protected { 412 } else { 204 }
        );
    }
}

#[test]
fn a_deleted_key_can_be_restored_for_seven_days_and_then_is_gone() {
    let caller = Caller::new();
    let (kept, lost, disabled) = (
        caller.symmetric_key(),
        caller.symmetric_key(),
        key_in(&caller, "disabled"),
    );
    let ciphertext = caller.encrypt(&kept, b"hello");
    for id in [&kept, &lost, &disabled] {
        delete(&caller, id);
        let key = caller.get(id);
        assert_eq!(key["deletion_requested_at"], key["updated_at"]);
    }
    caller.clock.advance(7 * DAY - Duration::from_millis(1));
    let restored = caller.ok(&kept, "restore", json!({}));
    assert_eq!(restored["state"], "enabled");
    assert_eq!(restored["deletion_requested_at"], Value::Null);
    assert_eq!(
        caller.ok(&disabled, "restore", json!({}))["state"],
        "disabled"
    );
    caller.clock.advance(Duration::from_millis(1));
    for event in ["get", "restore", "encrypt"] {
        assert_eq!(apply(&caller, &lost, event), 404);
    }
    let answer = caller.ok(&kept, "decrypt", json!({"ciphertext": ciphertext}));
    assert_eq!(unbase64(&answer["plaintext"]), b"hello");
    caller.clock.advance(30 * DAY);
    assert_eq!(apply(&caller, &kept, "get"), 200);
}

#[test]
fn a_manual_rotation_keeps_old_ciphertexts_and_the_schedule() {
    let caller = Caller::new();
    let (_, key) = caller.create(json!({
        "usage": {"symmetric_encryption": "aes_256_gcm"},
        "rotation_policy": {"rotation_period": "2592000s"},
    }));
    let id = key["id"].as_str().unwrap();
    let old = caller.encrypt(id, b"hello");
    caller.clock.advance(DAY);
    let rotated = caller.ok(id, "rotate", json!({}));
    assert_eq!(rotated["rotation_count"], 2);
    assert_eq!(rotated["rotation_policy"], key["rotation_policy"]);
    assert_eq!(rotated["rotated_at"], rotated["updated_at"]);
    assert_ne!(rotated["rotated_at"], key["rotated_at"]);

    let answer = caller.ok(id, "decrypt", json!({"ciphertext": old}));
    assert_eq!(answer["plaintext"], base64(b"hello"));
    let renewed = unbase64(&answer["ciphertext"]);
    assert_eq!(renewed[..5], [1, 0, 0, 0, 2]);
    assert_eq!(
        unbase64(&json!(caller.encrypt(id, b"x")))[..5],
        [1, 0, 0, 0, 2]
    );
}

#[test]
fn a_key_rotates_by_itself_on_each_date_that_passes() {
    let caller = Caller::new();
    let (_, key) = caller.create(json!({
        "usage": {"symmetric_encryption": "aes_256_gcm"},
        "rotation_policy": {"rotation_period": "86400s", "next_rotation_at": "2026-07-10T00:00:00Z"},
    }));
    let id = key["id"].as_str().unwrap();
    let first = caller.encrypt(id, b"hello");
    caller.clock.advance(2 * DAY);
    assert_eq!(caller.get(id)["rotation_count"], 1);
    caller.clock.advance(3 * DAY);
    let rotated = caller.get(id);
    assert_eq!(rotated["rotation_count"], 4);
    assert_eq!(rotated["rotated_at"], "2026-07-12T00:00:00Z");
    assert_eq!(
        rotated["rotation_policy"]["next_rotation_at"],
        "2026-07-13T00:00:00Z"
    );
    let answer = caller.ok(id, "decrypt", json!({"ciphertext": first}));
    assert_eq!(unbase64(&answer["ciphertext"])[..5], [1, 0, 0, 0, 4]);
    let rotations = caller
        .call("GET", &format!("keys/{id}/rotations"), Value::Null)
        .1;
    assert_eq!(rotations["total_count"], 4);
    assert_eq!(rotations["rotations"][3]["index"], 4);
}

#[test]
fn a_key_that_cannot_be_used_does_not_rotate_on_its_date_nor_later() {
    let caller = Caller::new();
    let policy = json!({"rotation_period": "86400s"});
    let usage = json!({"symmetric_encryption": "aes_256_gcm"});
    let (_, key) = caller.create(json!({"usage": usage, "rotation_policy": policy}));
    let id = key["id"].as_str().unwrap();
    caller.ok(id, "disable", json!({}));
    caller.clock.advance(DAY + DAY / 2);
    let enabled = caller.ok(id, "enable", json!({}));
    assert_eq!(enabled["rotation_count"], 1);
    assert_eq!(
        enabled["rotation_policy"]["next_rotation_at"],
        "2026-07-09T07:46:06.576401Z"
    );
    caller.clock.advance(DAY);
    assert_eq!(caller.get(id)["rotation_count"], 2);
}

#[test]
fn a_century_of_daily_rotations_ends_and_opens_the_first_ciphertext() {
    let caller = Caller::new();
    let (_, key) = caller.create(json!({
        "usage": {"symmetric_encryption": "aes_256_gcm"},
        "rotation_policy": {"rotation_period": "86400s"},
    }));
    let id = key["id"].as_str().unwrap();
    let first = caller.encrypt(id, b"hello");
    caller.emulator.advance_clock(36_500 * DAY).unwrap();
    assert_eq!(caller.get(id)["rotation_count"], 36_501);
    let answer = caller.ok(id, "decrypt", json!({"ciphertext": first}));
    assert_eq!(answer["plaintext"], base64(b"hello"));
    // More than a century is refused.
    caller.emulator.advance_clock(Duration::MAX).unwrap();
    assert_eq!(caller.get(id)["rotation_count"], 36_501);
}

#[test]
fn rotation_stops_at_the_last_year_that_can_be_written() {
    let caller = Caller::new();
    let (_, key) = caller.create(json!({
        "usage": {"symmetric_encryption": "aes_256_gcm"},
        "rotation_policy": {"rotation_period": "3153600000s"},
    }));
    let id = key["id"].as_str().unwrap();
    caller.clock.advance(Duration::from_secs(1 << 40));
    let rotated = caller.get(id);
    assert_eq!(rotated["rotation_count"], 80);
    let next = &rotated["rotation_policy"]["next_rotation_at"];
    assert_eq!(next, "9999-12-31T23:59:59.999999999Z");
}

#[test]
fn imported_material_rotates_and_is_deleted_one_rotation_at_a_time() {
    let caller = Caller::new();
    let id = caller.external_key();
    let import =
        |byte: u8| json!({"key_material": base64(&[byte; 32]), "salt": base64(&[byte; 16])});
    assert_eq!(
        caller.ok(&id, "import-key-material", import(1))["rotation_count"],
        1
    );
    let first = caller.encrypt(&id, b"first");
    assert_eq!(
        caller.ok(&id, "import-key-material", import(2))["rotation_count"],
        2
    );
    let second = caller.encrypt(&id, b"second");
    assert_eq!(
        caller.ok(&id, "import-key-material", import(3))["rotation_count"],
        3
    );
    let third = caller.encrypt(&id, b"third");
    let opens = |ciphertext: &str| {
        caller
            .post(&id, "decrypt", json!({"ciphertext": ciphertext}))
            .0
    };
    assert_eq!(
        [opens(&first), opens(&second), opens(&third)],
        [200, 200, 200]
    );

    caller.ok(&id, "delete-key-material", json!({"key_rotation_index": 2}));
    assert_eq!(
        [opens(&first), opens(&second), opens(&third)],
        [200, 400, 200]
    );
    let (status, error) = caller.post(&id, "delete-key-material", json!({"key_rotation_index": 2}));
    assert_eq!(
        (status, &error["details"][0]["argument_name"]),
        (400, &json!("key_rotation_index"))
    );

    // Without an index, the newest is deleted.
    caller.ok(&id, "delete-key-material", Value::Null);
    assert_eq!([opens(&first), opens(&third)], [200, 400]);
    let before = caller.get(&id);
    assert_eq!(
        (&before["rotation_count"], &before["state"]),
        (&json!(1), &json!("enabled"))
    );
    caller.ok(&id, "delete-key-material", json!({}));
    let after = caller.get(&id);
    assert_eq!(after["state"], "pending_key_material");
    assert_eq!(after["rotation_count"], 0);
    assert_eq!(after["rotated_at"], before["rotated_at"]);

    // An index is never reused: a deleted rotation stays lost.
    assert_eq!(
        caller.ok(&id, "import-key-material", import(1))["state"],
        "enabled"
    );
    assert_eq!(opens(&first), 400);
    assert_eq!(
        unbase64(&json!(caller.encrypt(&id, b"x")))[..5],
        [1, 0, 0, 0, 4]
    );
}

#[test]
fn update_changes_what_is_there_and_nothing_else() {
    let caller = Caller::new();
    let usage = json!({"symmetric_encryption": "aes_256_gcm"});
    let members = json!({"usage": usage, "name": "n", "description": "d", "tags": ["a"]});
    let (_, key) = caller.create(members);
    let path = format!("keys/{}", key["id"].as_str().unwrap());
    let update = |body: Value| {
        caller.clock.advance(Duration::from_secs(1));
        caller.call("PATCH", &path, body).1
    };
    let same = update(json!({}));
    assert_eq!(same["tags"], json!(["a"]));
    assert_ne!(same["updated_at"], key["updated_at"]);
    assert_eq!(same["rotated_at"], key["rotated_at"]);
    assert_eq!(update(json!({"name": null, "tags": null}))["name"], "n");
    let other = update(json!({"name": "m", "description": "e", "tags": ["b", "c"]}));
    assert_eq!(
        (&other["name"], &other["description"]),
        (&json!("m"), &json!("e"))
    );
    assert_eq!(other["tags"], json!(["b", "c"]));
    assert_eq!(update(json!({"tags": []}))["tags"], json!([]));
}

#[test]
fn a_key_without_a_name_gets_one() {
    let caller = Caller::new();
    let (_, key) = caller.create(json!({"usage": {"symmetric_encryption": "aes_256_gcm"}}));
    let id = key["id"].as_str().unwrap();
    assert_eq!(key["name"], format!("key-{}", &id[..8]));
}

#[test]
fn the_key_quota_of_a_project_holds() {
    let caller = Caller::with(|builder| builder.key_quota(2));
    caller.symmetric_key();
    caller.symmetric_key();
    let (status, error) = caller.create(json!({"usage": {"symmetric_encryption": "aes_256_gcm"}}));
    assert_eq!(status, 403);
    assert_eq!(error["type"], "quotas_exceeded");
    assert_eq!(
        error["details"],
        json!([{"resource": "key", "quota": 2, "current": 2}])
    );
}

#[test]
fn keys_of_another_region_are_not_found() {
    let mut caller = Caller::new();
    let id = caller.symmetric_key();
    for region in ["nl-ams", "pl-waw"] {
        caller.region = region;
        assert_eq!(apply(&caller, &id, "get"), 404);
        let (_, list) = caller.call("GET", &format!("keys?project_id={PROJECT}"), Value::Null);
        assert_eq!(list, json!({"keys": [], "total_count": 0}));
        let other = caller.symmetric_key();
        assert_eq!(caller.get(&other)["region"], region);
    }
}
