//! `keyset create`: a keyset of one key.

use clap::Args;
use keyseal::KeysetHandle;

use super::{generate, list};
use crate::{
    args::{FormatName, KeysetAccess, NewFile, VariantName},
    context::Context,
    error::Failure,
    exit::Exit,
    files::Holds,
    input::{Place, check_one_standard_input},
    keysets::{Seal, keyset_failure},
};

/// Create a keyset with one new key
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal keyset create --template AES256_GCM --insecure-cleartext -o kek.json
  keyseal keyset create --template AES256_GCM --keyset-kek file-kms://kek.json \\
    --insecure-cleartext -o keyset.json")]
pub struct CreateArgs {
    /// The template of the key: `keyseal templates` lists them
    #[arg(long, value_name = "NAME")]
    template: String,
    /// Another output prefix type than the template's
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

pub fn run(args: CreateArgs, context: &Context) -> Result<Exit, Failure> {
    let mut inputs: Vec<&Place> = args.access.places().collect();
    check_one_standard_input(inputs.iter().copied())?;
    let access = args.access.resolve(context)?;
    let kek = access.kek.clone();
    inputs.extend(kek.as_ref().and_then(|kek| kek.place()));
    let seal = Seal::of_new(access)?;
    let output = args.output.plan(&inputs, Holds::Keys, context)?;
    let key = generate(&args.template, args.variant)?;
    let handle =
        KeysetHandle::new(key).map_err(|error| keyset_failure("with the new key", error))?;
    let (name, standard) = (output.name(), output.is_standard());
    seal.write(&handle, args.format.format(), output)?;
    context.report(
        &format!("wrote {name}: primary key {}", handle.primary()),
        &list::as_json(Some(&handle.info())),
        standard,
    )?;
    Ok(Exit::Done)
}
