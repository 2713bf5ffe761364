//! The commands: one file for each, with its arguments and `run`.

mod completions;
mod decrypt;
mod encrypt;
mod explain;
mod inspect;
mod keyset;
mod man;
mod quickstart;
mod templates;
mod tinkey;

use clap::Subcommand;

use crate::{context::Context, error::Failure, exit::Exit};

#[derive(Debug, Subcommand)]
pub enum Command {
    Quickstart(quickstart::QuickstartArgs),
    Encrypt(encrypt::EncryptArgs),
    Decrypt(decrypt::DecryptArgs),
    Inspect(inspect::InspectArgs),
    Explain(explain::ExplainArgs),
    Keyset(keyset::KeysetArgs),
    Templates(templates::TemplatesArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(flatten)]
    Tinkey(tinkey::TinkeyCommand),
}

impl Command {
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Quickstart(args) => quickstart::run(args, context),
            Self::Encrypt(args) => encrypt::run(args, context),
            Self::Decrypt(args) => decrypt::run(args, context),
            Self::Inspect(args) => inspect::run(args, context),
            Self::Explain(args) => explain::run(args, context),
            Self::Keyset(args) => keyset::run(args, context),
            Self::Templates(args) => templates::run(args, context),
            Self::Completions(args) => completions::run(args, context),
            Self::Man(args) => man::run(args, context),
            Self::Tinkey(command) => tinkey::run(command, context),
        }
    }
}
