//! `kek`: key-encryption keys, which Key Manager keeps.

mod algorithms;
mod create;
mod delete;
mod list;
mod material;
mod public_key;
mod rotations;
mod sign;
mod state;
mod update;

use clap::{Args, Subcommand, ValueEnum};
use keyseal::kms::scaleway::{KeyMetadata, ProtectionLevel, Timestamp, UsageKind};
use serde_json::Value;

use crate::{
    context::Context,
    error::Failure,
    exit::Exit,
    kms::{KeyManager, KmsArgs},
    text::printable,
};

/// Create, list and change the keys that Scaleway Key Manager keeps
///
/// Settings and credentials are those of Scaleway's own tools: variables such as SCW_SECRET_KEY
/// and scw's configuration file.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct KekArgs {
    #[command(subcommand)]
    command: KekCommand,
}

#[derive(Debug, Subcommand)]
enum KekCommand {
    Create(create::CreateArgs),
    List(list::ListArgs),
    Show(state::ShowArgs),
    Update(update::UpdateArgs),
    Rotate(state::RotateArgs),
    Rotations(rotations::RotationsArgs),
    Enable(state::EnableArgs),
    Disable(state::DisableArgs),
    Protect(state::ProtectArgs),
    Unprotect(state::UnprotectArgs),
    Delete(delete::DeleteArgs),
    Restore(state::RestoreArgs),
    Import(material::ImportArgs),
    DeleteMaterial(material::DeleteMaterialArgs),
    Sign(sign::SignArgs),
    Verify(sign::VerifyArgs),
    PublicKey(public_key::PublicKeyArgs),
    Algorithms(algorithms::AlgorithmsArgs),
}

pub(crate) fn run(args: KekArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        KekCommand::Create(args) => create::run(&args, context),
        KekCommand::List(args) => list::run(&args, context),
        KekCommand::Show(args) => state::show(&args, context),
        KekCommand::Update(args) => update::run(&args, context),
        KekCommand::Rotate(args) => args.run(context),
        KekCommand::Rotations(args) => rotations::run(&args, context),
        KekCommand::Enable(args) => args.run(context),
        KekCommand::Disable(args) => args.run(context),
        KekCommand::Protect(args) => args.run(context),
        KekCommand::Unprotect(args) => args.run(context),
        KekCommand::Delete(args) => delete::run(&args, context),
        KekCommand::Restore(args) => args.run(context),
        KekCommand::Import(args) => material::import(&args, context),
        KekCommand::DeleteMaterial(args) => material::delete(&args, context),
        KekCommand::Sign(args) => sign::sign(&args, context),
        KekCommand::Verify(args) => sign::verify(&args, context),
        KekCommand::PublicKey(args) => public_key::run(&args, context),
        KekCommand::Algorithms(args) => algorithms::run(&args, context),
    }?;
    Ok(Exit::Done)
}

/// One key of Key Manager.
#[derive(Args, Debug)]
pub(crate) struct KeyChoice {
    /// The key: scw-kms://regions/REGION/keys/ID, scw-kms://ID, REGION/ID or ID
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    kms: KmsArgs,
}

impl KeyChoice {
    pub(crate) fn open(
        &self,
        context: &Context,
    ) -> Result<(KeyManager, keyseal::kms::scaleway::ScalewayKey), Failure> {
        let manager = KeyManager::new(&self.kms, context)?;
        let key = manager.key(&self.key, context)?;
        Ok((manager, key))
    }
}

/// The usage of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum UsageName {
    /// Encrypts and decrypts with one secret key, as a key-encryption key does
    SymmetricEncryption,
    /// Encrypts with a public key
    AsymmetricEncryption,
    /// Signs
    AsymmetricSigning,
    /// Wraps other keys with a public key
    KeyEncapsulation,
}

impl UsageName {
    pub(super) const fn kind(self) -> UsageKind {
        match self {
            Self::SymmetricEncryption => UsageKind::SymmetricEncryption,
            Self::AsymmetricEncryption => UsageKind::AsymmetricEncryption,
            Self::AsymmetricSigning => UsageKind::AsymmetricSigning,
            Self::KeyEncapsulation => UsageKind::KeyEncapsulation,
        }
    }
}

/// Where Key Manager keeps and uses a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    /// In its own software
    Software,
    /// In a hardware security module
    Hsm,
}

impl Level {
    const fn level(self) -> ProtectionLevel {
        match self {
            Self::Software => ProtectionLevel::Software,
            Self::Hsm => ProtectionLevel::Hsm,
        }
    }
}

/// Reads a time as RFC 3339 has it, or a day, which begins at midnight UTC.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    whole.parse().map_err(|_| {
        "a time is a day such as 2027-01-31, or RFC 3339 such as 2027-01-31T08:00:00Z".to_owned()
    })
}

/// Reports a change of a key; the JSON form is the service's own object.
fn report(done: &str, key: &KeyMetadata, context: &Context) -> Result<(), Failure> {
    context.report(done, &as_json(key), false)
}

/// Returns the service's own object.
fn as_json(key: &KeyMetadata) -> Value {
    // This text was parsed from JSON before.
    serde_json::from_str(key.json()).unwrap_or_default()
}

/// Returns the words for a key in a sentence: its name and its URI.
fn name(key: &KeyMetadata) -> String {
    format!("{} ({})", printable(key.name()), key.uri())
}

fn usage(key: &KeyMetadata) -> String {
    match key.usage_member() {
        Some((_, algorithm)) => printable(algorithm),
        None => "unknown".to_owned(),
    }
}

/// Lays out a line for each row below `head`, or nothing if there are no rows.
fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows);
    if lines.len() == 1 {
        return String::new();
    }
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in &lines {
        let mut row = String::new();
        for (width, cell) in widths.iter().zip(line) {
            row.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Lays out one line for each field, as `scw` does.
pub(crate) fn columns(fields: &[(&str, &str)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    fields
        .iter()
        .map(|(name, value)| format!("{name:width$}{value}\n"))
        .collect()
}
