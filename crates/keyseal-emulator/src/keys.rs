//! A key and its life: states, protection, rotations, deletion.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    algorithm::{Algorithm, Usage},
    errors::ApiError,
    routes::Region,
    symmetric,
};
use crate::random::ACCESS;
use keyseal::{
    SecretBytes,
    kms::scaleway::{Seconds, Timestamp, Uuid},
};

/// How long a deleted key can be restored.
const DELETION_DELAY: Duration = Duration::from_secs(7 * 86_400);

/// The origin of the key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Origin {
    ScalewayKms,
    External,
}

/// The state of a key that is not scheduled for deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyState {
    Enabled,
    Disabled,
    PendingKeyMaterial,
}

/// When a key rotates by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RotationPolicy {
    pub(super) rotation_period: Seconds,
    pub(super) next_rotation_at: Timestamp,
}

/// The cause of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trigger {
    /// The key was created, or its policy said so.
    Automatic,
    /// Somebody rotated the key or imported material.
    Manual,
}

/// One version of the key material, or, once it is deleted, its index and dates.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Rotation {
    pub(super) index: u32,
    pub(super) trigger: Trigger,
    pub(super) created_at: Timestamp,
    pub(super) deleted_at: Option<Timestamp>,
    /// An AES key, or a PKCS #8 private key; `None` once it was deleted.
    #[serde(with = "crate::state_file_secrets::secret")]
    key: Option<SecretBytes>,
}

impl Rotation {
    pub(super) const fn status(&self) -> &'static str {
        match self.deleted_at {
            None => "enabled",
            Some(_) => "deleted",
        }
    }
}

/// A rotation that still has its material.
#[derive(Clone, Copy)]
pub(super) struct LiveRotation<'a> {
    pub(super) index: u32,
    pub(super) key: &'a SecretBytes,
}

/// A key of Key Manager.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: Uuid,
    pub(super) region: Region,
    pub(super) organization_id: Uuid,
    pub(super) project_id: Uuid,
    pub(super) name: String,
    pub(super) algorithm: Algorithm,
    /// The state, but for [`deletion_requested_at`](Self::deletion_requested_at).
    pub(super) state: KeyState,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) rotated_at: Option<Timestamp>,
    pub(super) protected: bool,
    pub(super) locked: bool,
    pub(super) description: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) rotation_policy: Option<RotationPolicy>,
    pub(super) origin: Origin,
    /// Set while the key is scheduled for deletion, whatever [`state`](Self::state) it goes back
    /// to when it is restored.
    pub(super) deletion_requested_at: Option<Timestamp>,
    /// All rotations, oldest first, deleted ones included. The first has index 1, and no index is
    /// ever reused.
    pub(super) rotations: Vec<Rotation>,
}

