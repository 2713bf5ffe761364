//! `kek show`, `rotate`, `enable`, `disable`, `protect`, `unprotect`, `restore`: one call on one
//! key.

use clap::Args;
use keyseal::kms::scaleway::KeyMetadata;

use super::{
    choice::KeyChoice,
    report::{as_json, columns, name, report},
};
use crate::{
    context::Context,
    display::{Lines, printable},
    error::Failure,
};

/// Show a key: state, versions, rotation
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal kek show fr-par/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    choice: KeyChoice,
}

pub(super) fn show(args: &ShowArgs, context: &Context) -> Result<(), Failure> {
    let (manager, key) = args.choice.open(context)?;
    let key = manager.run("cannot show the key", key.get())?;
    if context.json {
        return context.print_json(&as_json(&key));
    }
    let fields = fields(&key);
    let lines: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    context.print(Lines::of_text(&columns(&lines)))
}

/// Returns the fields that have a value, in the order of `scw`; times are as the service gives
/// them.
fn fields(key: &KeyMetadata) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        fields.extend(value.map(|value| (name.to_owned(), printable(value))));
    };
    let policy = key.rotation_policy();
    add("ID", Some(key.id().to_string()));
    add("Srn", key.srn().map(str::to_owned));
    add("ProjectID", key.project_id().map(|id| id.to_string()));
    add("Name", Some(key.name().to_owned()));
    if let Some((usage, algorithm)) = key.usage_member() {
        let usage = format!("Usage.{}", camel_case(usage));
        add(&printable(usage), Some(algorithm.to_owned()));
    }
    add("State", Some(key.state().to_string()));
    add("RotationCount", Some(key.rotation_count().to_string()));
    add("CreatedAt", key.created_at().map(|time| time.to_string()));
    add("UpdatedAt", key.updated_at().map(|time| time.to_string()));
    add("Protected", Some(key.is_protected().to_string()));
    add("Locked", Some(key.is_locked().to_string()));
    add("Description", key.description().map(str::to_owned));
    for (n, tag) in key.tags().iter().enumerate() {
        add(&format!("Tags.{n}"), Some(tag.clone()));
    }
    add("RotatedAt", key.rotated_at().map(|time| time.to_string()));
    if let Some(policy) = &policy {
        let period = policy.period().map(|period| match period.as_secs() {
            secs if secs % 86_400 == 0 => format!("{} days", secs / 86_400),
            secs => format!("{secs} s"),
        });
        add("RotationPolicy.RotationPeriod", period);
        let next = policy.next().map(|time| time.to_string());
        add("RotationPolicy.NextRotationAt", next);
    }
    add("Origin", Some(key.origin().to_owned()));
    let deleted = key.deletion_requested_at().map(|time| time.to_string());
    add("DeletionRequestedAt", deleted);
    let level = key.protection_level().map(|level| level.to_string());
    add("ProtectionLevel", level);
    add("Region", Some(key.region().to_string()));
    add("URI", Some(key.uri().to_string()));
    fields
}

/// Writes a name of the service as `scw` does: `key_encapsulation` is `KeyEncapsulation`.
fn camel_case(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters)
    });
    words.flatten().collect()
}

/// A verb that changes the state of a key.
macro_rules! changes {
    ($(#[$doc:meta])* $args:ident, $call:ident, $done:expr) => {
        #[derive(Args, Debug)]
        $(#[$doc])*
        pub(crate) struct $args {
            #[command(flatten)]
            choice: KeyChoice,
        }

        impl $args {
            pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
                let (manager, key) = self.choice.open(context)?;
                let what = concat!("cannot ", stringify!($call), " the key");
                let key = manager.run(what, key.$call())?;
                let done: fn(&KeyMetadata) -> String = $done;
                report(&format!("{}: {}", name(&key), done(&key)), &key, context)
            }
        }
    };
}

changes!(
    /// Make a new version of a key, which encrypts from now on
    ///
    /// The older versions still decrypt, and no ciphertext changes. To re-wrap files under the
    /// newest version, run `keyseal rewrap`.
    #[command(after_help = "\
Example:
  keyseal kek rotate \"$KEK\"")]
    RotateArgs,
    rotate,
    |key| format!("version {} encrypts from now on", key.rotation_count())
);
changes!(
    /// Allow the use of a disabled key again
    #[command(after_help = "\
Example:
  keyseal kek enable \"$KEK\"")]
    EnableArgs,
    enable,
    |key| key.state().to_string()
);
changes!(
    /// Forbid the use of a key, until it is enabled again
    #[command(after_help = "\
Example:
  keyseal kek disable \"$KEK\"")]
    DisableArgs,
    disable,
    |key| format!("{}: it neither encrypts nor decrypts", key.state())
);
changes!(
    /// Forbid the deletion of a key
    #[command(after_help = "\
Example:
  keyseal kek protect \"$KEK\"")]
    ProtectArgs,
    protect,
    |_| "protected: it cannot be deleted".to_owned()
);
changes!(
    /// Allow the deletion of a key
    #[command(after_help = "\
Example:
  keyseal kek unprotect \"$KEK\"")]
    UnprotectArgs,
    unprotect,
    |_| "not protected: it can be deleted".to_owned()
);
changes!(
    /// Restore a key that is scheduled for deletion; Scaleway charges for it
    #[command(after_help = "\
Example:
  keyseal kek restore \"$KEK\"")]
    RestoreArgs,
    restore,
    |key| format!("restored, {}", key.state())
);
