//! API keys, their permissions, and the check of each request.

use std::{fmt, sync::Arc, time::SystemTime};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{errors::ApiError, http::Request, routes::Operation};
use crate::random::{self, RandomError};
use keyseal::{
    SecretAccess,
    kms::scaleway::{Timestamp, Uuid},
};

/// Names a permission set of IAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Permission {
    /// Encrypt, generate data keys.
    KeyManagerKeyEncrypt,
    /// Decrypt.
    KeyManagerKeyDecrypt,
    /// Sign digests.
    KeyManagerKeySign,
    /// Verify signatures.
    KeyManagerKeyVerify,
    /// Create keys.
    KeyManagerKeyCreate,
    /// Update, rotate, protect, unprotect, enable and disable keys; import and delete material.
    KeyManagerKeyWrite,
    /// Delete keys.
    KeyManagerKeyDelete,
    /// Restore keys that are scheduled for deletion.
    KeyManagerKeyRestore,
    /// Get and list keys, rotations, algorithms and public keys.
    KeyManagerReadOnly,
    /// All of these.
    KeyManagerFullAccess,
}

impl Permission {
    /// All permission sets.
    pub const ALL: &'static [Self] = &[
        Self::KeyManagerKeyEncrypt,
        Self::KeyManagerKeyDecrypt,
        Self::KeyManagerKeySign,
        Self::KeyManagerKeyVerify,
        Self::KeyManagerKeyCreate,
        Self::KeyManagerKeyWrite,
        Self::KeyManagerKeyDelete,
        Self::KeyManagerKeyRestore,
        Self::KeyManagerReadOnly,
        Self::KeyManagerFullAccess,
    ];

    /// Returns IAM's name of the set.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeyManagerKeyEncrypt => "KeyManagerKeyEncrypt",
            Self::KeyManagerKeyDecrypt => "KeyManagerKeyDecrypt",
            Self::KeyManagerKeySign => "KeyManagerKeySign",
            Self::KeyManagerKeyVerify => "KeyManagerKeyVerify",
            Self::KeyManagerKeyCreate => "KeyManagerKeyCreate",
            Self::KeyManagerKeyWrite => "KeyManagerKeyWrite",
            Self::KeyManagerKeyDelete => "KeyManagerKeyDelete",
            Self::KeyManagerKeyRestore => "KeyManagerKeyRestore",
            Self::KeyManagerReadOnly => "KeyManagerReadOnly",
            Self::KeyManagerFullAccess => "KeyManagerFullAccess",
        }
    }

    /// Returns the set of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|permission| permission.name() == name)
    }

    /// Returns the set that `operation` needs and the action that a refusal names, or `None` for
    /// an operation that every valid API key may call.
    const fn needed_for(operation: Operation) -> Option<(Self, &'static str)> {
        match operation {
            Operation::CreateKey => Some((Self::KeyManagerKeyCreate, "create")),
            Operation::DeleteKey => Some((Self::KeyManagerKeyDelete, "delete")),
            Operation::RestoreKey => Some((Self::KeyManagerKeyRestore, "restore")),
            Operation::Encrypt | Operation::GenerateDataKey | Operation::WrapKey => {
                Some((Self::KeyManagerKeyEncrypt, "encrypt"))
            }
            Operation::Decrypt | Operation::UnwrapKey => {
                Some((Self::KeyManagerKeyDecrypt, "decrypt"))
            }
            Operation::Sign => Some((Self::KeyManagerKeySign, "sign")),
            Operation::Verify => Some((Self::KeyManagerKeyVerify, "verify")),
            Operation::GetKey
            | Operation::ListKeys
            | Operation::ListAlgorithms
            | Operation::ListKeyRotations
            | Operation::GetPublicKey => Some((Self::KeyManagerReadOnly, "read")),
            Operation::UpdateKey
            | Operation::RotateKey
            | Operation::ProtectKey
            | Operation::UnprotectKey
            | Operation::EnableKey
            | Operation::DisableKey
            | Operation::ImportKeyMaterial
            | Operation::GetImportParameters
            | Operation::DeleteKeyMaterial => Some((Self::KeyManagerKeyWrite, "write")),
            Operation::GetMetadata | Operation::GetApiKey => None,
        }
    }
}

