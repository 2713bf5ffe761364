//! Lists: keys by filter, order and page; rotations; algorithms.

use std::{cmp::Ordering, sync::Arc};

use keyseal::kms::scaleway::Uuid;

use super::{
    algorithm::{Algorithm, Usage},
    call::Call,
    errors::ApiError,
    keys::{Key, Rotation},
    reply::{AlgorithmsReply, KeyReply, ListReply, Reply, RotationReply, RotationsReply, SOFTWARE},
    settings::Parsing,
};

const DEFAULT_PAGE_SIZE: u32 = 20;
const MAX_PAGE_SIZE: u32 = 100;

pub(super) fn keys(call: &Call<'_>) -> Result<Reply, ApiError> {
    let filter = Filter::read(call)?;
    let order = order(call.query.first("order_by"))?;
    let page = Page::read(call)?;
    let mut keys: Vec<Arc<Key>> = call.service.read(|state| {
        let visible = state
            .keys()
            .filter(|key| call.may_see(key) && filter.matches(key));
        Ok(visible.cloned().collect())
    })?;
    keys.sort_by(|one, other| order(one, other).then_with(|| one.id.cmp(&other.id)));
    Reply::of(&ListReply {
        keys: page
            .of(&keys)
            .iter()
            .map(|key| KeyReply::from(&**key))
            .collect(),
        total_count: keys.len(),
    })
}

pub(super) fn rotations(call: &Call<'_>) -> Result<Reply, ApiError> {
    let key = call.key()?;
    let page = Page::read(call)?;
    let mut statuses = Vec::new();
    for status in call
        .query
        .all("status")
        .filter(|status| *status != "unknown_status")
    {
        if !["enabled", "deleted"].contains(&status) {
            return Err(ApiError::constraint("status", "this status does not exist"));
        }
        statuses.push(status);
    }
    let wanted = |status| statuses.is_empty() || statuses.contains(&status);
    let mut rotations: Vec<&Rotation> = key
        .rotations
        .iter()
        .filter(|rotation| wanted(rotation.status()))
        .collect();
    match call.query.first("order_by") {
        None | Some("created_at_asc") => {}
        Some("created_at_desc") => rotations.reverse(),
        Some(_) => {
            return Err(ApiError::constraint(
                "order_by",
                "this order does not exist",
            ));
        }
    }
    let shown = page
        .of(&rotations)
        .iter()
        .map(|rotation| RotationReply::new(&key, rotation));
    Reply::of(&RotationsReply {
        rotations: shown.collect(),
        total_count: rotations.len(),
    })
}

pub(super) fn algorithms(call: &Call<'_>) -> Result<Reply, ApiError> {
    let mut usages = Vec::new();
    for name in call
        .query
        .all("usages")
        .filter(|name| !name.starts_with("unknown_"))
    {
        usages.push(usage("usages", name)?);
    }
    let wanted = |usage| usages.is_empty() || usages.contains(&usage);
    let algorithms = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| wanted(algorithm.usage()));
    Reply::of(&AlgorithmsReply {
        algorithms: algorithms.map(Into::into).collect(),
    })
}

struct Filter<'a> {
    organization_id: Option<Uuid>,
    project_id: Option<Uuid>,
    name: Option<&'a str>,
    tags: Vec<&'a str>,
    usage: Option<Usage>,
    scheduled_for_deletion: Option<bool>,
    protection_level: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn read(call: &'a Call<'_>) -> Result<Self, ApiError> {
        let query = &call.query;
        let id = |name: &'static str| {
            let id = query.first(name).map(str::parse).transpose();
            id.map_err(|_| ApiError::format(name, "must be a UUID"))
        };
        let filter = Self {
            organization_id: id("organization_id")?,
            project_id: id("project_id")?,
            name: query.first("name"),
            tags: query.all("tags").collect(),
            usage: query
                .choice("usage")
                .map(|name| usage("usage", name))
                .transpose()?,
            scheduled_for_deletion: query.boolean("scheduled_for_deletion")?,
            protection_level: query.choice("protection_level"),
        };
        if filter
            .protection_level
            .is_some_and(|level| ![SOFTWARE, "hsm"].contains(&level))
        {
            return Err(ApiError::constraint(
                "protection_level",
                "must be software or hsm",
            ));
        }
        let has_owner = filter.organization_id.is_some() || filter.project_id.is_some();
        if call.service.settings.parsing == Parsing::Strict && !has_owner {
            return Err(ApiError::required("project_id"));
        }
        Ok(filter)
    }

    fn matches(&self, key: &Key) -> bool {
        let scheduled = key.deletion_requested_at.is_some();
        self.organization_id
            .is_none_or(|id| id == key.organization_id)
            && self.project_id.is_none_or(|id| id == key.project_id)
            && self.name.is_none_or(|name| name == key.name)
            && self
                .tags
                .iter()
                .all(|tag| key.tags.iter().any(|other| other == tag))
            && self
                .usage
                .is_none_or(|usage| usage == key.algorithm.usage())
            && self.protection_level.is_none_or(|level| level == SOFTWARE)
            && scheduled == self.scheduled_for_deletion.unwrap_or(false)
    }
}

fn usage(argument: &'static str, name: &str) -> Result<Usage, ApiError> {
    let found = Usage::ALL.into_iter().find(|usage| usage.name() == name);
    found.ok_or_else(|| ApiError::constraint(argument, "this usage does not exist"))
}

type Order = fn(&Key, &Key) -> Ordering;

fn order(name: Option<&str>) -> Result<Order, ApiError> {
    Ok(match name {
        None | Some("name_asc") => |one, other| one.name.cmp(&other.name),
        Some("name_desc") => |one, other| other.name.cmp(&one.name),
        Some("created_at_asc") => |one, other| one.created_at.cmp(&other.created_at),
        Some("created_at_desc") => |one, other| other.created_at.cmp(&one.created_at),
        Some("updated_at_asc") => |one, other| one.updated_at.cmp(&other.updated_at),
        Some("updated_at_desc") => |one, other| other.updated_at.cmp(&one.updated_at),
        Some(_) => {
            return Err(ApiError::constraint(
                "order_by",
                "this order does not exist",
            ));
        }
    })
}

/// The requested part of a list.
struct Page {
    number: u32,
    size: u32,
}

impl Page {
    fn read(call: &Call<'_>) -> Result<Self, ApiError> {
        let number = call.query.number("page")?.unwrap_or(1);
        if number == 0 {
            return Err(ApiError::constraint("page", "must be at least 1"));
        }
        let size = call.query.number("page_size")?.unwrap_or(DEFAULT_PAGE_SIZE);
        if !(1..=MAX_PAGE_SIZE).contains(&size) {
            return Err(ApiError::constraint(
                "page_size",
                "must be between 1 and 100",
            ));
        }
        Ok(Self { number, size })
    }

    /// A page past the end is empty: clients that walk all pages stop there.
    fn of<'a, T>(&self, items: &'a [T]) -> &'a [T] {
        let size = self.size as usize;
        let start = size
            .saturating_mul(self.number as usize - 1)
            .min(items.len());
        let end = start.saturating_add(size).min(items.len());
        items.get(start..end).unwrap_or_default()
    }
}
