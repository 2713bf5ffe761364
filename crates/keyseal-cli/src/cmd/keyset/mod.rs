//! `keyset`: commands for keysets and the life cycle of their keys.

mod change;
mod convert;
mod create;
mod derive;
pub(crate) mod edit;
mod export;
pub(crate) mod generate;
mod import;
mod lint;
pub(crate) mod list;
mod migrate;
mod parameters;

use clap::{Args, Subcommand};

use crate::{context::Context, error::Failure, exit::Exit};

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
