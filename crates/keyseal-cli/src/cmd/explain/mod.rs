//! `explain`: the reason why a file does not decrypt, from public facts.

mod facts;
mod kek;
mod keyset;
mod report;

use clap::Args;

use self::keyset::KeysetChoice;
use crate::{
    args::{Aad, CryptosystemChoice},
    context::Context,
    error::Failure,
    exit::Exit,
    input::{FileArg, check_one_standard_input},
};

/// Say why a file does not decrypt, from public facts
///
/// With --keyset, it compares ids, statuses and sizes. With the options that decrypt the keyset, it
/// also tries to decrypt the file; without them, it uses what the keyset file says about its keys.
/// With --kek, it says whether that key unwraps the file's own key, whether the file may be cut, and
/// whether it decrypts.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal explain letter.sealed --keyset keyset.json
  keyseal explain photos.sealed --kek scw-kms://regions/REGION/keys/ID")]
pub(crate) struct ExplainArgs {
    /// The file that does not decrypt
    #[arg(value_name = "IN")]
    input: FileArg,
    #[command(flatten)]
    aad: Aad,
    #[command(flatten)]
    key: CryptosystemChoice,
}

pub(crate) fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, Failure> {
    let keyset = args.key.keyset();
    if args.input == FileArg::Standard || keyset == Some(&FileArg::Standard) {
        return Err(Failure::usage(
            "two_readings",
            "cannot explain standard input",
            "the input and the keyset are read more than once",
        )
        .hint("name files"));
    }
    let access = args.key.access();
    check_one_standard_input(args.aad.place().into_iter().chain(access.places()))?;
    match (keyset, args.key.kek()?) {
        (None, Some(uri)) => kek::explain(&args.input, &args.aad, &args.key, &uri, context),
        (keyset, _) => {
            let keyset = keyset.ok_or_else(|| {
                let why = "neither --keyset nor --kek names a key";
                Failure::usage("key_missing", "cannot explain the file", why)
            })?;
            let choice = KeysetChoice { keyset, access };
            keyset::explain(&args.input, &args.aad, &choice, context)
        }
    }
}
