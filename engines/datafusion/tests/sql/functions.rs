//! `AEAD.*` and `DETERMINISTIC_*`: types, NULLs, errors.

use std::sync::atomic::Ordering;

use datafusion::scalar::ScalarValue;
use keyseal::{Aead as _, DeterministicAead as _, KeysetAead, KeysetDeterministicAead};
use keyseal_datafusion::KeyRing;

use crate::support::{
    KEK, Service, aead, bytes, column, context, deterministic, error, hex, run, text, usual, value,
};

#[tokio::test]
async fn queries_of_bigquery_run_unchanged() {
    let ctx = usual();
    run(
        &ctx,
        "CREATE TABLE CustomerKeysets AS
         SELECT 1 AS customer_id, KEYS.NEW_KEYSET('AEAD_AES_GCM_256') AS keyset UNION ALL
         SELECT 2, KEYS.NEW_KEYSET('AEAD_AES_GCM_256') UNION ALL
         SELECT 3, KEYS.NEW_KEYSET('AEAD_AES_GCM_256')",
    )
    .await;
    run(
        &ctx,
        "CREATE TABLE PlaintextCustomerData AS
         SELECT 1 AS customer_id, 'elephant' AS favorite_animal UNION ALL
         SELECT 2, 'walrus' UNION ALL
         SELECT 3, 'leopard'",
    )
    .await;
    run(
        &ctx,
        "CREATE TABLE EncryptedCustomerData AS
         SELECT pc.customer_id,
                AEAD.ENCRYPT(ck.keyset, pc.favorite_animal, CAST(pc.customer_id AS STRING))
                  AS encrypted_animal
         FROM PlaintextCustomerData AS pc
         JOIN CustomerKeysets AS ck ON ck.customer_id = pc.customer_id",
    )
    .await;
    let animals = column(
        &ctx,
        "SELECT AEAD.DECRYPT_STRING(ck.keyset, ecd.encrypted_animal,
                                    CAST(ecd.customer_id AS STRING)) AS favorite_animal
         FROM EncryptedCustomerData AS ecd
         JOIN CustomerKeysets AS ck ON ecd.customer_id = ck.customer_id
         ORDER BY ecd.customer_id",
    )
    .await;
    assert_eq!(
        animals,
        ["elephant", "walrus", "leopard"].map(ScalarValue::from)
    );
}

#[tokio::test]
async fn ciphertexts_are_keyseals() {
    let (keyset, other) = (aead(), deterministic());
    let keys: KeysetAead = keyset.primitive().unwrap();
    let deterministic: KeysetDeterministicAead = other.primitive().unwrap();
    let ctx = context(KeyRing::new().keyset("a", keyset).keyset("d", other));

    let sealed = bytes(&ctx, "SELECT AEAD.ENCRYPT(keyset('a'), 'ada', 'row 1')").await;
    assert_eq!(keys.decrypt(&sealed, b"row 1").unwrap(), b"ada");
    let sealed = hex(&keys.encrypt(b"bob", b"row 2").unwrap());
    let sql = format!("SELECT AEAD.DECRYPT_STRING(keyset('a'), X'{sealed}', 'row 2')");
    assert_eq!(text(&ctx, &sql).await, "bob");
    let sql = format!("SELECT AEAD.DECRYPT_BYTES(keyset('a'), X'{sealed}', X'726f772032')");
    assert_eq!(bytes(&ctx, &sql).await, b"bob");

    let sql = "SELECT DETERMINISTIC_ENCRYPT(keyset('d'), 'ada', 'emails')";
    let sealed = bytes(&ctx, sql).await;
    let expected = deterministic.encrypt_deterministically(b"ada", b"emails");
    assert_eq!(sealed, expected.unwrap());
    let sealed = hex(&sealed);
    let sql = format!("SELECT DETERMINISTIC_DECRYPT_STRING(keyset('d'), X'{sealed}', 'emails')");
    assert_eq!(text(&ctx, &sql).await, "ada");
    let sql = format!("SELECT DETERMINISTIC_DECRYPT_BYTES(keyset('d'), X'{sealed}', 'emails')");
    assert_eq!(bytes(&ctx, &sql).await, b"ada");
}

#[tokio::test]
async fn each_row_is_encrypted_by_itself() {
    let ctx = usual();
    run(
        &ctx,
        "CREATE TABLE t AS SELECT AEAD.ENCRYPT(keyset('a'), 'same', 'same') AS c
         FROM generate_series(1, 3)",
    )
    .await;
    let mut sealed = column(&ctx, "SELECT c FROM t").await;
    assert_eq!(sealed.len(), 3);
    sealed.dedup();
    assert_eq!(sealed.len(), 3);
    let keysets = column(
        &ctx,
        "SELECT KEYS.NEW_KEYSET('AEAD_AES_GCM_256') FROM generate_series(1, 2)",
    )
    .await;
    assert_ne!(keysets[0], keysets[1]);
}

