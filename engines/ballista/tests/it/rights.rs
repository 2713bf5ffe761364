//! Executors that may not use a key: one clear error, and no storm of calls.

use std::{collections::BTreeMap, fs, process::Stdio, time::Instant};

use keyseal::kms::scaleway::ScalewayClient;
use keyseal_ballista::local::{EmulatorProcess, KeyManagerControl, ProcessBuilder};
use tokio::io::AsyncReadExt as _;

use crate::{
    lake::{CANARY, EMAIL, Lake},
    nodes::{Nodes, PROGRAM, Settings},
};

/// Keys in an emulator, and a lake under one of them.
pub(crate) struct Managed {
    pub(crate) emulator: EmulatorProcess,
    pub(crate) control: KeyManagerControl,
    pub(crate) lake: Lake,
}

impl Managed {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("key-manager.log");
        let emulator = EmulatorProcess::start(PROGRAM, &log).await.unwrap();
        let variables = emulator.environment();
        let client = ScalewayClient::builder()
            .api_url(&variables["SCW_API_URL"])
            .secret_key(&variables["SCW_SECRET_KEY"])
            .build()
            .unwrap();
        let uri = emulator.key_uri().to_owned();
        let kek = client.key(&uri.parse().unwrap()).unwrap();
        let lake = Lake::under(folder, &uri, &kek).await;
        let control = KeyManagerControl::new(variables).unwrap();
        Self {
            emulator,
            control,
            lake,
        }
    }

    /// Runs statements on a cluster, in a process that has all rights.
    pub(crate) async fn sql(&self, url: &str, sql: &str, logs: &str) -> Result<String, String> {
        self.run(&["--scheduler", url, sql], logs).await
    }

    async fn run(&self, arguments: &[&str], logs: &str) -> Result<String, String> {
        let log = self.lake.path().join("client.log");
        let config = self.lake.config();
        let mut process = ProcessBuilder::new(PROGRAM, &log)
            .args(["sql", "--config", config.to_str().unwrap()])
            .args(arguments)
            .envs(self.emulator.environment())
            .envs([("RUST_LOG", logs)])
            .stdout(Stdio::piped())
            .start()
            .unwrap();
        let mut out = String::new();
        let mut stdout = process.child().stdout.take().unwrap();
        stdout.read_to_string(&mut out).await.unwrap();
        let status = process.wait().await.unwrap();
        match status.success() {
            true => Ok(out),
            false => Err(fs::read_to_string(log).unwrap()),
        }
    }

    /// Writes orders, which takes the rights of the emulator's first API key.
    pub(crate) async fn write_orders(&self, rows: u64) {
        let sql = format!(
            "COPY (SELECT value AS id, value % 4 AS status, value AS cents, \
             AEAD.ENCRYPT(keyset('pii'), CASE WHEN value % 100 = 7 THEN '{CANARY}' \
             ELSE concat('customer', CAST(value % 100 AS VARCHAR)) END, 'orders.email') AS email \
             FROM generate_series(1, {rows})) TO '{}' STORED AS PARQUET",
            self.lake.orders()
        );
        self.run(&["--local", &sql], "warn").await.unwrap();
    }

    pub(crate) fn with_table(&self, sql: &str) -> String {
        format!("{}; {sql}", self.lake.table())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn executors_without_rights_give_one_error_and_ask_once() {
    let managed = Managed::new().await;
    let all = managed.emulator.environment().clone();
    let engine = managed.lake.engine();
    // A cluster with rights writes the table.
    let settings = Settings {
        environment: all.clone(),
        ..Settings::default()
    };
    let mut nodes = Nodes::start(&managed.lake, settings).await;
    nodes.wait_until_ready(&engine).await;
    managed.write_orders(20_000).await;
    let count = managed.with_table("SELECT count(*), sum(cents) FROM orders");
    managed.control.take_calls().await.unwrap();
    assert!(
        managed
            .sql(&nodes.url(), &count, "warn")
            .await
            .unwrap()
            .contains("20000")
    );
    nodes.stop().await;
    for name in ["executor-1", "executor-2"] {
        fs::remove_file(managed.lake.path().join(format!("{name}.meter"))).unwrap();
    }

    // The scheduler keeps its rights, the executors may read the names of keys only.
    let mut few = all.clone();
    few.extend(
        managed
            .control
            .add_identity(&["KeyManagerReadOnly"])
            .await
            .unwrap(),
    );
    let settings = Settings {
        environment: all,
        executor_environment: Some(few),
        ..Settings::default()
    };
    let mut nodes = Nodes::start(&managed.lake, settings).await;
    nodes.wait_until_ready(&engine).await;
    let sums = format!("SELECT {EMAIL} AS who, count(*) FROM orders GROUP BY 1");
    for sql in [count, managed.with_table(&sums)] {
        managed.control.take_calls().await.unwrap();
        fs::remove_file(managed.lake.path().join("client.log")).unwrap();
        let started = Instant::now();
        let error = managed.sql(&nodes.url(), &sql, "error").await.unwrap_err();
        assert!(started.elapsed().as_secs() < 20, "{error}");
        assert!(error.contains("permission"), "{error}");
        assert!(error.contains(managed.emulator.key_uri()), "{error}");
        let calls = managed.control.take_calls().await.unwrap();
        let refused = calls.iter().filter(|call| call.status == 403);
        let refused: Vec<_> = refused.collect();
        assert!((1..=2).contains(&refused.len()), "{calls:?}");
        assert!(
            refused
                .iter()
                .all(|call| call.user_agent.contains("executor")),
            "{calls:?}"
        );
        // Refusals are remembered for five seconds.
        tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    }
    nodes.stop().await;
    managed.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_credentials_starts_and_says_what_is_missing() {
    let managed = Managed::new().await;
    let engine = managed.lake.engine();
    let none = BTreeMap::from([("HOME".to_owned(), managed.lake.path().display().to_string())]);
    let settings = Settings {
        environment: none,
        ..Settings::default()
    };
    let mut nodes = Nodes::start(&managed.lake, settings).await;
    nodes.wait_until_ready(&engine).await;
    // The client has rights, but executors find the keyset of each row.
    let sql =
        "SELECT KEYS.KEYSET_LENGTH(keyset(concat('pi', n))) FROM (VALUES ('i'), ('i')) AS t(n)";
    let error = managed.sql(&nodes.url(), sql, "error").await.unwrap_err();
    assert!(error.contains("SCW_SECRET_KEY"), "{error}");
    nodes.stop().await;
    managed.emulator.stop().await;
}
