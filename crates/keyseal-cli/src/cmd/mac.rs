//! `mac`: the tag of a file or of standard input.

use clap::Args;
use keyseal::KeysetMac;
use serde_json::json;

use crate::{
    args::KeysetChoice,
    context::Context,
    encoding::to_hex,
    error::Failure,
    exit::Exit,
    input::{FileArg, check_one_standard_input},
    keysets::Keyset,
};

/// Compute the tag of a file or of standard input
///
/// The primary key of a MAC keyset computes the tag, over data of any length. The tag is printed in
/// hexadecimal.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal mac release.tar --keyset mac.json --insecure-cleartext")]
pub(crate) struct MacArgs {
    /// The data; `-` is standard input
    #[arg(value_name = "IN", default_value = "-", hide_default_value = true)]
    input: FileArg,
    #[command(flatten)]
    keyset: KeysetChoice,
}

pub(crate) fn run(args: MacArgs, context: &Context) -> Result<Exit, Failure> {
    let mut computation = open(&args.keyset, &args.input, context)?.create_computation();
    args.input.copy_to(&mut computation, context)?;
    let tag = to_hex(&computation.compute_mac());
    let tag = String::from_utf8_lossy(&tag);
    if context.json {
        context.print_json(&json!({ "tag_hex": tag }))?;
    } else {
        context.print(&format!("{tag}\n"))?;
    }
    Ok(Exit::Done)
}

/// Opens the keyset that computes or verifies tags of `input`.
pub(super) fn open(
    choice: &KeysetChoice,
    input: &FileArg,
    context: &Context,
) -> Result<KeysetMac, Failure> {
    check_one_standard_input(choice.access.places().chain([input, &choice.keyset]))?;
    let access = choice.access.resolve(context)?;
    Keyset::open(&choice.keyset, access, context)?.primitive(&choice.keyset)
}
