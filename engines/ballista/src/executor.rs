//! An executor: Ballista's, with our stores and functions.

use std::{
    io,
    net::{IpAddr, TcpListener},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use ballista_core::{
    config::TaskSchedulingPolicy,
    error::{BallistaError, Result},
    extension::SessionConfigExt as _,
    registry::BallistaFunctionRegistry,
};
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use clap::Args;
use datafusion::prelude::SessionConfig;

use crate::{
    engine::Engine,
    flight_service,
    tls::{ClientTls, NodeTlsArgs, ServerTls, meet},
    work_dir::WorkDir,
};

/// How long the tasks of a process that is told to stop may go on.
const TIME_TO_STOP: Duration = Duration::from_secs(30);

/// How long to wait for a scheduler that starts at the same time.
const TIME_TO_CONNECT: Duration = Duration::from_secs(SECONDS_TO_CONNECT as u64);
const SECONDS_TO_CONNECT: u16 = 30;

/// The settings of an executor.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct ExecutorArgs {
    /// The host of the scheduler
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    pub scheduler_host: String,
    /// The port of the scheduler
    #[arg(long, value_name = "PORT", default_value_t = 50050)]
    pub scheduler_port: u16,
    /// The address to listen on; without TLS, keep it in a private network
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// The name by which the others reach it, if not by the address
    #[arg(long, value_name = "HOST")]
    pub external_host: Option<String>,
    /// The port for results and shuffles
    #[arg(long, value_name = "PORT", default_value_t = 50051)]
    pub port: u16,
    /// The port for tasks; with TLS, it is not used: the executor asks for tasks
    #[arg(long, value_name = "PORT", default_value_t = 50052)]
    pub grpc_port: u16,
    /// How many tasks run at once; all cores unless given
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub vcores: usize,
    /// The folder for shuffle and spill files, which hold decrypted columns: put it in memory
    /// (tmpfs) or on an encrypted disk. Mode 0700; a temporary folder unless given
    #[arg(long, value_name = "FOLDER")]
    pub work_dir: Option<PathBuf>,
    /// Tell the scheduler at this interval that it is alive; with TLS, it does so whenever it asks for
    /// tasks
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub heartbeat: u64,
    /// Its certificate, and those that it trusts.
    #[command(flatten)]
    pub tls: NodeTlsArgs,
}

/// Runs tasks until the process is told to stop.
///
/// # Errors
/// Ballista's, if the scheduler cannot be reached, an address is in use, or the executor's services
/// end by themselves; an I/O error for the working folder; [`TlsError`](crate::TlsError) for a file of TLS,
/// and if the executor and the scheduler do not accept each other's certificate.
pub async fn run_executor(engine: Arc<Engine>, args: &ExecutorArgs) -> Result<()> {
    let tls = args.tls.read()?;
    check_address(args.bind, args.port)?;
    let mut stop = Stop::listen().map_err(BallistaError::IoError)?;
    let work_dir = WorkDir::open(args.work_dir.as_deref()).map_err(BallistaError::IoError)?;
    let mut config = config(engine, args, &work_dir)?;
    match &tls {
        Some((server, client)) => {
            check_names(server, args)?;
            // Ballista would retry a refused certificate without end.
            let (host, port) = (&args.scheduler_host, args.scheduler_port);
            tokio::select! {
                biased;
                () = stop.told() => return Ok(()),
                met = meet(client, host, port, TIME_TO_CONNECT) => met?,
            }
            secure(&mut config, server, client);
        }
        None => check_address(args.bind, args.grpc_port)?,
    }
    run(config, stop).await
}

fn config(
    engine: Arc<Engine>,
    args: &ExecutorArgs,
    work_dir: &WorkDir,
) -> Result<ExecutorProcessConfig> {
    let spill = work_dir.spill();
    let state = engine.state(SessionConfig::new_with_ballista(), Some(&spill))?;
    Ok(ExecutorProcessConfig {
        scheduler_host: args.scheduler_host.clone(),
        scheduler_port: args.scheduler_port,
        scheduler_connect_timeout_seconds: SECONDS_TO_CONNECT,
        bind_host: args.bind.to_string(),
        external_host: args.external_host.clone(),
        port: args.port,
        grpc_port: args.grpc_port,
        vcores: args.vcores,
        work_dir: Some(work_dir.shuffle().display().to_string()),
        // The files of jobs whose end it did not hear of.
        job_data_clean_up_interval_seconds: 600,
        job_data_ttl_seconds: 24 * 3600,
        executor_heartbeat_interval_seconds: args.heartbeat,
        override_function_registry: Some(Arc::new(BallistaFunctionRegistry::from(&state))),
        override_config_producer: Some(Arc::new(SessionConfig::new_with_ballista)),
        override_runtime_producer: Some(Arc::new(move |_| engine.runtime(Some(&spill)))),
        ..ExecutorProcessConfig::default()
    })
}

/// Gives TLS to all that Ballista's executor serves and calls. It would serve tasks in clear, and nothing
/// changes that: it asks for tasks instead.
fn secure(config: &mut ExecutorProcessConfig, server: &ServerTls, client: &ClientTls) {
    config.task_scheduling_policy = TaskSchedulingPolicy::PullStaged;
    config.override_arrow_flight_service = Some(flight_service::provider(server.clone()));
    config.override_create_grpc_client_endpoint = Some(client.endpoints());
    let client = client.clone();
    config.override_config_producer = Some(Arc::new(move || {
        client.apply(SessionConfig::new_with_ballista())
    }));
}

/// Checks the name by which others call this executor, as far as it is known here.
fn check_names(server: &ServerTls, args: &ExecutorArgs) -> Result<()> {
    let address = (!args.bind.is_unspecified()).then(|| args.bind.to_string());
    match args.external_host.clone().or(address) {
        Some(host) => Ok(server.check_name(&host)?),
        None => Ok(()),
    }
}

async fn run(config: ExecutorProcessConfig, mut stop: Stop) -> Result<()> {
    let mut process = pin!(start_executor_process(Arc::new(config)));
    tokio::select! {
        biased;
        () = stop.told() => {
            // Ballista listens too, and lets its tasks end, but not while it looks for the scheduler.
            let ended = tokio::time::timeout(TIME_TO_STOP, process).await;
            ended.unwrap_or_else(|_| {
                tracing::warn!(
                    "stopped, though tasks may be running after {TIME_TO_STOP:?}: the scheduler gives \
                     them to other executors"
                );
                Ok(())
            })
        }
        ended = &mut process => {
            ended?;
            // Ballista says this in its log, and returns as if all were well.
            Err(BallistaError::General(
                "the executor's services have ended, though nobody stopped the process: see its log, \
                 or whether the scheduler has removed it"
                    .to_owned(),
            ))
        }
    }
}

/// Ballista reports an address that it cannot listen on in its log alone.
fn check_address(bind: IpAddr, port: u16) -> Result<()> {
    match TcpListener::bind((bind, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(BallistaError::General(format!(
            "cannot listen on {bind}, port {port}: {error}"
        ))),
    }
}

/// The signals that end an executor.
#[cfg(unix)]
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Stop;

#[cfg(not(unix))]
impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn told(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
