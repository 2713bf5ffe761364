//! Creates keys and changes their descriptions.

use std::time::Duration;

use keyseal::{
    SecretBytes,
    kms::scaleway::{Seconds, Timestamp, Uuid},
};

use super::{
    algorithm::{Algorithm, NotAlgorithm, Usage},
    asymmetric,
    body::Fields,
    call::Call,
    errors::ApiError,
    keys::{Key, KeyState, Origin, RotationPolicy, Trigger},
    reply::{Reply, SOFTWARE},
    state::State,
    symmetric,
};
use crate::random::{self, ACCESS};

/// The bounds of a rotation period: a day, and 876,000 hours.
const MIN_PERIOD: Duration = Duration::from_secs(86_400);
const MAX_PERIOD: Duration = Duration::from_secs(876_000 * 3_600);
/// The bounds of imported material and of its salt, in bytes. We chose them.
const MIN_MATERIAL: usize = 16;
const MAX_MATERIAL: usize = 1_024;

pub(super) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    Reply::of_key(&*call.key()?)
}

pub(super) fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = &call.fields;
    let project_id = project(call)?;
    let id = random::uuid()?;
    let name = match fields.text("name")? {
        Some(name) if !name.is_empty() => name.to_owned(),
        Some(_) | None => format!("key-{}", id.to_string().get(..8).unwrap_or_default()),
    };
    let algorithm = algorithm(fields)?;
    let origin = origin(fields, algorithm)?;
    let description = fields.text("description")?.map(str::to_owned);
    let tags = fields.texts("tags")?.unwrap_or_default();
    let protected = !fields.boolean("unprotected")?;
    require_software(fields)?;
    let policy = PolicyFields::read(fields)?;
    if policy.is_some() {
        require_rotatable(algorithm, origin)?;
    }
    // Outside the lock, because an RSA key takes seconds.
    let material = generate(origin, algorithm, id)?;
    call.service.transact(|state, now| {
        require_quota(call, state, project_id)?;
        let now = now.to_microseconds();
        let rotation_policy = policy.map(|policy| policy.resolve(None, now));
        let mut key = Key {
            id,
            region: call.region,
            organization_id: call.identity.organization(),
            project_id,
            name,
            algorithm,
            state: if material.is_some() {
                KeyState::Enabled
            } else {
                KeyState::PendingKeyMaterial
            },
            created_at: now,
            updated_at: now,
            rotated_at: None,
            protected,
            locked: false,
            description,
            tags,
            rotation_policy: rotation_policy.transpose()?,
            origin,
            deletion_requested_at: None,
            rotations: Vec::new(),
        };
        if let Some(material) = material {
            key.add_rotation(material, Trigger::Automatic, now);
        }
        let created = Reply::of_key(&key);
        state.insert(key);
        created
    })
}

pub(super) fn update(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = &call.fields;
    let name = fields.text("name")?.map(str::to_owned);
    if name.as_deref() == Some("") {
        return Err(ApiError::constraint("name", "must not be empty"));
    }
    let description = fields.text("description")?.map(str::to_owned);
    let tags = fields.texts("tags")?;
    let policy = PolicyFields::read(fields)?;
    call.changed_key(|key, now| {
        key.require_editable()?;
        if let Some(policy) = policy {
            require_rotatable(key.algorithm, key.origin)?;
            key.rotation_policy = Some(policy.resolve(key.rotation_policy, now)?);
        }
        if let Some(name) = name {
            key.name = name;
        }
        if let Some(description) = description {
            key.description = Some(description);
        }
        if let Some(tags) = tags {
            key.tags = tags;
        }
        key.updated_at = now;
        Ok(())
    })
}

pub(super) fn import_key_material(call: &Call<'_>) -> Result<Reply, ApiError> {
    let material = call.fields.bytes("key_material")?;
    let material = material.ok_or(ApiError::required("key_material"))?;
    let salt = call.fields.bytes("salt")?.filter(|salt| !salt.is_empty());
    if !(MIN_MATERIAL..=MAX_MATERIAL).contains(&material.len()) {
        let help = "must be between 16 and 1024 bytes";
        return Err(ApiError::constraint("key_material", help));
    }
    if salt.as_ref().is_some_and(|salt| salt.len() > MAX_MATERIAL) {
        return Err(ApiError::constraint("salt", "must be at most 1024 bytes"));
    }
    let salt = salt.as_deref().map(Vec::as_slice);
    call.changed_key(|key, now| key.import_material(&material, salt, now))
}

pub(super) fn delete_key_material(call: &Call<'_>) -> Result<Reply, ApiError> {
    // A client that always writes the field sends 0, an index that no rotation has.
    let index = call
        .fields
        .number("key_rotation_index")?
        .filter(|index| *index != 0);
    call.change(|key, now| key.delete_material(index, now))
        .map(|_| Reply::NoContent)
}

/// The service gives a public key to wrap material with; the form in which the material comes back
/// is not published.
pub(super) fn import_parameters(call: &Call<'_>) -> Result<Reply, ApiError> {
    call.key()?.require_external()?;
    let help = "wrapped key material is not offered by the emulator";
    Err(ApiError::constraint("wrapping_algorithm", help))
}

/// Generates the first material of a key; `None` if its owner will import it.
fn generate(
    origin: Origin,
    algorithm: Algorithm,
    id: Uuid,
) -> Result<Option<SecretBytes>, ApiError> {
    match (origin, algorithm) {
        (Origin::External, _) => Ok(None),
        (Origin::ScalewayKms, Algorithm::Aes256Gcm) => {
            let material = symmetric::fresh_material()?;
            symmetric::rotation_key(material.expose(ACCESS), None, id).map(Some)
        }
        (Origin::ScalewayKms, _) => asymmetric::generate(algorithm).map(Some),
    }
}

