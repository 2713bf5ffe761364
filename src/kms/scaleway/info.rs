//! [`KeyMetadata`]: a key's properties.

use std::{borrow::Cow, collections::BTreeMap, fmt, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{KeyUri, Region, Seconds, Timestamp, Uuid, api::Unbelievable};

/// A key's properties, as the service reports them.
///
/// None of them is secret.
#[derive(Clone, Debug)]
pub struct KeyMetadata {
    json: Box<RawValue>,
    id: Uuid,
    region: Region,
    fields: Fields,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    id: String,
    srn: Option<String>,
    region: Option<String>,
    project_id: Option<String>,
    name: Option<String>,
    /// The algorithm, by the name of the usage. Only one member is present.
    usage: Option<BTreeMap<String, serde_json::Value>>,
    state: Option<String>,
    rotation_count: Option<u64>,
    created_at: Option<String>,
    updated_at: Option<String>,
    rotated_at: Option<String>,
    deletion_requested_at: Option<String>,
    protected: Option<bool>,
    locked: Option<bool>,
    description: Option<String>,
    tags: Option<Vec<String>>,
    rotation_policy: Option<Policy>,
    origin: Option<String>,
    protection_level: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Policy {
    rotation_period: Option<String>,
    next_rotation_at: Option<String>,
}

impl KeyMetadata {
    /// Parses a key of the region that was `asked`.
    ///
    /// A key of another region means that the answer is not for our request: its URI would lead to
    /// a key that nobody asked for.
    pub(crate) fn parse(json: Box<RawValue>, asked: &Region) -> Result<Self, Unbelievable> {
        let fields: Fields =
            serde_json::from_str(json.get()).map_err(|_| "its key has other fields than known")?;
        let id = Uuid::parse(&fields.id).ok_or("its key has no id")?;
        if let Some(region) = &fields.region
            && Region::parse(region).as_ref() != Some(asked)
        {
            return Err("its key is in another region");
        }
        // We cannot compare a name whose form we do not know.
        let named = fields.srn.as_deref().map(KeyUri::from_reference);
        if let Some(Ok(named)) = named
            && named != KeyUri::new(asked.clone(), id)
        {
            return Err("its key has the SRN of another key");
        }
        Ok(Self {
            json,
            id,
            region: asked.clone(),
            fields,
        })
    }

    /// Parses the requested key.
    pub(crate) fn parse_one(
        json: Box<RawValue>,
        (asked, key_id): (&Region, Option<Uuid>),
    ) -> Result<Self, Unbelievable> {
        let key = Self::parse(json, asked)?;
        if key_id.is_some_and(|asked| asked != key.id) {
            return Err("it is about another key");
        }
        Ok(key)
    }

    /// Returns the service's own JSON object, including members that this crate does not know.
    #[must_use]
    pub fn json(&self) -> &str {
        self.json.get()
    }

    /// Returns the id.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// Returns the region.
    #[must_use]
    pub const fn region(&self) -> &Region {
        &self.region
    }

    /// Returns the Scaleway Resource Name, which the service has reported since October 2026.
    #[must_use]
    pub fn srn(&self) -> Option<&str> {
        self.fields.srn.as_deref()
    }

    /// Returns the canonical URI.
    #[must_use]
    pub fn uri(&self) -> KeyUri {
        KeyUri::new(self.region.clone(), self.id)
    }

    /// Returns the project.
    #[must_use]
    pub fn project_id(&self) -> Option<Uuid> {
        Uuid::parse(self.fields.project_id.as_deref()?)
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.fields.name.as_deref().unwrap_or_default()
    }

    /// Returns the description.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.fields.description.as_deref()
    }

    /// Returns the tags.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        self.fields.tags.as_deref().unwrap_or_default()
    }

    /// Returns the usage of the key, or `None` if this crate does not know it.
    #[must_use]
    pub fn usage(&self) -> Option<KeyUsage> {
        let (name, algorithm) = self.usage_member()?;
        let kind = UsageKind::ALL.iter().find(|kind| kind.name() == name)?;
        Some(KeyUsage::new(*kind, Algorithm::named(algorithm)))
    }

    /// Returns the service's names for the usage and the algorithm, known to this crate or not.
    #[must_use]
    pub fn usage_member(&self) -> Option<(&str, &str)> {
        let members = self.fields.usage.iter().flatten();
        members
            .filter_map(|(name, algorithm)| Some((name.as_str(), algorithm.as_str()?)))
            .find(|(name, algorithm)| algorithm.strip_prefix("unknown_") != Some(name))
    }

    /// Returns where the service keeps and uses the key, or `None` if it does not say.
    #[must_use]
    pub fn protection_level(&self) -> Option<ProtectionLevel> {
        self.fields
            .protection_level
            .as_deref()
            .map(ProtectionLevel::named)
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> KeyState {
        match self.fields.state.as_deref().unwrap_or_default() {
            "enabled" => KeyState::Enabled,
            "disabled" => KeyState::Disabled,
            "pending_key_material" => KeyState::PendingKeyMaterial,
            "scheduled_for_deletion" => KeyState::ScheduledForDeletion,
            other => KeyState::Other(other.to_owned()),
        }
    }

    /// Returns the origin of the key material: `scaleway_kms` or `external`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.fields.origin.as_deref().unwrap_or_default()
    }

    /// Returns how many versions have been made: 1 for a new key, 0 while there is no material.
    #[must_use]
    pub fn rotation_count(&self) -> u64 {
        self.fields.rotation_count.unwrap_or_default()
    }

    /// Returns whether the key is protected from deletion.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.fields.protected.unwrap_or_default()
    }

    /// Returns whether the service's operators have locked the key.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.fields.locked.unwrap_or_default()
    }

    /// Returns when the service makes new versions by itself.
    #[must_use]
    pub fn rotation_policy(&self) -> Option<RotationPolicy> {
        let policy = self.fields.rotation_policy.as_ref()?;
        let period = policy.rotation_period.as_deref().and_then(Seconds::parse);
        let next = time(&policy.next_rotation_at);
        Some(RotationPolicy::of(period.map(Seconds::duration), next))
    }

    /// Returns when the key was made.
    #[must_use]
    pub fn created_at(&self) -> Option<Timestamp> {
        time(&self.fields.created_at)
    }

    /// Returns when the key was last changed.
    #[must_use]
    pub fn updated_at(&self) -> Option<Timestamp> {
        time(&self.fields.updated_at)
    }

    /// Returns when the newest version was made.
    #[must_use]
    pub fn rotated_at(&self) -> Option<Timestamp> {
        time(&self.fields.rotated_at)
    }

    /// Returns when the deletion was requested. The key is deleted seven days later.
    #[must_use]
    pub fn deletion_requested_at(&self) -> Option<Timestamp> {
        time(&self.fields.deletion_requested_at)
    }
}