/// Holds an API key of the emulator: two keys, an organization, projects, permissions.
///
/// # Example
/// ```
/// use keyseal_emulator::{Emulator, Identity, Permission};
///
/// let owner = Identity::generate()?;
/// let reader = owner.colleague()?.with_permissions([Permission::KeyManagerReadOnly]);
/// let emulator = Emulator::builder().identity(owner).identity(reader).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    access_key: String,
    #[serde(with = "crate::state_file_secrets::wiped")]
    secret_key: Zeroizing<String>,
    organization_id: Uuid,
    /// The first is the default project.
    projects: Vec<Uuid>,
    permissions: Vec<Permission>,
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    #[serde(skip)]
    session_token: Option<Zeroizing<String>>,
}

/// The parts given for an [`Identity`] are not in Scaleway's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {part} must be {form}")]
pub struct IdentityError {
    part: &'static str,
    form: &'static str,
}

impl Identity {
    /// Generates an API key with full access to one new project of a new organization.
    ///
    /// # Errors
    /// [`RandomError`] when the operating system gives no randomness.
    pub fn generate() -> Result<Self, RandomError> {
        Self::generate_in(random::uuid()?, vec![random::uuid()?])
    }

    /// Generates an API key with full access to the same organization and projects.
    ///
    /// # Errors
    /// [`RandomError`] when the operating system gives no randomness.
    pub fn colleague(&self) -> Result<Self, RandomError> {
        Self::generate_in(self.organization_id, self.projects.clone())
    }

    /// Takes keys and ids that exist already. The API key has full access to the one project.
    ///
    /// # Errors
    /// [`IdentityError`] when `access_key` is not `SCW` and 17 upper-case letters or digits, or one
    /// of the others is not a UUID.
    pub fn from_parts(
        access_key: &str,
        secret_key: &str,
        organization_id: &str,
        project_id: &str,
    ) -> Result<Self, IdentityError> {
        let tail = access_key.strip_prefix("SCW").unwrap_or_default();
        let is_valid = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if tail.len() != ACCESS_KEY_TAIL || !tail.bytes().all(is_valid) {
            let form = "SCW and 17 upper-case letters or digits";
            return Err(IdentityError {
                part: "access key",
                form,
            });
        }
        let uuid = |part, text: &str| {
            text.parse::<Uuid>().map_err(|_| IdentityError {
                part,
                form: "a UUID",
            })
        };
        let secret_key = Zeroizing::new(uuid("secret key", secret_key)?.to_string());
        Ok(Self {
            access_key: access_key.to_owned(),
            secret_key,
            organization_id: uuid("organization id", organization_id)?,
            projects: vec![uuid("project id", project_id)?],
            permissions: vec![Permission::KeyManagerFullAccess],
            created_at: None,
            expires_at: None,
            session_token: None,
        })
    }

    /// Replaces the permissions.
    #[must_use]
    pub fn with_permissions(mut self, permissions: impl IntoIterator<Item = Permission>) -> Self {
        self.permissions = permissions.into_iter().collect();
        self
    }

    /// Adds another project.
    ///
    /// # Errors
    /// [`IdentityError`] when `project_id` is not a UUID.
    pub fn with_project(mut self, project_id: &str) -> Result<Self, IdentityError> {
        let wrong = IdentityError {
            part: "project id",
            form: "a UUID",
        };
        self.projects.push(project_id.parse().map_err(|_| wrong)?);
        Ok(self)
    }

    /// Sets when the API key expires.
    #[must_use]
    pub fn expiring_at(mut self, time: SystemTime) -> Self {
        self.expires_at = Some(time.into());
        self
    }

    /// Accepts `token` in the header `X-Session-Token` too.
    #[must_use]
    pub fn with_session_token(mut self, token: &str) -> Self {
        self.session_token = Some(Zeroizing::new(token.to_owned()));
        self
    }

    /// Returns the access key, which names the API key.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// Returns the secret key, which clients send as `X-Auth-Token`.
    #[must_use]
    pub fn secret_key(&self, _access: SecretAccess) -> &str {
        &self.secret_key
    }

    /// Returns the id of the organization.
    #[must_use]
    pub fn organization_id(&self) -> String {
        self.organization_id.to_string()
    }

