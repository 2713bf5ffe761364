//! Clusters with TLS, and without, seen by someone who reads the network.

use std::{fs, path::Path};

use keyseal_ballista::{ClientTls, local::Needle};

use crate::{
    certificates::{Authority, mutual},
    lake::{CANARY, EMAIL, Lake, answer},
    nodes::{Nodes, Settings},
    proxy::Recorder,
};

/// Each executor decrypts its part, and gives its groups to the one that has the rest of the group.
fn groups() -> String {
    format!(
        "SELECT {EMAIL} AS who, count(*) AS n, sum(cents) AS s FROM orders GROUP BY 1 ORDER BY 1"
    )
}

/// What each connection carried.
struct Wire {
    scheduler: Vec<Vec<u8>>,
    executors: Vec<Vec<Vec<u8>>>,
    /// From the scheduler to executors.
    tasks: Vec<Vec<u8>>,
}

impl Wire {
    fn of(nodes: &Nodes) -> Self {
        let used = |recorder: &Recorder| {
            let mut recordings = recorder.recordings();
            recordings.retain(|recording| !recording.is_empty());
            recordings
        };
        Self {
            scheduler: used(nodes.recorder.as_ref().unwrap()),
            executors: nodes.executor_recorders.iter().map(used).collect(),
            tasks: nodes.task_recorders.iter().flat_map(used).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Vec<u8>> {
        let executors = self.executors.iter().flatten();
        self.scheduler.iter().chain(executors).chain(&self.tasks)
    }
}

/// How many connections to executors there have been.
fn connections(nodes: &Nodes) -> Vec<usize> {
    let all = nodes.executor_recorders.iter();
    all.map(|recorder| recorder.recordings().len()).collect()
}

/// Runs the query while all connections are recorded.
async fn recorded(lake: &Lake, settings: Settings) -> Wire {
    let engine = lake.engine();
    let local = lake.local(&engine).await;
    lake.register(&local).await;
    let expected = answer(&local, &groups()).await.unwrap();
    assert!(expected.contains(CANARY));
    let settings = Settings {
        is_recorded: true,
        are_executors_recorded: true,
        ..settings
    };
    let mut nodes = Nodes::start(lake, settings).await;
    let remote = nodes.session(&engine).await;
    lake.register(&remote).await;
    let before = connections(&nodes);
    let result = answer(&remote, &groups()).await;
    assert_eq!(result, Ok(expected), "{}", nodes.logs());
    // The last stage has one partition, and so the client calls one executor. Whoever calls the other one
    // is an executor.
    let after = connections(&nodes);
    assert!(
        after[0] > before[0] && after[1] > before[1],
        "{before:?} {after:?}"
    );
    for executor in [1, 2] {
        assert!(nodes.bytes_read(executor) > 0, "executor {executor}");
    }
    let wire = Wire::of(&nodes);
    nodes.stop().await;
    wire
}

async fn lake_with_orders() -> Lake {
    let lake = Lake::new().await;
    let engine = lake.engine();
    let local = lake.local(&engine).await;
    lake.write_orders(&local, 1, 20_000).await;
    lake
}

fn is_in(needle: &Needle, recordings: &[Vec<u8>]) -> bool {
    recordings.iter().any(|recording| needle.is_in(recording))
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn tls_hides_on_each_hop_what_goes_in_clear_without_it() {
    let lake = lake_with_orders().await;
    let address = Needle::new("the address", CANARY.split('@').next().unwrap().as_bytes());
    let plan = Needle::new("a function of the plan", b"aead_decrypt_string");
    let http2 = Needle::new("the start of HTTP/2", b"PRI * HTTP/2.0");

    // The search finds them where they are.
    let wire = recorded(&lake, Settings::default()).await;
    assert!(is_in(&plan, &wire.scheduler) && is_in(&plan, &wire.tasks));
    assert!(is_in(&address, &wire.executors.concat()));
    for recordings in wire.executors.iter().chain([&wire.scheduler, &wire.tasks]) {
        assert!(is_in(&http2, recordings));
    }

    let authority = Authority::new(lake.path(), "ca");
    let mut settings = mutual(&authority);
    settings
        .environment
        .insert("RUST_LOG".to_owned(), "trace".to_owned());
    let wire = recorded(&lake, settings).await;
    assert_eq!(wire.tasks.len(), 0, "the scheduler called an executor");
    for recording in wire.all() {
        // Each connection begins with a handshake of TLS, in both directions.
        assert_eq!(recording[..2], [0x16, 0x03]);
        for needle in [&address, &plan, &http2] {
            assert!(!needle.is_in(recording), "{} is in clear", needle.name());
        }
    }
    let keys = ["scheduler", "executor", "client"].map(|name| authority.key_of(name));
    search_logs(lake.path(), &keys);
}

fn search_logs(folder: &Path, keys: &[Needle]) {
    for name in ["scheduler", "executor-1", "executor-2"] {
        let log = fs::read(folder.join(format!("{name}.log"))).unwrap();
        assert!(Needle::new("a trace", b"TRACE").is_in(&log));
        for key in keys {
            assert!(!key.is_in(&log), "{} is in the log of {name}", key.name());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_demands_no_certificate_takes_clients_without() {
    let lake = lake_with_orders().await;
    let engine = lake.engine();
    let authority = Authority::new(lake.path(), "ca");
    let is_needed = |argument: &String| !argument.starts_with("--tls-client-ca");
    let mut settings = mutual(&authority);
    settings.scheduler_arguments.retain(is_needed);
    settings.executor_arguments.retain(is_needed);
    settings.scheduler_arguments.push("--rest-api".to_owned());
    settings.client = Some(ClientTls::read(&authority.path()).unwrap());
    let mut nodes = Nodes::start(&lake, settings).await;
    let remote = nodes.session(&engine).await;
    lake.register(&remote).await;
    // A client cannot turn TLS off, for itself or for executors.
    remote
        .sql("SET ballista.client.use_tls = false")
        .await
        .unwrap();
    let result = answer(&remote, &groups()).await;
    assert!(
        result.as_ref().is_ok_and(|rows| rows.contains(CANARY)),
        "{result:?}"
    );
    let jobs = get(nodes.scheduler_port(), "api/jobs", &authority).await;
    let jobs = jobs.error_for_status().unwrap().text().await.unwrap();
    assert!(jobs.contains("job_id"), "{jobs}");
    let probe = get(nodes.scheduler_port(), "readyz", &authority).await;
    assert_eq!(probe.status(), 404);
    nodes.stop().await;
}

/// Asks the scheduler's REST API.
async fn get(port: u16, path: &str, authority: &Authority) -> reqwest::Response {
    let ca = fs::read(authority.path()).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
        .build()
        .unwrap();
    let url = format!("https://127.0.0.1:{port}/{path}");
    client.get(url).send().await.unwrap()
}
