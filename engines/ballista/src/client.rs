//! A client: a session whose queries run on a cluster.

use std::time::Duration;

use ballista::prelude::SessionContextExt as _;
use ballista_core::extension::SessionConfigExt as _;
use datafusion::{
    error::{DataFusionError, Result},
    prelude::{SessionConfig, SessionContext},
};
use url::Url;

use crate::{
    engine::Engine,
    tls::{ClientTls, meet},
};

/// The port of a scheduler whose URL has none.
const PORT: u16 = 50050;

/// How long to call a scheduler that does not answer.
const TIME_TO_CONNECT: Duration = Duration::from_secs(1);

/// Opens a session on the scheduler at `url`, such as `df://localhost:50050`. It talks in clear.
///
/// # Errors
/// [`DataFusionError`] if the URL is malformed.
pub async fn connect(engine: &Engine, url: &str) -> Result<SessionContext> {
    session(engine, url, SessionConfig::new_with_ballista()).await
}

/// Opens a session on the scheduler at `url`, such as `df://localhost:50050`, with TLS. It calls the
/// scheduler once, so that an error names the fault in the certificates.
///
/// # Errors
/// [`TlsError`](crate::TlsError), as a [`DataFusionError`], if either side rejects the other, or the
/// scheduler does not answer. [`DataFusionError`] if the URL is malformed.
pub async fn connect_with_tls(
    engine: &Engine,
    url: &str,
    tls: &ClientTls,
) -> Result<SessionContext> {
    let parsed = Url::parse(url).map_err(|error| DataFusionError::External(error.into()))?;
    let host = parsed.host_str().unwrap_or_default();
    meet(tls, host, parsed.port().unwrap_or(PORT), TIME_TO_CONNECT).await?;
    session(engine, url, tls.apply(SessionConfig::new_with_ballista())).await
}

async fn session(engine: &Engine, url: &str, config: SessionConfig) -> Result<SessionContext> {
    let state = engine.state(config, None)?;
    let ctx = SessionContext::remote_with_state(url, state).await?;
    // Ballista replaced the functions of the state by its own.
    engine.register(&ctx);
    Ok(ctx)
}