    /// Returns the id of the default project.
    #[must_use]
    pub fn project_id(&self) -> String {
        self.projects
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Returns the variables that official clients read, secret key included, for an emulator at
    /// `api_url` and the region `fr-par`.
    #[must_use]
    pub fn environment(
        &self,
        api_url: &str,
        access: SecretAccess,
    ) -> [(&'static str, Zeroizing<String>); 6] {
        [
            ("SCW_API_URL", api_url.to_owned()),
            ("SCW_ACCESS_KEY", self.access_key.clone()),
            ("SCW_SECRET_KEY", self.secret_key(access).to_owned()),
            ("SCW_DEFAULT_ORGANIZATION_ID", self.organization_id()),
            ("SCW_DEFAULT_PROJECT_ID", self.project_id()),
            ("SCW_DEFAULT_REGION", "fr-par".to_owned()),
        ]
        .map(|(name, value)| (name, Zeroizing::new(value)))
    }

    pub(super) fn created_at(mut self, now: Timestamp) -> Self {
        self.created_at.get_or_insert(now);
        self
    }

    pub(super) fn organization(&self) -> Uuid {
        self.organization_id
    }

    pub(super) fn default_project(&self) -> Option<Uuid> {
        self.projects.first().copied()
    }

    pub(super) fn has_project(&self, project_id: Uuid) -> bool {
        self.projects.contains(&project_id)
    }

    pub(super) fn has_full_access(&self) -> bool {
        self.permissions.contains(&Permission::KeyManagerFullAccess)
    }

    pub(super) fn creation_and_expiry(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.created_at, self.expires_at)
    }

    /// Refuses a call that the permissions do not allow.
    pub(super) fn authorize(&self, operation: Operation) -> Result<(), ApiError> {
        match Permission::needed_for(operation) {
            Some((needed, action)) if !self.permissions.contains(&needed) => {
                let denied = ApiError::PermissionsDenied {
                    action,
                    resource: "key",
                };
                if self.has_full_access() {
                    Ok(())
                } else {
                    Err(denied)
                }
            }
            Some(_) | None => Ok(()),
        }
    }

    fn generate_in(organization_id: Uuid, projects: Vec<Uuid>) -> Result<Self, RandomError> {
        Ok(Self {
            access_key: random_access_key()?,
            secret_key: Zeroizing::new(random::uuid()?.to_string()),
            organization_id,
            projects,
            permissions: vec![Permission::KeyManagerFullAccess],
            created_at: None,
            expires_at: None,
            session_token: None,
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("access_key", &self.access_key)
            .field("organization_id", &self.organization_id)
            .field("projects", &self.projects)
            .field("permissions", &self.permissions)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Tells whether requests without any token are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anonymous {
    Refused,
    /// They are served as if the first identity had called.
    Served,
}

/// Finds the identity that sent `request`.
pub(super) fn authenticate(
    identities: &[Arc<Identity>],
    anonymous: Anonymous,
    request: &Request,
    now: Timestamp,
) -> Result<Arc<Identity>, ApiError> {
    let denied = |method, reason| ApiError::DeniedAuthentication { method, reason };
    let (method, found) = match (
        request.header("X-Auth-Token"),
        request.header("X-Session-Token"),
    ) {
        (None, None) if anonymous == Anonymous::Served => ("api_key", identities.first()),
        (None, Some(token)) => {
            let has_token = |identity: &&Arc<Identity>| {
                let own = identity.session_token.as_ref();
                own.is_some_and(|own| same(own, token))
            };
            ("jwt", identities.iter().find(has_token))
        }
        (token, _) => {
            let token = token.unwrap_or_default().trim().to_ascii_lowercase();
            let token = Zeroizing::new(token);
            if token.parse::<Uuid>().is_err() {
                return Err(denied("api_key", "invalid_argument"));
            }
            (
                "api_key",
                identities
                    .iter()
                    .find(|identity| same(&identity.secret_key, &token)),
            )
        }
    };
    let identity = found.ok_or_else(|| denied(method, "not_found"))?;
    if identity.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(denied(method, "expired"));
    }
    Ok(Arc::clone(identity))
}

const ACCESS_KEY_TAIL: usize = 17;

fn same(own: &str, other: &str) -> bool {
    own.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Draws `SCW` and 17 letters or digits, from an alphabet of 32 so that no draw is biased.
fn random_access_key() -> Result<String, RandomError> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut draw = [0; ACCESS_KEY_TAIL];
    random::fill(&mut draw)?;
    let tail = draw
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    Ok("SCW"
        .chars()
        .chain(tail.map(|letter| char::from(*letter)))
        .collect())
}
