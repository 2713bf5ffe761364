//! [`KeyRotation`]: one version of a key.

use std::fmt;

use serde::Deserialize;

use super::{Timestamp, Uuid, api::Unbelievable};

/// One version of a key: the material from one rotation.
///
/// None of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotation {
    index: u32,
    status: RotationStatus,
    is_manual: bool,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
}

impl KeyRotation {
    /// Returns the index, which [`KeyMaterial::Version`](super::KeyMaterial::Version) takes.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> &RotationStatus {
        &self.status
    }

    /// Returns whether a call, rather than the key's rotation policy, made the version.
    #[must_use]
    pub const fn is_manual(&self) -> bool {
        self.is_manual
    }

    /// Returns when the version was made.
    #[must_use]
    pub const fn created_at(&self) -> Option<Timestamp> {
        self.created_at
    }

    /// Returns when the version was last changed.
    #[must_use]
    pub const fn updated_at(&self) -> Option<Timestamp> {
        self.updated_at
    }

    /// Returns when the version's material was deleted.
    #[must_use]
    pub const fn deleted_at(&self) -> Option<Timestamp> {
        self.deleted_at
    }
}

/// The status of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RotationStatus {
    /// Its material was deleted: you have lost the data that it encrypted.
    Deleted,
    /// It decrypts, and the newest version also encrypts.
    Enabled,
    /// A status that this crate does not know.
    Other(String),
}

impl fmt::Display for RotationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deleted => "deleted",
            Self::Enabled => "enabled",
            Self::Other(status) => status,
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct RotationsReply {
    rotations: Option<Vec<RotationReply>>,
    total_count: Option<u64>,
}

#[derive(Deserialize)]
struct RotationReply {
    key_id: Option<String>,
    index: u32,
    #[serde(default)]
    status: String,
    #[serde(default)]
    manually_rotated: bool,
    created_at: Option<String>,
    updated_at: Option<String>,
    deleted_at: Option<String>,
}

impl RotationsReply {
    /// Returns the versions of one page, and the number of versions on all pages.
    pub(crate) fn page(self, key_id: Uuid) -> Result<(Vec<KeyRotation>, u64), Unbelievable> {
        let rotations = self.rotations.ok_or("it has no list of rotations")?;
        let total_count = self
            .total_count
            .ok_or("it does not say how many rotations there are")?;
        let rotations = rotations.into_iter().map(|one| one.of(key_id));
        Ok((rotations.collect::<Result<_, _>>()?, total_count))
    }
}

impl RotationReply {
    fn of(self, key_id: Uuid) -> Result<KeyRotation, Unbelievable> {
        if let Some(answered) = &self.key_id
            && Uuid::parse(answered) != Some(key_id)
        {
            return Err("it is about another key");
        }
        let time = |text: Option<String>| Timestamp::parse(&text?);
        Ok(KeyRotation {
            index: self.index,
            status: match self.status.as_str() {
                "deleted" => RotationStatus::Deleted,
                "enabled" => RotationStatus::Enabled,
                _ => RotationStatus::Other(self.status),
            },
            is_manual: self.manually_rotated,
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            deleted_at: time(self.deleted_at),
        })
    }
}
