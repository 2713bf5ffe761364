//! [`ScalewayClient`]: finds, creates and lists keys.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    api::key::{CreateKey, ListKeys, algorithms_query},
    call::Call,
    config::Resolved,
    connection::Connection,
    info::{AlgorithmsReply, KeyMetadata, KeyPage, KeysReply, OfferedAlgorithm, UsageKind},
    key::ScalewayKey,
    operation::Operation,
    pages::Pages,
    uri::{KeyUri, Region},
    uuid::Uuid,
};
use crate::{
    error::{KmsError, KmsErrorKind},
    kms::{
        KmsClient,
        client::{Retrying, Transport, trace},
    },
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
    connection: Connection,
    region: Option<Region>,
    settings: Arc<ClientSettings>,
}

struct ClientSettings {
    organization_id: Option<Uuid>,
    project_id: Option<Uuid>,
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
    /// ciphertexts that the Go extension made in a region other than that of the URI.
    UseClient,
    /// Call the URI's region, and trace the difference (feature `tracing`).
    #[default]
    UseUri,
}

impl ScalewayClient {
    pub(super) fn of(
        transport: Retrying<Box<dyn Transport>>,
        settings: Resolved,
        conflict: RegionConflict,
    ) -> Self {
        let region = settings.region;
        Self {
            connection: Connection::new(transport, settings.secret_key, settings.user_agent),
            region,
            settings: Arc::new(ClientSettings {
                organization_id: settings.organization_id,
                project_id: settings.project_id,
                conflict,
                warnings: settings.warnings,
            }),
        }
    }

    /// Returns warnings about the settings: an old variable name, a file that others can read,
    /// certificates that are not checked.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.settings.warnings
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
        self.over(self.connection.within(time))
    }

    fn over(&self, connection: Connection) -> Self {
        Self {
            connection,
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
            (Some(named), Some(own)) if named != own => match self.settings.conflict {
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
        let connection = self.connection.clone();
        Ok(ScalewayKey::new(connection, region.clone(), uri.key_id()))
    }

    /// Creates a key in the client's region.
    ///
    /// The request is never repeated once any part of it has been sent: after a failure, list the
    /// keys.
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` without a region or a project, or another kind if the
    /// call fails.
    pub async fn create_key(&self, key: &CreateKey) -> Result<KeyMetadata, KmsError> {
        let project_id = key
            .project_id()
            .or(self.settings.project_id)
            .ok_or_else(|| {
                KmsError::new(KmsErrorKind::Configuration).with_message(
                "a new key needs a project: SCW_DEFAULT_PROJECT_ID, or one in the selected profile",
            )
            })?;
        let region = self.own_region()?;
        let call = Call::new(Operation::CreateKey, region, "keys").body(key.body(project_id));
        self.connection.key_metadata(call).await
    }

    /// Lists keys of the client's region: all pages, each key once.
    ///
    /// All pages together share the time limit of a single call:
    /// [`total_timeout`](super::RetryPolicy::total_timeout).
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` without a region, of kind `InvalidReply` if a page
    /// repeats only keys of earlier pages though more are due, or another kind if the call fails.
    pub async fn list_keys(&self, which: &ListKeys) -> Result<Vec<KeyMetadata>, KmsError> {
        let client = self.over(self.connection.for_all_pages());
        let mut pages = Pages::new("keys", KeyMetadata::id);
        while let Some(page) = pages.due() {
            let KeyPage { keys, total_count } = client.list_keys_page(which, page).await?;
            let added = pages.add(keys, total_count);
            let region = self.own_region()?;
            added.map_err(|error| error.with_context(format!("list keys in {region}")))?;
        }
        Ok(pages.into_items())
    }

    /// Lists one page of up to 100 keys of the client's region. The first page is 1.
    ///
    /// # Errors
    /// [`KmsError`] of kind `Configuration` without a region, or another kind if the call fails.
    pub async fn list_keys_page(&self, which: &ListKeys, page: u32) -> Result<KeyPage, KmsError> {
        let region = self.own_region()?;
        let query = which.query(
            page,
            self.settings.project_id,
            self.settings.organization_id,
        );
        let call = Call::new(Operation::ListKeys, region, &format!("keys?{query}"));
        self.connection
            .answer(call, |reply: KeysReply| reply.page(region))
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
        let call = Call::new(Operation::ListAlgorithms, region, &path);
        self.connection.answer(call, AlgorithmsReply::list).await
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
            .field("project_id", &self.settings.project_id)
            .finish_non_exhaustive()
    }
}
