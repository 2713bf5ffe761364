//! The configuration in use, in one process.

use std::fs;

use datafusion::prelude::{SessionConfig, SessionContext};
use keyseal::{RemoteAead as _, SecretAccess, keyset::Format};
use keyseal_ballista::{Engine, EngineConfig, Role};

use crate::lake::{EMAIL, Lake, answer};

fn context(lake: &Lake, config: &str) -> SessionContext {
    let config = EngineConfig::parse(config, &lake.config()).unwrap();
    let engine = Engine::new(&config, Role::Executor).unwrap();
    let state = engine.state(SessionConfig::new(), None).unwrap();
    SessionContext::new_with_state(state)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_may_do_what_its_file_allows() {
    let lake = Lake::new().await;
    let all = lake.local(&lake.engine()).await;
    lake.write_orders(&all, 1, 100).await;
    let decrypt = format!("SELECT count({EMAIL}) AS n FROM orders");
    let encrypt = "SELECT AEAD.ENCRYPT(keyset('pii'), 'x', '') AS c".to_owned();
    for (allow, refused, possible) in [
        ("encrypt", &decrypt, &encrypt),
        ("decrypt", &encrypt, &decrypt),
    ] {
        let ctx = context(&lake, &lake.config_text(&[allow]));
        lake.register(&ctx).await;
        let error = answer(&ctx, refused).await.unwrap_err();
        let expected = "keyset \"pii\" may not be used to";
        assert!(error.contains(expected), "{error}");
        answer(&ctx, possible).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyset_is_in_the_file_and_a_store_has_no_keyset() {
    let lake = Lake::new().await;
    // As BigQuery wraps it: the service's ciphertext of the bare keyset.
    let kek = lake.file_kek();
    let keyset = lake.read_keyset("pii", &*kek).await;
    let access = SecretAccess::insecure();
    let bare = keyset.write_cleartext(Format::Binary, access);
    let wrapped = kek.encrypt(bare.expose(access), b"").await.unwrap();
    let wrapped = data_encoding::BASE64.encode(&wrapped);
    let config = format!(
        "[[store]]\nprefix = \"sealed+file:///\"\nkek = \"file-kms://kek.json\"\ncontext = \"lake\"\n\
         [[keyset]]\nname = \"pii\"\nkek = \"file-kms://kek.json\"\nwrapped = \"{wrapped}\"\n"
    );
    let ctx = context(&lake, &config);
    let table = format!("{}one.parquet", lake.orders());
    let sql = format!(
        "COPY (SELECT AEAD.ENCRYPT(keyset('pii'), 'ada', 'x') AS c) TO '{table}' STORED AS PARQUET"
    );
    answer(&ctx, &sql).await.unwrap();
    let sql = format!("CREATE EXTERNAL TABLE one STORED AS PARQUET LOCATION '{table}'");
    answer(&ctx, &sql).await.unwrap();
    let sql = "SELECT AEAD.DECRYPT_STRING(keyset('pii'), c, 'x') AS who FROM one";
    assert!(answer(&ctx, sql).await.unwrap().contains("ada"));
    let files = fs::read_dir(lake.path().join("lake/orders")).unwrap();
    for file in files {
        let stored = fs::read(file.unwrap().path()).unwrap();
        assert!(stored.starts_with(b"keyseal\x01"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_the_place_of_a_keyset() {
    let lake = Lake::new().await;
    let ctx = context(&lake, &lake.config_text(&["encrypt", "decrypt"]));
    let sql = "SELECT AEAD.ENCRYPT(keyset('pii'), 'x', '') AS c".to_owned();
    fs::remove_file(lake.path().join("pii.json")).unwrap();
    let error = answer(&ctx, &sql).await.unwrap_err();
    assert!(
        error.contains("pii.json") && error.contains("not exist"),
        "{error}"
    );
    fs::remove_file(lake.path().join("store.json")).unwrap();
    let sql = format!(
        "COPY (SELECT 1 AS x) TO '{}x.parquet' STORED AS PARQUET",
        lake.orders()
    );
    let error = answer(&ctx, &sql).await.unwrap_err();
    assert!(
        error.contains("store.json") && error.contains("not exist"),
        "{error}"
    );
    let sql = "COPY (SELECT 1 AS x) TO 'sealed+s3://other/x.parquet' STORED AS PARQUET";
    let error = answer(&ctx, sql).await.unwrap_err();
    assert!(
        error.contains("no key is configured for sealed+s3://other"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_keys_of_its_own() {
    let lake = Lake::new().await;
    let all = lake.config_text(&["encrypt", "decrypt"]);
    let hr = format!("sealed+file://{}/lake/hr/", lake.path().display());
    let config = format!(
        "{all}[[store]]\nprefix = \"{hr}\"\nkek = \"file-kms://hr.json\"\ncontext = \"hr\"\n"
    );
    let ctx = context(&lake, &config);
    let copy =
        |folder: &str| format!("COPY (SELECT 1 AS x) TO '{folder}x.parquet' STORED AS PARQUET");
    answer(&ctx, &copy(&lake.orders())).await.unwrap();
    // There is no such key, and that of the bucket does not take its place.
    let error = answer(&ctx, &copy(&hr)).await.unwrap_err();
    assert!(error.contains("hr.json"), "{error}");
    fs::copy(lake.path().join("kek.json"), lake.path().join("hr.json")).unwrap();
    answer(&ctx, &copy(&hr)).await.unwrap();
    let sql = format!("CREATE EXTERNAL TABLE hr STORED AS PARQUET LOCATION '{hr}'");
    answer(&ctx, &sql).await.unwrap();
    assert!(
        answer(&ctx, "SELECT x FROM hr")
            .await
            .unwrap()
            .contains("| 1 |")
    );
}
