//! `kek list`: the keys of a region.

use clap::Args;
use keyseal::kms::scaleway::{KeyMetadata, ListKeys, Uuid};
use serde_json::Value;

use super::{
    choice::{Level, UsageName},
    report::{as_json, table, usage},
};
use crate::{
    context::Context,
    display::{Lines, count, printable},
    error::Failure,
    kms::KeyManager,
    kms_args::KmsArgs,
};

/// List the keys of a region, by name
///
/// By default, these are the keys of the project in the settings, or else of the organization.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal kek list
  keyseal kek list --name orders --region nl-ams --json")]
pub(crate) struct ListArgs {
    /// Only those with this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only those with this tag; can be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only those for this usage
    #[arg(long, value_name = "USAGE")]
    usage: Option<UsageName>,
    /// Only those with this protection level
    #[arg(long, value_name = "LEVEL")]
    protection_level: Option<Level>,
    /// Only those that are scheduled for deletion, which are not listed otherwise
    #[arg(long)]
    deleted: bool,
    /// The keys of this project
    #[arg(long, value_name = "ID")]
    project_id: Option<Uuid>,
    /// The keys of this organization
    #[arg(long, value_name = "ID")]
    organization_id: Option<Uuid>,
    #[command(flatten)]
    kms: KmsArgs,
}

pub(super) fn run(args: &ListArgs, context: &Context) -> Result<(), Failure> {
    let manager = KeyManager::new(&args.kms, context)?;
    let which = wanted(args);
    let list = manager.client().list_keys(&which);
    let keys = manager.run("cannot list the keys", list)?;
    if context.json {
        return context.print_json(&Value::Array(keys.iter().map(as_json).collect()));
    }
    if let Some(region) = manager.client().region() {
        context.note(&format!("{} in {region}", count(keys.len(), "key")));
    }
    if keys.is_empty() {
        return Ok(());
    }
    context.print(Lines::of_text(&lines(&keys)))
}

fn wanted(args: &ListArgs) -> ListKeys {
    let mut which = ListKeys::new();
    if let Some(name) = &args.name {
        which = which.name(name);
    }
    for tag in &args.tag {
        which = which.tag(tag);
    }
    if let Some(usage) = args.usage {
        which = which.usage(usage.kind());
    }
    if let Some(level) = args.protection_level {
        which = which.protection_level(level.level());
    }
    if let Some(id) = args.project_id {
        which = which.project(id);
    }
    if let Some(id) = args.organization_id {
        which = which.organization(id);
    }
    if args.deleted {
        which = which.scheduled_for_deletion();
    }
    which
}

/// Returns a line for each key. An empty list has no header either.
fn lines(keys: &[KeyMetadata]) -> String {
    let head = [
        "NAME",
        "STATE",
        "VERSIONS",
        "PROTECTED",
        "LEVEL",
        "ALGORITHM",
        "URI",
    ];
    let rows = keys.iter().map(|key| {
        let level = key.protection_level();
        [
            printable(key.name()),
            printable(key.state()),
            key.rotation_count().to_string(),
            key.is_protected().to_string(),
            level.map_or_else(|| "-".to_owned(), printable),
            usage(key),
            key.uri().to_string(),
        ]
    });
    table(head, rows)
}
