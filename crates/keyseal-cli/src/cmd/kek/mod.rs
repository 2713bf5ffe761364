//! `kek`: key-encryption keys, which Key Manager keeps.

mod algorithms;
mod create;
mod delete;
mod list;
mod material;
mod state;
mod update;

use clap::{Args, Subcommand, ValueEnum};
use keyseal::kms::scaleway::{KeyInfo, KeyUsage, UsageKind};
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
    Enable(state::EnableArgs),
    Disable(state::DisableArgs),
    Protect(state::ProtectArgs),
    Unprotect(state::UnprotectArgs),
    Delete(delete::DeleteArgs),
    Restore(state::RestoreArgs),
    Import(material::ImportArgs),
    DeleteMaterial(material::DeleteMaterialArgs),
    Algorithms(algorithms::AlgorithmsArgs),
}

pub(crate) fn run(args: KekArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        KekCommand::Create(args) => create::run(&args, context),
        KekCommand::List(args) => list::run(&args, context),
        KekCommand::Show(args) => state::show(&args, context),
        KekCommand::Update(args) => update::run(&args, context),
        KekCommand::Rotate(args) => args.run(context),
        KekCommand::Enable(args) => args.run(context),
        KekCommand::Disable(args) => args.run(context),
        KekCommand::Protect(args) => args.run(context),
        KekCommand::Unprotect(args) => args.run(context),
        KekCommand::Delete(args) => delete::run(&args, context),
        KekCommand::Restore(args) => args.run(context),
        KekCommand::Import(args) => material::import(&args, context),
        KekCommand::DeleteMaterial(args) => material::delete(&args, context),
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

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum UsageName {
    /// Encrypts and decrypts with one secret key: what a key-encryption key is
    SymmetricEncryption,
    /// Encrypts with a public key
    AsymmetricEncryption,
    /// Signs
    AsymmetricSigning,
}

impl UsageName {
    pub(super) const fn kind(self) -> UsageKind {
        match self {
            Self::SymmetricEncryption => UsageKind::SymmetricEncryption,
            Self::AsymmetricEncryption => UsageKind::AsymmetricEncryption,
            Self::AsymmetricSigning => UsageKind::AsymmetricSigning,
        }
    }
}

/// Says what was done with a key; as JSON it is the service's own object.
fn report(done: &str, key: &KeyInfo, context: &Context) -> Result<(), Failure> {
    context.report(done, &as_json(key), false)
}

/// Returns the service's own object.
fn as_json(key: &KeyInfo) -> Value {
    // It was parsed once already.
    serde_json::from_str(key.json()).unwrap_or_default()
}

/// Returns how a key is called in a sentence: by its name and its URI.
fn name(key: &KeyInfo) -> String {
    format!("{} ({})", printable(key.name()), key.uri())
}

fn usage(key: &KeyInfo) -> String {
    match key.usage() {
        Some(usage) => printable(usage.algorithm()),
        None => "unknown".to_owned(),
    }
}

/// Returns the member of the service's object that holds the algorithm.
fn usage_member(usage: &KeyUsage) -> &'static str {
    match usage.kind() {
        UsageKind::SymmetricEncryption => "Usage.SymmetricEncryption",
        UsageKind::AsymmetricEncryption => "Usage.AsymmetricEncryption",
        UsageKind::AsymmetricSigning => "Usage.AsymmetricSigning",
        _ => "Usage",
    }
}

/// Lays out one line for each field, as `scw` does.
pub(crate) fn columns(fields: &[(&str, &str)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    fields
        .iter()
        .map(|(name, value)| format!("{name:width$}{value}\n"))
        .collect()
}
