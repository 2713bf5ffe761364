//! Keys as resources: requests to create, change and list them.

use std::{fmt, time::Duration};

use serde::Serialize;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::kms::scaleway::{
    Seconds, Timestamp, Uuid,
    info::{Algorithm, KeyUsage, ProtectionLevel, RotationPolicy, UsageKind},
};

/// The number of keys on a page of a list, which is the platform's maximum.
pub(crate) const PAGE_SIZE: u32 = 100;

/// The properties of a new key.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use keyseal::kms::scaleway::CreateKey;
///
/// let key = CreateKey::aes_256_gcm()
///     .name("orders")
///     .tag("production")
///     .rotate_every(Duration::from_secs(90 * 24 * 3600));
/// # let _ = key;
/// ```
#[derive(Clone, Debug)]
pub struct CreateKey {
    usage: KeyUsage,
    project_id: Option<Uuid>,
    name: Option<String>,
    description: Option<String>,
    tags: Vec<String>,
    rotation: Option<RotationPolicy>,
    unprotected: bool,
    origin: Option<&'static str>,
    protection_level: Option<ProtectionLevel>,
}

impl CreateKey {
    /// Requests a key that encrypts, decrypts and can wrap data keys.
    #[must_use]
    pub fn aes_256_gcm() -> Self {
        Self::new(KeyUsage::SymmetricEncryption(Algorithm::AES_256_GCM))
    }

    /// Requests a key of this usage.
    #[must_use]
    pub const fn new(usage: KeyUsage) -> Self {
        Self {
            usage,
            project_id: None,
            name: None,
            description: None,
            tags: Vec::new(),
            rotation: None,
            unprotected: false,
            origin: None,
            protection_level: None,
        }
    }

    /// Creates the key in a project other than that of the client's settings.
    #[must_use]
    pub fn project(self, project_id: Uuid) -> Self {
        Self {
            project_id: Some(project_id),
            ..self
        }
    }

    /// Names the key. Otherwise, the service chooses a name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// Describes the key.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Self {
        Self {
            description: Some(description.into()),
            ..self
        }
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Asks the service to make a new version every `period`, which must be at least 24 hours.
    #[must_use]
    pub fn rotate_every(self, period: Duration) -> Self {
        self.rotation(RotationPolicy::every(period))
    }

    /// Asks the service to make new versions by itself.
    #[must_use]
    pub fn rotation(self, policy: RotationPolicy) -> Self {
        Self {
            rotation: Some(policy),
            ..self
        }
    }

    /// Allows the key's deletion from the start. Otherwise, it must be unprotected first.
    #[must_use]
    pub fn unprotected(self) -> Self {
        Self {
            unprotected: true,
            ..self
        }
    }

    /// Creates the key without material, which you then import.
    #[must_use]
    pub fn external(self) -> Self {
        Self {
            origin: Some("external"),
            ..self
        }
    }

    /// Chooses where the service keeps and uses the key. Otherwise, the service chooses.
    #[must_use]
    pub fn protection_level(self, level: ProtectionLevel) -> Self {
        Self {
            protection_level: Some(level),
            ..self
        }
    }

    pub(crate) const fn project_id(&self) -> Option<Uuid> {
        self.project_id
    }

    pub(crate) fn body(&self, project_id: Uuid) -> Zeroizing<Vec<u8>> {
        #[derive(Serialize)]
        struct Body<'a> {
            project_id: Uuid,
            #[serde(skip_serializing_if = "Option::is_none")]
            name: Option<&'a str>,
            usage: serde_json::Value,
            #[serde(skip_serializing_if = "Option::is_none")]
            description: Option<&'a str>,
            #[serde(skip_serializing_if = "<[String]>::is_empty")]
            tags: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            rotation_policy: Option<PolicyBody>,
            unprotected: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            origin: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            protection_level: Option<&'a str>,
        }
        json(&Body {
            project_id,
            name: self.name.as_deref(),
            usage: serde_json::json!({ self.usage.kind().name(): self.usage.algorithm().as_str() }),
            description: self.description.as_deref(),
            tags: &self.tags,
            rotation_policy: self.rotation.as_ref().map(PolicyBody::from),
            unprotected: self.unprotected,
            origin: self.origin,
            protection_level: self.protection_level.as_ref().map(ProtectionLevel::name),
        })
    }
}

/// Changes to a key. Properties that you do not set remain unchanged.
#[derive(Clone, Debug, Default)]
pub struct UpdateKey {
    name: Option<String>,
    description: Option<String>,
    tags: Option<Vec<String>>,
    rotation: Option<RotationPolicy>,
}

impl UpdateKey {
    /// Makes an empty set of changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// Changes the description.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Self {
        Self {
            description: Some(description.into()),
            ..self
        }
    }

    /// Replaces all tags.
    #[must_use]
    pub fn tags(self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            tags: Some(tags.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// Changes how the service makes new versions by itself.
    #[must_use]
    pub fn rotation(self, policy: RotationPolicy) -> Self {
        Self {
            rotation: Some(policy),
            ..self
        }
    }

    pub(crate) fn body(&self) -> Zeroizing<Vec<u8>> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            name: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            description: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            tags: Option<&'a [String]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            rotation_policy: Option<PolicyBody>,
        }
        json(&Body {
            name: self.name.as_deref(),
            description: self.description.as_deref(),
            tags: self.tags.as_deref(),
            rotation_policy: self.rotation.as_ref().map(PolicyBody::from),
        })
    }
}

