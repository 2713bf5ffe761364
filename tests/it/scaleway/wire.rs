//! How requests are sent and answers read, operation by operation, against golden bodies.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use keyseal::{
    BoxFuture, KmsError, KmsErrorKind, RemoteAead, SecretAccess, SecretBytes,
    kms::scaleway::{
        Algorithm, CreateKey, HttpRequest, HttpResponse, KeyMaterial, KeyOrder, KeyState, KeyUsage,
        ListKeys, ProtectionLevel, Region, RetryPolicy, RotationPolicy, RotationStatus, Timer,
        Timestamp, Transport, UpdateKey, UsageKind,
    },
};

use super::scripted::{Answer, FakeTimer, KEY_ID, KEY_PATH, PROJECT_ID, Scripted, Sent, vector};

fn sent(method: &'static str, target: &str, body: Option<&str>) -> Vec<Sent> {
    vec![Sent {
        method,
        target: target.to_owned(),
        body: body.map(vector),
    }]
}

fn post(action: &str, body: &str) -> Vec<Sent> {
    sent("POST", &format!("{KEY_PATH}/{action}"), Some(body))
}

fn count_up(size: u8) -> SecretBytes {
    SecretBytes::copy_from(&(0..size).collect::<Vec<u8>>(), SecretAccess::insecure())
}

fn ciphertext_of(reply: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let reply: serde_json::Value = serde_json::from_str(&vector(reply)).unwrap();
    STANDARD
        .decode(reply["ciphertext"].as_str().unwrap())
        .unwrap()
}

#[tokio::test]
async fn encrypt_sends_base64_and_leaves_empty_associated_data_out() {
    for (associated_data, body) in [
        (&b""[..], "requests/encrypt.json"),
        (b"ctx", "requests/encrypt_with_associated_data.json"),
    ] {
        let service = Scripted::new([Answer::golden(200, "replies/encrypt.json")]);
        let ciphertext = service
            .key()
            .encrypt(b"hello", associated_data)
            .await
            .unwrap();
        assert_eq!(ciphertext, ciphertext_of("replies/encrypt.json"));
        assert_eq!(ciphertext.len(), 47);
        assert_eq!(service.sent(), post("encrypt", body));
    }
}

#[tokio::test]
async fn decrypt_sends_base64_and_leaves_empty_associated_data_out() {
    let ciphertext = ciphertext_of("replies/encrypt.json");
    for (associated_data, body) in [
        (&b""[..], "requests/decrypt.json"),
        (b"ctx", "requests/decrypt_with_associated_data.json"),
    ] {
        let service = Scripted::new([Answer::golden(200, "replies/decrypt.json")]);
        let plaintext = service
            .key()
            .decrypt(&ciphertext, associated_data)
            .await
            .unwrap();
        assert_eq!(plaintext, b"hello");
        assert_eq!(plaintext.capacity(), plaintext.len());
        assert_eq!(service.sent(), post("decrypt", body));
    }
}

#[tokio::test]
async fn decrypt_with_refresh_shows_the_ciphertext_of_the_newest_version() {
    for (reply, refreshed) in [
        ("replies/decrypt.json", None),
        (
            "replies/decrypt_refreshed.json",
            Some(ciphertext_of("replies/data_key.json")),
        ),
    ] {
        let service = Scripted::new([Answer::golden(200, reply)]);
        let decrypted = service
            .key()
            .decrypt_with_refresh(b"old", b"")
            .await
            .unwrap();
        assert_eq!(decrypted.plaintext(), b"hello");
        assert_eq!(decrypted.rewrapped(), refreshed.as_deref());
        assert!(!format!("{decrypted:?}").contains("hello"));
        assert_eq!(decrypted.into_plaintext(), b"hello");
    }
}

