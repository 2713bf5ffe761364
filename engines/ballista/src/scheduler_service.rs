//! The server of a scheduler: Ballista's routes, with TLS.

use std::{net::SocketAddr, sync::Arc};

use axum::{extract::ConnectInfo, http::StatusCode};
use ballista_core::{
    error::{BallistaError, Result},
    serde::protobuf::scheduler_grpc_server::SchedulerGrpcServer,
    utils::{GrpcServerConfig, create_grpc_server_incoming},
};
use ballista_scheduler::{
    api::get_routes, cluster::BallistaCluster, config::SchedulerConfig,
    scheduler_process::create_scheduler, scheduler_server::SchedulerServer,
};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tonic::{
    Request, Status,
    service::{Routes, interceptor::InterceptedService},
    transport::Server,
};

use crate::tls::ServerTls;

/// Serves until the process ends. Ballista's own server takes no TLS.
///
/// It has no routes for probes (`/healthz`), which Ballista keeps to itself.
pub(crate) async fn serve(
    cluster: BallistaCluster,
    address: SocketAddr,
    config: SchedulerConfig,
    tls: &ServerTls,
) -> Result<()> {
    config.validate()?;
    let config = Arc::new(config);
    let incoming = create_grpc_server_incoming(address, &GrpcServerConfig::default())?;
    let scheduler = create_scheduler(cluster, Arc::clone(&config)).await?;
    Server::builder()
        .tls_config(tls.config())
        .map_err(BallistaError::TonicError)?
        .add_routes(routes(scheduler, &config))
        .serve_with_incoming(incoming)
        .await
        .map_err(BallistaError::TonicError)
}

fn routes(
    scheduler: SchedulerServer<LogicalPlanNode, PhysicalPlanNode>,
    config: &SchedulerConfig,
) -> Routes {
    let grpc = SchedulerGrpcServer::new(scheduler.clone())
        .max_encoding_message_size(config.grpc_server_max_encoding_message_size as usize)
        .max_decoding_message_size(config.grpc_server_max_decoding_message_size as usize);
    // tonic would answer 200 to a probe, with an error that gRPC alone understands.
    let grpc = Routes::new(InterceptedService::new(grpc, with_address))
        .into_axum_router()
        .fallback(|| async { StatusCode::NOT_FOUND });
    Routes::from(match config.disable_rest_api {
        true => grpc,
        false => get_routes(Arc::new(scheduler)).merge(grpc),
    })
}

/// Ballista's scheduler looks here for the address of an executor that does not give one.
fn with_address(mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
    if let Some(address) = request.remote_addr() {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    Ok(request)
}
