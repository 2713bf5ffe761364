//! A scheduler and executors as processes.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use datafusion::prelude::SessionContext;
use keyseal_ballista::{
    ClientTls, Engine, connect, connect_with_tls,
    local::{Process, ProcessBuilder, free_port},
};
use tokio::net::TcpStream;

use crate::{lake::Lake, proxy::Recorder};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_keyseal-ballista");

/// Another address of loopback.
pub(crate) const ELSEWHERE: &str = "127.0.0.2";

/// The settings of the processes.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) environment: BTreeMap<String, String>,
    /// That of executors, if it is another one.
    pub(crate) executor_environment: Option<BTreeMap<String, String>>,
    /// Whether everything that the scheduler is told, and answers, is recorded.
    pub(crate) is_recorded: bool,
    /// The same for executors. It takes a second address of loopback, as Linux has it.
    pub(crate) are_executors_recorded: bool,
    pub(crate) scheduler_arguments: Vec<String>,
    pub(crate) executor_arguments: Vec<String>,
    /// How clients of the tests talk, if not in clear.
    pub(crate) client: Option<ClientTls>,
}

pub(crate) struct Nodes {
    folder: PathBuf,
    /// Where executors and clients find the scheduler.
    port: u16,
    scheduler_port: u16,
    pub(crate) recorder: Option<Recorder>,
    scheduler: Process,
    pub(crate) executors: Vec<Process>,
    /// Those for files and for tasks.
    pub(crate) executor_ports: Vec<(u16, u16)>,
    pub(crate) executor_recorders: Vec<Recorder>,
    pub(crate) task_recorders: Vec<Recorder>,
    executor_arguments: Vec<String>,
    client: Option<ClientTls>,
}

/// Waits until somebody listens at the port.
pub(crate) async fn listens(port: u16) {
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "nobody listens at {port}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Nodes {
    pub(crate) async fn start(lake: &Lake, settings: Settings) -> Self {
        let port = free_port().unwrap();
        // Executors that were killed are noticed soon.
        let timeout = if settings.client.is_some() { 10 } else { 4 };
        let mut arguments = vec![
            format!("--bind=127.0.0.1:{port}"),
            "--external-host=127.0.0.1".to_owned(),
            format!("--executor-timeout={timeout}"),
        ];
        arguments.extend(settings.scheduler_arguments);
        let environment = &settings.environment;
        let scheduler = node(lake, environment, "scheduler", "scheduler", &arguments);
        let recorder = match settings.is_recorded {
            true => {
                // The recorder accepts calls at once, and hangs up while there is no scheduler. Executors
                // in clear would take that for an answer, and end.
                listens(port).await;
                Some(Recorder::start(port).await)
            }
            false => None,
        };
        let mut nodes = Self {
            folder: lake.path().to_owned(),
            port: recorder.as_ref().map_or(port, Recorder::port),
            scheduler_port: port,
            recorder,
            scheduler,
            executors: Vec::new(),
            executor_ports: Vec::new(),
            executor_recorders: Vec::new(),
            task_recorders: Vec::new(),
            executor_arguments: settings.executor_arguments,
            client: settings.client,
        };
        let environment = settings
            .executor_environment
            .as_ref()
            .unwrap_or(environment);
        for _ in 0..2 {
            let (port, grpc_port) = (free_port().unwrap(), free_port().unwrap());
            nodes.executor_ports.push((port, grpc_port));
            let mut arguments = vec![format!("--port={port}"), format!("--grpc-port={grpc_port}")];
            if settings.are_executors_recorded {
                let recorder = Recorder::between((ELSEWHERE, port), port).await;
                nodes.executor_recorders.push(recorder);
                let recorder = Recorder::between((ELSEWHERE, grpc_port), grpc_port).await;
                nodes.task_recorders.push(recorder);
                arguments.push(format!("--external-host={ELSEWHERE}"));
            }
            nodes.add_executor(lake, environment, arguments);
        }
        nodes
    }

    fn add_executor(
        &mut self,
        lake: &Lake,
        environment: &BTreeMap<String, String>,
        mut arguments: Vec<String>,
    ) {
        let name = format!("executor-{}", self.executors.len() + 1);
        arguments.extend([
            "--scheduler-host=127.0.0.1".to_owned(),
            format!("--scheduler-port={}", self.port),
            "--vcores=2".to_owned(),
            "--heartbeat=1".to_owned(),
            format!("--work-dir={}", self.folder.join(&name).display()),
        ]);
        arguments.extend(self.executor_arguments.iter().cloned());
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
        self.connect(engine).await.unwrap()
    }

    async fn connect(&self, engine: &Engine) -> datafusion::error::Result<SessionContext> {
        match &self.client {
            Some(tls) => connect_with_tls(engine, &self.url(), tls).await,
            None => connect(engine, &self.url()).await,
        }
    }

    pub(crate) async fn wait_until_ready(&mut self, engine: &Engine) {
        for _ in 0..600 {
            self.check_all_run();
            let mut executors = 1..=self.executors.len();
            if executors.all(|n| self.folder.join(format!("executor-{n}.meter")).exists()) {
                let answer = async {
                    let ctx = self.connect(engine).await.ok()?;
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