/// Types that hold any length.
const TEXT: [&str; 4] = ["Utf8", "LargeUtf8", "Utf8View", "Dictionary(Int32, Utf8)"];
const BINARY: [&str; 4] = [
    "Binary",
    "LargeBinary",
    "BinaryView",
    "Dictionary(Int16, Binary)",
];

#[tokio::test]
async fn all_types_of_text_and_binary_are_read() {
    let ctx = usual();
    run(
        &ctx,
        "CREATE TABLE t AS SELECT * FROM (VALUES (1, 'ada', 'x'), (2, '', 'y'), (3, NULL, 'z'),
         (4, 'bob', ''), (5, 'a longer one, which no view holds inline', NULL)) v(id, p, d)",
    )
    .await;
    let long = "a longer one, which no view holds inline";
    let expected = ["ada", "", "NULL", "bob", "NULL"].map(|text| match text {
        "NULL" => ScalarValue::Utf8(None),
        text => ScalarValue::from(text),
    });
    for (encrypt, decrypt) in [
        (
            "AEAD.ENCRYPT(keyset('a')",
            "AEAD.DECRYPT_STRING(keyset('a')",
        ),
        (
            "DETERMINISTIC_ENCRYPT(keyset('d')",
            "DETERMINISTIC_DECRYPT_STRING(keyset('d')",
        ),
    ] {
        for (text_type, binary) in TEXT.into_iter().zip(BINARY) {
            for plaintext in [text_type, binary] {
                let sealed = format!(
                    "{encrypt}, arrow_cast(p, '{plaintext}'), arrow_cast(d, '{text_type}'))"
                );
                // The additional data is text on one side and binary on the other.
                let sql = format!(
                    "SELECT {decrypt}, arrow_cast({sealed}, '{binary}'), arrow_cast(d, '{binary}'))
                     FROM t ORDER BY id"
                );
                assert_eq!(column(&ctx, &sql).await, expected, "{sql}");
            }
        }
        let sql = format!(
            "SELECT {decrypt}, {encrypt}, arrow_cast(X'616461', 'FixedSizeBinary(3)'), p), p)
             FROM t ORDER BY id"
        );
        let rows = column(&ctx, &sql).await;
        assert_eq!(rows[0], ScalarValue::from("ada"));
        assert_eq!(rows[2], ScalarValue::Utf8(None));
        let sql = format!("SELECT {decrypt}, {encrypt}, p, 'x'), 'x') FROM t WHERE id = 5");
        assert_eq!(text(&ctx, &sql).await, long);
    }
}

#[tokio::test]
async fn keysets_may_be_columns_of_any_binary_type() {
    let ctx = usual();
    run(
        &ctx,
        "CREATE TABLE k AS SELECT keyset('a') AS k UNION ALL
         SELECT KEYS.NEW_KEYSET('AEAD_AES_GCM_256') UNION ALL SELECT NULL",
    )
    .await;
    for keyset in BINARY {
        let sql = format!(
            "SELECT AEAD.DECRYPT_STRING(c, AEAD.ENCRYPT(c, 'x', ''), '')
             FROM (SELECT arrow_cast(k, '{keyset}') AS c FROM k ORDER BY k NULLS LAST)"
        );
        let rows = column(&ctx, &sql).await;
        assert_eq!(rows.iter().filter(|row| !row.is_null()).count(), 2, "{sql}");
        assert_eq!(rows.len(), 3);
    }
}

