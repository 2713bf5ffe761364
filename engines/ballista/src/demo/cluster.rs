//! The scheduler and two executors.

use std::{env, io, path::Path, path::PathBuf, time::Duration};

use datafusion::prelude::SessionContext;
use keyseal_ballista::{
    Engine, connect,
    local::{Process, ProcessBuilder, Reading, free_port, read_meters, service_variables},
};

use crate::error::BoxError;

/// The filter of the logs. Traces of HTTP/2 would be gigabytes.
const LOGS: &str = "info,ballista=debug,ballista_core=debug,ballista_scheduler=debug,\
                    ballista_executor=debug,datafusion=debug,keyseal=trace,object_store=debug";

pub(super) struct Cluster {
    processes: Vec<Process>,
    meters: Vec<PathBuf>,
    url: String,
}

impl Cluster {
    /// Starts the processes in a folder that has `keyseal-engine.toml`.
    pub(super) fn start(folder: &Path) -> io::Result<Self> {
        let executable = env::current_exe()?;
        let port = free_port()?;
        let mut meters = Vec::new();
        let mut start = |name: &str, verb: &str, args: &[String]| {
            let meter = folder.join(format!("{name}.meter"));
            let log = folder.join(format!("{name}.log"));
            let process = ProcessBuilder::new(&executable, &log)
                .args(["--until-stdin-closes", verb, "--config"])
                .args([folder.join("keyseal-engine.toml")])
                .args([Path::new("--meter"), &meter])
                .args(args)
                .envs([("RUST_LOG", LOGS)])
                .envs(service_variables())
                .start();
            meters.push(meter);
            process
        };
        let event_log = folder.join("history");
        std::fs::create_dir(&event_log)?;
        let mut processes = vec![start(
            "scheduler",
            "scheduler",
            &[
                format!("--bind=127.0.0.1:{port}"),
                "--external-host=127.0.0.1".to_owned(),
                format!("--event-log={}", event_log.display()),
            ],
        )?];
        for name in ["executor-1", "executor-2"] {
            let args = [
                "--scheduler-host=127.0.0.1".to_owned(),
                format!("--scheduler-port={port}"),
                format!("--port={}", free_port()?),
                format!("--grpc-port={}", free_port()?),
                "--vcores=2".to_owned(),
                format!("--work-dir={}", folder.join(name).display()),
            ];
            processes.push(start(name, "executor", &args)?);
        }
        let url = format!("df://127.0.0.1:{port}");
        Ok(Self {
            processes,
            meters,
            url,
        })
    }

    /// Waits until the cluster answers a query.
    pub(super) async fn wait_until_ready(&mut self, engine: &Engine) -> Result<(), BoxError> {
        for _ in 0..300 {
            for process in &mut self.processes {
                if let Some(status) = process.ended()? {
                    let log = std::fs::read_to_string(process.log())?;
                    let last: Vec<_> = log.lines().rev().take(5).collect();
                    let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
                    return Err(format!("a process ended with {status}:\n{last}").into());
                }
            }
            let are_running = self.meters.iter().all(|meter| meter.exists());
            if are_running && self.answers(engine).await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("the cluster does not answer".into())
    }

    async fn answers(&self, engine: &Engine) -> bool {
        let answer = async {
            let ctx = self.session(engine).await.ok()?;
            ctx.sql("SELECT 1").await.ok()?.collect().await.ok()
        };
        let limit = Duration::from_secs(5);
        tokio::time::timeout(limit, answer)
            .await
            .is_ok_and(|rows| rows.is_some())
    }

    pub(super) async fn session(
        &self,
        engine: &Engine,
    ) -> datafusion::error::Result<SessionContext> {
        connect(engine, &self.url).await
    }

    pub(super) async fn reading(&self) -> io::Result<Reading> {
        read_meters(&self.meters).await
    }

    pub(super) async fn stop(self) {
        for process in self.processes {
            process.stop().await;
        }
    }
}
