//! A known address and all keys are searched for in everything that travels or is written.

use std::{fs, path::Path};

use keyseal::{
    Aead as _, KeysetAead, SecretAccess,
    kms::scaleway::{ScalewayClient, ScalewayKey},
};
use keyseal_ballista::local::Needle;

use crate::{
    lake::{CANARY, EMAIL},
    nodes::{Nodes, Settings},
    rights::Managed,
};

fn kek(managed: &Managed) -> ScalewayKey {
    let variables = managed.emulator.environment();
    let client = ScalewayClient::builder()
        .api_url(&variables["SCW_API_URL"])
        .secret_key(&variables["SCW_SECRET_KEY"])
        .build()
        .unwrap();
    client
        .key(&managed.emulator.key_uri().parse().unwrap())
        .unwrap()
}

/// The keys of all keysets, and the credentials.
async fn needles(managed: &Managed) -> Vec<Needle> {
    let kek = kek(managed);
    let variables = managed.emulator.environment();
    let access = SecretAccess::insecure();
    let mut needles = vec![
        Needle::new("the address", CANARY.split('@').next().unwrap().as_bytes()),
        Needle::new("the credentials", variables["SCW_SECRET_KEY"].as_bytes()),
    ];
    for name in ["store", "pii", "join"] {
        let keyset = managed.lake.read_keyset(name, &kek).await;
        for entry in keyset.entries() {
            let key = entry.key().unwrap().export(access).unwrap();
            needles.push(Needle::new(name, &key.expose(access)[..16]));
        }
    }
    needles
}

fn search(name: &str, text: &[u8], needles: &[Needle]) {
    for needle in needles {
        assert!(!needle.is_in(text), "{} is in {name}", needle.name());
    }
}

fn search_folder(folder: &Path, needles: &[Needle]) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += search_folder(&path, needles);
        } else {
            search(
                &path.display().to_string(),
                &fs::read(&path).unwrap(),
                needles,
            );
            files += 1;
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_travels_or_is_logged_has_a_secret() {
    let managed = Managed::new().await;
    let engine = managed.lake.engine();
    let history = managed.lake.path().join("history");
    fs::create_dir(&history).unwrap();
    let mut environment = managed.emulator.environment().clone();
    environment.insert("RUST_LOG".to_owned(), "trace".to_owned());
    let settings = Settings {
        environment,
        is_recorded: true,
        scheduler_arguments: vec![
            format!("--event-log={}", history.display()),
            "--rest-api".to_owned(),
        ],
        ..Settings::default()
    };
    let mut nodes = Nodes::start(&managed.lake, settings).await;
    nodes.wait_until_ready(&engine).await;
    managed.write_orders(2_000).await;

    let kek = kek(&managed);
    let pii: KeysetAead = managed
        .lake
        .read_keyset("pii", &kek)
        .await
        .primitive()
        .unwrap();
    let ciphertext = pii.encrypt(CANARY.as_bytes(), b"orders.email").unwrap();
    let ciphertext = data_encoding::HEXUPPER.encode(&ciphertext);
    let literal = format!("AEAD.DECRYPT_STRING(keyset('pii'), X'{ciphertext}', 'orders.email')");
    let lookup = format!("deterministic_encrypt(keyset('join'), '{CANARY}', 'customer')");
    let decryption = format!("SELECT count(*) FROM orders WHERE {EMAIL} <> {literal}");
    for (sql, count) in [
        (decryption.clone(), "1980"),
        (
            format!("SELECT count(*) FROM orders WHERE length({literal}) > status"),
            "2000",
        ),
        (
            format!("SELECT count(*) FROM orders WHERE email <> {lookup}"),
            "2000",
        ),
    ] {
        let result = managed
            .sql(&nodes.url(), &managed.with_table(&sql), "warn")
            .await
            .unwrap();
        assert!(result.contains(count), "{result}");
    }
    let explain = managed.with_table(&format!("EXPLAIN VERBOSE {decryption}"));
    let explained = managed.sql(&nodes.url(), &explain, "warn").await.unwrap();
    assert!(explained.contains("aead_decrypt_string"), "{explained}");
    let client = managed.with_table(&decryption);
    managed.sql(&nodes.url(), &client, "trace").await.unwrap();

    let needles = needles(&managed).await;
    // Counts alone were shuffled so far.
    for executor in ["executor-1", "executor-2"] {
        search_folder(&managed.lake.path().join(executor), &needles);
    }
    // The engine filters by the last row that it keeps, which is the address.
    let first = format!(
        "SELECT who, count(*) AS n FROM (SELECT {EMAIL} AS who FROM orders) \
         GROUP BY who ORDER BY who LIMIT 1"
    );
    let first = managed.with_table(&first);
    let result = managed.sql(&nodes.url(), &first, "trace").await.unwrap();
    assert!(result.contains(CANARY) && result.contains("20"), "{result}");

    let rest = rest(nodes.scheduler_port()).await;
    let recordings = nodes.recorder.as_ref().unwrap().recordings();
    nodes.stop().await;
    for executor in ["executor-1", "executor-2"] {
        fs::remove_dir_all(managed.lake.path().join(executor)).unwrap();
    }
    // The search finds things that are there.
    let all = recordings.concat();
    assert!(Needle::new("a URL", managed.lake.orders().as_bytes()).is_in(&all));
    assert!(Needle::new("a name", b"aead_decrypt_string").is_in(&all));
    for recording in &recordings {
        search("gRPC", recording, &needles);
    }
    search("EXPLAIN VERBOSE", explained.as_bytes(), &needles);
    assert!(rest.contains("job_id"), "{rest}");
    search("the REST API", rest.as_bytes(), &needles);
    assert!(search_folder(&history, &needles) > 0);
    // Tables, configuration, and the logs of all processes.
    assert!(search_folder(managed.lake.path(), &needles) > 10);
    let trace = fs::read_to_string(managed.lake.path().join("executor-1.log")).unwrap();
    assert!(trace.contains("TRACE"));
    managed.emulator.stop().await;
}

/// The answers of the scheduler's REST API about all jobs.
async fn rest(port: u16) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: String| {
        let reply = client
            .get(format!("http://127.0.0.1:{port}/api/{path}"))
            .send();
        reply.await.unwrap().text().await.unwrap()
    };
    let jobs = get("jobs".to_owned()).await;
    let mut all = jobs.clone();
    let parsed: serde_json::Value = serde_json::from_str(&jobs).unwrap();
    for job in parsed.as_array().into_iter().flatten() {
        let id = job["job_id"].as_str().unwrap();
        for path in [
            format!("job/{id}"),
            format!("job/{id}/stages"),
            format!("job/{id}/config"),
        ] {
            all += &get(path).await;
        }
    }
    all
}
