//! The scheduler: Ballista's, with our stores and functions.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use ballista_core::{
    config::TaskSchedulingPolicy,
    error::{BallistaError, Result},
    extension::SessionConfigExt as _,
};
use ballista_scheduler::{
    cluster::BallistaCluster, config::SchedulerConfig, scheduler_process::start_server,
};
use clap::Args;
use datafusion::prelude::SessionConfig;

use crate::{engine::Engine, scheduler_service, tls::ServerTlsArgs};

/// With TLS, an executor whose tasks take all its cores reports every 5 seconds.
const SHORTEST_TIMEOUT_WITH_TLS: u64 = 10;

/// The settings of a scheduler.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct SchedulerArgs {
    /// The address for clients and executors; without TLS, keep it in a private network
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50050")]
    pub bind: SocketAddr,
    /// The name by which executors and clients reach it
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    pub external_host: String,
    /// Take an executor that was silent for this long for dead, and run its tasks elsewhere
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    pub executor_timeout: u64,
    /// Write the history of each job to this folder, with its plans
    #[arg(long, value_name = "FOLDER")]
    pub event_log: Option<PathBuf>,
    /// Serve Ballista's REST API, which shows plans to anyone who can connect
    #[arg(long)]
    pub rest_api: bool,
    /// Its certificate.
    #[command(flatten)]
    pub tls: ServerTlsArgs,
}

/// Serves until the process ends.
///
/// # Errors
/// Ballista's, if the address cannot be used; [`TlsError`](crate::TlsError) if a file for TLS cannot.
pub async fn run_scheduler(engine: Arc<Engine>, args: &SchedulerArgs) -> Result<()> {
    let tls = args.tls.read()?;
    let mut config = config(engine, args);
    let Some(tls) = tls else {
        let cluster = BallistaCluster::new_from_config(&config).await?;
        return start_server(cluster, args.bind, Arc::new(config)).await;
    };
    if args.executor_timeout < SHORTEST_TIMEOUT_WITH_TLS {
        return Err(BallistaError::Configuration(format!(
            "--executor-timeout must be at least {SHORTEST_TIMEOUT_WITH_TLS} with TLS: a busy executor \
             reports every 5 seconds"
        )));
    }
    config.scheduling_policy = TaskSchedulingPolicy::PullStaged;
    // It has nothing to call, and must not do it in clear.
    config.use_tls = true;
    config.override_create_grpc_client_endpoint = Some(Arc::new(|_| {
        Err("with TLS, executors call the scheduler, which never calls them".into())
    }));
    let cluster = BallistaCluster::new_from_config(&config).await?;
    scheduler_service::serve(cluster, args.bind, config, &tls).await
}

fn config(engine: Arc<Engine>, args: &SchedulerArgs) -> SchedulerConfig {
    SchedulerConfig {
        bind_host: args.bind.ip().to_string(),
        bind_port: args.bind.port(),
        external_host: args.external_host.clone(),
        executor_timeout_seconds: args.executor_timeout,
        expire_dead_executor_interval_seconds: (args.executor_timeout / 4).clamp(1, 15),
        no_executors_grace_period_seconds: args.executor_timeout,
        event_log_dir: args
            .event_log
            .as_ref()
            .map(|path| path.display().to_string()),
        disable_rest_api: !args.rest_api,
        override_config_producer: Some(Arc::new(SessionConfig::new_with_ballista)),
        override_session_builder: Some(Arc::new(move |config| engine.state(config, None))),
        ..SchedulerConfig::default()
    }
}
