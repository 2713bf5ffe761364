//! A client: a session whose queries run on a cluster.

use ballista::prelude::SessionContextExt as _;
use ballista_core::extension::SessionConfigExt as _;
use datafusion::{
    error::Result,
    prelude::{SessionConfig, SessionContext},
};

use crate::engine::Engine;

/// Opens a session on the scheduler at `url`, such as `df://localhost:50050`.
///
/// # Errors
/// [`DataFusionError`](datafusion::error::DataFusionError) if the URL is malformed.
pub async fn connect(engine: &Engine, url: &str) -> Result<SessionContext> {
    let state = engine.state(SessionConfig::new_with_ballista(), None)?;
    let ctx = SessionContext::remote_with_state(url, state).await?;
    // Ballista replaced the functions of the state by its own.
    engine.register(&ctx);
    Ok(ctx)
}
