//! `keyset`: commands for keysets and the life cycle of their keys.

mod change;
mod convert;
mod create;
mod derive;
pub(crate) mod edit;
mod export;
mod import;
mod lint;
pub(crate) mod list;
mod migrate;
mod parameters;

use std::error::Error;

use clap::{Args, Subcommand};
use keyseal::{Key, KeyTypes, KeysetHandle};

use crate::{
    args::VariantName,
    context::Context,
    error::{Failure, chain},
    exit::Exit,
    keysets::unknown_template,
};

/// Create, list and change keysets
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct KeysetArgs {
    #[command(subcommand)]
    command: KeysetCommand,
}

#[derive(Debug, Subcommand)]
enum KeysetCommand {
    Create(create::CreateArgs),
    List(list::ListArgs),
    Add(edit::AddArgs),
    Rotate(edit::RotateArgs),
    Promote(edit::PromoteArgs),
    Enable(edit::EnableArgs),
    Disable(edit::DisableArgs),
    Destroy(edit::DestroyArgs),
    Delete(edit::DeleteArgs),
    Convert(convert::ConvertArgs),
    Derive(derive::DeriveArgs),
    Import(import::ImportArgs),
    Export(export::ExportArgs),
    Lint(lint::LintArgs),
    Migrate(migrate::MigrateArgs),
}

pub(crate) fn run(args: KeysetArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        KeysetCommand::Create(args) => create::run(args, context),
        KeysetCommand::List(args) => list::run(args, context),
        KeysetCommand::Add(args) => edit::run(args.into(), context),
        KeysetCommand::Rotate(args) => edit::run(args.into(), context),
        KeysetCommand::Promote(args) => edit::run(args.into(), context),
        KeysetCommand::Enable(args) => edit::run(args.into(), context),
        KeysetCommand::Disable(args) => edit::run(args.into(), context),
        KeysetCommand::Destroy(args) => edit::run(args.into(), context),
        KeysetCommand::Delete(args) => edit::run(args.into(), context),
        KeysetCommand::Convert(args) => convert::run(args, context),
        KeysetCommand::Derive(args) => derive::run(args, context),
        KeysetCommand::Import(args) => import::run(args, context),
        KeysetCommand::Export(args) => export::run(args, context),
        KeysetCommand::Lint(args) => lint::run(args, context),
        KeysetCommand::Migrate(args) => migrate::run(args, context),
    }
}

/// Generates a key from the named template, with another prefix if one is given.
pub(crate) fn generate(template: &str, variant: Option<VariantName>) -> Result<Key, Failure> {
    let types = KeyTypes::default();
    let known = types
        .template(template)
        .map_err(|_| unknown_template(template))?;
    let mut wanted = known.key_template().clone();
    if let Some(variant) = variant {
        wanted = wanted.with_variant(variant.variant());
    }
    types
        .generate_from(&wanted)
        .map_err(|error| not_generated(template, &error))
}

/// Makes a keyset of one new key.
pub(crate) fn generate_keyset(
    template: &str,
    variant: Option<VariantName>,
) -> Result<KeysetHandle, Failure> {
    let key = generate(template, variant)?;
    KeysetHandle::new(key).map_err(|error| not_generated(template, &error))
}

fn not_generated(template: &str, error: &dyn Error) -> Failure {
    let what = format!("cannot generate a key of template {template}");
    Failure::new(Exit::Failed, "not_generated", what, chain(error))
}
