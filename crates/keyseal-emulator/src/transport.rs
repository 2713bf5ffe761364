//! The emulator in place of the network: Key Manager's client without a socket.

use std::str;

use super::{
    emulator::Emulator,
    http::{Delivery, Request},
};
use keyseal::{
    BoxFuture, KmsError, KmsErrorKind, SecretAccess,
    kms::{
        client::{HttpRequest, HttpResponse, Transport},
        scaleway::{ScalewayClient, ScalewayClientBuilder},
    },
};

impl Emulator {
    /// Starts to describe a client of this emulator: it uses the first API key, that key's project
    /// and the region `fr-par`, and no socket.
    ///
    /// # Example
    /// ```
    /// use keyseal::{RemoteAead};
    /// use keyseal_emulator::Emulator;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let emulator = Emulator::new()?;
    /// let uri = format!("scw-kms://{}", emulator.seed_key("orders")?);
    /// let key = emulator.client().build()?.key(&uri.parse()?)?;
    /// let ciphertext = key.encrypt(b"attack at dawn", b"letter 7").await?;
    /// assert_eq!(key.decrypt(&ciphertext, b"letter 7").await?, b"attack at dawn");
    /// # Ok(())
    /// # }
    /// ```
    pub fn client(&self) -> ScalewayClientBuilder {
        let identity = self.identity();
        ScalewayClient::builder()
            .transport(self.clone())
            .secret_key(identity.secret_key(SecretAccess::insecure()))
            .project_id(&identity.project_id())
            .region("fr-par")
    }
}

/// Answers in the caller's thread. It waits for an injected latency on tokio's clock.
impl Transport for Emulator {
    fn send<'a>(
        &'a self,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
        Box::pin(async move {
            let access = SecretAccess::insecure();
            let mut sent = Request::new(request.method(), request.target());
            for header in request.headers() {
                let value = str::from_utf8(header.expose(access))
                    .map_err(|_| KmsErrorKind::Configuration)?;
                sent = sent.with_header(header.name(), value);
            }
            if let Some(body) = request.body() {
                sent = sent.with_body(body);
            }
            let mut response = self.handle(sent);
            if !response.latency().is_zero() {
                tokio::time::sleep(response.latency()).await;
            }
            if response.delivery() != Delivery::Whole {
                return Err(KmsErrorKind::Interrupted.into());
            }
            let body = std::mem::take(&mut *response.body);
            let mut received = HttpResponse::new(response.status(), body);
            for (name, value) in response.headers() {
                received = received.header(name, value);
            }
            Ok(received)
        })
    }
}