#[tokio::test]
async fn generate_data_key_gives_the_wrapped_key_and_the_secret() {
    let service = Scripted::new([Answer::golden(200, "replies/data_key.json")]);
    let data_key = service.key().generate_data_key().await.unwrap();
    assert_eq!(data_key.secret().bytes(), &count_up(32));
    let wrapped = data_key.wrapped();
    assert_eq!(wrapped.ciphertext(), ciphertext_of("replies/data_key.json"));
    assert_eq!(wrapped.ciphertext().len(), 65);
    assert_eq!(wrapped.algorithm(), &Algorithm::AES_256_GCM);
    assert_eq!(wrapped.key_id().to_string(), KEY_ID);
    let created_at = wrapped.created_at().unwrap();
    assert_eq!(created_at.to_string(), "2026-07-07T07:46:08.576401298Z");
    assert_eq!(
        service.sent(),
        post("generate-data-key", "requests/generate_data_key.json")
    );
}

#[tokio::test]
async fn generate_wrapped_data_key_never_sees_the_secret() {
    let service = Scripted::new([Answer::golden(
        200,
        "replies/data_key_without_plaintext.json",
    )]);
    let wrapped = service.key().generate_wrapped_data_key().await.unwrap();
    assert_eq!(wrapped.ciphertext(), ciphertext_of("replies/data_key.json"));
    let body = "requests/generate_data_key_without_plaintext.json";
    assert_eq!(service.sent(), post("generate-data-key", body));

    let service = Scripted::new([Answer::golden(
        200,
        "replies/data_key_without_plaintext.json",
    )]);
    let error = service.key().generate_data_key().await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::InvalidReply);
}

#[tokio::test]
async fn create_key_sends_what_was_asked_for_and_no_more() {
    let time: Timestamp = "2026-08-21T10:26:52Z".parse().unwrap();
    let everything = CreateKey::new(KeyUsage::SymmetricEncryption(Algorithm::named(
        "aes_256_gcm",
    )))
    .name("my-kek")
    .description("root kek")
    .tag("prod")
    .tag("db")
    .rotation(RotationPolicy::every(Duration::from_secs(7_776_000)).starting_at(time))
    .unprotected()
    .external()
    .protection_level(ProtectionLevel::Hsm);
    for (key, body) in [
        (CreateKey::aes_256_gcm(), "requests/create_key.json"),
        (everything, "requests/create_key_with_everything.json"),
    ] {
        let service = Scripted::new([Answer::golden(200, "replies/key.json")]);
        let made = service.client().create_key(&key).await.unwrap();
        assert_eq!(made.id().to_string(), KEY_ID);
        let target = "/key-manager/v1alpha1/regions/fr-par/keys";
        assert_eq!(service.sent(), sent("POST", target, Some(body)));
    }
}

#[tokio::test]
async fn create_key_goes_to_the_project_and_region_that_were_named() {
    let made = vector("replies/key.json").replace("fr-par", "pl-waw");
    let service = Scripted::new([Answer::json(200, made)]);
    let other = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
    let key = CreateKey::aes_256_gcm().project(other.parse().unwrap());
    service
        .client()
        .in_region(Region::PL_WAW)
        .create_key(&key)
        .await
        .unwrap();
    let sent = service.sent().remove(0);
    assert_eq!(sent.target, "/key-manager/v1alpha1/regions/pl-waw/keys");
    assert!(sent.body.unwrap().contains(other));

    let service = Scripted::new([]);
    let client = keyseal::kms::scaleway::ScalewayClient::builder()
        .secret_key(super::scripted::SECRET_KEY)
        .region("fr-par")
        .transport(service.clone())
        .build()
        .unwrap();
    let error = client
        .create_key(&CreateKey::aes_256_gcm())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::Configuration);
}

