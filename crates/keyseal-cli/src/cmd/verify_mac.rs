//! `verify-mac`: checks the tag of a file or of standard input.

use clap::Args;
use keyseal::VerifyError;
use serde_json::json;

use super::mac;
use crate::{
    args::KeysetChoice, context::Context, encoding::from_hex, error::Failure, exit::Exit,
    input::FileArg,
};

/// Check a tag of a file or of standard input
///
/// Accepts a tag that any enabled key of the MAC keyset made. The exit code is 4 if none did.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal verify-mac release.tar --keyset mac.json --insecure-cleartext \\
    --tag-hex 010a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d")]
pub(crate) struct VerifyMacArgs {
    /// The data; `-` is standard input
    #[arg(value_name = "IN", default_value = "-", hide_default_value = true)]
    input: FileArg,
    /// The tag, in hexadecimal, as `keyseal mac` prints it
    #[arg(long, value_name = "HEX")]
    tag_hex: String,
    #[command(flatten)]
    keyset: KeysetChoice,
}

pub(crate) fn run(args: VerifyMacArgs, context: &Context) -> Result<Exit, Failure> {
    let tag = from_hex(args.tag_hex.as_bytes())
        .map_err(|reason| Failure::usage("hex", "cannot read --tag-hex", reason))?;
    let mac = mac::open(&args.keyset, &args.input, context)?;
    let mut verification = mac.create_verification(&tag);
    args.input.copy_to(&mut verification, context)?;
    let name = args.input.name();
    verification.verify_mac().map_err(|VerifyError| {
        Failure::new(
            Exit::NotDecrypted,
            "not_verified",
            format!("cannot verify {name}"),
            "the tag does not match the data under this keyset",
        )
    })?;
    context.report(
        &format!("verified {name}"),
        &json!({ "verified": true }),
        false,
    )?;
    Ok(Exit::Done)
}
