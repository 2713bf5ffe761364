//! The commands: one file for each, with its arguments and `run`.

mod bench;
mod completions;
mod decrypt;
mod dek;
mod emulator;
mod encrypt;
mod explain;
mod inspect;
mod kek;
mod keyset;
mod mac;
mod man;
mod quickstart;
mod rewrap;
mod templates;
mod tinkey;
mod verify_mac;

use clap::Subcommand;

pub(crate) use self::completions::VARIABLE as COMPLETION_VARIABLE;

use crate::{context::Context, error::Failure, exit::Exit};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Quickstart(quickstart::QuickstartArgs),
    Encrypt(encrypt::EncryptArgs),
    Decrypt(decrypt::DecryptArgs),
    Inspect(inspect::InspectArgs),
    Explain(explain::ExplainArgs),
    Rewrap(rewrap::RewrapArgs),
    Keyset(keyset::KeysetArgs),
    Mac(mac::MacArgs),
    VerifyMac(verify_mac::VerifyMacArgs),
    Templates(templates::TemplatesArgs),
    Kek(kek::KekArgs),
    Dek(dek::DekArgs),
    Emulator(emulator::EmulatorArgs),
    Bench(bench::BenchArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(flatten)]
    Tinkey(tinkey::TinkeyCommand),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Quickstart(args) => quickstart::run(args, context),
            Self::Encrypt(args) => encrypt::run(args, context),
            Self::Decrypt(args) => decrypt::run(args, context),
            Self::Inspect(args) => inspect::run(args, context),
            Self::Explain(args) => explain::run(&args, context),
            Self::Rewrap(args) => rewrap::run(args, context),
            Self::Keyset(args) => keyset::run(args, context),
            Self::Mac(args) => mac::run(args, context),
            Self::VerifyMac(args) => verify_mac::run(args, context),
            Self::Templates(args) => templates::run(args, context),
            Self::Kek(args) => kek::run(args, context),
            Self::Dek(args) => dek::run(args, context),
            Self::Emulator(args) => emulator::run(args, context),
            Self::Bench(args) => bench::run(args, context),
            Self::Completions(args) => completions::run(args, context),
            Self::Man(args) => man::run(args, context),
            Self::Tinkey(command) => tinkey::run(command, context),
        }
    }
}
