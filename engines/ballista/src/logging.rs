//! Logs of this program and of the engine, on standard error.

use tracing_subscriber::{EnvFilter, filter::Directive, util::SubscriberInitExt as _};

/// They log the plans of tasks after they ran. `ORDER BY … LIMIT` filters such a plan by the last row
/// that it keeps, and so puts a decrypted value into it.
const REVEALING: [&str; 2] = [
    "ballista_executor::execution_engine=info",
    "ballista_executor::metrics=info",
];

/// Logs as `RUST_LOG` asks for, except decrypted values, or warnings.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let directives = REVEALING
        .iter()
        .filter_map(|limit| limit.parse::<Directive>().ok());
    let filter = directives.fold(filter, EnvFilter::add_directive);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .finish();
    // An error means that logs go somewhere already.
    let _ = subscriber.try_init();
}
