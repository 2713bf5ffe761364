//! `kek update`: name, description, tags and rotation of a key.

use std::time::Duration;

use clap::Args;
use keyseal::kms::scaleway::{RotationPolicy, Timestamp, UpdateKey};

use super::{
    choice::{KeyChoice, parse_time},
    report::{name, report},
};
use crate::{context::Context, duration::parse_duration, error::Failure};

/// Change the name, the description, the tags or the rotation of a key
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal kek update \"$KEK\" --rotate-every 90d
  keyseal kek update \"$KEK\" --next-rotation 2027-01-31")]
#[group(id = "changes", required = true, multiple = true, args = ["name", "description", "tag", "no_tags", "rotate_every", "next_rotation"])]
pub(crate) struct UpdateArgs {
    /// The new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The new description
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A tag, which replaces the present ones; can be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Remove all tags
    #[arg(long, conflicts_with = "tag")]
    no_tags: bool,
    /// How often the service makes a new version: at least 24h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    rotate_every: Option<Duration>,
    /// When it makes the next version, such as 2027-01-31 or 2027-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    next_rotation: Option<Timestamp>,
    #[command(flatten)]
    choice: KeyChoice,
}

pub(super) fn run(args: &UpdateArgs, context: &Context) -> Result<(), Failure> {
    let (manager, key) = args.choice.open(context)?;
    let mut changes = UpdateKey::new();
    if let Some(name) = &args.name {
        changes = changes.name(name);
    }
    if let Some(description) = &args.description {
        changes = changes.description(description);
    }
    if args.no_tags || !args.tag.is_empty() {
        changes = changes.tags(&args.tag);
    }
    let policy = match (args.rotate_every, &args.next_rotation) {
        (Some(period), Some(next)) => Some(RotationPolicy::every(period).starting_at(*next)),
        (Some(period), None) => Some(RotationPolicy::every(period)),
        (None, Some(next)) => Some(RotationPolicy::next_at(*next)),
        (None, None) => None,
    };
    if let Some(policy) = policy {
        changes = changes.rotation(policy);
    }
    let key = manager.run("cannot update the key", key.update(&changes))?;
    report(&format!("{}: updated", name(&key)), &key, context)
}
