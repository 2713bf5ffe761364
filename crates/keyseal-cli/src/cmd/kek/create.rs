//! `kek create`: a new key.

use std::time::Duration;

use clap::{Args, ValueEnum};
use keyseal::kms::scaleway::{Algorithm, CreateKey, KeyUsage, RotationPolicy, Timestamp, Uuid};

use super::{
    choice::{Level, parse_time},
    report::{as_json, name, usage},
};
use crate::{
    context::Context, duration::parse_duration, error::Failure, kms::KeyManager, kms_args::KmsArgs,
};

/// Create a key, and print its URI
///
/// The key is protected: you can delete it only after `kek unprotect`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal kek create --name orders --rotate-every 90d
  KEK=$(keyseal kek create --name orders --tag production)")]
pub(crate) struct CreateArgs {
    /// The name [default: one that the service chooses]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A description
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A tag; can be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// The algorithm; `kek algorithms` lists them. Only aes_256_gcm makes a key-encryption key
    #[arg(long, value_name = "NAME", default_value = "aes_256_gcm")]
    algorithm: String,
    /// How often the service makes a new version: at least 24h; it recommends 30d to 90d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    rotate_every: Option<Duration>,
    /// When the service first rotates the key, such as 2027-01-31 or 2027-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "rotate_every")]
    next_rotation: Option<Timestamp>,
    /// Where the key material comes from
    #[arg(long, value_name = "ORIGIN", default_value = "scaleway-kms")]
    origin: Origin,
    /// Where the key is kept and used [default: the service chooses]
    #[arg(long, value_name = "LEVEL")]
    protection_level: Option<Level>,
    /// Allow deletion of the key without `kek unprotect`
    #[arg(long)]
    unprotected: bool,
    /// The project [default: that of the settings]
    #[arg(long, value_name = "ID")]
    project_id: Option<Uuid>,
    #[command(flatten)]
    kms: KmsArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Origin {
    /// The service generates it
    ScalewayKms,
    /// You provide it with `kek import`
    External,
}

pub(super) fn run(args: &CreateArgs, context: &Context) -> Result<(), Failure> {
    let manager = KeyManager::new(&args.kms, context)?;
    let wanted = wanted(args);
    let create = manager.client().create_key(&wanted);
    let key = manager.run("cannot create a key", create)?;
    if context.json {
        return context.print_json(&as_json(&key));
    }
    context.note(&format!(
        "created {}: {}, {}{}",
        name(&key),
        usage(&key),
        key.state(),
        if key.is_protected() {
            ", protected"
        } else {
            ""
        }
    ));
    context.print(&format!("{}\n", key.uri()))
}

fn wanted(args: &CreateArgs) -> CreateKey {
    let mut key = CreateKey::new(usage_of(&args.algorithm));
    if let Some(name) = &args.name {
        key = key.name(name);
    }
    if let Some(description) = &args.description {
        key = key.description(description);
    }
    for tag in &args.tag {
        key = key.tag(tag);
    }
    if let Some(period) = args.rotate_every {
        let policy = RotationPolicy::every(period);
        key = key.rotation(match &args.next_rotation {
            Some(time) => policy.starting_at(*time),
            None => policy,
        });
    }
    if let Some(level) = args.protection_level {
        key = key.protection_level(level.level());
    }
    if let Some(project_id) = args.project_id {
        key = key.project(project_id);
    }
    if args.unprotected {
        key = key.unprotected();
    }
    match args.origin {
        Origin::ScalewayKms => key,
        Origin::External => key.external(),
    }
}

/// Finds the usage of an algorithm by its name.
fn usage_of(algorithm: &str) -> KeyUsage {
    let named = Algorithm::named(algorithm);
    let starts = |names: &[&str]| names.iter().any(|name| algorithm.starts_with(name));
    if starts(&["ml_kem_"]) {
        KeyUsage::KeyEncapsulation(named)
    } else if starts(&["rsa_oaep_"]) {
        KeyUsage::AsymmetricEncryption(named)
    } else if starts(&["rsa_", "ec_", "ml_dsa_"]) {
        KeyUsage::AsymmetricSigning(named)
    } else {
        KeyUsage::SymmetricEncryption(named)
    }
}
