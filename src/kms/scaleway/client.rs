//! [`ScalewayClient`]: finds, creates and lists keys.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    api::{
        self,
        crypto::Unbelievable,
        key::{CreateKey, ListKeys, algorithms_query},
    },
    builder::ScalewayClientBuilder,
    config::{Environment, Resolved},
    info::{AlgorithmsReply, KeyInfo, KeyPage, KeysReply, OfferedAlgorithm, UsageKind},
    key::ScalewayKey,
    retry::Retrying,
    secret_key::SecretKey,
    trace,
    transport::{Operation, Request, Response, Transport},
    uri::{KeyUri, Region},
    uuid::Uuid,
};
use crate::{
    error::{KmsError, KmsErrorKind},
    kms::KmsClient,
    remote::RemoteAead,
};

/// A client of Scaleway Key Manager.
///
/// Clones share connections, limits and the retry budget.
///
/// As a [`KmsClient`] it serves key URIs that start with `scw-kms://`, in both forms: see
/// [`KeyUri`].
///
/// # Example
/// ```no_run
/// use keyseal::kms::scaleway::{CreateKey, ScalewayClient};
///
/// # async fn example() -> Result<(), keyseal::KmsError> {
/// let client = ScalewayClient::from_env()?;
/// let kek = client.create_key(&CreateKey::aes_256_gcm().name("orders")).await?;
/// println!("{}", kek.uri());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ScalewayClient {
    shared: Arc<Shared>,
    region: Option<Region>,
    /// The time by which every call must have ended, by the timer's clock.
    deadline: Option<Duration>,
}

struct Shared {
    transport: Retrying<Box<dyn Transport>>,
    secret_key: SecretKey,
    organization_id: Option<Uuid>,
    project_id: Option<Uuid>,
    user_agent: String,
    conflict: RegionConflict,
    warnings: Vec<String>,
}

/// The reaction to a key URI whose region differs from the client's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionConflict {
    /// Return an error: one of the two regions must be a mistake.
    Refuse,
    /// Call the client's region, as `github.com/scaleway/tink-go-scwkms` does. Use this for
    /// ciphertexts that it made in a region other than that of its URI.
    UseClient,
    /// Call the URI's region, and trace the difference (feature `tracing`).
    #[default]
    UseUri,
}

