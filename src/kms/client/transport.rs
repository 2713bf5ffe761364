//! [`Transport`]: how a request reaches the service.

use super::{request::HttpRequest, response::HttpResponse};
use crate::{error::KmsError, remote::BoxFuture};

/// Sends one request to the service and returns its answer.
///
/// You can implement it: over another HTTP library, through your own proxy, or without a network
/// for tests. An implementation need not handle time-outs and retries: in every client,
/// [`Retrying`](super::Retrying) wraps it.
///
/// # Errors of an implementation
/// * [`Unreachable`](crate::KmsErrorKind::Unreachable) only if no part of the request was sent: such a
///   request is retried even if it is not safe to repeat;
/// * [`Interrupted`](crate::KmsErrorKind::Interrupted) if the connection broke later;
/// * [`InvalidReply`](crate::KmsErrorKind::InvalidReply) for more than [`MAX_REPLY_SIZE`](super::MAX_REPLY_SIZE) bytes.
///
/// Every HTTP status, even 5xx, is an answer and not an error. Do not follow redirects: an answer
/// must not decide where the credentials are sent.
///
/// # Example
/// ```
/// use keyseal::{BoxFuture, KmsError};
/// use keyseal::kms::{
///     client::{HttpRequest, HttpResponse, Transport},
///     scaleway::ScalewayClient,
/// };
///
/// struct OutOfOrder;
/// impl Transport for OutOfOrder {
///     fn send<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
///         assert!(request.target().starts_with("/key-manager/v1alpha1/regions/fr-par/"));
///         Box::pin(async { Ok(HttpResponse::new(503, Vec::new())) })
///     }
/// }
///
/// let client = ScalewayClient::builder()
///     .secret_key("11111111-1111-4111-8111-111111111111")
///     .region("fr-par")
///     .transport(OutOfOrder)
///     .build()?;
/// # Ok::<(), KmsError>(())
/// ```
pub trait Transport: Send + Sync {
    /// Sends `request` and reads the answer.
    ///
    /// # Errors
    /// [`KmsError`] of the kinds above, if there is no answer.
    fn send<'a>(
        &'a self,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, KmsError>>;
}

impl Transport for Box<dyn Transport> {
    fn send<'a>(
        &'a self,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
        (**self).send(request)
    }
}