#[tokio::test]
async fn a_null_argument_gives_null() {
    let ctx = usual();
    run(
        &ctx,
        "CREATE TABLE n AS SELECT * FROM (VALUES (CAST(NULL AS STRING))) v(n)",
    )
    .await;
    let keyset = "KEYS.KEYSET_FROM_JSON(KEYS.KEYSET_TO_JSON(KEYS.NEW_KEYSET('AES256_GCM')))";
    let calls = [
        ("AEAD.ENCRYPT", vec!["keyset('a')", "'p'", "'d'"]),
        ("AEAD.DECRYPT_BYTES", vec!["keyset('a')", "'c'", "'d'"]),
        ("AEAD.DECRYPT_STRING", vec!["keyset('a')", "'c'", "'d'"]),
        ("SAFE.AEAD.DECRYPT_BYTES", vec!["keyset('a')", "'c'", "'d'"]),
        (
            "SAFE.AEAD.DECRYPT_STRING",
            vec!["keyset('a')", "'c'", "'d'"],
        ),
        ("DETERMINISTIC_ENCRYPT", vec!["keyset('d')", "'p'", "'d'"]),
        (
            "DETERMINISTIC_DECRYPT_BYTES",
            vec!["keyset('d')", "'c'", "'d'"],
        ),
        (
            "DETERMINISTIC_DECRYPT_STRING",
            vec!["keyset('d')", "'c'", "'d'"],
        ),
        (
            "SAFE.DETERMINISTIC_DECRYPT_BYTES",
            vec!["keyset('d')", "'c'", "'d'"],
        ),
        (
            "SAFE.DETERMINISTIC_DECRYPT_STRING",
            vec!["keyset('d')", "'c'", "'d'"],
        ),
        ("KEYS.ROTATE_KEYSET", vec![keyset, "'AES256_GCM'"]),
        (
            "KEYS.ADD_KEY_FROM_RAW_BYTES",
            vec![keyset, "'AES_GCM'", "'0123456789abcdef'"],
        ),
        ("KEYS.KEYSET_LENGTH", vec![keyset]),
        ("KEYS.KEYSET_FROM_JSON", vec!["'{}'"]),
        ("KEYS.KEYSET_TO_JSON", vec![keyset]),
        ("KEYS.KEYSET_CHAIN", vec!["'file-kms://k'", "'w'"]),
        (
            "KEYS.NEW_WRAPPED_KEYSET",
            vec!["'file-kms://k'", "'AES256_GCM'"],
        ),
        (
            "KEYS.REWRAP_KEYSET",
            vec!["'file-kms://k'", "'file-kms://k'", "'w'"],
        ),
        (
            "KEYS.ROTATE_WRAPPED_KEYSET",
            vec!["'file-kms://k'", "'w'", "'AES256_GCM'"],
        ),
        ("keyset", vec!["'a'"]),
    ];
    for (function, arguments) in calls {
        for null in 0..arguments.len() {
            // The type of a key is a literal that is not NULL.
            if ["'AES256_GCM'", "'AES_GCM'"].contains(&arguments[null]) {
                continue;
            }
            for value_of_null in ["NULL", "n"] {
                let mut arguments = arguments.clone();
                arguments[null] = value_of_null;
                let sql = format!("SELECT {function}({}) FROM n", arguments.join(", "));
                assert!(value(&ctx, &sql).await.is_null(), "{sql}");
            }
        }
    }
}

#[tokio::test]
async fn an_empty_table_gives_no_rows() {
    let ctx = usual();
    let sql = "SELECT AEAD.DECRYPT_STRING(keyset('a'), X'00', '') FROM generate_series(1, 0)";
    assert!(column(&ctx, sql).await.is_empty());
}

#[tokio::test]
async fn a_row_that_does_not_open_is_named_and_its_bytes_are_not() {
    let ctx = usual();
    run(
        &ctx,
        "CREATE TABLE t AS SELECT i, AEAD.ENCRYPT(keyset('a'), 'plain', 'right') AS c
         FROM (VALUES (1), (2), (3)) v(i)",
    )
    .await;
    let sql =
        "SELECT AEAD.DECRYPT_STRING(keyset('a'), c, CASE i WHEN 3 THEN 'canary' ELSE 'right' END)
               FROM (SELECT * FROM t ORDER BY i)";
    let error_text = error(&ctx, sql).await;
    assert_eq!(
        error_text,
        "Execution error: aead_decrypt_string: a ciphertext does not open under this keyset and \
         additional data (row 3 of the batch)"
    );
    let sql = sql.replace("AEAD.DECRYPT_STRING", "SAFE.AEAD.DECRYPT_STRING");
    let rows = column(&ctx, &sql).await;
    assert_eq!(
        rows,
        ["plain".into(), "plain".into(), ScalarValue::Utf8(None)]
    );
    let sql = sql.replace("DECRYPT_STRING", "DECRYPT_BYTES");
    assert!(column(&ctx, &sql).await[2].is_null());
}

#[tokio::test]
async fn every_changed_byte_is_noticed() {
    let ctx = usual();
    for (encrypt, decrypt) in [
        (
            "AEAD.ENCRYPT(keyset('a')",
            "SAFE.AEAD.DECRYPT_STRING(keyset('a')",
        ),
        (
            "DETERMINISTIC_ENCRYPT(keyset('d')",
            "SAFE.DETERMINISTIC_DECRYPT_STRING(keyset('d')",
        ),
    ] {
        let sealed = bytes(&ctx, &format!("SELECT {encrypt}, 'ada', '')")).await;
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let sql = format!("SELECT {decrypt}, X'{}', '')", hex(&changed));
            assert!(value(&ctx, &sql).await.is_null(), "byte {at}");
            let sql = format!("SELECT {decrypt}, X'{}', '')", hex(&sealed[..at]));
            assert!(value(&ctx, &sql).await.is_null(), "length {at}");
        }
    }
}

