//! `kek`: key-encryption keys, which Key Manager keeps.

mod algorithms;
mod choice;
mod create;
mod delete;
mod list;
mod material;
mod public_key;
mod report;
mod rotations;
mod sign;
mod state;
mod update;

use clap::{Args, Subcommand};

pub(crate) use self::{choice::KeyChoice, report::columns};
use crate::{context::Context, error::Failure, exit::Exit};

/// Create, list and change the keys that Scaleway Key Manager keeps
///
/// Settings and credentials come from where Scaleway's own tools read them: from variables such as
/// SCW_SECRET_KEY, and from scw's configuration file.
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
