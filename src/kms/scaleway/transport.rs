//! [`Transport`]: how a request reaches the service, and the types of requests and answers.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{Region, SecretKey, Uuid};
use crate::{
    error::{KmsError, KmsErrorKind},
    remote::BoxFuture,
    wire,
};

/// The longest answer in bytes that a [`Transport`] should read.
///
/// The largest regular one, a page of 100 keys with long descriptions, is well below this limit.
pub const MAX_REPLY_SIZE: usize = 2 << 20;

/// Sends one request to the service and returns its answer.
///
/// Anyone may implement it: over another HTTP library, through their own proxy, or without a
/// network for tests. An implementation need not handle time-outs and retries: in every client,
/// [`Retrying`](super::Retrying) wraps it.
///
/// # Errors of an implementation
/// * [`Unreachable`](KmsErrorKind::Unreachable) only if no part of the request was sent: such a
///   request is retried even if it is not safe to repeat;
/// * [`Interrupted`](KmsErrorKind::Interrupted) if the connection broke later;
/// * [`InvalidReply`](KmsErrorKind::InvalidReply) for more than [`MAX_REPLY_SIZE`] bytes.
///
/// Every HTTP status, even 5xx, is an answer and not an error. Do not follow redirects: an answer
/// must not decide where the secret key is sent.
///
/// # Example
/// ```
/// use keyseal::{BoxFuture, KmsError};
/// use keyseal::kms::scaleway::{Request, Response, ScalewayClient, Transport};
///
/// struct OutOfOrder;
/// impl Transport for OutOfOrder {
///     fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, KmsError>> {
///         assert!(request.target().starts_with("/key-manager/v1alpha1/regions/fr-par/"));
///         Box::pin(async { Ok(Response::new(503, Vec::new())) })
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
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, KmsError>>;
}

impl Transport for Box<dyn Transport> {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, KmsError>> {
        (**self).send(request)
    }
}

/// One HTTP request to Key Manager.
///
/// # Security
/// Holds the secret key, and a body that may contain a plaintext. Neither is ever printed, and the
/// body is wiped when its last user is dropped.
#[derive(Clone)]
pub struct Request {
    operation: Operation,
    region: Region,
    key_id: Option<Uuid>,
    target: String,
    body: Option<Bytes>,
    secret_key: SecretKey,
    user_agent: String,
    deadline: Option<Duration>,
}

impl Request {
    pub(crate) fn new(operation: Operation, region: &Region, client: (&SecretKey, &str)) -> Self {
        let (secret_key, user_agent) = client;
        Self {
            operation,
            region: region.clone(),
            key_id: None,
            target: format!("/key-manager/v1alpha1/regions/{region}/"),
            body: None,
            secret_key: secret_key.clone(),
            user_agent: user_agent.to_owned(),
            deadline: None,
        }
    }

    /// Sets the time by which the request must be answered, by the clock of the client's timer.
    pub(crate) fn until(self, deadline: Option<Duration>) -> Self {
        Self { deadline, ..self }
    }

    pub(crate) const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Appends `path` to `…/regions/<region>/`.
    pub(crate) fn path(mut self, path: &str) -> Self {
        self.target.push_str(path);
        self
    }

    /// Adds the path of a key and, unless empty, that of the operation.
    pub(crate) fn key(mut self, key_id: Uuid, action: &str) -> Self {
        self.key_id = Some(key_id);
        self.target.push_str("keys/");
        self.target.push_str(&key_id.to_string());
        if !action.is_empty() {
            self.target.push('/');
            self.target.push_str(action);
        }
        self
    }

    pub(crate) fn body(mut self, json: Zeroizing<Vec<u8>>) -> Self {
        self.body = Some(wire::secret(json));
        self
    }

    /// Returns the request's operation.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns the request's region.
    #[must_use]
    pub const fn region(&self) -> &Region {
        &self.region
    }

    /// Returns the request's key, or `None` if it has none.
    #[must_use]
    pub const fn key_id(&self) -> Option<Uuid> {
        self.key_id
    }

    /// Returns the HTTP method, such as `POST`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        self.operation.method()
    }

    /// Returns path and query, to append to the base URL.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the JSON text to send, with the header `Content-Type: application/json`, or `None`
    /// for a request without a body.
    ///
    /// # Security
    /// May contain a plaintext.
    #[must_use]
    pub fn json(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Returns the secret key, for the header `X-Auth-Token`.
    #[must_use]
    pub const fn secret_key(&self) -> &SecretKey {
        &self.secret_key
    }

    /// Returns the value of the header `User-Agent`.
    #[must_use]
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    pub(crate) fn body_bytes(&self) -> Option<Bytes> {
        self.body.clone()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("target", &self.target)
            .field("body_size", &self.body.as_ref().map(Bytes::len))
            .finish_non_exhaustive()
    }
}

