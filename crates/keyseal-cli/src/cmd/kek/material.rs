//! `kek import` and `kek delete-material`: imported key material.

use clap::Args;
use keyseal::{SecretAccess, SecretBytes, kms::scaleway::KeyMaterial};
use serde_json::json;

use super::{
    choice::KeyChoice,
    report::{name, report},
};
use crate::{
    context::Context,
    encoding::{from_base64, from_hex},
    error::Failure,
    exit::Exit,
    input::{FileArg, check_one_standard_input},
};

/// The largest key material that is read, in bytes.
const MATERIAL_LIMIT: u64 = 64 << 10;

/// Import key material into a key that was created with --origin external
///
/// Each further import makes a new version.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  openssl rand 32 | keyseal kek import \"$KEK\" --material-file -")]
pub(crate) struct ImportArgs {
    /// The file with the material, usually 32 bytes; `-` is standard input
    #[arg(long, value_name = "FILE")]
    material_file: FileArg,
    /// The file has hexadecimal digits
    #[arg(long, conflicts_with = "base64")]
    hex: bool,
    /// The file has base64
    #[arg(long)]
    base64: bool,
    /// A file with the salt for deriving the key [default: one that the service generates]
    #[arg(long, value_name = "FILE")]
    salt_file: Option<FileArg>,
    #[command(flatten)]
    choice: KeyChoice,
}

pub(super) fn import(args: &ImportArgs, context: &Context) -> Result<(), Failure> {
    check_one_standard_input(args.salt_file.iter().chain([&args.material_file]))?;
    let (manager, key) = args.choice.open(context)?;
    let file = args.material_file.read_small(MATERIAL_LIMIT, context)?;
    let decoded = match (args.hex, args.base64) {
        (true, _) => from_hex(&file),
        (_, true) => from_base64(&file),
        _ => Ok(file),
    };
    let bytes = decoded.map_err(|reason| {
        Failure::new(
            Exit::Failed,
            "key_encoding",
            format!("cannot read the material in {}", args.material_file.name()),
            reason,
        )
    })?;
    let material = SecretBytes::copy_from(&bytes, SecretAccess::insecure());
    let salt = match &args.salt_file {
        Some(file) => file.read_small(MATERIAL_LIMIT, context)?,
        None => zeroize::Zeroizing::default(),
    };
    let import = key.import_key_material(&material, &salt);
    let key = manager.run("cannot import the material", import)?;
    let done = format!(
        "{}: version {} is imported",
        name(&key),
        key.rotation_count()
    );
    report(&done, &key, context)
}

/// Delete imported key material: data encrypted with it is lost
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal kek rotations \"$KEK\"
  keyseal kek delete-material \"$KEK\" --version 2 --yes")]
pub(crate) struct DeleteMaterialArgs {
    /// The version, by the index that `kek rotations` lists [default: the newest]
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// Confirm that data encrypted with this material may be lost
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    choice: KeyChoice,
}

pub(super) fn delete(args: &DeleteMaterialArgs, context: &Context) -> Result<(), Failure> {
    if !args.yes {
        return Err(Failure::usage(
            "not_confirmed",
            "cannot delete the material",
            "data encrypted with it would be lost",
        )
        .hint("--yes confirms it")
        .hint("kek disable forbids its use, and can be undone"));
    }
    let (manager, key) = args.choice.open(context)?;
    let which = args
        .version
        .map_or(KeyMaterial::Newest, KeyMaterial::Version);
    manager.run("cannot delete the material", key.delete_key_material(which))?;
    let uri = key.uri();
    let version = match args.version {
        Some(version) => format!("version {version}"),
        None => "the newest version".to_owned(),
    };
    context.report(
        &format!("{uri}: {version} no longer has any material"),
        &json!({ "id": uri.key_id(), "version": args.version }),
        false,
    )
}