fn require_quota(call: &Call<'_>, state: &State, project_id: Uuid) -> Result<(), ApiError> {
    let quota = call.service.settings.key_quota;
    let in_project = state.keys().filter(|key| key.project_id == project_id);
    let current = in_project.count();
    if current < quota {
        return Ok(());
    }
    Err(ApiError::QuotaExceeded {
        resource: "key",
        quota,
        current,
    })
}

fn require_software(fields: &Fields) -> Result<(), ApiError> {
    match fields.choice("protection_level")? {
        None | Some(SOFTWARE) => Ok(()),
        Some(_) => {
            let help = "this protection level is not offered by the emulator";
            Err(ApiError::constraint("protection_level", help))
        }
    }
}

fn project(call: &Call<'_>) -> Result<Uuid, ApiError> {
    let text = call
        .fields
        .text("project_id")?
        .filter(|text| !text.is_empty());
    let text = text.ok_or(ApiError::required("project_id"))?;
    let id = text
        .parse()
        .map_err(|_| ApiError::format("project_id", "must be a UUID"))?;
    let denied = ApiError::PermissionsDenied {
        action: "create",
        resource: "key",
    };
    call.identity.has_project(id).then_some(id).ok_or(denied)
}

/// Reads `{"symmetric_encryption":"aes_256_gcm"}` and the like: exactly one known member.
fn algorithm(fields: &Fields) -> Result<Algorithm, ApiError> {
    let usage = fields.object("usage")?.ok_or(ApiError::required("usage"))?;
    let mut chosen = None;
    for kind in Usage::ALL {
        let Some(name) = usage.choice(kind.name())? else {
            continue;
        };
        let help = match name.parse::<Algorithm>() {
            Ok(algorithm) if algorithm.usage() == kind => {
                if chosen.replace(algorithm).is_some() {
                    return Err(ApiError::constraint(
                        "usage",
                        "must have exactly one member",
                    ));
                }
                continue;
            }
            Err(NotAlgorithm::NotOffered) => "this algorithm is not offered by the emulator",
            Ok(_) | Err(NotAlgorithm::Unknown) => "this algorithm does not exist",
        };
        return Err(ApiError::constraint(kind.name(), help));
    }
    chosen.ok_or(ApiError::required("usage"))
}

fn origin(fields: &Fields, algorithm: Algorithm) -> Result<Origin, ApiError> {
    match fields.choice("origin")? {
        None | Some("scaleway_kms") => Ok(Origin::ScalewayKms),
        Some("external") if algorithm == Algorithm::Aes256Gcm => Ok(Origin::External),
        Some("external") => Err(ApiError::constraint(
            "origin",
            "only aes_256_gcm keys can be external",
        )),
        Some(_) => Err(ApiError::constraint(
            "origin",
            "must be scaleway_kms or external",
        )),
    }
}

fn require_rotatable(algorithm: Algorithm, origin: Origin) -> Result<(), ApiError> {
    if algorithm == Algorithm::Aes256Gcm && origin == Origin::ScalewayKms {
        return Ok(());
    }
    let help = "only symmetric keys that the service made rotate by themselves";
    Err(ApiError::constraint("rotation_policy", help))
}

/// A rotation policy from a request: each half may be absent.
struct PolicyFields {
    period: Option<Seconds>,
    next: Option<Timestamp>,
}

impl PolicyFields {
    /// A policy with neither half is the same as no policy.
    fn read(fields: &Fields) -> Result<Option<Self>, ApiError> {
        let Some(policy) = fields.object("rotation_policy")? else {
            return Ok(None);
        };
        let period = match policy.text("rotation_period")? {
            None => None,
            Some(text) => {
                let period = text.parse::<Seconds>().map_err(|_| {
                    ApiError::format(
                        "rotation_policy.rotation_period",
                        "must be a duration in seconds, such as 2592000s",
                    )
                })?;
                if !(MIN_PERIOD..=MAX_PERIOD).contains(&period.duration()) {
                    return Err(ApiError::constraint(
                        "rotation_policy.rotation_period",
                        "must be between 24 and 876000 hours",
                    ));
                }
                Some(period)
            }
        };
        let next = match policy.text("next_rotation_at")? {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                ApiError::format(
                    "rotation_policy.next_rotation_at",
                    "must be an RFC 3339 time",
                )
            })?),
        };
        Ok((period.is_some() || next.is_some()).then_some(Self { period, next }))
    }

    /// Fills in the absent half: the period from the previous policy, the date from the period.
    fn resolve(
        self,
        before: Option<RotationPolicy>,
        now: Timestamp,
    ) -> Result<RotationPolicy, ApiError> {
        let rotation_period = self
            .period
            .or_else(|| before.map(|policy| policy.rotation_period))
            .ok_or(ApiError::required("rotation_policy.rotation_period"))?;
        let next_rotation_at = self
            .next
            .unwrap_or_else(|| now.saturating_add(rotation_period.duration()));
        if next_rotation_at <= now {
            let name = "rotation_policy.next_rotation_at";
            return Err(ApiError::constraint(name, "must be in the future"));
        }
        Ok(RotationPolicy {
            rotation_period,
            next_rotation_at,
        })
    }
}
