//! `keyset derive`: the keyset of one salt, derived from a deriver keyset.

use clap::Args;
use keyseal::KeysetDeriver;

use super::list;
use crate::{
    args::{KeysetAccess, NewFile, Salt},
    context::Context,
    error::Failure,
    exit::Exit,
    files::Content,
    format_name::FormatName,
    input::{FileArg, check_one_standard_input},
    keyset_failure::keyset_failure,
    keysets::Keyset,
};

/// Derive the keyset of a salt, such as a tenant's name
///
/// The same salt always gives the same keyset, and another salt gives an unrelated one. The output
/// has the protection of the deriver keyset: it is encrypted under the same key, or in cleartext.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal keyset derive master.json --salt tenant/ada --keyset-kek file-kms://kek.json \\
    --insecure-cleartext -o ada.json")]
pub(crate) struct DeriveArgs {
    /// The deriver keyset; `-` is standard input
    #[arg(value_name = "FILE")]
    keyset: FileArg,
    #[command(flatten)]
    salt: Salt,
    /// The format of the file
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: FormatName,
    #[command(flatten)]
    output: NewFile,
    #[command(flatten)]
    access: KeysetAccess,
}

pub(crate) fn run(args: DeriveArgs, context: &Context) -> Result<Exit, Failure> {
    let mut inputs: Vec<&FileArg> = args.access.places().chain(args.salt.place()).collect();
    inputs.push(&args.keyset);
    check_one_standard_input(inputs.iter().copied())?;
    if !args.salt.is_given() {
        return Err(
            Failure::usage("salt_missing", "cannot derive a keyset", "there is no salt")
                .hint("name it with --salt TEXT; --salt '' is the empty one"),
        );
    }
    let access = args.access.resolve(context)?;
    let kek = access.kek.clone();
    inputs.extend(kek.as_ref().and_then(|kek| kek.place()));
    let output = args.output.plan(&inputs, Content::Keys, context)?;

    let master = Keyset::open(&args.keyset, access, context)?;
    let deriver: KeysetDeriver = master.primitive(&args.keyset)?;
    let derived = deriver
        .derive_keyset(&args.salt.read(context)?)
        .map_err(|error| keyset_failure(&args.keyset.name(), error))?;
    let (name, standard) = (output.name(), output.is_standard());
    master.seal.write(&derived, args.format, output)?;
    context.report(
        &format!("wrote {name}: primary key {}", derived.primary_id()),
        &list::as_json(Some(&derived.info())),
        standard,
    )?;
    Ok(Exit::Done)
}
