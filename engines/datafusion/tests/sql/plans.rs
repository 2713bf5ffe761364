//! Plans, their texts and the values behind them have no secret.

use std::sync::Arc;

use datafusion::{arrow::util::pretty::pretty_format_batches, prelude::SessionContext};
use keyseal::{KeysetHandle, SecretAccess};
use keyseal_datafusion::KeyRing;

use crate::support::{KEK, Service, aead, binary, bytes, context, deterministic, hex, run, value};

/// Returns all that an engine may show or log of a query.
pub(crate) async fn shown(ctx: &SessionContext, sql: &str) -> String {
    let mut shown = String::new();
    for explain in ["EXPLAIN VERBOSE", "EXPLAIN ANALYZE VERBOSE"] {
        let explained = ctx.sql(&format!("{explain} {sql}")).await.unwrap();
        let batches = explained.collect().await.unwrap();
        shown += &pretty_format_batches(&batches).unwrap().to_string();
    }
    let query = ctx.sql(sql).await.unwrap();
    shown += &format!("{:?}\n{}", query.logical_plan(), query.logical_plan());
    let optimized = ctx.state().optimize(query.logical_plan()).unwrap();
    let physical = ctx.state().create_physical_plan(&optimized).await.unwrap();
    shown + &format!("{optimized:?}\n{optimized}\n{physical:?}")
}

/// Looks for the bytes of each key in the forms that texts have.
pub(crate) fn assert_keyless(shown: &str, keyset: &KeysetHandle) {
    let access = SecretAccess::insecure();
    for entry in keyset.entries() {
        let exported = entry.key().unwrap().export(access).unwrap();
        let key = &exported.expose(access)[..12];
        let numbers: Vec<_> = key.iter().map(ToString::to_string).collect();
        for form in [
            hex(key),
            hex(key).to_uppercase(),
            numbers.join(","),
            numbers.join(", "),
            key.escape_ascii().to_string(),
        ] {
            assert!(!shown.contains(&form), "{shown}");
        }
    }
}

#[tokio::test]
async fn plans_have_no_keys_and_no_decrypted_literals() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let (keyset, named, equal) = (aead(), aead(), deterministic());
    let wrapped = service.wrap(&keyset).await;
    let chain = format!("KEYS.KEYSET_CHAIN('{KEK}', X'{}')", hex(&wrapped));
    let ring = KeyRing::new().kms(service.clients());
    let ctx = context(ring.keyset("n", named.clone()).keyset("d", equal.clone()));

    // The canary comes from bytes, so that no query has it as text.
    let canary = "canary of the coal mine";
    let encrypt = |function: &str, keyset: &str| {
        format!(
            "SELECT {function}({keyset}, X'{}', 'x')",
            hex(canary.as_bytes())
        )
    };
    let by_chain = hex(&bytes(&ctx, &encrypt("AEAD.ENCRYPT", &chain)).await);
    let by_name = hex(&bytes(&ctx, &encrypt("AEAD.ENCRYPT", "keyset('n')")).await);
    let equally = hex(&bytes(&ctx, &encrypt("DETERMINISTIC_ENCRYPT", "keyset('d')")).await);
    for sql in [
        format!("SELECT AEAD.DECRYPT_STRING({chain}, X'{by_chain}', 'x') AS p"),
        format!("SELECT AEAD.DECRYPT_BYTES(keyset('n'), X'{by_name}', 'x') AS p"),
        format!("SELECT SAFE.AEAD.DECRYPT_STRING(keyset('n'), X'{by_name}', 'x') AS p"),
        format!("SELECT DETERMINISTIC_DECRYPT_STRING(keyset('d'), X'{equally}', 'x') AS p"),
        format!(
            "SELECT count(*) FROM generate_series(1, 3) t(v)
             WHERE AEAD.DECRYPT_STRING({chain}, X'{by_chain}', 'x') LIKE '%mine'
               AND DETERMINISTIC_DECRYPT_STRING(keyset('d'), X'{equally}', 'x') <> CAST(v AS STRING)"
        ),
    ] {
        let shown = shown(&ctx, &sql).await;
        for form in [canary.to_owned(), hex(canary.as_bytes())] {
            assert!(!shown.contains(&form), "{shown}");
        }
        let numbers: Vec<_> = canary.bytes().map(|byte| byte.to_string()).collect();
        assert!(!shown.contains(&numbers.join(",")), "{shown}");
        for keyset in [&keyset, &named, &equal] {
            assert_keyless(&shown, keyset);
        }
    }
}

