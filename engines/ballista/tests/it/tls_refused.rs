//! Who is refused by a cluster with mutual TLS, and what they are told.

use std::{fs, path::Path, process::Stdio};

use ballista_core::serde::protobuf::{
    GetJobStatusParams, scheduler_grpc_client::SchedulerGrpcClient,
};
use keyseal_ballista::local::{ProcessBuilder, free_port};
use tokio::net::TcpStream;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::{
    certificates::{Authority, Issued, mutual},
    lake::Lake,
    nodes::{Nodes, PROGRAM, Settings, listens},
};

/// Runs a verb of the program that must fail, and returns its message.
async fn error_of(lake: &Lake, verb: &str, arguments: &[String]) -> String {
    let log = lake.path().join("refused.log");
    let _ = fs::remove_file(&log);
    let mut process = ProcessBuilder::new(PROGRAM, &log)
        .args(["--until-stdin-closes", verb])
        .args([format!("--config={}", lake.config().display())])
        .args(arguments)
        .envs([("RUST_LOG", "error")])
        .stdout(Stdio::null())
        .start()
        .unwrap();
    let status = process.wait().await.unwrap();
    let said = fs::read_to_string(log).unwrap();
    assert!(!status.success(), "{verb} {arguments:?}: {said}");
    said
}

fn trusting(ca: &Path) -> Vec<String> {
    vec![format!("--tls-ca={}", ca.display())]
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_why_they_are_refused() {
    let lake = Lake::new().await;
    let engine = lake.engine();
    let authority = Authority::new(lake.path(), "ca");
    let other = Authority::new(lake.path(), "other");
    let ca = trusting(&authority.path());
    let client = authority.client("ada").arguments();
    let stranger = other.client("eve");
    let mut nodes = Nodes::start(&lake, mutual(&authority)).await;
    nodes.wait_until_ready(&engine).await;
    let query = |url: &str, tls: &[Vec<String>]| {
        let query = ["--scheduler", url, "SELECT 1"].map(str::to_owned);
        [tls.concat(), query.to_vec()].concat()
    };

    let none = query(&nodes.url(), std::slice::from_ref(&ca));
    let error = error_of(&lake, "sql", &none).await;
    assert!(error.contains("a certificate; give one with"), "{error}");
    assert!(error.contains("--tls-cert and --tls-key"), "{error}");

    let foreign = query(&nodes.url(), &[ca.clone(), stranger.arguments()]);
    let error = error_of(&lake, "sql", &foreign).await;
    let refused = format!(
        "it does not accept the certificate in {}",
        stranger.cert.display()
    );
    assert!(error.contains(&refused), "{error}");

    let untrusting = query(&nodes.url(), &[trusting(&other.path()), client.clone()]);
    let error = error_of(&lake, "sql", &untrusting).await;
    let unknown = format!(
        "its certificate is not from a CA in {}",
        other.path().display()
    );
    assert!(error.contains(&unknown), "{error}");

    // 127.0.0.1 is in the certificate, the name is not.
    let named = nodes.url().replace("127.0.0.1", "localhost");
    let error = error_of(&lake, "sql", &query(&named, &[ca, client])).await;
    assert!(
        error.contains("its certificate cannot be accepted"),
        "{error}"
    );

    let error = error_of(&lake, "sql", &query(&nodes.url(), &[])).await;
    assert!(
        error.contains("if the scheduler has TLS, give its CA as --tls-ca"),
        "{error}"
    );
    nodes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn executors_refuse_and_are_refused() {
    let lake = Lake::new().await;
    let engine = lake.engine();
    let authority = Authority::new(lake.path(), "ca");
    let other = Authority::new(lake.path(), "other");
    let mut nodes = Nodes::start(&lake, mutual(&authority)).await;
    nodes.wait_until_ready(&engine).await;

    for &(files, tasks) in &nodes.executor_ports {
        // Its files are for those with a certificate only.
        listens(files).await;
        let known = Some(authority.client("known"));
        assert_eq!(call(&authority, known, files).await, Ok(()));
        let error = call(&authority, None, files).await.unwrap_err();
        // The reason may be lost: the server hangs up as soon as it has said it.
        let is_absent = error.contains("ConnectError") || error.contains("refused");
        assert!(!is_absent, "{error}");
        // It serves no tasks at all.
        assert!(TcpStream::connect(("127.0.0.1", tasks)).await.is_err());
    }

    let executor = |tls: &[Vec<String>]| {
        let scheduler = format!("--scheduler-port={}", nodes.scheduler_port());
        let own = vec![
            "--scheduler-host=127.0.0.1".to_owned(),
            scheduler,
            format!("--port={}", free_port().unwrap()),
        ];
        [own, tls.concat()].concat()
    };
    let ca = trusting(&authority.path());
    let stranger = other.node("executor");
    let error = error_of(
        &lake,
        "executor",
        &executor(&[ca.clone(), stranger.arguments()]),
    )
    .await;
    let refused = format!(
        "it does not accept the certificate in {}",
        stranger.cert.display()
    );
    assert!(error.contains(&refused), "{error}");

    let unnamed = authority.issue("unnamed", &["executor.example.org"]);
    let error = error_of(&lake, "executor", &executor(&[ca, unnamed.arguments()])).await;
    assert!(error.contains("does not fit 127.0.0.1"), "{error}");
    nodes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_tls_does_not_talk_to_a_scheduler_in_clear() {
    let lake = Lake::new().await;
    let engine = lake.engine();
    let authority = Authority::new(lake.path(), "ca");
    let mut nodes = Nodes::start(&lake, Settings::default()).await;
    nodes.wait_until_ready(&engine).await;
    let mut arguments = trusting(&authority.path());
    arguments.extend(["--scheduler", &nodes.url(), "SELECT 1"].map(str::to_owned));
    let error = error_of(&lake, "sql", &arguments).await;
    assert!(error.contains("it does not speak TLS"), "{error}");
    nodes.stop().await;
}

/// Calls an executor's server for results, with the right CA.
async fn call(authority: &Authority, client: Option<Issued>, port: u16) -> Result<(), String> {
    let read = |path: &Path| fs::read(path).unwrap();
    let ca = Certificate::from_pem(read(&authority.path()));
    let mut tls = ClientTlsConfig::new().ca_certificate(ca);
    if let Some(Issued { cert, key }) = client {
        tls = tls.identity(Identity::from_pem(read(&cert), read(&key)));
    }
    let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{port}")).unwrap();
    let channel = endpoint.tls_config(tls).unwrap().connect().await;
    let channel = channel.map_err(|error| format!("{error:?}"))?;
    let nothing = GetJobStatusParams::default();
    // Any answer, even that there is no such service, means that we are in.
    match SchedulerGrpcClient::new(channel)
        .get_job_status(nothing)
        .await
    {
        Err(status) if std::error::Error::source(&status).is_some() => Err(format!("{status:?}")),
        _ => Ok(()),
    }
}
