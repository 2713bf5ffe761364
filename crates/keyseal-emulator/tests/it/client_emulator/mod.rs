//! The client of Key Manager against the emulator. Both could be wrong in the same way: the tests
//! in `scaleway::wire` and `emulator` rule that out, with bodies that were recorded elsewhere.

mod cache;
mod envelope;
mod faults;
mod keys;

use std::time::Duration;

use keyseal::{
    SecretAccess,
    kms::scaleway::{CreateKey, RetryPolicy, ScalewayClient, ScalewayClientBuilder, ScalewayKey},
};
use keyseal_emulator::{Emulator, Server};

/// An emulator on its own port.
fn serve(emulator: &Emulator) -> Server {
    emulator.serve("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// Describes a client that speaks HTTP to `server`, with short waits.
fn client_of(emulator: &Emulator, server: &Server) -> ScalewayClientBuilder {
    let identity = emulator.identity();
    ScalewayClient::builder()
        .api_url(&server.url())
        .secret_key(identity.secret_key(SecretAccess::insecure()))
        .project_id(&identity.project_id())
        .region("fr-par")
        .retry_policy(impatient())
}

fn impatient() -> RetryPolicy {
    RetryPolicy::new()
        .backoff(Duration::from_millis(1), Duration::from_millis(2))
        .attempt_timeout(Duration::from_secs(10))
}

async fn create(client: &ScalewayClient, key: CreateKey) -> ScalewayKey {
    let info = client.create_key(&key).await.unwrap();
    client.key(&info.uri()).unwrap()
}