fn time(text: &Option<String>) -> Option<Timestamp> {
    Timestamp::parse(text.as_deref()?)
}

/// When the service makes a new version of a key by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    period: Option<Duration>,
    next: Option<Timestamp>,
}

impl RotationPolicy {
    /// Rotates every `period`, first after one period. At least 24 hours.
    #[must_use]
    pub const fn every(period: Duration) -> Self {
        Self {
            period: Some(period),
            next: None,
        }
    }

    /// Rotates next at `next`. The period of the key's existing policy does not change.
    #[must_use]
    pub fn next_at(next: impl Into<Timestamp>) -> Self {
        Self {
            period: None,
            next: Some(next.into()),
        }
    }

    /// Rotates first at `next`.
    #[must_use]
    pub fn starting_at(self, next: impl Into<Timestamp>) -> Self {
        Self {
            next: Some(next.into()),
            ..self
        }
    }

    /// Returns the time between two rotations.
    #[must_use]
    pub const fn period(&self) -> Option<Duration> {
        self.period
    }

    /// Returns the time of the next rotation.
    #[must_use]
    pub const fn next(&self) -> Option<Timestamp> {
        self.next
    }

    const fn of(period: Option<Duration>, next: Option<Timestamp>) -> Self {
        Self { period, next }
    }
}

/// An algorithm, by the service's name for it.
///
/// Names that this crate does not know are passed through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm(Cow<'static, str>);

impl Algorithm {
    /// AES-256-GCM: `aes_256_gcm`.
    pub const AES_256_GCM: Self = Self(Cow::Borrowed("aes_256_gcm"));
    /// RSA-OAEP with a modulus of 3072 bits and SHA-256: `rsa_oaep_3072_sha256`.
    pub const RSA_OAEP_3072_SHA256: Self = Self(Cow::Borrowed("rsa_oaep_3072_sha256"));
    /// ECDSA over P-256 with SHA-256: `ec_p256_sha256`.
    pub const EC_P256_SHA256: Self = Self(Cow::Borrowed("ec_p256_sha256"));

    /// Names an algorithm.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The usage of a key, with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyUsage {
    /// Encrypts with a public key and decrypts with its private half.
    AsymmetricEncryption(Algorithm),
    /// Signs with a private key.
    AsymmetricSigning(Algorithm),
    /// Wraps other keys with a public key and unwraps them with its private half, by ML-KEM.
    KeyEncapsulation(Algorithm),
    /// Encrypts and decrypts with one secret key, such as a key-encryption key.
    SymmetricEncryption(Algorithm),
}

impl KeyUsage {
    /// Names a usage and its algorithm.
    #[must_use]
    pub const fn new(kind: UsageKind, algorithm: Algorithm) -> Self {
        match kind {
            UsageKind::AsymmetricEncryption => Self::AsymmetricEncryption(algorithm),
            UsageKind::AsymmetricSigning => Self::AsymmetricSigning(algorithm),
            UsageKind::KeyEncapsulation => Self::KeyEncapsulation(algorithm),
            UsageKind::SymmetricEncryption => Self::SymmetricEncryption(algorithm),
        }
    }

