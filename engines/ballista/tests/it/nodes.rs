//! A scheduler and executors as processes.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use datafusion::prelude::SessionContext;
use keyseal_ballista::{
    Engine, connect,
    local::{Process, ProcessBuilder, free_port},
};

use crate::{lake::Lake, proxy::Recorder};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_keyseal-ballista");

/// The settings of the processes.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) environment: BTreeMap<String, String>,
    /// That of executors, if it is another one.
    pub(crate) executor_environment: Option<BTreeMap<String, String>>,
    /// Whether everything that the scheduler is told, and answers, is recorded.
    pub(crate) is_recorded: bool,
    pub(crate) scheduler_arguments: Vec<String>,
}

pub(crate) struct Nodes {
    folder: PathBuf,
    /// Where executors and clients find the scheduler.
    port: u16,
    scheduler_port: u16,
    pub(crate) recorder: Option<Recorder>,
    scheduler: Process,
    pub(crate) executors: Vec<Process>,
}

impl Nodes {
    pub(crate) async fn start(lake: &Lake, settings: Settings) -> Self {
        let port = free_port().unwrap();
        let mut arguments = vec![
            format!("--bind=127.0.0.1:{port}"),
            "--external-host=127.0.0.1".to_owned(),
            // Executors that were killed are noticed soon.
            "--executor-timeout=4".to_owned(),
        ];
        arguments.extend(settings.scheduler_arguments);
        let environment = &settings.environment;
        let scheduler = node(lake, environment, "scheduler", "scheduler", &arguments);
        let recorder = match settings.is_recorded {
            true => Some(Recorder::start(port).await),
            false => None,
        };
        let mut nodes = Self {
            folder: lake.path().to_owned(),
            port: recorder.as_ref().map_or(port, Recorder::port),
            scheduler_port: port,
            recorder,
            scheduler,
            executors: Vec::new(),
        };
        let environment = settings
            .executor_environment
            .as_ref()
            .unwrap_or(environment);
        for _ in 0..2 {
            nodes.add_executor(lake, environment);
        }
        nodes
    }

    fn add_executor(&mut self, lake: &Lake, environment: &BTreeMap<String, String>) {
        let name = format!("executor-{}", self.executors.len() + 1);
        let arguments = [
            "--scheduler-host=127.0.0.1".to_owned(),
            format!("--scheduler-port={}", self.port),
            format!("--port={}", free_port().unwrap()),
            format!("--grpc-port={}", free_port().unwrap()),
            "--vcores=2".to_owned(),
            "--heartbeat=1".to_owned(),
            format!("--work-dir={}", self.folder.join(&name).display()),
        ];
        let executor = node(lake, environment, &name, "executor", &arguments);
        self.executors.push(executor);
    }

    pub(crate) fn scheduler_port(&self) -> u16 {
        self.scheduler_port
    }

    pub(crate) fn url(&self) -> String {
        format!("df://127.0.0.1:{}", self.port)
    }

    /// Opens a session once both executors run tasks.
    pub(crate) async fn session(&mut self, engine: &Engine) -> SessionContext {
        self.wait_until_ready(engine).await;
        connect(engine, &self.url()).await.unwrap()
    }

    pub(crate) async fn wait_until_ready(&mut self, engine: &Engine) {
        for _ in 0..600 {
            self.check_all_run();
            let mut executors = 1..=self.executors.len();
            if executors.all(|n| self.folder.join(format!("executor-{n}.meter")).exists()) {
                let answer = async {
                    let ctx = connect(engine, &self.url()).await.ok()?;
                    ctx.sql("SELECT 1").await.ok()?.collect().await.ok()
                };
                let limit = Duration::from_secs(5);
                if let Ok(Some(_)) = tokio::time::timeout(limit, answer).await {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no answer: {}", self.logs());
    }

    fn check_all_run(&mut self) {
        let ended = self.scheduler.ended().unwrap().is_some()
            || self
                .executors
                .iter_mut()
                .any(|executor| executor.ended().unwrap().is_some());
        assert!(!ended, "{}", self.logs());
    }

    /// How many bytes an executor has read from tables.
    pub(crate) fn bytes_read(&self, executor: usize) -> u64 {
        let path = self.folder.join(format!("executor-{executor}.meter"));
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split(' ')
            .nth(1)
            .map_or(0, |bytes| bytes.parse().unwrap())
    }

    pub(crate) fn logs(&self) -> String {
        let logs = ["scheduler", "executor-1", "executor-2"].map(|name| {
            let log = fs::read_to_string(self.folder.join(format!("{name}.log")));
            format!("--- {name}\n{}", log.unwrap_or_default())
        });
        logs.concat()
    }

    pub(crate) async fn stop(self) {
        for executor in self.executors {
            executor.stop().await;
        }
        self.scheduler.stop().await;
    }
}

fn node(
    lake: &Lake,
    environment: &BTreeMap<String, String>,
    name: &str,
    verb: &str,
    arguments: &[String],
) -> Process {
    let folder = lake.path();
    let config = lake.config();
    let meter = folder.join(format!("{name}.meter"));
    ProcessBuilder::new(PROGRAM, &folder.join(format!("{name}.log")))
        .args(["--until-stdin-closes", verb])
        .args([
            format!("--config={}", config.display()),
            format!("--meter={}", meter.display()),
        ])
        .args(arguments)
        .envs(environment)
        .start()
        .unwrap()
}
