//! The bodies of successful answers, member by member in the service's order.

use std::io::{self, Write};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use keyseal::kms::scaleway::{Timestamp, Uuid};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use zeroize::Zeroizing;

use super::{
    algorithm::Algorithm,
    errors::ApiError,
    keys::{Key, Origin, Rotation, RotationPolicy, Trigger},
    routes::Region,
};

/// The domain of resource names.
pub(super) const DOMAIN: &str = "scw.eu";
/// The only protection level of the emulator.
pub(super) const SOFTWARE: &str = "software";

/// The answer of an operation that succeeds.
pub(super) enum Reply {
    /// 200 and a body.
    Json(Zeroizing<Vec<u8>>),
    /// 204.
    NoContent,
}

impl Reply {
    pub(super) fn of(body: &impl Serialize) -> Result<Self, ApiError> {
        json(body).map(Self::Json)
    }

    pub(super) fn of_key(key: &Key) -> Result<Self, ApiError> {
        Self::of(&KeyReply::from(key))
    }
}

/// Writes JSON into a buffer of exactly its size: a buffer that grows would leave secrets behind.
pub(super) fn json(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let failed = |_| ApiError::Internal("the answer cannot be written");
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).map_err(failed)?;
    let mut body = Zeroizing::new(Vec::with_capacity(counter.0));
    serde_json::to_writer(&mut *body, value).map_err(failed)?;
    Ok(body)
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes as padded base64 in the standard alphabet, the only form that every client reads.
pub(super) struct Base64<'a>(pub(super) &'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(BASE64_STANDARD.encode(self.0)))
    }
}

#[derive(Serialize)]
pub(super) struct KeyReply<'a> {
    id: Uuid,
    srn: String,
    project_id: Uuid,
    name: &'a str,
    usage: UsageReply,
    state: &'static str,
    rotation_count: usize,
    created_at: Timestamp,
    updated_at: Timestamp,
    protected: bool,
    locked: bool,
    description: Option<&'a str>,
    tags: &'a [String],
    rotated_at: Option<Timestamp>,
    rotation_policy: Option<RotationPolicy>,
    origin: Origin,
    deletion_requested_at: Option<Timestamp>,
    protection_level: &'static str,
    region: Region,
}

impl<'a> From<&'a Key> for KeyReply<'a> {
    fn from(key: &'a Key) -> Self {
        Self {
            id: key.id,
            srn: format!(
                "srn://key-manager.{DOMAIN}/regions/{}/keys/{}",
                key.region.name(),
                key.id
            ),
            project_id: key.project_id,
            name: &key.name,
            usage: UsageReply(key.algorithm),
            state: key.state_name(),
            rotation_count: key.live_rotations().count(),
            created_at: key.created_at,
            updated_at: key.updated_at,
            protected: key.protected,
            locked: key.locked,
            description: key.description.as_deref(),
            tags: &key.tags,
            rotated_at: key.rotated_at,
            rotation_policy: key.rotation_policy,
            origin: key.origin,
            deletion_requested_at: key.deletion_requested_at,
            protection_level: SOFTWARE,
            region: key.region,
        }
    }
}

/// `{"symmetric_encryption":"aes_256_gcm"}`: only the member that applies.
struct UsageReply(Algorithm);

impl Serialize for UsageReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(1))?;
        members.serialize_entry(self.0.usage().name(), self.0.name())?;
        members.end()
    }
}

#[derive(Serialize)]
pub(super) struct ListReply<'a> {
    pub(super) keys: Vec<KeyReply<'a>>,
    pub(super) total_count: usize,
}

#[derive(Serialize)]
pub(super) struct DataKeyReply<'a> {
    pub(super) key_id: Uuid,
    pub(super) algorithm: &'static str,
    pub(super) ciphertext: Base64<'a>,
    pub(super) plaintext: Option<Base64<'a>>,
    pub(super) created_at: Timestamp,
}

#[derive(Serialize)]
pub(super) struct EncryptReply<'a> {
    pub(super) key_id: Uuid,
    pub(super) ciphertext: Base64<'a>,
}

#[derive(Serialize)]
pub(super) struct DecryptReply<'a> {
    pub(super) key_id: Uuid,
    pub(super) plaintext: Base64<'a>,
    pub(super) ciphertext: Option<Base64<'a>>,
}

#[derive(Serialize)]
pub(super) struct SignReply<'a> {
    pub(super) key_id: Uuid,
    pub(super) signature: Base64<'a>,
}

#[derive(Serialize)]
pub(super) struct VerifyReply {
    pub(super) key_id: Uuid,
    pub(super) valid: bool,
}

#[derive(Serialize)]
pub(super) struct PublicKeyReply {
    pub(super) pem: String,
}

#[derive(Serialize)]
pub(super) struct AlgorithmsReply {
    pub(super) algorithms: Vec<AlgorithmReply>,
}

#[derive(Serialize)]
pub(super) struct AlgorithmReply {
    usage: &'static str,
    name: &'static str,
    recommended: bool,
}

impl From<Algorithm> for AlgorithmReply {
    fn from(algorithm: Algorithm) -> Self {
        Self {
            usage: algorithm.usage().name(),
            name: algorithm.name(),
            recommended: algorithm.is_recommended(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct RotationsReply {
    pub(super) rotations: Vec<RotationReply>,
    pub(super) total_count: usize,
}

#[derive(Serialize)]
pub(super) struct RotationReply {
    key_id: Uuid,
    index: u32,
    status: &'static str,
    manually_rotated: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    deleted_at: Option<Timestamp>,
}

impl RotationReply {
    pub(super) fn new(key: &Key, rotation: &Rotation) -> Self {
        Self {
            key_id: key.id,
            index: rotation.index,
            status: rotation.status(),
            manually_rotated: rotation.trigger == Trigger::Manual,
            created_at: rotation.created_at,
            updated_at: rotation.deleted_at.unwrap_or(rotation.created_at),
            deleted_at: rotation.deleted_at,
        }
    }
}

#[derive(Serialize)]
pub(super) struct MetadataReply {
    pub(super) platform: &'static str,
    pub(super) partition: &'static str,
    pub(super) domain: &'static str,
}

#[derive(Serialize)]
pub(super) struct ApiKeyReply<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret_key: Option<&'a str>,
    pub(super) description: &'static str,
    pub(super) created_at: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) default_project_id: Option<Uuid>,
    pub(super) editable: bool,
    pub(super) deletable: bool,
    pub(super) managed: bool,
    pub(super) creation_ip: &'static str,
}