#[tokio::test]
async fn get_reads_every_field_of_a_key() {
    let service = Scripted::new([Answer::golden(
        200,
        "replies/key_scheduled_for_deletion.json",
    )]);
    let key = service.key().get().await.unwrap();
    assert_eq!(service.sent(), sent("GET", KEY_PATH, None));

    assert_eq!(key.id().to_string(), KEY_ID);
    assert_eq!(key.project_id().unwrap().to_string(), PROJECT_ID);
    assert_eq!(
        key.uri().to_string(),
        format!("scw-kms://regions/fr-par/keys/{KEY_ID}")
    );
    assert_eq!(key.name(), "my-kek");
    assert_eq!(key.description(), Some("Test key"));
    assert_eq!(key.tags(), ["tf", "test"]);
    assert_eq!(
        key.usage(),
        Some(KeyUsage::SymmetricEncryption(Algorithm::AES_256_GCM))
    );
    assert_eq!(key.state(), KeyState::ScheduledForDeletion);
    assert_eq!(key.origin(), "scaleway_kms");
    assert_eq!(key.rotation_count(), 2);
    assert!(!key.is_protected() && !key.is_locked());
    let policy = key.rotation_policy().unwrap();
    assert_eq!(policy.period(), Some(Duration::from_secs(2_592_000)));
    assert_eq!(
        policy.next().unwrap().to_string(),
        "2026-08-21T10:26:52.942709Z"
    );
    assert_eq!(
        key.created_at().unwrap().to_string(),
        "2026-07-07T07:46:06.350936Z"
    );
    assert_eq!(
        key.updated_at().unwrap().to_string(),
        "2026-07-22T10:26:52.942709Z"
    );
    assert_eq!(key.rotated_at(), key.updated_at());
    assert_eq!(key.deletion_requested_at(), key.updated_at());
    assert_eq!(
        key.json(),
        vector("replies/key_scheduled_for_deletion.json")
    );
}

#[tokio::test]
async fn get_reads_a_key_without_material() {
    let service = Scripted::new([Answer::golden(200, "replies/key_without_material.json")]);
    let key = service.key().get().await.unwrap();
    assert_eq!(key.state(), KeyState::PendingKeyMaterial);
    assert_eq!((key.origin(), key.rotation_count()), ("external", 0));
    assert!(key.is_protected());
    assert!(key.tags().is_empty());
    assert_eq!(
        (key.description(), key.rotated_at(), key.rotation_policy()),
        (None, None, None)
    );
}