#[derive(Serialize)]
struct PolicyBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_period: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_rotation_at: Option<Timestamp>,
}

impl From<&RotationPolicy> for PolicyBody {
    fn from(policy: &RotationPolicy) -> Self {
        Self {
            rotation_period: policy.period().map(Seconds::from),
            next_rotation_at: policy.next(),
        }
    }
}

/// Selects keys to list, and their order.
///
/// Without a project or an organisation, the keys of the client's project are listed, or those of
/// its organisation if the client has no project.
#[derive(Clone, Debug, Default)]
pub struct ListKeys {
    project_id: Option<Uuid>,
    organization_id: Option<Uuid>,
    order: KeyOrder,
    name: Option<String>,
    tags: Vec<String>,
    usage: Option<UsageKind>,
    protection_level: Option<ProtectionLevel>,
    scheduled_for_deletion: bool,
}

impl ListKeys {
    /// Lists all keys that are not scheduled for deletion, by name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists only keys of this project.
    #[must_use]
    pub fn project(self, project_id: Uuid) -> Self {
        Self {
            project_id: Some(project_id),
            ..self
        }
    }

    /// Lists only keys of this organisation.
    #[must_use]
    pub fn organization(self, organization_id: Uuid) -> Self {
        Self {
            organization_id: Some(organization_id),
            ..self
        }
    }

    /// Sorts them by something other than the name.
    #[must_use]
    pub fn order(self, order: KeyOrder) -> Self {
        Self { order, ..self }
    }

    /// Lists only keys of this name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// Lists only keys that have this tag, in addition to the other requested tags.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Lists only keys of this usage.
    #[must_use]
    pub fn usage(self, usage: UsageKind) -> Self {
        Self {
            usage: Some(usage),
            ..self
        }
    }

    /// Lists only keys of this protection level.
    #[must_use]
    pub fn protection_level(self, level: ProtectionLevel) -> Self {
        Self {
            protection_level: Some(level),
            ..self
        }
    }

    /// Lists only the keys that are scheduled for deletion.
    #[must_use]
    pub fn scheduled_for_deletion(self) -> Self {
        Self {
            scheduled_for_deletion: true,
            ..self
        }
    }

    /// Writes the query of one page, its parameters in alphabetical order.
    pub(crate) fn query(
        &self,
        page: u32,
        project_id: Option<Uuid>,
        organization_id: Option<Uuid>,
    ) -> String {
        let unfiltered = self.project_id.is_none() && self.organization_id.is_none();
        let project_id = self
            .project_id
            .or_else(|| project_id.filter(|_| unfiltered));
        let organization_id = self
            .organization_id
            .or_else(|| organization_id.filter(|_| unfiltered && project_id.is_none()));

        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut add = |name: &str, value: &str| {
            query.append_pair(name, value);
        };
        if let Some(name) = &self.name {
            add("name", name);
        }
        add("order_by", self.order.name());
        if let Some(id) = organization_id {
            add("organization_id", &id.to_string());
        }
        add("page", &page.to_string());
        add("page_size", &PAGE_SIZE.to_string());
        if let Some(id) = project_id {
            add("project_id", &id.to_string());
        }
        if let Some(level) = &self.protection_level {
            add("protection_level", level.name());
        }
        add(
            "scheduled_for_deletion",
            if self.scheduled_for_deletion {
                "true"
            } else {
                "false"
            },
        );
        for tag in &self.tags {
            add("tags", tag);
        }
        if let Some(usage) = &self.usage {
            add("usage", usage.name());
        }
        query.finish()
    }
}

/// The order of a list of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyOrder {
    /// The oldest first.
    CreatedAsc,
    /// The newest first.
    CreatedDesc,
    /// From A to Z.
    #[default]
    NameAsc,
    /// From Z to A.
    NameDesc,
    /// The longest unchanged first.
    UpdatedAsc,
    /// The most recently changed first.
    UpdatedDesc,
}

impl KeyOrder {
    const fn name(self) -> &'static str {
        match self {
            Self::CreatedAsc => "created_at_asc",
            Self::CreatedDesc => "created_at_desc",
            Self::NameAsc => "name_asc",
            Self::NameDesc => "name_desc",
            Self::UpdatedAsc => "updated_at_asc",
            Self::UpdatedDesc => "updated_at_desc",
        }
    }
}

impl fmt::Display for KeyOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Writes the query of one page of a list of versions.
pub(crate) fn page_query(order: &str, page: u32) -> String {
    format!("order_by={order}&page={page}&page_size={PAGE_SIZE}")
}

pub(crate) fn algorithms_query(usages: &[UsageKind]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(usages.iter().map(|usage| ("usages", usage.name())));
    query.finish()
}

fn json(body: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let json = serde_json::to_vec(body).expect("strings and numbers have a form in JSON");
    Zeroizing::new(json)
}
