//! Keys that are rotated while queries run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    lake::{EMAIL, Lake, answer},
    nodes::{Nodes, Settings},
};

#[tokio::test(flavor = "multi_thread")]
async fn no_query_fails_while_keys_are_rotated() {
    let lake = Lake::new().await;
    let engine = lake.engine();
    let local = lake.local(&engine).await;
    lake.write_orders(&local, 1, 8_000).await;
    lake.register(&local).await;
    let mut nodes = Nodes::start(&lake, Settings::default()).await;
    let remote = nodes.session(&engine).await;
    lake.register(&remote).await;
    let sql =
        format!("SELECT {EMAIL} AS who, count(*), sum(cents) FROM orders GROUP BY 1 ORDER BY 1");
    let expected = answer(&local, &sql).await.unwrap();

    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let load = (0..2).map(|_| {
        let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
        let (remote, sql, expected) = (remote.clone(), sql.clone(), expected.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                assert_eq!(answer(&remote, &sql).await, Ok(expected.clone()));
                done.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let load: Vec<_> = load.collect();
    for round in 1..=3 {
        let before = done.load(Ordering::SeqCst);
        lake.rotate().await;
        // More orders, in another folder, under keys that the cluster has not seen.
        let writer = lake.engine();
        let writer = lake.local(&writer).await;
        let new = format!(
            "{}more/",
            lake.orders()
                .replace("/orders/", &format!("/round-{round}/"))
        );
        let sql = format!(
            "COPY (SELECT value AS id, AEAD.ENCRYPT(keyset('pii'), 'late', 'orders.email') AS email \
             FROM generate_series(1, 1000)) TO '{new}' STORED AS PARQUET"
        );
        writer.sql(&sql).await.unwrap().collect().await.unwrap();
        let sql = format!("CREATE EXTERNAL TABLE round_{round} STORED AS PARQUET LOCATION '{new}'");
        remote.sql(&sql).await.unwrap().collect().await.unwrap();
        let sql = format!("SELECT {EMAIL} AS who, count(*) AS n FROM round_{round} GROUP BY 1");
        let late = answer(&remote, &sql)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(late.contains("late") && late.contains("1000"), "{late}");
        while done.load(Ordering::SeqCst) < before + 2
            && !load.iter().any(|task| task.is_finished())
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    for task in load {
        task.await.unwrap();
    }
    assert!(done.load(Ordering::SeqCst) >= 6);
    nodes.stop().await;
}