    /// Returns the usage alone.
    #[must_use]
    pub const fn kind(&self) -> UsageKind {
        match self {
            Self::AsymmetricEncryption(_) => UsageKind::AsymmetricEncryption,
            Self::AsymmetricSigning(_) => UsageKind::AsymmetricSigning,
            Self::KeyEncapsulation(_) => UsageKind::KeyEncapsulation,
            Self::SymmetricEncryption(_) => UsageKind::SymmetricEncryption,
        }
    }

    /// Returns the algorithm alone.
    #[must_use]
    pub const fn algorithm(&self) -> &Algorithm {
        match self {
            Self::AsymmetricEncryption(algorithm)
            | Self::AsymmetricSigning(algorithm)
            | Self::KeyEncapsulation(algorithm)
            | Self::SymmetricEncryption(algorithm) => algorithm,
        }
    }
}

/// The usage of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UsageKind {
    /// Encrypts with a public key and decrypts with its private half.
    AsymmetricEncryption,
    /// Signs with a private key.
    AsymmetricSigning,
    /// Wraps other keys with a public key and unwraps them with its private half.
    KeyEncapsulation,
    /// Encrypts and decrypts with one secret key.
    SymmetricEncryption,
}

impl UsageKind {
    const ALL: &'static [Self] = &[
        Self::AsymmetricEncryption,
        Self::AsymmetricSigning,
        Self::KeyEncapsulation,
        Self::SymmetricEncryption,
    ];

    /// Returns the service's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsymmetricEncryption => "asymmetric_encryption",
            Self::AsymmetricSigning => "asymmetric_signing",
            Self::KeyEncapsulation => "key_encapsulation",
            Self::SymmetricEncryption => "symmetric_encryption",
        }
    }
}

/// The state of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// The key is disabled.
    Disabled,
    /// The key can be used.
    Enabled,
    /// A state that this crate does not know.
    Other(String),
    /// The key waits for its material to be imported.
    PendingKeyMaterial,
    /// The key cannot be used, and is deleted seven days after the deletion was requested.
    ScheduledForDeletion,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Other(state) => state,
            Self::PendingKeyMaterial => "pending_key_material",
            Self::ScheduledForDeletion => "scheduled_for_deletion",
        })
    }
}

/// Where the service keeps and uses a key.
///
/// Levels that this crate does not know are passed through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtectionLevel {
    /// In a hardware security module: `hsm`.
    Hsm,
    /// A level that this crate does not know.
    Other(String),
    /// In the service's own software: `software`.
    Software,
}

impl ProtectionLevel {
    /// Names a level as the service does.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "hsm" => Self::Hsm,
            "software" => Self::Software,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Returns the service's name for it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Hsm => "hsm",
            Self::Other(name) => name,
            Self::Software => "software",
        }
    }
}

impl fmt::Display for ProtectionLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An algorithm that the service offers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedAlgorithm {
    /// The service's name for its usage.
    pub usage: String,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Whether the service recommends it for its usage.
    pub recommended: bool,
}

/// One page of a list of keys.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyPage {
    /// The keys of this page. An empty page means that there are no more.
    pub keys: Vec<KeyMetadata>,
    /// The number of keys on all pages together.
    pub total_count: u64,
}

#[derive(Deserialize)]
pub(crate) struct KeysReply {
    keys: Option<Vec<Box<RawValue>>>,
    total_count: Option<u64>,
}

impl KeysReply {
    pub(crate) fn page(self, asked: &Region) -> Result<KeyPage, Unbelievable> {
        let keys = self.keys.ok_or("it has no list of keys")?;
        let keys: Vec<_> = keys
            .into_iter()
            .map(|key| KeyMetadata::parse(key, asked))
            .collect::<Result<_, _>>()?;
        let total_count = self
            .total_count
            .ok_or("it does not say how many keys there are")?;
        Ok(KeyPage { keys, total_count })
    }
}

#[derive(Deserialize)]
pub(crate) struct AlgorithmsReply {
    algorithms: Option<Vec<AlgorithmReply>>,
}

#[derive(Deserialize)]
struct AlgorithmReply {
    #[serde(default)]
    usage: String,
    name: String,
    #[serde(default)]
    recommended: bool,
}

impl AlgorithmsReply {
    pub(crate) fn list(self) -> Result<Vec<OfferedAlgorithm>, Unbelievable> {
        let list = self.algorithms.ok_or("it has no list of algorithms")?;
        Ok(list
            .into_iter()
            .map(
                |AlgorithmReply {
                     usage,
                     name,
                     recommended,
                 }| OfferedAlgorithm {
                    usage,
                    algorithm: Algorithm(Cow::Owned(name)),
                    recommended,
                },
            )
            .collect())
    }
}
