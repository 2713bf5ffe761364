//! `KEYS.*`: keysets in cleartext and wrapped ones.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use datafusion::scalar::ScalarValue;
use keyseal::{
    Aead as _, KeysetAead, KeysetHandle, SecretAccess, Variant, keyset::Format, kms::KmsClient as _,
};
use keyseal_datafusion::KeyRing;
use serde_json::Value;

use crate::support::{
    KEK, Service, aead, binary, bytes, context, error, hex, run, text, usual, value,
};

fn read(keyset: &[u8]) -> KeysetHandle {
    KeysetHandle::read_cleartext(keyset, Format::Binary, SecretAccess::insecure()).unwrap()
}

#[tokio::test]
async fn new_keysets_have_the_keys_of_their_type() {
    let ctx = usual();
    for (name, url) in [
        ("AEAD_AES_GCM_256", "AesGcmKey"),
        ("DETERMINISTIC_AEAD_AES_SIV_CMAC_256", "AesSivKey"),
        ("XCHACHA20_POLY1305", "XChaCha20Poly1305Key"),
    ] {
        let keyset = read(&bytes(&ctx, &format!("SELECT KEYS.NEW_KEYSET('{name}')")).await);
        assert_eq!(keyset.len(), 1);
        let key = keyset.primary().key().unwrap();
        assert!(
            key.type_url().ends_with(&format!(".{url}")),
            "{}",
            key.type_url()
        );
        assert_eq!(key.variant(), Variant::Tink);
    }
}

#[tokio::test]
async fn a_rotated_keyset_opens_old_ciphertexts() {
    let ctx = usual();
    run(
        &ctx,
        "CREATE TABLE old AS SELECT KEYS.NEW_KEYSET('AEAD_AES_GCM_256') AS k",
    )
    .await;
    run(
        &ctx,
        "CREATE TABLE new AS SELECT KEYS.ROTATE_KEYSET(k, 'AEAD_AES_GCM_256') AS k,
         AEAD.ENCRYPT(k, 'written before', '') AS c FROM old",
    )
    .await;
    let sql = "SELECT AEAD.DECRYPT_STRING(k, c, '') FROM new";
    assert_eq!(text(&ctx, sql).await, "written before");
    let sql = "SELECT KEYS.KEYSET_LENGTH(k) FROM new";
    assert_eq!(value(&ctx, sql).await, ScalarValue::Int64(Some(2)));
    let old = read(&bytes(&ctx, "SELECT k FROM old").await);
    let new = read(&bytes(&ctx, "SELECT k FROM new").await);
    assert_ne!(old.primary_id(), new.primary_id());
    let sql = "SELECT KEYS.ROTATE_KEYSET(k, 'DETERMINISTIC_AEAD_AES_SIV_CMAC_256') FROM old";
    let text = error(&ctx, sql).await;
    assert!(text.contains("the keyset is for"), "{text}");
}

#[tokio::test]
async fn raw_bytes_become_a_raw_key_and_the_primary_key_stays() {
    let ctx = usual();
    let keyset = aead();
    let hex_of_keyset = hex(&binary(&keyset));
    for size in [16, 32] {
        let key = "07".repeat(size);
        let sql =
            format!("SELECT KEYS.ADD_KEY_FROM_RAW_BYTES(X'{hex_of_keyset}', 'AES_GCM', X'{key}')");
        let with_raw = read(&bytes(&ctx, &sql).await);
        assert_eq!(with_raw.primary_id(), keyset.primary_id());
        let raw = with_raw.entries().last().unwrap();
        assert_eq!(raw.variant(), Variant::Raw);
        let access = SecretAccess::insecure();
        let exported = raw.key().unwrap().export(access).unwrap();
        assert_eq!(exported.expose(access), vec![7; size]);
    }
    for size in [0, 15, 17, 31, 33] {
        let key = "07".repeat(size);
        let sql =
            format!("SELECT KEYS.ADD_KEY_FROM_RAW_BYTES(X'{hex_of_keyset}', 'AES_GCM', X'{key}')");
        let text = error(&ctx, &sql).await;
        let expected = format!("an AES_GCM key has 16 or 32 bytes, not {size}");
        assert!(text.contains(&expected), "{text}");
    }
}

