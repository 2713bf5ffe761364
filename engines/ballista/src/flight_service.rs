//! The server of an executor for shuffles and results: Ballista's, with TLS.

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::{error::BallistaError, utils::create_grpc_server};
use ballista_executor::{ArrowFlightServerProvider, flight_service::BallistaFlightService};

use crate::tls::ServerTls;

/// How large a message may be: as in Ballista.
const LARGEST_MESSAGE: usize = 16 << 20;

/// Returns the server that Ballista starts in place of its own.
pub(crate) fn provider(tls: ServerTls) -> Arc<ArrowFlightServerProvider> {
    Arc::new(move |work_dir, address, mut shutdown, settings| {
        let tls = tls.config();
        tokio::spawn(async move {
            let files = FlightServiceServer::new(BallistaFlightService::new(work_dir))
                .max_decoding_message_size(LARGEST_MESSAGE)
                .max_encoding_message_size(LARGEST_MESSAGE);
            create_grpc_server(&settings)
                .tls_config(tls)
                .map_err(BallistaError::TonicError)?
                .add_service(files)
                .serve_with_shutdown(address, shutdown.recv())
                .await
                .map_err(BallistaError::TonicError)
        })
    })
}
