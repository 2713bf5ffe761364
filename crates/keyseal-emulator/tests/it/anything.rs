//! Every request, however odd, gets a well-formed answer.

use keyseal_emulator::Request;
use proptest::prelude::*;

use super::client::{Caller, SECRET_KEY, UNKNOWN_KEY};

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("key-manager/v1alpha1/regions".to_owned()),
        Just("fr-par".to_owned()),
        Just("keys".to_owned()),
        Just("KEY".to_owned()),
        Just(UNKNOWN_KEY.to_owned()),
        Just("emulator".to_owned()),
        Just("rotations".to_owned()),
        prop_oneof![
            Just("encrypt"),
            Just("decrypt"),
            Just("import-key-material")
        ]
        .prop_map(str::to_owned),
        "[ -~é]{0,12}",
    ];
    (prop::collection::vec(part, 0..6), "(\\?[ -~]{0,40})?")
        .prop_map(|(parts, query)| format!("/{}{query}", parts.join("/")))
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just("plaintext"),
        Just("ciphertext"),
        Just("associated_data"),
        Just("usage"),
        Just("project_id"),
        Just("rotation_policy"),
        Just("tags"),
        Just("key_material"),
    ];
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("{}".to_owned()),
        Just("[null]".to_owned()),
        Just(r#"{"rotation_period":"86400s"}"#.to_owned()),
        Just(r#"{"symmetric_encryption":"aes_256_gcm"}"#.to_owned()),
        "\"[A-Za-z0-9+/=]{0,60}\"",
        "-?[0-9]{1,20}",
    ];
    let members = prop::collection::vec((name, value), 0..5).prop_map(|members| {
        let members = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into_bytes()
    });
    prop_oneof![4 => members, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #[test]
    fn every_request_gets_an_answer_that_clients_can_read(
        method in prop_oneof![Just("GET"), Just("POST"), Just("PATCH"), Just("DELETE"), Just("PUT")],
        path in path(),
        body in body(),
    ) {
        let caller = Caller::new();
        let path = path.replace("KEY", &caller.symmetric_key());
        let request = Request::new(method, &path)
            .with_header("X-Auth-Token", SECRET_KEY)
            .with_body(body);
        let response = caller.emulator.handle(request);
        let status = response.status();
        prop_assert!([200, 204, 400, 403, 404, 412].contains(&status), "{}", status);
        prop_assert_eq!(response.header("content-type"), Some("application/json"));
        if status == 204 {
            prop_assert!(response.body().is_empty());
        } else {
            let answer: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            prop_assert!(status == 200 || answer["type"].is_string() && answer["message"].is_string());
        }
    }
}
