//! `kek rotations`: the versions of a key.

use clap::Args;
use keyseal::kms::scaleway::{KeyRotation, Timestamp};
use serde_json::{Value, json};

use super::{choice::KeyChoice, report::table};
use crate::{
    context::Context,
    display::{Lines, printable},
    error::Failure,
};

/// List the versions of a key, the oldest first
///
/// `kek delete-material --version` takes the index of a version.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal kek rotations \"$KEK\"")]
pub(crate) struct RotationsArgs {
    #[command(flatten)]
    choice: KeyChoice,
}

pub(super) fn run(args: &RotationsArgs, context: &Context) -> Result<(), Failure> {
    let (manager, key) = args.choice.open(context)?;
    let rotations = manager.run("cannot list the versions", key.list_rotations())?;
    if context.json {
        return context.print_json(&Value::Array(rotations.iter().map(as_json).collect()));
    }
    let head = ["INDEX", "STATUS", "MADE", "CREATED", "DELETED"];
    let rows = rotations.iter().map(|one| {
        [
            one.index().to_string(),
            printable(one.status()),
            if one.is_manual() {
                "by a call"
            } else {
                "by itself"
            }
            .to_owned(),
            time(one.created_at()),
            time(one.deleted_at()),
        ]
    });
    context.print(Lines::of_text(&table(head, rows)))
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), printable)
}

/// Returns the members under the service's names.
fn as_json(rotation: &KeyRotation) -> Value {
    json!({
        "created_at": rotation.created_at().map(|time| time.to_string()),
        "deleted_at": rotation.deleted_at().map(|time| time.to_string()),
        "index": rotation.index(),
        "manually_rotated": rotation.is_manual(),
        "status": rotation.status().to_string(),
        "updated_at": rotation.updated_at().map(|time| time.to_string()),
    })
}
