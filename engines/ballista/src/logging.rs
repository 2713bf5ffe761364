//! Logs of this program and of the engine, on standard error.

use tracing_subscriber::{EnvFilter, util::SubscriberInitExt as _};

/// Logs what `RUST_LOG` asks for, or warnings.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .finish();
    // An error means that logs go somewhere already.
    let _ = subscriber.try_init();
}