#[tokio::test]
async fn get_passes_on_what_this_version_does_not_know() {
    let service = Scripted::new([Answer::golden(200, "replies/key_of_the_future.json")]);
    let key = service.key().get().await.unwrap();
    assert_eq!(
        key.usage(),
        Some(KeyUsage::AsymmetricSigning(Algorithm::named("ml_dsa_65")))
    );
    assert_eq!(
        key.usage_member(),
        Some(("asymmetric_signing", "ml_dsa_65"))
    );
    assert_eq!(key.state(), KeyState::Other("resting".to_owned()));
    assert!(key.tags().is_empty());
    assert!(key.is_locked());
    assert!(key.json().contains(r#""new_field":{"nested":[1]}"#));
}

#[tokio::test]
async fn get_reads_the_resource_name_the_protection_level_and_every_usage() {
    let service = Scripted::new([Answer::golden(200, "replies/key_with_srn.json")]);
    let key = service.key().get().await.unwrap();
    let srn = format!("srn://key-manager.scw.eu/regions/fr-par/keys/{KEY_ID}");
    assert_eq!(key.srn(), Some(&*srn));
    assert_eq!(key.protection_level(), Some(ProtectionLevel::Hsm));
    let usage = KeyUsage::KeyEncapsulation(Algorithm::named("ml_kem_768"));
    assert_eq!(key.usage(), Some(usage));

    // A usage that does not exist yet has a name all the same.
    let future = vector("replies/key_with_srn.json").replace("key_encapsulation", "divination");
    let future = future.replace("\"hsm\"", "\"enclave\"");
    let service = Scripted::new([Answer::json(200, future)]);
    let key = service.key().get().await.unwrap();
    assert_eq!(key.usage(), None);
    assert_eq!(key.usage_member(), Some(("divination", "ml_kem_768")));
    let level = ProtectionLevel::Other("enclave".to_owned());
    assert_eq!(key.protection_level(), Some(level));

    // Clients send such a member, and a server may send it back.
    let unset = vector("replies/key.json").replace("aes_256_gcm", "unknown_symmetric_encryption");
    let service = Scripted::new([Answer::json(200, unset)]);
    assert_eq!(service.key().get().await.unwrap().usage_member(), None);
}

#[tokio::test]
async fn a_key_of_another_region_or_another_id_is_no_answer() {
    let here = vector("replies/key_with_srn.json");
    let other_id = "22222222-2222-4333-8444-555555555555";
    let region = |key: &str| key.replace("\"region\":\"fr-par\"", "\"region\":\"nl-ams\"");
    let srn = |key: &str| key.replace("/regions/fr-par/", "/regions/nl-ams/");
    for (answer, why) in [
        (region(&vector("replies/key.json")), "another region"),
        (region(&here), "another region"),
        (srn(&here), "the SRN of another key"),
        (region(&srn(&here)), "another region"),
        (here.replace("\"fr-par\"", "\"\""), "another region"),
        (here.replace(KEY_ID, other_id), "about another key"),
    ] {
        let service = Scripted::new((0..3).map(|_| Answer::json(200, answer.clone())));
        let key = service.key();
        for error in [
            key.get().await.unwrap_err(),
            key.rotate().await.unwrap_err(),
            key.update(&UpdateKey::new()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), KmsErrorKind::InvalidReply);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
    let made = region(&vector("replies/key.json"));
    let listed = format!(r#"{{"keys":[{made}],"total_count":1}}"#);
    let service = Scripted::new([Answer::json(200, made), Answer::json(200, listed)]);
    let client = service.client();
    let error = client.create_key(&CreateKey::aes_256_gcm()).await;
    assert_eq!(error.unwrap_err().kind(), KmsErrorKind::InvalidReply);
    let error = client.list_keys(&ListKeys::new()).await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::InvalidReply);

    // A resource name of a form that is not known is no contradiction.
    let renamed = here.replace("srn://key-manager.", "srn:v2:");
    let service = Scripted::new([Answer::json(200, renamed)]);
    service.key().get().await.unwrap();
}

#[tokio::test]
async fn update_sends_only_what_changes() {
    let service = Scripted::new([Answer::golden(200, "replies/key.json")]);
    let changes = UpdateKey::new()
        .name("my-kek-2")
        .description("")
        .tags(Vec::<String>::new())
        .rotation(RotationPolicy::every(Duration::from_secs(2_592_000)));
    service.key().update(&changes).await.unwrap();
    assert_eq!(
        service.sent(),
        sent("PATCH", KEY_PATH, Some("requests/update_key.json"))
    );

    let service = Scripted::new([Answer::golden(200, "replies/key.json")]);
    service.key().update(&UpdateKey::new()).await.unwrap();
    assert_eq!(
        service.sent(),
        sent("PATCH", KEY_PATH, Some("requests/empty.json"))
    );

    let service = Scripted::new([Answer::golden(200, "replies/key.json")]);
    let time: Timestamp = "2026-08-21T10:26:52Z".parse().unwrap();
    let later = UpdateKey::new().rotation(RotationPolicy::next_at(time));
    service.key().update(&later).await.unwrap();
    let body = "requests/update_next_rotation.json";
    assert_eq!(service.sent(), sent("PATCH", KEY_PATH, Some(body)));
}

#[tokio::test]
async fn verbs_of_the_life_cycle_post_an_empty_object() {
    macro_rules! check {
        ($($method:ident $action:literal),*) => {$(
            let service = Scripted::new([Answer::golden(200, "replies/key.json")]);
            let key = service.key().$method().await.unwrap();
            assert_eq!(key.state(), KeyState::Enabled);
            assert_eq!(service.sent(), post($action, "requests/empty.json"));
        )*};
    }
    check!(rotate "rotate", enable "enable", disable "disable", protect "protect",
           unprotect "unprotect", restore "restore");
}

#[tokio::test]
async fn delete_wants_no_body_in_either_direction() {
    let service = Scripted::new([Answer::empty(204)]);
    service.key().delete().await.unwrap();
    assert_eq!(service.sent(), sent("DELETE", KEY_PATH, None));
}

#[tokio::test]
async fn key_material_is_imported_and_deleted() {
    for (salt, body) in [
        (Vec::new(), "requests/import_key_material.json"),
        (
            (0..16).collect(),
            "requests/import_key_material_with_salt.json",
        ),
    ] {
        let service = Scripted::new([Answer::golden(200, "replies/key.json")]);
        service
            .key()
            .import_key_material(&count_up(32), &salt)
            .await
            .unwrap();
        assert_eq!(service.sent(), post("import-key-material", body));
    }
    for (which, body) in [
        (KeyMaterial::Newest, "requests/empty.json"),
        (KeyMaterial::Version(3), "requests/delete_key_material.json"),
    ] {
        let service = Scripted::new([Answer::empty(204)]);
        service.key().delete_key_material(which).await.unwrap();
        assert_eq!(service.sent(), post("delete-key-material", body));
    }
}

#[tokio::test]
async fn versions_are_listed_with_the_index_that_deletes_their_material() {
    let service = Scripted::new([Answer::golden(200, "replies/rotations.json")]);
    let rotations = service.key().list_rotations().await.unwrap();
    let target = format!("{KEY_PATH}/rotations?order_by=created_at_asc&page=1&page_size=100");
    assert_eq!(service.sent(), sent("GET", &target, None));
    let [old, new] = &rotations[..] else {
        panic!("{rotations:?}");
    };
    assert_eq!((old.index(), new.index()), (1, 2));
    assert_eq!(old.status(), &RotationStatus::Deleted);
    assert_eq!(new.status(), &RotationStatus::Enabled);
    assert!(!old.is_manual() && new.is_manual());
    let deleted = old.deleted_at().unwrap();
    assert_eq!(deleted.to_string(), "2026-08-07T07:46:06.350936Z");
    assert_eq!(old.updated_at(), old.deleted_at());
    let created = new.created_at().unwrap();
    assert_eq!(created.to_string(), "2026-07-08T07:46:06.350936Z");
    assert_eq!(new.deleted_at(), None);
}

/// A page of versions with these indices.
fn page_of_versions(indices: std::ops::Range<u32>, total_count: u32) -> Answer {
    let rotations: Vec<_> = indices
        .map(|index| format!(r#"{{"key_id":"{KEY_ID}","index":{index},"status":"enabled"}}"#))
        .collect();
    let rotations = rotations.join(",");
    Answer::json(
        200,
        format!(r#"{{"rotations":[{rotations}],"total_count":{total_count}}}"#),
    )
}

#[tokio::test]
async fn a_list_of_versions_has_all_pages_and_ends_on_a_server_that_repeats_one() {
    let service = Scripted::new([
        page_of_versions(1..101, 103),
        page_of_versions(101..104, 103),
    ]);
    let rotations = service.key().list_rotations().await.unwrap();
    assert_eq!(rotations.len(), 103);

    let service = Scripted::new((0..3).map(|_| page_of_versions(1..101, 1_000)));
    let error = service.key().list_rotations().await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::InvalidReply, "{error}");
    assert_eq!(service.sent().len(), 2);

    // Also one that repeats a page where the list should end.
    let service = Scripted::new((0..3).map(|_| page_of_versions(1..101, 150)));
    let error = service.key().list_rotations().await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::InvalidReply, "{error}");

    let other = r#"{"rotations":[{"key_id":"22222222-2222-4333-8444-555555555555","index":1}],
        "total_count":1}"#;
    let service = Scripted::new([Answer::json(200, other)]);
    let error = service.key().list_rotations().await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::InvalidReply, "{error}");
}

#[tokio::test]
async fn keys_are_wrapped_and_unwrapped() {
    for (associated_data, suffix) in [(&b""[..], ""), (b"ctx", "_with_associated_data")] {
        let service = Scripted::new([
            Answer::golden(200, "replies/wrap.json"),
            Answer::golden(200, "replies/unwrap.json"),
        ]);
        let key = service.key();
        let wrapped = key.wrap_key(&count_up(32), associated_data).await.unwrap();
        assert_eq!(wrapped, b"wrapped");
        let unwrapped = key.unwrap_key(&wrapped, associated_data).await.unwrap();
        assert_eq!(unwrapped, count_up(32));
        let expected = [
            post("wrap", &format!("requests/wrap{suffix}.json")),
            post("unwrap", &format!("requests/unwrap{suffix}.json")),
        ];
        assert_eq!(service.sent(), expected.concat());
    }
    let service = Scripted::new([Answer::golden(400, "errors/400_decrypt.json")]);
    let key = service.key();
    let error = key.unwrap_key(b"wrapped", b"").await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::DecryptionFailed);
    for nothing in [
        key.wrap_key(&count_up(0), b"").await.map(drop),
        key.unwrap_key(b"", b"").await.map(drop),
    ] {
        assert_eq!(nothing.unwrap_err().kind(), KmsErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn import_parameters_are_a_public_key_and_a_token() {
    let service = Scripted::new([
        Answer::golden(200, "replies/import_parameters.json"),
        Answer::golden(200, "replies/wrap.json"),
    ]);
    let wrapping = Algorithm::named("rsa_aes_key_wrap_3072_sha256");
    let key = service.key();
    let parameters = key.import_parameters(&wrapping).await.unwrap();
    assert_eq!(parameters.public_key(), b"public");
    assert_eq!(parameters.import_token(), b"token");
    let error = key.import_parameters(&wrapping).await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::InvalidReply, "{error}");
    let body = "requests/import_parameters.json";
    assert_eq!(service.sent()[..1], post("import-parameters", body));
}

#[tokio::test]
async fn digests_are_signed_and_signatures_verified() {
    let digest: Vec<u8> = (0..32).collect();
    let service = Scripted::new([Answer::golden(200, "replies/sign.json")]);
    assert_eq!(service.key().sign(&digest).await.unwrap(), b"signature");
    assert_eq!(service.sent(), post("sign", "requests/sign.json"));

    let service = Scripted::new([Answer::golden(200, "replies/verify_valid.json")]);
    service.key().verify(&digest, b"signature").await.unwrap();
    assert_eq!(service.sent(), post("verify", "requests/verify.json"));

    let service = Scripted::new([Answer::golden(200, "replies/verify_invalid.json")]);
    let error = service
        .key()
        .verify(&digest, b"signature")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::InvalidSignature);
}

#[tokio::test]
async fn a_public_key_is_the_service_s_own_text() {
    let service = Scripted::new([Answer::golden(200, "replies/public_key.json")]);
    let pem = service.key().public_key().await.unwrap();
    assert!(pem.starts_with("-----BEGIN EC PUBLIC KEY-----\n"));
    assert_eq!(
        service.sent(),
        sent("GET", &format!("{KEY_PATH}/public-key"), None)
    );
}

#[tokio::test]
async fn algorithms_are_listed_by_usage() {
    let base = "/key-manager/v1alpha1/regions/fr-par/algorithms";
    for (usages, target) in [
        (&[][..], base.to_owned()),
        (
            &[UsageKind::SymmetricEncryption, UsageKind::AsymmetricSigning],
            format!("{base}?usages=symmetric_encryption&usages=asymmetric_signing"),
        ),
    ] {
        let service = Scripted::new([Answer::golden(200, "replies/algorithms.json")]);
        let algorithms = service.client().list_algorithms(usages).await.unwrap();
        assert_eq!(algorithms.len(), 3);
        assert_eq!(algorithms[0].algorithm, Algorithm::AES_256_GCM);
        assert!(algorithms[0].recommended && !algorithms[1].recommended);
        assert_eq!(algorithms[2].usage, "asymmetric_signing");
        assert_eq!(service.sent(), sent("GET", &target, None));
    }
}

#[tokio::test]
async fn keys_are_listed_by_what_was_asked_for() {
    let base = "/key-manager/v1alpha1/regions/fr-par/keys?";
    let organization = "cccccccc-cccc-4ccc-8ccc-cccccccccccc";
    let everything = ListKeys::new()
        .organization(organization.parse().unwrap())
        .name("a&b c")
        .tag("x=1")
        .tag("é")
        .usage(UsageKind::SymmetricEncryption)
        .order(KeyOrder::CreatedDesc)
        .protection_level(ProtectionLevel::Software)
        .scheduled_for_deletion();
    for (which, query) in [
        (
            ListKeys::new(),
            format!(
                "order_by=name_asc&page=1&page_size=100&project_id={PROJECT_ID}\
                 &scheduled_for_deletion=false"
            ),
        ),
        (
            everything,
            format!(
                "name=a%26b+c&order_by=created_at_desc&organization_id={organization}&page=1\
                 &page_size=100&protection_level=software&scheduled_for_deletion=true&tags=x%3D1&tags=%C3%A9\
                 &usage=symmetric_encryption"
            ),
        ),
    ] {
        let service = Scripted::new([Answer::golden(200, "replies/keys.json")]);
        let keys = service.client().list_keys(&which).await.unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].json(), vector("replies/key.json"));
        assert_eq!(service.sent(), sent("GET", &format!("{base}{query}"), None));
    }
}