#[tokio::test]
async fn json_comes_back() {
    let ctx = usual();
    let keyset = aead();
    let sql = format!("SELECT KEYS.KEYSET_TO_JSON(X'{}')", hex(&binary(&keyset)));
    let json = text(&ctx, &sql).await;
    let sql = format!("SELECT KEYS.KEYSET_FROM_JSON('{json}')");
    assert_eq!(bytes(&ctx, &sql).await, binary(&keyset));
    let text = error(&ctx, "SELECT KEYS.KEYSET_FROM_JSON('{canary}')").await;
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn the_keyset_of_bigquery_is_read() {
    let ctx = usual();
    let keyset = of_bigquery();
    let hex_of_keyset = hex_of_bigquery();
    let sql = format!("SELECT KEYS.KEYSET_LENGTH(X'{hex_of_keyset}')");
    assert_eq!(value(&ctx, &sql).await, ScalarValue::Int64(Some(1)));
    // It is re-encoded in the same way.
    let sql = format!("SELECT KEYS.KEYSET_FROM_JSON(KEYS.KEYSET_TO_JSON(X'{hex_of_keyset}'))");
    assert_eq!(bytes(&ctx, &sql).await, keyset);
    // A ciphertext of BigQuery starts with 1 and the id of the key.
    let sql = format!("SELECT AEAD.ENCRYPT(X'{hex_of_keyset}', 'p', 'd')");
    let sealed = bytes(&ctx, &sql).await;
    let id = read(&keyset).primary_id().value();
    assert_eq!(id, 2_575_830_243);
    assert_eq!(sealed[0], 1);
    assert_eq!(sealed[1..5], id.to_be_bytes());
    let keys: KeysetAead = read(&keyset).primitive().unwrap();
    assert_eq!(keys.decrypt(&sealed, b"d").unwrap(), b"p");
}

#[tokio::test]
async fn the_rows_that_bigquery_decrypted_are_read_by_the_same_query() {
    let file = include_str!("../../../../tests/vectors/published/bigquery-ciphertexts.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let of_base64 = |value: &Value| hex(&STANDARD.decode(value.as_str().unwrap()).unwrap());
    let associated_data = file["associated_data"].as_str().unwrap();
    let ctx = usual();
    let mut opened = 0;
    for keyset in file["keysets"].as_array().unwrap() {
        let key = of_base64(&keyset["keyset"]);
        for row in keyset["rows"].as_array().unwrap() {
            let sealed = of_base64(&row[0]);
            let sql =
                format!("SELECT AEAD.DECRYPT_STRING(X'{key}', X'{sealed}', '{associated_data}')");
            assert_eq!(value(&ctx, &sql).await, ScalarValue::from(row[1].as_str()));
            opened += 1;
        }
    }
    assert_eq!(opened, 7);
}

fn of_bigquery() -> Vec<u8> {
    let file = include_str!("../../../../tests/vectors/published/bigquery-keyset.json");
    let file: Value = serde_json::from_str(file).unwrap();
    STANDARD.decode(file["keyset"].as_str().unwrap()).unwrap()
}

pub(crate) fn hex_of_bigquery() -> String {
    hex(&of_bigquery())
}

#[tokio::test]
async fn wrapped_keysets_are_made_rotated_and_rewrapped() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let ctx = context(KeyRing::new().kms(service.clients()));
    for (name, value) in [
        (
            "one",
            format!("KEYS.NEW_WRAPPED_KEYSET('{KEK}', 'AEAD_AES_GCM_256')"),
        ),
        (
            "two",
            format!("(SELECT KEYS.ROTATE_WRAPPED_KEYSET('{KEK}', w, 'AEAD_AES_GCM_256') FROM one)"),
        ),
        (
            "three",
            format!("(SELECT KEYS.REWRAP_KEYSET('{KEK}', 'file-kms://other.json', w) FROM two)"),
        ),
    ] {
        run(&ctx, &format!("CREATE TABLE {name} AS SELECT {value} AS w")).await;
    }
    let length = |uri: &str, table: &str| {
        format!("SELECT KEYS.KEYSET_LENGTH(KEYS.KEYSET_CHAIN('{uri}', w)) FROM {table}")
    };
    for (uri, table, keys) in [
        (KEK, "one", 1),
        (KEK, "two", 2),
        ("file-kms://other.json", "three", 2),
    ] {
        assert_eq!(
            value(&ctx, &length(uri, table)).await,
            ScalarValue::Int64(Some(keys))
        );
    }
    let text = error(&ctx, &length(KEK, "three")).await;
    assert!(text.contains("did not decrypt"), "{text}");

    // As with BigQuery: the service's ciphertext of a binary keyset, without associated data.
    let wrapped = bytes(&ctx, "SELECT w FROM one").await;
    let kek = service.clients().remote_aead(KEK).unwrap().unwrap();
    let keyset = kek.decrypt(&wrapped, b"").await.unwrap();
    assert_eq!(read(&keyset).len(), 1);
}

#[tokio::test]
async fn keyset_files_of_tink_are_wrapped_keysets_too() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let kek = service.clients().remote_aead(KEK).unwrap().unwrap();
    let keyset = aead();
    let mut ring = KeyRing::new().kms(service.clients());
    for (name, format) in [("binary", Format::Binary), ("json", Format::Json)] {
        let file = keyset.write_encrypted_remote(format, &*kek, b"").await;
        ring = ring.wrapped_keyset(name, KEK, file.unwrap());
    }
    let ctx = context(ring);
    for name in ["binary", "json"] {
        let sql = format!("SELECT AEAD.ENCRYPT(keyset('{name}'), 'p', 'd')");
        let keys: KeysetAead = keyset.primitive().unwrap();
        assert_eq!(keys.decrypt(&bytes(&ctx, &sql).await, b"d").unwrap(), b"p");
    }
}

#[tokio::test]
async fn no_function_turns_a_reference_into_keys() {
    let ctx = usual();
    for call in [
        "KEYS.KEYSET_TO_JSON(keyset('a'))",
        "KEYS.ROTATE_KEYSET(keyset('a'), 'AES256_GCM')",
        "KEYS.ADD_KEY_FROM_RAW_BYTES(keyset('a'), 'AES_GCM', '0123456789abcdef')",
    ] {
        let text = error(&ctx, &format!("SELECT {call}")).await;
        assert!(text.contains("takes no reference to a keyset"), "{text}");
    }
}
