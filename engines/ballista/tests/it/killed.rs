//! An executor that is killed in the middle of a query, and one that cannot start.

use std::time::Duration;

use keyseal_ballista::local::ProcessBuilder;

use crate::{
    certificates::{Authority, mutual},
    lake::{EMAIL, Lake, answer},
    nodes::{Nodes, PROGRAM, Settings},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_query_survives_the_death_of_an_executor() {
    let lake = Lake::new().await;
    survives(&lake, Settings::default()).await;
}

/// Executors ask for tasks there.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_survives_the_death_of_an_executor_with_tls() {
    let lake = Lake::new().await;
    let settings = mutual(&Authority::new(lake.path(), "ca"));
    survives(&lake, settings).await;
}

async fn survives(lake: &Lake, settings: Settings) {
    let engine = lake.engine();
    let local = lake.local(&engine).await;
    lake.write_orders(&local, 1, 40_000).await;
    lake.register(&local).await;
    // Each of 100 customers has 400 orders: 16 million pairs.
    let sql = format!(
        "SELECT who, count(*) AS n, sum((a.cents * b.cents) % 1009) AS s FROM \
         (SELECT {EMAIL} AS who, customer, cents FROM orders) a \
         JOIN orders b ON a.customer = b.customer GROUP BY who ORDER BY who"
    );
    let expected = answer(&local, &sql).await.unwrap();
    let mut nodes = Nodes::start(lake, settings).await;
    let remote = nodes.session(&engine).await;
    lake.register(&remote).await;
    let (before, query) = (nodes.bytes_read(1), sql.clone());
    let asked = remote.clone();
    let query = tokio::spawn(async move { answer(&asked, &query).await });
    // It works on the query.
    while nodes.bytes_read(1) == before && !query.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!query.is_finished());
    nodes.executors[0].kill().await.unwrap();
    assert!(!query.is_finished(), "the query was too fast to be hit");
    let limit = Duration::from_secs(120);
    let result = tokio::time::timeout(limit, query)
        .await
        .expect("the query hangs");
    assert_eq!(result.unwrap(), Ok(expected.clone()), "{}", nodes.logs());
    // The other one goes on alone.
    let again = tokio::time::timeout(limit, answer(&remote, &sql)).await;
    assert_eq!(again.unwrap(), Ok(expected));
    nodes.stop().await;
}

#[tokio::test]
async fn an_executor_that_cannot_listen_does_not_end_well() {
    let lake = Lake::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let log = lake.path().join("executor.log");
    let mut executor = ProcessBuilder::new(PROGRAM, &log)
        .args(["--until-stdin-closes", "executor"])
        .args([format!("--config={}", lake.config().display())])
        .args([format!("--port={port}")])
        .start()
        .unwrap();
    assert!(!executor.wait().await.unwrap().success());
    let said = std::fs::read_to_string(log).unwrap();
    assert!(
        said.contains(&format!("cannot listen on 127.0.0.1, port {port}")),
        "{said}"
    );
}
