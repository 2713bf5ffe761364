//! A cluster of two executors gives the results of the engine in one process.

use crate::{
    lake::{CANARY, EMAIL, Lake, answer},
    nodes::{Nodes, Settings},
};

#[tokio::test(flavor = "multi_thread")]
async fn two_executors_answer_as_the_local_engine_does() {
    let lake = Lake::new().await;
    let engine = lake.engine();
    let local = lake.local(&engine).await;
    lake.write_orders(&local, 1, 20_000).await;
    lake.register(&local).await;
    let mut nodes = Nodes::start(&lake, Settings::default()).await;
    let remote = nodes.session(&engine).await;
    lake.register(&remote).await;
    for sql in [
        "SELECT status, count(*), sum(cents) FROM orders GROUP BY status ORDER BY status"
            .to_owned(),
        "SELECT id, cents FROM orders WHERE id BETWEEN 4990 AND 5010 ORDER BY id".to_owned(),
        format!("SELECT {EMAIL} AS who, count(*), sum(cents) FROM orders GROUP BY 1 ORDER BY 1"),
        format!("SELECT id, {EMAIL} AS who FROM orders ORDER BY cents, id LIMIT 20"),
        format!(
            "SELECT count(*) FROM orders WHERE customer = \
             deterministic_encrypt(keyset('join'), '{CANARY}', 'customer')"
        ),
        "SELECT count(*), sum(a.cents) FROM orders a JOIN orders b ON a.customer = b.customer \
         WHERE b.id <= 100"
            .to_owned(),
        format!(
            "SELECT count(*) FROM orders WHERE SAFE.AEAD.DECRYPT_STRING(keyset('pii'), email, 'x') \
             IS NULL AND {EMAIL} IS NOT NULL"
        ),
        "SELECT KEYS.KEYSET_LENGTH(keyset('pii')) AS keys".to_owned(),
    ] {
        let expected = answer(&local, &sql).await;
        assert!(expected.is_ok(), "{expected:?}");
        assert_eq!(answer(&remote, &sql).await, expected, "{sql}");
    }
    // Both did a part.
    for executor in [1, 2] {
        assert!(nodes.bytes_read(executor) > 0, "executor {executor}");
    }
    nodes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_writes_tables_that_it_reads() {
    let lake = Lake::new().await;
    let engine = lake.engine();
    let local = lake.local(&engine).await;
    lake.write_orders(&local, 1, 2_000).await;
    let mut nodes = Nodes::start(&lake, Settings::default()).await;
    let remote = nodes.session(&engine).await;
    lake.register(&remote).await;
    let copy = lake.orders().replace("/orders/", "/copy/");
    let sql = format!("COPY (SELECT id, cents FROM orders) TO '{copy}' STORED AS PARQUET");
    remote.sql(&sql).await.unwrap().collect().await.unwrap();
    let sql = format!("CREATE EXTERNAL TABLE copy STORED AS PARQUET LOCATION '{copy}'");
    for ctx in [&remote, &local] {
        ctx.sql(&sql).await.unwrap().collect().await.unwrap();
        let sum = answer(ctx, "SELECT count(*) AS n, min(id), max(id) FROM copy").await;
        assert!(sum.as_ref().unwrap().contains("2000"), "{sum:?}");
    }
    nodes.stop().await;
}