impl ScalewayClient {
    /// Reads the settings from the process's environment and the configuration file.
    ///
    /// See [`Environment`] for the variables. To add explicit settings, start with
    /// `ScalewayClient::builder().environment(Environment::of_process())`.
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` if a setting is missing or malformed.
    pub fn from_env() -> Result<Self, KmsError> {
        Self::builder()
            .environment(Environment::of_process())
            .build()
    }

    /// Starts without any settings.
    pub fn builder() -> ScalewayClientBuilder {
        ScalewayClientBuilder::new()
    }

    pub(super) fn of(
        transport: Retrying<Box<dyn Transport>>,
        settings: Resolved,
        conflict: RegionConflict,
    ) -> Self {
        let shared = Shared {
            transport,
            secret_key: settings.secret_key,
            organization_id: settings.organization_id,
            project_id: settings.project_id,
            user_agent: settings.user_agent,
            conflict,
            warnings: settings.warnings,
        };
        Self {
            shared: Arc::new(shared),
            region: settings.region,
            deadline: None,
        }
    }

    /// Returns warnings about the settings: an old variable name, a file that others can read,
    /// certificates that are not checked.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.shared.warnings
    }

    /// Returns the region that is used when a call or a URI does not name one.
    #[must_use]
    pub const fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }

    /// Returns the same client with another region.
    #[must_use]
    pub fn in_region(&self, region: Region) -> Self {
        Self {
            region: Some(region),
            ..self.clone()
        }
    }

    /// Returns the same client with one deadline for all its calls: those that have not ended in
    /// `time` from now fail.
    ///
    /// Use it for work that takes several calls: [`RetryPolicy`](super::RetryPolicy) limits each
    /// call separately. Keys that this client returns have the same deadline.
    ///
    /// # Example
    /// ```no_run
    /// use std::time::Duration;
    /// use keyseal::kms::scaleway::{ListKeys, ScalewayClient};
    ///
    /// # async fn example() -> Result<(), keyseal::KmsError> {
    /// let client = ScalewayClient::from_env()?.within(Duration::from_secs(20));
    /// for found in client.list_keys(&ListKeys::default()).await? {
    ///     client.key(&found.uri())?.rotate().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn within(&self, time: Duration) -> Self {
        self.until(self.shared.transport.deadline_in(time))
    }

    /// Returns the same client, for a list whose pages share the time limit of a single call.
    pub(super) fn for_all_pages(&self) -> Self {
        self.until(self.shared.transport.deadline())
    }

    fn until(&self, deadline: Duration) -> Self {
        let earlier = self.deadline.unwrap_or(deadline).min(deadline);
        Self {
            deadline: Some(earlier),
            ..self.clone()
        }
    }

    /// Returns the key that `uri` names, without making a call.
    ///
    /// # Errors
    /// [`KmsError`] of kind `InvalidUri` if neither has a region, or if the regions differ and the
    /// client uses [`RegionConflict::Refuse`].
    pub fn key(&self, uri: &KeyUri) -> Result<ScalewayKey, KmsError> {
        let region = match (uri.region(), &self.region) {
            (Some(named), Some(own)) if named != own => match self.shared.conflict {
                RegionConflict::UseClient => own,
                RegionConflict::UseUri => {
                    trace::warning(&format!(
                        "the key URI names the region {named}, which is called, and the client {own}"
                    ));
                    named
                }
                RegionConflict::Refuse => {
                    return Err(KmsError::new(KmsErrorKind::InvalidUri)
                        .with_message(format!("it is in {named}, the client in {own}")));
                }
            },
            (Some(region), _) | (None, Some(region)) => region,
            (None, None) => {
                return Err(KmsError::new(KmsErrorKind::InvalidUri)
                    .with_message("neither it nor the client names a region"));
            }
        };
        Ok(ScalewayKey::new(self.clone(), region.clone(), uri.key_id()))
    }

    /// Creates a key in the client's region.
    ///
    /// The request is never repeated once any part of it has been sent: after a failure, list the
    /// keys.
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` without a region or a project, or another kind if the
    /// call fails.
    pub async fn create_key(&self, key: &CreateKey) -> Result<KeyInfo, KmsError> {
        let project_id = key.project_id().or(self.shared.project_id).ok_or_else(|| {
            KmsError::new(KmsErrorKind::Configuration).with_message(
                "a new key needs a project: SCW_DEFAULT_PROJECT_ID, or one in the profile in use",
            )
        })?;
        let region = self.own_region()?;
        let request = self
            .request(Operation::CreateKey, region)
            .path("keys")
            .body(key.body(project_id));
        self.key_info(&request).await
    }

    /// Lists keys of the client's region: all pages, each key once.
    ///
    /// All pages together share the time limit of a single call:
    /// [`total_timeout`](super::RetryPolicy::total_timeout).
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` without a region, of kind `InvalidReply` if a page
    /// repeats only keys of earlier pages though more are due, or another kind if the call fails.
    pub async fn list_keys(&self, which: &ListKeys) -> Result<Vec<KeyInfo>, KmsError> {
        let all_pages = self.for_all_pages();
        let mut keys: Vec<KeyInfo> = Vec::new();
        let mut seen = HashSet::new();
        let mut listed = 0;
        for page in 1.. {
            let KeyPage {
                keys: found,
                total_count,
            } = all_pages.list_keys_page(which, page).await?;
            listed += found.len() as u64;
            let found_none = found.is_empty();
            let at_end = found_none || listed >= total_count;
            let known = keys.len();
            // A key created in the meantime moves another from one page to the next.
            keys.extend(found.into_iter().filter(|key| seen.insert(key.id())));
            if !found_none && keys.len() == known && (known as u64) < total_count {
                return Err(KmsError::new(KmsErrorKind::InvalidReply)
                    .with_context(format!("list keys in {}", self.own_region()?))
                    .with_message(format!(
                        "page {page} has only keys of earlier pages, and {known} of {total_count} \
                         are known"
                    )));
            }
            if at_end {
                break;
            }
        }
        Ok(keys)
    }

    /// Lists one page of up to 100 keys of the client's region. The first page is 1.
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` without a region, or another kind if the call fails.
    pub async fn list_keys_page(&self, which: &ListKeys, page: u32) -> Result<KeyPage, KmsError> {
        let region = self.own_region()?;
        let query = which.query(page, self.shared.project_id, self.shared.organization_id);
        let request = self
            .request(Operation::ListKeys, region)
            .path(&format!("keys?{query}"));
        self.call(&request, |reply: KeysReply| reply.page(region))
            .await
    }

    /// Lists the algorithms offered in the client's region for these usages, or all if there are
    /// none.
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` without a region, or another kind if the call fails.
    pub async fn list_algorithms(
        &self,
        usages: &[UsageKind],
    ) -> Result<Vec<OfferedAlgorithm>, KmsError> {
        let region = self.own_region()?;
        let path = match algorithms_query(usages).as_str() {
            "" => "algorithms".to_owned(),
            query => format!("algorithms?{query}"),
        };
        let request = self.request(Operation::ListAlgorithms, region).path(&path);
        self.call(&request, AlgorithmsReply::list).await
    }

    pub(super) fn request(&self, operation: Operation, region: &Region) -> Request {
        Request::new(
            operation,
            region,
            (&self.shared.secret_key, &self.shared.user_agent),
        )
        .until(self.deadline)
    }

    pub(super) async fn key_info(&self, request: &Request) -> Result<KeyInfo, KmsError> {
        self.call(request, |json: Box<RawValue>| {
            KeyInfo::parse_one(json, (request.region(), request.key_id()))
        })
        .await
    }

    /// Sends `request` and converts the answer's JSON with `read`.
    pub(super) async fn call<R, T>(
        &self,
        request: &Request,
        read: impl FnOnce(R) -> Result<T, Unbelievable> + Send,
    ) -> Result<T, KmsError>
    where
        R: for<'a> Deserialize<'a>,
    {
        let response = self.send(request).await?;
        api::parse(&response)
            .and_then(read)
            .map_err(|why| unbelievable(request, &response, why))
    }

    /// Sends `request` and returns the answer if it is successful.
    pub(super) async fn send(&self, request: &Request) -> Result<Response, KmsError> {
        let response = match self.shared.transport.send(request).await {
            Ok(response) => response,
            Err(error) => {
                let lost = !request.operation().is_repeatable() && error.kind().may_be_done();
                let error = if lost { error.not_repeatable() } else { error };
                return Err(error.with_context(context(request)));
            }
        };
        match response.status() {
            200..=299 => Ok(response),
            _ => Err(describe(
                request,
                &response,
                api::error::of_response(request, &response),
            )),
        }
    }

    fn own_region(&self) -> Result<&Region, KmsError> {
        self.region.as_ref().ok_or_else(|| {
            KmsError::new(KmsErrorKind::Configuration).with_message("the client has no region")
        })
    }
}

