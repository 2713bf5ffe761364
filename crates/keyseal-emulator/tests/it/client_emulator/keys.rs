//! The life of a key.

use std::time::Duration;

use keyseal::{
    Aead, KeysetAead, KmsErrorKind, RemoteAead, SecretAccess, SecretBytes,
    kms::{
        KmsClients,
        scaleway::{
            Algorithm, CreateKey, KeyMaterial, KeyState, KeyUsage, ListKeys, ScalewayClient,
            UpdateKey, UsageKind,
        },
    },
};
use keyseal_emulator::{Emulator, ManualClock};

use super::{client_of, create, serve};

#[tokio::test]
async fn a_key_lives_through_all_its_states() {
    let emulator = Emulator::new().unwrap();
    let server = serve(&emulator);
    let client = client_of(&emulator, &server).build().unwrap();
    let description = CreateKey::aes_256_gcm()
        .name("orders")
        .description("of all shops")
        .tag("pci")
        .rotate_every(Duration::from_secs(30 * 86_400));
    let key = create(&client, description).await;
    let info = key.get().await.unwrap();
    assert_eq!(
        (info.name(), info.description()),
        ("orders", Some("of all shops"))
    );
    assert_eq!(info.tags(), ["pci"]);
    assert_eq!(
        (info.state(), info.rotation_count()),
        (KeyState::Enabled, 1)
    );
    assert!(info.is_protected() && !info.is_locked());

    let changes = UpdateKey::new()
        .name("bills")
        .description("")
        .tags(["a", "b"]);
    let info = key.update(&changes).await.unwrap();
    assert_eq!((info.name(), info.tags().len()), ("bills", 2));

    assert_eq!(key.rotate().await.unwrap().rotation_count(), 2);
    let ciphertext = key.encrypt(b"text", b"data").await.unwrap();
    assert_eq!(key.disable().await.unwrap().state(), KeyState::Disabled);
    let refused = key.decrypt(&ciphertext, b"data").await.err().unwrap();
    assert_eq!(refused.kind(), KmsErrorKind::PreconditionFailed);
    assert!(refused.request_id().is_some(), "{refused}");
    assert_eq!(key.enable().await.unwrap().state(), KeyState::Enabled);

    let refused = key.delete().await.err().unwrap();
    assert_eq!(refused.kind(), KmsErrorKind::PreconditionFailed);
    assert!(!key.unprotect().await.unwrap().is_protected());
    assert!(key.protect().await.unwrap().is_protected());
    key.unprotect().await.unwrap();
    key.delete().await.unwrap();
    let gone = key.encrypt(b"text", b"").await.err().unwrap();
    assert!(!gone.is_retryable(), "{gone}");
    let deleted = client
        .list_keys(&ListKeys::new().scheduled_for_deletion())
        .await
        .unwrap();
    assert_eq!(deleted.len(), 1);
    key.restore().await.unwrap();
    key.enable().await.unwrap();
    assert_eq!(key.decrypt(&ciphertext, b"data").await.unwrap(), b"text");
}

#[tokio::test]
async fn a_deleted_key_is_gone_after_seven_days() {
    let clock = ManualClock::new(std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let emulator = Emulator::builder().clock(clock.clone()).build().unwrap();
    let client = emulator.client().build().unwrap();
    let key = create(&client, CreateKey::aes_256_gcm().unprotected()).await;
    key.delete().await.unwrap();
    clock.advance(Duration::from_secs(8 * 86_400));
    let gone = key.restore().await.err().unwrap();
    assert_eq!(gone.kind(), KmsErrorKind::NotFound);
}

#[tokio::test]
async fn a_ciphertext_of_an_old_version_comes_back_refreshed() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().build().unwrap();
    let key = create(&client, CreateKey::aes_256_gcm()).await;
    let old = key.encrypt(b"text", b"data").await.unwrap();
    let same = key.decrypt_with_refresh(&old, b"data").await.unwrap();
    assert!(same.rewrapped().is_none());
    key.rotate().await.unwrap();
    let opened = key.decrypt_with_refresh(&old, b"data").await.unwrap();
    assert_eq!(opened.plaintext(), b"text");
    let refreshed = opened.rewrapped().unwrap();
    let again = key.decrypt_with_refresh(refreshed, b"data").await.unwrap();
    assert_eq!((again.plaintext(), again.rewrapped()), (&b"text"[..], None));
    let error = key.decrypt(refreshed, b"other").await.err().unwrap();
    assert_eq!(error.kind(), KmsErrorKind::DecryptionFailed);
}