/// A page of keys with these numbers in their ids.
fn page(numbers: std::ops::Range<u32>, total_count: u32) -> Answer {
    let keys: Vec<_> = numbers
        .map(|number| format!(r#"{{"id":"{number:08}-2222-4333-8444-555555555555"}}"#))
        .collect();
    Answer::json(
        200,
        format!(
            r#"{{"keys":[{}],"total_count":{total_count}}}"#,
            keys.join(",")
        ),
    )
}

#[tokio::test]
async fn listing_walks_all_pages_and_gives_each_key_once() {
    // Between the pages one key was made: the last of the first page comes again.
    let service = Scripted::new([page(0..100, 250), page(99..199, 251), page(199..250, 251)]);
    let keys = service.client().list_keys(&ListKeys::new()).await.unwrap();
    assert_eq!(keys.len(), 250);
    let pages: Vec<_> = service.sent().into_iter().map(|sent| sent.target).collect();
    for (number, target) in (1..).zip(&pages) {
        assert!(target.contains(&format!("&page={number}&")), "{target}");
    }
    assert_eq!(pages.len(), 3);
}

#[tokio::test]
async fn listing_ends_on_an_empty_page_whatever_the_count_says() {
    let past_the_end = Answer::golden(200, "replies/keys_past_the_end.json");
    let service = Scripted::new([page(0..3, 12), past_the_end]);
    assert_eq!(
        service
            .client()
            .list_keys(&ListKeys::new())
            .await
            .unwrap()
            .len(),
        3
    );
    assert!(service.is_exhausted());
}

#[tokio::test]
async fn listing_ends_on_a_server_that_repeats_a_page() {
    for total_count in [101, 1000, u32::MAX] {
        let service = Scripted::new((0..3).map(|_| page(0..100, total_count)));
        let listed = service.client().list_keys(&ListKeys::new()).await;
        let error = listed.map(drop).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::InvalidReply);
        assert_eq!(service.sent().len(), 2);
    }
}

#[tokio::test]
async fn listing_ends_in_time_on_a_server_that_always_has_another_page() {
    /// New keys on every page, each after half a second of the clock.
    struct Endless(AtomicU32, FakeTimer);
    impl Transport for Endless {
        fn send<'a>(
            &'a self,
            request: &'a HttpRequest,
        ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
            Box::pin(async move {
                self.1.sleep(Duration::from_millis(500)).await;
                let first = self.0.fetch_add(100, Ordering::Relaxed);
                let page = Scripted::new([page(first..first + 100, u32::MAX)]);
                page.send(request).await
            })
        }
    }

    let timer = FakeTimer::default();
    let policy = RetryPolicy::new().total_timeout(Duration::from_secs(10));
    let client = Scripted::default()
        .builder()
        .timer(timer.clone())
        .retry_policy(policy)
        .transport(Endless(AtomicU32::new(0), timer.clone()))
        .build()
        .unwrap();
    let error = client.list_keys(&ListKeys::new()).await.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::NotSent);
    assert_eq!(timer.now(), Duration::from_secs(10));
}

#[tokio::test]
async fn sizes_are_checked_before_anything_is_sent() {
    let service = Scripted::new([]);
    let key = service.key();
    for size in [0, 65_536] {
        let error = key.encrypt(&vec![0x41; size], b"").await.unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(&size.to_string()), "{error}");
    }
    for size in [0, 131_072] {
        let error = key.decrypt(&vec![0x41; size], b"").await.unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::InvalidInput, "{error}");
    }
    assert!(service.sent().is_empty());
}

#[tokio::test]
async fn the_largest_inputs_are_sent() {
    let service = Scripted::new([
        Answer::golden(200, "replies/encrypt.json"),
        Answer::golden(200, "replies/decrypt.json"),
    ]);
    let key = service.key();
    key.encrypt(&[7; 65_535], b"").await.unwrap();
    key.decrypt(&[7; 131_071], b"").await.unwrap();
    let lengths: Vec<_> = service
        .sent()
        .iter()
        .map(|sent| sent.body.as_ref().unwrap().len())
        .collect();
    assert_eq!(lengths, [87_380 + 16, 174_764 + 17]);
}