impl KmsClient for ScalewayClient {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        KeyUri::has_scheme(key_uri)
            .then(|| Ok(Arc::new(self.key(&key_uri.parse()?)?) as Arc<dyn RemoteAead>))
    }
}

impl fmt::Debug for ScalewayClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScalewayClient")
            .field("region", &self.region)
            .field("project_id", &self.shared.project_id)
            .finish_non_exhaustive()
    }
}

pub(super) fn unbelievable(request: &Request, response: &Response, why: Unbelievable) -> KmsError {
    // The request took effect, but we do not know its result.
    let error = KmsError::new(KmsErrorKind::InvalidReply)
        .with_message(why)
        .with_status(response.status());
    describe(request, response, error)
}

fn describe(request: &Request, response: &Response, error: KmsError) -> KmsError {
    let error = error
        .with_context(context(request))
        .with_attempts(response.attempts());
    match response.request_id() {
        Some(id) if !api::error::echoes_a_secret(request, id) => error.with_request_id(id),
        _ => error,
    }
}

fn context(request: &Request) -> String {
    let name = request.operation().name();
    match request.key_id() {
        Some(key_id) => format!("{name}, {}", KeyUri::new(request.region().clone(), key_id)),
        None => format!("{name} in {}", request.region()),
    }
}