/// One HTTP answer.
///
/// # Security
/// The body may contain a plaintext: it is wiped on drop and never printed.
pub struct Response {
    status: u16,
    content_type: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    attempts: u32,
    body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// Makes an answer with this status and body.
    #[must_use]
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: None,
            request_id: None,
            retry_after: None,
            attempts: 1,
            body: Zeroizing::new(body),
        }
    }

    /// Makes an answer like those of the service, with the content type of JSON.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, body.into()).header("Content-Type", "application/json")
    }

    pub(crate) fn with_body(self, body: Zeroizing<Vec<u8>>) -> Self {
        Self { body, ..self }
    }

    /// Adds a header. Only `Content-Type`, `X-Request-Id` and `Retry-After` (in
    /// seconds, or as a date) matter.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if name.eq_ignore_ascii_case("content-type") {
            self.content_type = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("x-request-id") {
            self.request_id = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("retry-after") {
            self.retry_after = retry_after(value.trim());
        }
        self
    }

    /// Returns the HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header `X-Request-Id`.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns whether the body is labelled as JSON, with or without parameters.
    pub(crate) fn is_json(&self) -> bool {
        let label = self.content_type.as_deref().unwrap_or_default();
        let essence = label.split_once(';').map_or(label, |(essence, _)| essence);
        essence.trim().eq_ignore_ascii_case("application/json")
    }
}

/// Reads a number of seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A date in the past asks for no wait.
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("request_id", &self.request_id)
            .field("body_size", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The operation of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Creates a key.
    CreateKey,
    /// Decrypts a ciphertext.
    Decrypt,
    /// Schedules a key for deletion.
    DeleteKey,
    /// Deletes imported key material.
    DeleteKeyMaterial,
    /// Disables a key.
    DisableKey,
    /// Enables a key again.
    EnableKey,
    /// Encrypts a plaintext.
    Encrypt,
    /// Generates a data key and wraps it.
    GenerateDataKey,
    /// Generates a public key that wraps key material before it is imported.
    GenerateImportParameters,
    /// Reads a key's properties.
    GetKey,
    /// Imports key material into a key.
    ImportKeyMaterial,
    /// Lists the algorithms on offer.
    ListAlgorithms,
    /// Lists the versions of a key.
    ListKeyRotations,
    /// Lists keys.
    ListKeys,
    /// Protects a key from deletion.
    ProtectKey,
    /// Reads the public half of an asymmetric key.
    PublicKey,
    /// Cancels the scheduled deletion of a key.
    RestoreKey,
    /// Makes a new version of a key.
    RotateKey,
    /// Signs a digest.
    Sign,
    /// Removes a key's protection from deletion.
    UnprotectKey,
    /// Unwraps a key that was wrapped with a public key.
    UnwrapKey,
    /// Changes a key's properties.
    UpdateKey,
    /// Checks a signature.
    Verify,
    /// Wraps a key with a public key.
    WrapKey,
}

impl Operation {
    /// Returns the name in words, such as `generate data key`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateKey => "create key",
            Self::Decrypt => "decrypt",
            Self::DeleteKey => "delete key",
            Self::DeleteKeyMaterial => "delete key material",
            Self::DisableKey => "disable key",
            Self::EnableKey => "enable key",
            Self::Encrypt => "encrypt",
            Self::GenerateDataKey => "generate data key",
            Self::GenerateImportParameters => "generate import parameters",
            Self::GetKey => "get key",
            Self::ImportKeyMaterial => "import key material",
            Self::ListAlgorithms => "list algorithms",
            Self::ListKeyRotations => "list key rotations",
            Self::ListKeys => "list keys",
            Self::ProtectKey => "protect key",
            Self::PublicKey => "get public key",
            Self::RestoreKey => "restore key",
            Self::RotateKey => "rotate key",
            Self::Sign => "sign",
            Self::UnprotectKey => "unprotect key",
            Self::UnwrapKey => "unwrap key",
            Self::UpdateKey => "update key",
            Self::Verify => "verify",
            Self::WrapKey => "wrap key",
        }
    }

    /// Returns whether repeating it has the same effect as doing it once.
    ///
    /// If not, a lost answer may leave a key, a version or a deletion behind that nobody knows
    /// about, or make the second attempt fail. Such a request is never repeated once any part of it
    /// has been sent.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        !matches!(
            self,
            Self::CreateKey
                | Self::DeleteKey
                | Self::DeleteKeyMaterial
                | Self::ImportKeyMaterial
                | Self::RestoreKey
                | Self::RotateKey
        )
    }

    const fn method(self) -> &'static str {
        match self {
            Self::GetKey
            | Self::ListAlgorithms
            | Self::ListKeyRotations
            | Self::ListKeys
            | Self::PublicKey => "GET",
            Self::UpdateKey => "PATCH",
            Self::DeleteKey => "DELETE",
            _ => "POST",
        }
    }
}

/// Refuses an answer that is too long.
pub(crate) fn reply_too_long() -> KmsError {
    KmsError::new(KmsErrorKind::InvalidReply)
        .with_message(format!("it is longer than {MAX_REPLY_SIZE} bytes"))
}