#[tokio::test]
async fn limits_are_checked_here_as_there() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().build().unwrap();
    let key = create(&client, CreateKey::aes_256_gcm()).await;
    let before = emulator.exchanges().len();
    for size in [1, 65_535] {
        let ciphertext = key.encrypt(&vec![7; size], b"").await.unwrap();
        assert_eq!(key.decrypt(&ciphertext, b"").await.unwrap().len(), size);
    }
    assert_eq!(emulator.exchanges().len(), before + 4);
    for refused in [
        key.encrypt(b"", b"").await,
        key.encrypt(&[0; 65_536], b"").await,
        key.decrypt(b"", b"").await,
        key.decrypt(&[0; 131_072], b"").await,
    ] {
        let error = refused.err().unwrap();
        assert_eq!(
            (error.kind(), error.status()),
            (KmsErrorKind::InvalidInput, None)
        );
    }
    assert_eq!(emulator.exchanges().len(), before + 4);
}

#[tokio::test]
async fn lists_go_over_all_pages_and_filter() {
    let emulator = Emulator::new().unwrap();
    let server = serve(&emulator);
    let client = client_of(&emulator, &server).build().unwrap();
    for number in 0..230 {
        let key = CreateKey::aes_256_gcm().name(format!("key-{number}"));
        let key = if number % 10 == 0 {
            key.tag("ten")
        } else {
            key
        };
        client.create_key(&key).await.unwrap();
    }
    let all = client.list_keys(&ListKeys::new()).await.unwrap();
    let ids: std::collections::HashSet<_> = all.iter().map(|key| key.uri().key_id()).collect();
    assert_eq!((all.len(), ids.len()), (230, 230));
    assert_eq!(
        client
            .list_keys(&ListKeys::new().tag("ten"))
            .await
            .unwrap()
            .len(),
        23
    );
    let named = client
        .list_keys(&ListKeys::new().name("key-229"))
        .await
        .unwrap();
    assert_eq!(named.len(), 1);
    let none = ListKeys::new().usage(UsageKind::AsymmetricSigning);
    assert!(client.list_keys(&none).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stored_data_key_is_opened_with_one_call() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().build().unwrap();
    let key = create(&client, CreateKey::aes_256_gcm()).await;
    let data_key = key.generate_data_key().await.unwrap();
    let aead: KeysetAead = data_key.secret().primitive("AES256_GCM").unwrap();
    let record = aead.encrypt(b"record", b"row 7").unwrap();
    assert_eq!(record.len(), 12 + 6 + 16);
    let wrapped = data_key.wrapped().ciphertext().to_vec();
    drop((data_key, aead));

    let before = emulator.exchanges().len();
    let opened = key.open_data_key(&wrapped).await.unwrap();
    assert_eq!(emulator.exchanges().len(), before + 1);
    let aead: KeysetAead = opened.primitive("AES256_GCM").unwrap();
    assert_eq!(aead.decrypt(&record, b"row 7").unwrap(), b"record");
    // Any template whose keys have 32 bytes, and no other.
    for template in ["XCHACHA20_POLY1305", "AES256_GCM_SIV", "AES256_EAX"] {
        let aead: KeysetAead = opened.primitive(template).unwrap();
        let again: KeysetAead = opened.primitive(template).unwrap();
        let ciphertext = aead.encrypt(b"record", b"").unwrap();
        assert_eq!(again.decrypt(&ciphertext, b"").unwrap(), b"record");
    }
    for template in ["AES128_GCM", "AES256_SIV", "NO_SUCH"] {
        assert!(opened.primitive::<KeysetAead>(template).is_err());
    }
    // A data key made without plaintext opens too; other bytes do not.
    let wrapped = key.generate_wrapped_data_key().await.unwrap();
    assert!(key.open_data_key(wrapped.ciphertext()).await.is_ok());
    let other = key.encrypt(b"no data key", b"").await.unwrap();
    let error = key.open_data_key(&other).await.err().unwrap();
    assert_eq!(error.kind(), KmsErrorKind::DecryptionFailed);
}

#[tokio::test]
async fn imported_material_is_used_and_deleted() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().build().unwrap();
    let key = create(&client, CreateKey::aes_256_gcm().external()).await;
    let refused = key.encrypt(b"text", b"").await.err().unwrap();
    assert_eq!(refused.kind(), KmsErrorKind::PreconditionFailed);
    let material = SecretBytes::copy_from(&[7; 32], SecretAccess::insecure());
    key.import_key_material(&material, b"").await.unwrap();
    let ciphertext = key.encrypt(b"text", b"").await.unwrap();
    assert_eq!(key.decrypt(&ciphertext, b"").await.unwrap(), b"text");
    key.delete_key_material(KeyMaterial::Newest).await.unwrap();
    assert!(key.decrypt(&ciphertext, b"").await.is_err());
}