impl Key {
    pub(super) const fn state_name(&self) -> &'static str {
        match self.state {
            _ if self.deletion_requested_at.is_some() => "scheduled_for_deletion",
            KeyState::Enabled => "enabled",
            KeyState::Disabled => "disabled",
            KeyState::PendingKeyMaterial => "pending_key_material",
        }
    }

    /// Returns the rotation that encrypts, if the key may be used and is for `usage`.
    pub(super) fn newest(&self, usage: Usage) -> Result<LiveRotation<'_>, ApiError> {
        self.require_usable(usage)?;
        self.live_rotations()
            .last()
            .ok_or(ApiError::state("key has no key material"))
    }

    /// Returns the rotations that still have material, oldest first.
    pub(super) fn live_rotations(&self) -> impl DoubleEndedIterator<Item = LiveRotation<'_>> {
        self.rotations.iter().filter_map(|rotation| {
            let key = rotation.key.as_ref()?;
            Some(LiveRotation {
                index: rotation.index,
                key,
            })
        })
    }

    /// Refuses use of a key that is not enabled, or that has another usage than `usage`.
    pub(super) fn require_usable(&self, usage: Usage) -> Result<(), ApiError> {
        self.require_editable()?;
        match self.state {
            KeyState::Enabled => {}
            KeyState::Disabled => return Err(ApiError::state("key is disabled")),
            KeyState::PendingKeyMaterial => return Err(ApiError::state("key has no key material")),
        }
        if self.algorithm.usage() == usage {
            return Ok(());
        }
        Err(ApiError::constraint(
            "key_id",
            "key usage does not allow this operation",
        ))
    }

    /// Refuses any change of a key that is locked or scheduled for deletion.
    pub(super) fn require_editable(&self) -> Result<(), ApiError> {
        self.require_unlocked()?;
        match self.deletion_requested_at {
            Some(_) => Err(ApiError::state("key is scheduled for deletion")),
            None => Ok(()),
        }
    }

    /// Makes a new rotation on request.
    pub(super) fn rotate(&mut self, now: Timestamp) -> Result<(), ApiError> {
        self.require_editable()?;
        if self.algorithm.usage() != Usage::SymmetricEncryption {
            return Err(ApiError::constraint(
                "key_id",
                "only symmetric keys can be rotated",
            ));
        }
        if self.origin == Origin::External {
            return Err(ApiError::state(
                "key material is external, import a new one instead",
            ));
        }
        if self.state != KeyState::Enabled {
            return Err(ApiError::state("key is disabled"));
        }
        self.add_fresh_rotation(Trigger::Manual, now)
    }

    /// Rotates on each date that has passed since the last request.
    pub(super) fn catch_up(&mut self, now: Timestamp) -> Result<(), ApiError> {
        let Some(mut policy) = self.rotation_policy else {
            return Ok(());
        };
        while policy.next_rotation_at <= now && policy.next_rotation_at < Timestamp::MAX {
            // A key that cannot be used on its date does not rotate, and does not catch up later.
            if self.state == KeyState::Enabled && self.require_editable().is_ok() {
                self.add_fresh_rotation(Trigger::Automatic, policy.next_rotation_at)?;
            }
            policy.next_rotation_at = policy
                .next_rotation_at
                .saturating_add(policy.rotation_period.duration());
        }
        self.rotation_policy = Some(policy);
        Ok(())
    }

    pub(super) fn set_protected(
        &mut self,
        protected: bool,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        self.require_editable()?;
        self.protected = protected;
        self.updated_at = now;
        Ok(())
    }

    pub(super) fn enable(&mut self, now: Timestamp) -> Result<(), ApiError> {
        self.switch(KeyState::Enabled, now)
    }

    pub(super) fn disable(&mut self, now: Timestamp) -> Result<(), ApiError> {
        self.switch(KeyState::Disabled, now)
    }

    /// Schedules the deletion.
    pub(super) fn delete(&mut self, now: Timestamp) -> Result<(), ApiError> {
        self.require_editable()?;
        if self.protected {
            return Err(ApiError::PreconditionFailed {
                precondition: "protected_resource",
                help: "cannot delete a protected key",
            });
        }
        self.deletion_requested_at = Some(now);
        self.updated_at = now;
        Ok(())
    }

    pub(super) fn restore(&mut self, now: Timestamp) -> Result<(), ApiError> {
        self.require_unlocked()?;
        if self.deletion_requested_at.take().is_none() {
            return Err(ApiError::state("key is not scheduled for deletion"));
        }
        self.updated_at = now;
        Ok(())
    }

    /// Returns when a key that is scheduled for deletion is gone.
    pub(super) fn gone_at(&self) -> Option<Timestamp> {
        self.deletion_requested_at
            .map(|requested| requested.saturating_add(DELETION_DELAY))
    }

    /// Makes a rotation from imported material.
    pub(super) fn import_material(
        &mut self,
        material: &[u8],
        salt: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        self.require_external()?;
        if self.state == KeyState::Disabled {
            return Err(ApiError::state("key is disabled"));
        }
        let key = symmetric::rotation_key(material, salt, self.id)?;
        self.add_rotation(key, Trigger::Manual, now);
        self.state = KeyState::Enabled;
        Ok(())
    }

    /// Deletes the material of one rotation, the newest unless `index` names another.
    pub(super) fn delete_material(
        &mut self,
        index: Option<u32>,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        self.require_external()?;
        let mut live = self
            .rotations
            .iter_mut()
            .filter(|rotation| rotation.key.is_some());
        let rotation = match index {
            Some(index) => {
                live.find(|rotation| rotation.index == index)
                    .ok_or(ApiError::constraint(
                        "key_rotation_index",
                        "no such rotation of this key",
                    ))?
            }
            None => live
                .next_back()
                .ok_or(ApiError::state("key has no key material"))?,
        };
        rotation.key = None;
        rotation.deleted_at = Some(now);
        if self.live_rotations().next().is_none() {
            self.state = KeyState::PendingKeyMaterial;
        }
        self.updated_at = now;
        Ok(())
    }

    /// Adds a rotation with its own key.
    pub(super) fn add_rotation(&mut self, key: SecretBytes, trigger: Trigger, now: Timestamp) {
        let newest = self.rotations.last().map_or(0, |rotation| rotation.index);
        self.rotations.push(Rotation {
            index: newest.saturating_add(1),
            trigger,
            created_at: now,
            deleted_at: None,
            key: Some(key),
        });
        self.rotated_at = Some(now);
        self.updated_at = now;
    }

    fn add_fresh_rotation(&mut self, trigger: Trigger, now: Timestamp) -> Result<(), ApiError> {
        let key =
            symmetric::rotation_key(symmetric::fresh_material()?.expose(ACCESS), None, self.id)?;
        self.add_rotation(key, trigger, now);
        Ok(())
    }

    fn switch(&mut self, state: KeyState, now: Timestamp) -> Result<(), ApiError> {
        self.require_editable()?;
        if self.state == KeyState::PendingKeyMaterial {
            return Err(ApiError::state("key has no key material"));
        }
        self.state = state;
        self.updated_at = now;
        Ok(())
    }

    /// Refuses a call that is only for keys with imported material.
    pub(super) fn require_external(&self) -> Result<(), ApiError> {
        self.require_editable()?;
        match self.origin {
            Origin::External => Ok(()),
            Origin::ScalewayKms => Err(ApiError::state("key material is not external")),
        }
    }

    fn require_unlocked(&self) -> Result<(), ApiError> {
        match self.locked {
            true => Err(ApiError::Locked {
                resource: "key",
                id: self.id,
            }),
            false => Ok(()),
        }
    }
}
