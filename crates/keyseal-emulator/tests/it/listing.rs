//! Lists: filters, orders, pages.

use std::time::Duration;

use keyseal_emulator::Parsing;
use serde_json::{Value, json};

use super::client::{Caller, ORGANIZATION, PROJECT, UNKNOWN_KEY, base64};

fn names(caller: &Caller, query: &str) -> Vec<String> {
    let (status, list) = caller.call("GET", &format!("keys?{query}"), Value::Null);
    assert_eq!(status, 200, "{query}: {list}");
    let keys = list["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["name"].as_str().unwrap().to_owned())
        .collect()
}

fn caller_with_keys() -> Caller {
    let caller = Caller::new();
    for (name, usage, algorithm, tags) in [
        (
            "b",
            "symmetric_encryption",
            "aes_256_gcm",
            json!(["prod", "db"]),
        ),
        ("a", "symmetric_encryption", "aes_256_gcm", json!(["prod"])),
        ("ab", "asymmetric_signing", "ec_p256_sha256", json!([])),
        (
            "gone",
            "symmetric_encryption",
            "aes_256_gcm",
            json!(["prod"]),
        ),
    ] {
        caller.clock.advance(Duration::from_secs(1));
        let (status, key) =
            caller.create(json!({"name": name, "usage": {usage: algorithm}, "tags": tags}));
        assert_eq!(status, 200, "{key}");
        if name == "gone" {
            let path = format!("keys/{}", key["id"].as_str().unwrap());
            assert_eq!(caller.call("DELETE", &path, Value::Null).0, 204);
        }
    }
    caller
}

#[test]
fn filters_select_what_they_say() {
    let caller = caller_with_keys();
    for (query, wanted) in [
        ("", &["a", "ab", "b"][..]),
        ("name=a", &["a"]),
        ("name=c", &[]),
        ("tags=prod", &["a", "b"]),
        ("tags=prod&tags=db", &["b"]),
        ("tags=db&tags=none", &[]),
        ("usage=asymmetric_signing", &["ab"]),
        ("usage=asymmetric_encryption", &[]),
        ("usage=key_encapsulation", &[]),
        ("protection_level=software", &["a", "ab", "b"]),
        ("protection_level=hsm", &[]),
        (
            "protection_level=unknown_protection_level",
            &["a", "ab", "b"],
        ),
        ("usage=unknown_usage", &["a", "ab", "b"]),
        ("scheduled_for_deletion=false", &["a", "ab", "b"]),
        ("scheduled_for_deletion=False", &["a", "ab", "b"]),
        ("scheduled_for_deletion=true", &["gone"]),
        ("scheduled_for_deletion=True", &["gone"]),
    ] {
        assert_eq!(names(&caller, query), wanted, "{query}");
    }
    assert_eq!(
        names(&caller, &format!("organization_id={ORGANIZATION}")).len(),
        3
    );
    assert_eq!(names(&caller, &format!("project_id={PROJECT}")).len(), 3);
    assert_eq!(
        names(&caller, &format!("project_id={UNKNOWN_KEY}")).len(),
        0
    );
    assert_eq!(
        names(&caller, &format!("organization_id={UNKNOWN_KEY}")).len(),
        0
    );
}

#[test]
fn orders_are_those_of_the_service() {
    let caller = caller_with_keys();
    let (_, list) = caller.call("GET", "keys?name=b", Value::Null);
    let id = list["keys"][0]["id"].as_str().unwrap();
    caller.clock.advance(Duration::from_secs(1));
    caller.ok(id, "protect", json!({}));
    for (order, wanted) in [
        ("name_asc", ["a", "ab", "b"]),
        ("name_desc", ["b", "ab", "a"]),
        ("created_at_asc", ["b", "a", "ab"]),
        ("created_at_desc", ["ab", "a", "b"]),
        ("updated_at_asc", ["a", "ab", "b"]),
        ("updated_at_desc", ["b", "ab", "a"]),
    ] {
        assert_eq!(
            names(&caller, &format!("order_by={order}")),
            wanted,
            "{order}"
        );
    }
}

#[test]
fn pages_are_stable_disjoint_and_end_with_an_empty_one() {
    let caller = Caller::new();
    for number in 0..45 {
        let usage = json!({"symmetric_encryption": "aes_256_gcm"});
        // Some have the same name: the order must be stable all the same.
        caller.create(json!({"name": format!("key-{:02}", number / 3), "usage": usage}));
    }
    let page = |query: &str| {
        let (_, list) = caller.call("GET", &format!("keys?{query}"), Value::Null);
        assert_eq!(list["total_count"], 45);
        let keys = list["keys"].as_array().unwrap();
        keys.iter()
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(page("").len(), 20);
    assert_eq!(page("page=3").len(), 5);
    assert!(page("page=4").is_empty());
    assert!(page("page=4294967295&page_size=100").is_empty());
    assert_eq!(page("page_size=100").len(), 45);
    assert_eq!(page("page_size=1&page=45").len(), 1);
    let mut walked: Vec<String> = (1..=7)
        .flat_map(|number| page(&format!("page={number}&page_size=7")))
        .collect();
    assert_eq!(walked, page("page_size=100"));
    walked.sort();
    walked.dedup();
    assert_eq!(walked.len(), 45);
}

#[test]
fn a_list_without_a_filter_is_refused_when_parsing_is_strict() {
    let caller = Caller::with(|builder| builder.parsing(Parsing::Strict));
    assert_eq!(caller.call("GET", "keys", Value::Null).0, 400);
    assert_eq!(
        caller
            .call("GET", &format!("keys?project_id={PROJECT}"), Value::Null)
            .0,
        200
    );
    assert_eq!(
        caller
            .call(
                "GET",
                &format!("keys?organization_id={ORGANIZATION}"),
                Value::Null
            )
            .0,
        200
    );
}

#[test]
fn algorithms_are_those_that_the_emulator_offers() {
    let caller = Caller::new();
    let list = |query: &str| {
        let (status, list) = caller.call("GET", &format!("algorithms{query}"), Value::Null);
        assert_eq!(status, 200);
        list["algorithms"].as_array().unwrap().clone()
    };
    let all = list("");
    assert_eq!(all.len(), 13);
    let aes = json!({"usage": "symmetric_encryption", "name": "aes_256_gcm", "recommended": true});
    assert_eq!(list("?usages=symmetric_encryption"), [aes]);
    assert_eq!(list("?usages=asymmetric_encryption").len(), 3);
    assert_eq!(
        list("?usages=asymmetric_encryption&usages=asymmetric_signing").len(),
        12
    );
    let recommended: Vec<&str> = all
        .iter()
        .filter(|algorithm| algorithm["recommended"] == true)
        .map(|algorithm| algorithm["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        recommended,
        ["aes_256_gcm", "rsa_oaep_3072_sha256", "ec_p256_sha256"]
    );
    for algorithm in &all {
        let (usage, name) = (
            algorithm["usage"].as_str().unwrap(),
            algorithm["name"].as_str().unwrap(),
        );
        if !name.contains("4096") {
            caller.key(usage, name);
        }
    }
}

#[test]
fn rotations_are_listed_with_their_fate() {
    let caller = Caller::new();
    let id = caller.external_key();
    for byte in 1..=3 {
        caller.clock.advance(Duration::from_secs(1));
        caller.ok(
            &id,
            "import-key-material",
            json!({"key_material": base64(&[byte; 32])}),
        );
    }
    caller.clock.advance(Duration::from_secs(1));
    caller.ok(&id, "delete-key-material", json!({"key_rotation_index": 2}));
    let list = |query: &str| {
        let path = format!("keys/{id}/rotations?{query}");
        let (status, list) = caller.call("GET", &path, Value::Null);
        assert_eq!(status, 200, "{list}");
        let rotations = list["rotations"].as_array().unwrap();
        let indices: Vec<u64> = rotations
            .iter()
            .map(|rotation| rotation["index"].as_u64().unwrap())
            .collect();
        (indices, list["total_count"].as_u64().unwrap())
    };
    assert_eq!(list(""), (vec![1, 2, 3], 3));
    assert_eq!(list("order_by=created_at_desc"), (vec![3, 2, 1], 3));
    assert_eq!(list("status=enabled"), (vec![1, 3], 2));
    assert_eq!(list("status=deleted"), (vec![2], 1));
    assert_eq!(list("status=enabled&status=deleted"), (vec![1, 2, 3], 3));
    assert_eq!(
        list("status=unknown_status&page_size=2&page=2"),
        (vec![3], 3)
    );
    let response = caller.raw("GET", &format!("keys/{id}/rotations?status=deleted"), "");
    assert_eq!(
        String::from_utf8(response.body().to_vec()).unwrap(),
        format!(
            r#"{{"rotations":[{{"key_id":"{id}","index":2,"status":"deleted","manually_rotated":true,"created_at":"2026-07-07T07:46:08.576401Z","updated_at":"2026-07-07T07:46:10.576401Z","deleted_at":"2026-07-07T07:46:10.576401Z"}}],"total_count":1}}"#
        )
    );
    for query in ["status=lost", "order_by=index_asc"] {
        assert_eq!(
            caller
                .raw("GET", &format!("keys/{id}/rotations?{query}"), "")
                .status(),
            400
        );
    }
}