#[tokio::test]
async fn signing_keys_sign_and_encryption_keys_encrypt() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().build().unwrap();
    let offered = client.list_algorithms(&[]).await.unwrap();
    assert!(offered.len() > 5);
    let algorithm = Algorithm::named("ec_p256_sha256");
    let signing = CreateKey::new(KeyUsage::AsymmetricSigning(algorithm));
    let key = create(&client, signing).await;
    assert!(key.public_key().await.unwrap().starts_with("-----BEGIN"));
    let digest = [7; 32];
    let signature = key.sign(&digest).await.unwrap();
    key.verify(&digest, &signature).await.unwrap();
    let wrong = key.verify(&[8; 32], &signature).await.err().unwrap();
    assert_eq!(wrong.kind(), KmsErrorKind::InvalidSignature);
    assert!(key.encrypt(b"text", b"").await.is_err());

    let algorithm = Algorithm::named("rsa_oaep_2048_sha256");
    let rsa = CreateKey::new(KeyUsage::AsymmetricEncryption(algorithm));
    let key = create(&client, rsa).await;
    let ciphertext = key.encrypt(b"text", b"").await.unwrap();
    assert_eq!(key.decrypt(&ciphertext, b"").await.unwrap(), b"text");
}

#[tokio::test]
async fn both_uri_dialects_name_the_same_key_and_the_region_of_the_uri_counts() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().build().unwrap();
    let key = create(&client, CreateKey::aes_256_gcm()).await;
    let id = key.uri().key_id();
    let clients = KmsClients::new().with(client);
    let ciphertext = clients
        .find(&format!("scw-kms://{id}"))
        .unwrap()
        .encrypt(b"text", b"")
        .await
        .unwrap();
    let full = clients
        .find(&format!("scw-kms://regions/fr-par/keys/{id}"))
        .unwrap();
    assert_eq!(full.decrypt(&ciphertext, b"").await.unwrap(), b"text");
    let elsewhere = clients
        .find(&format!("scw-kms://regions/nl-ams/keys/{id}"))
        .unwrap();
    let error = elsewhere.decrypt(&ciphertext, b"").await.err().unwrap();
    assert_eq!(error.kind(), KmsErrorKind::NotFound);
}

#[tokio::test]
async fn the_conformance_suite_passes_with_and_without_a_socket() {
    let emulator = Emulator::new().unwrap();
    let server = serve(&emulator);
    let clients: [ScalewayClient; 2] = [
        client_of(&emulator, &server).build().unwrap(),
        emulator.client().build().unwrap(),
    ];
    for client in clients {
        let key = create(&client, CreateKey::aes_256_gcm()).await;
        let bad = [
            "scw-kms://",
            "scw-kms://x",
            "scw-kms://regions/fr-par/keys/",
        ];
        let uri = key.uri().to_string();
        let key = keyseal::kms::testkit::check_kms_client(&client, &uri, &bad).unwrap();
        keyseal::kms::testkit::check_remote_aead(&key)
            .await
            .unwrap();
    }
}
