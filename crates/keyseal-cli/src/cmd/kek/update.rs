//! `kek update`: name, description, tags and rotation of a key.

use std::time::Duration;

use clap::Args;
use keyseal::kms::scaleway::{RotationPolicy, UpdateKey};

use super::{KeyChoice, name, report};
use crate::{context::Context, duration::parse_duration, error::Failure};

/// Change the name, the description, the tags or the rotation of a key
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal kek update \"$KEK\" --rotate-every 90d")]
#[group(id = "changes", required = true, multiple = true, args = ["name", "description", "tag", "no_tags", "rotate_every"])]
pub(crate) struct UpdateArgs {
    /// The new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The new description
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A tag, in place of those that are there; may be given more than once
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Remove all tags
    #[arg(long, conflicts_with = "tag")]
    no_tags: bool,
    /// Have the service make a new version this often: at least 24h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    rotate_every: Option<Duration>,
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
    if let Some(period) = args.rotate_every {
        changes = changes.rotation(RotationPolicy::every(period));
    }
    let key = manager.run("cannot update the key", key.update(&changes))?;
    report(&format!("{}: updated", name(&key)), &key, context)
}