#[tokio::test]
async fn text_must_be_utf8() {
    let ctx = usual();
    run(
        &ctx,
        "CREATE TABLE t AS SELECT AEAD.ENCRYPT(keyset('a'), X'ff', '') AS c",
    )
    .await;
    let error = error(
        &ctx,
        "SELECT AEAD.DECRYPT_STRING(keyset('a'), c, '') FROM t",
    )
    .await;
    assert!(
        error.contains("a plaintext is not UTF-8: decrypt it to bytes (row 1"),
        "{error}"
    );
    let sql = "SELECT SAFE.AEAD.DECRYPT_STRING(keyset('a'), c, '') FROM t";
    assert!(value(&ctx, sql).await.is_null());
    let sql = "SELECT AEAD.DECRYPT_BYTES(keyset('a'), c, '') FROM t";
    assert_eq!(bytes(&ctx, sql).await, [0xff]);
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let ring = KeyRing::new().kms(service.clients());
    let ctx = context(ring.keyset("a", aead()).keyset("d", deterministic()));
    for (sql, expected) in [
        (
            "AEAD.ENCRYPT(keyset('d'), 'p', '')",
            "aead_encrypt: this keyset has keys for deterministic AEAD, not for AEAD (row 1",
        ),
        (
            "DETERMINISTIC_ENCRYPT(keyset('a'), 'p', '')",
            "this keyset has keys for AEAD, not for deterministic AEAD",
        ),
        (
            "AEAD.ENCRYPT(keyset('b'), 'p', '')",
            "no keyset is named \"b\" in the key ring",
        ),
        (
            "AEAD.ENCRYPT(KEYS.KEYSET_CHAIN('gcp-kms://k', X'00'), 'p', '')",
            "gcp-kms://k: no client serves this key URI",
        ),
        (
            "SAFE.AEAD.DECRYPT_STRING(KEYS.KEYSET_CHAIN('file-kms://none.json', X'00'), 'p', '')",
            "the resource does not exist",
        ),
        (
            "AEAD.ENCRYPT(KEYS.KEYSET_CHAIN('file-kms://kek.json', X'00'), 'p', '')",
            "file-kms://kek.json: the encrypted keyset did not decrypt: decryption failed",
        ),
        (
            "AEAD.ENCRYPT(X'08', 'p', '')",
            "keysets in cleartext are refused here: use KEYS.KEYSET_CHAIN or keyset(name)",
        ),
        (
            "KEYS.NEW_KEYSET('AES256_GCM')",
            "keysets in cleartext are refused here",
        ),
        (
            "KEYS.KEYSET_FROM_JSON('{}')",
            "keysets in cleartext are refused here",
        ),
        (
            "AEAD.ENCRYPT(keyset('a'), 1, '')",
            "aead_encrypt takes text and binary, not Int64: cast the argument",
        ),
        (
            "AEAD.ENCRYPT(keyset('a'), 'p')",
            "aead_encrypt takes 3 arguments, not 2",
        ),
        (
            "KEYS.NEW_KEYSET('AES_CBC')",
            "no key type is named \"AES_CBC\": use AEAD_AES_GCM_256",
        ),
        (
            "KEYS.NEW_KEYSET(NULL)",
            "keys_new_keyset: the key type must be a text literal",
        ),
        (
            "KEYS.NEW_KEYSET(x)",
            "keys_new_keyset: the key type must be a text literal",
        ),
        (
            "KEYS.ADD_KEY_FROM_RAW_BYTES(X'08', 'AES_CBC_PKCS', X'00')",
            "AES_CBC_PKCS is refused: it does not authenticate",
        ),
    ] {
        let sql = format!("SELECT {sql} FROM (VALUES ('AES256_GCM')) v(x)");
        let text = error(&ctx, &sql).await;
        assert!(text.contains(expected), "{sql}: {text}");
    }
}

#[tokio::test]
async fn a_wrapped_keyset_is_unwrapped_once() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let wrapped = service.wrap(&aead()).await;
    let chain = format!("KEYS.KEYSET_CHAIN('{KEK}', X'{}')", hex(&wrapped));
    let ring = KeyRing::new().kms(service.clients());
    let ctx = context(ring.wrapped_keyset("pii", KEK, wrapped));
    run(
        &ctx,
        &format!(
            "CREATE TABLE t AS SELECT AEAD.ENCRYPT({chain}, CAST(value AS STRING), 'x') AS c
             FROM generate_series(1, 50000)"
        ),
    )
    .await;
    // The same keyset by its name: 50,000 rows in batches of 8,192, on several threads.
    let sql = "SELECT count(AEAD.DECRYPT_STRING(keyset('pii'), c, 'x')) FROM t";
    assert_eq!(value(&ctx, sql).await, ScalarValue::Int64(Some(50_000)));
    assert_eq!(service.lookups.load(Ordering::SeqCst), 1);
}
