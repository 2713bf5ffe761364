//! `kek delete`: schedules a key for deletion.

use clap::Args;
use serde_json::json;

use super::choice::KeyChoice;
use crate::{context::Context, display::Lines, error::Failure};

/// Schedule a key for deletion: it cannot be used from now on, and is gone in 7 days
///
/// Until then, `kek restore` brings it back. To delete a protected key, first run `kek unprotect`.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal kek delete fr-par/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10")]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    choice: KeyChoice,
}

pub(super) fn run(args: &DeleteArgs, context: &Context) -> Result<(), Failure> {
    let (manager, key) = args.choice.open(context)?;
    let uri = key.uri();
    manager.run("cannot delete the key", key.delete())?;
    // The service's answer is empty, and a caller who may delete a key is not always allowed to
    // read it.
    let said = json!({
        "id": uri.key_id(),
        "region": uri.region().map(|region| region.as_str()),
        "state": "scheduled_for_deletion",
    });
    context.report(
        Lines::from(&format!(
            "{uri}: scheduled for deletion; it cannot be used, and is gone in 7 days"
        ))
        .line(format!(
            "until then, this takes it back: keyseal kek restore {uri}"
        )),
        &said,
        false,
    )
}