#[tokio::test]
async fn the_search_finds_a_key_that_is_there() {
    let keyset = aead();
    let text = format!("{:?}", binary(&keyset));
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        assert_keyless(&text, &keyset)
    }));
    assert!(found.is_err());
}

#[tokio::test]
async fn an_equality_with_a_deterministic_ciphertext_becomes_a_literal() {
    let keyset = deterministic();
    let ctx = context(KeyRing::new().keyset("d", keyset.clone()));
    run(
        &ctx,
        "CREATE TABLE t AS
         SELECT DETERMINISTIC_ENCRYPT(keyset('d'), CAST(value AS STRING), 'id') AS c
         FROM generate_series(1, 100)",
    )
    .await;
    let sql = "SELECT count(*) FROM t WHERE c = DETERMINISTIC_ENCRYPT(keyset('d'), '42', 'id')";
    assert_eq!(value(&ctx, sql).await.to_string(), "1");
    let query = ctx.sql(sql).await.unwrap();
    let optimized = ctx.state().optimize(query.logical_plan()).unwrap();
    let text = optimized.to_string();
    assert!(text.contains("t.c = Binary("), "{text}");
    assert!(!text.contains("deterministic_encrypt"), "{text}");
    assert_keyless(&shown(&ctx, sql).await, &keyset);
}

#[tokio::test]
async fn debug_texts_have_no_keys() {
    let keyset = aead();
    let ring = Arc::new(KeyRing::new().keyset("name of it", keyset.clone()));
    let mut shown = format!("{ring:?}");
    assert!(shown.contains("name of it"));
    for function in keyseal_datafusion::functions(&ring) {
        shown += &format!("{function:?}");
    }
    assert!(shown.contains("aead_decrypt_string"));
    assert_keyless(&shown, &keyset);
}

#[tokio::test]
async fn a_plan_without_the_keys_is_made_and_fails_only_when_it_runs() {
    let ctx = context(KeyRing::new());
    let sql = "SELECT DETERMINISTIC_ENCRYPT(keyset('pii'), 'ada', '') AS c";
    let query = ctx.sql(sql).await.unwrap();
    let optimized = ctx.state().optimize(query.logical_plan()).unwrap();
    assert!(optimized.to_string().contains("deterministic_encrypt"));
    let error = query.collect().await.unwrap_err().to_string();
    assert!(error.contains("no keyset is named \"pii\""), "{error}");
}

#[tokio::test]
async fn groups_filters_and_joins_work_on_decrypted_values() {
    let ctx = context(
        KeyRing::new()
            .keyset("a", aead())
            .keyset("d", deterministic()),
    );
    run(
        &ctx,
        "CREATE TABLE t AS SELECT value AS v,
           AEAD.ENCRYPT(keyset('a'), CAST(value % 3 AS STRING), 'x') AS c,
           DETERMINISTIC_ENCRYPT(keyset('d'), CAST(value % 3 AS STRING), 'x') AS e
         FROM generate_series(1, 30)",
    )
    .await;
    for (sql, expected) in [
        (
            "SELECT count(*) FROM (SELECT AEAD.DECRYPT_STRING(keyset('a'), c, 'x') AS p, count(*)
             FROM t GROUP BY AEAD.DECRYPT_STRING(keyset('a'), c, 'x'))",
            "3",
        ),
        (
            "SELECT count(*) FROM t WHERE AEAD.DECRYPT_STRING(keyset('a'), c, 'x') = '2' AND v > 15",
            "5",
        ),
        (
            "SELECT count(*) FROM (SELECT DETERMINISTIC_DECRYPT_STRING(keyset('d'), e, 'x') AS p
             FROM t) WHERE p = '1'",
            "10",
        ),
        (
            "SELECT count(*) FROM t AS a JOIN t AS b ON a.e = b.e",
            "300",
        ),
        (
            "SELECT sum(n) FROM (SELECT DETERMINISTIC_DECRYPT_STRING(keyset('d'), e, 'x') AS p, n
             FROM (SELECT e, count(*) AS n FROM t GROUP BY e)) WHERE p <> '0'",
            "20",
        ),
    ] {
        assert_eq!(value(&ctx, sql).await.to_string(), expected, "{sql}");
    }
}
