//! `keyset create`: a keyset with one key.

use clap::Args;

use super::{generate::generate_keyset, list};
use crate::{
    args::{KeysetAccess, NewFile, VariantName},
    context::Context,
    error::Failure,
    exit::Exit,
    files::Content,
    format_name::FormatName,
    input::{FileArg, check_one_standard_input},
    keysets::Seal,
};

/// Create a keyset with one new key
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal keyset create --template AES256_GCM --insecure-cleartext -o kek.json
  keyseal keyset create --template AES256_GCM --keyset-kek file-kms://kek.json \\
    --insecure-cleartext -o keyset.json
  keyseal keyset create --template AES256_GCM \\
    --keyset-kek scw-kms://regions/fr-par/keys/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10 -o keyset.json")]
pub(crate) struct CreateArgs {
    /// The template of the key: `keyseal templates` lists them
    #[arg(long, value_name = "NAME")]
    template: String,
    /// The output prefix type [default: that of the template]
    #[arg(long, value_name = "TYPE")]
    variant: Option<VariantName>,
    /// The format of the file
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: FormatName,
    #[command(flatten)]
    output: NewFile,
    #[command(flatten)]
    access: KeysetAccess,
}

pub(crate) fn run(args: CreateArgs, context: &Context) -> Result<Exit, Failure> {
    let mut inputs: Vec<&FileArg> = args.access.places().collect();
    check_one_standard_input(inputs.iter().copied())?;
    let access = args.access.resolve(context)?;
    let kek = access.kek.clone();
    inputs.extend(kek.as_ref().and_then(|kek| kek.place()));
    let seal = Seal::of_new(access)?;
    let output = args.output.plan(&inputs, Content::Keys, context)?;
    let handle = generate_keyset(&args.template, args.variant)?;
    let (name, standard) = (output.name(), output.is_standard());
    seal.write(&handle, args.format, output)?;
    context.report(
        &format!("wrote {name}: primary key {}", handle.primary_id()),
        &list::as_json(Some(&handle.info())),
        standard,
    )?;
    Ok(Exit::Done)
}
