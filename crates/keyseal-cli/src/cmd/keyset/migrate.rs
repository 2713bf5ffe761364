//! `keyset migrate`: a keyset of key-encryption keys, without anything secret.

use clap::{Args, ValueEnum};
use keyseal::{
    Key, KeyTypes, KeysetError, KeysetHandle, Variant, error_chain,
    key::kms_envelope_aead::KmsEnvelopeAeadParameters,
};

use super::list;
use crate::{
    args::NewFile, context::Context, display::printable, error::Failure, exit::Exit,
    files::Content, format_name::FormatName, kek_uri::KekUri, keyset_failure::unknown_template,
    keysets::Seal,
};

/// Create a keyset of key-encryption keys, to move from one to another
///
/// Any Tink encrypts under one of them and decrypts under all of them, in the order of the file.
/// The keyset holds URIs, and nothing secret. With output prefix type RAW, which plain envelopes
/// have, a message costs one request for each key up to its own: put the key of most messages
/// first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal keyset migrate \"$OLD\" \"$NEW\" -o keyset.json               # 1. send it to all readers
  keyseal keyset migrate \"$NEW\" \"$OLD\" -o keyset.json --force       # 2. new data under NEW
  keyseal rewrap --recursive data --in-place --kek \"$OLD\" --to \"$NEW\"  # 3. old data too
  keyseal keyset migrate \"$NEW\" -o keyset.json --force              # 4. readers forget OLD")]
pub(crate) struct MigrateArgs {
    /// The key-encryption keys, in the order in which readers try them
    #[arg(value_name = "URI", required = true)]
    keks: Vec<String>,
    /// The key that encrypts [default: the first]
    #[arg(long, value_name = "URI")]
    primary: Option<String>,
    /// The template of the data keys
    #[arg(long, value_name = "NAME", default_value = "AES256_GCM")]
    template: String,
    /// The output prefix type: with `tink`, each message names its key, but plain envelopes do not
    /// decrypt
    #[arg(long, value_name = "TYPE", default_value = "raw")]
    variant: MigrationVariant,
    /// The format of the file
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: FormatName,
    #[command(flatten)]
    output: NewFile,
}

/// The prefix types that keys of a service can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MigrationVariant {
    /// 01 and the key id
    Tink,
    /// No prefix: plain envelopes
    Raw,
}

impl MigrationVariant {
    const fn variant(self) -> Variant {
        match self {
            Self::Tink => Variant::Tink,
            Self::Raw => Variant::Raw,
        }
    }
}

pub(crate) fn run(args: MigrateArgs, context: &Context) -> Result<Exit, Failure> {
    let handle = keyset(&args)?;
    let output = args.output.plan(&[], Content::WrappedKey, context)?;
    let (name, standard) = (output.name(), output.is_standard());
    Seal::NoSecret.write(&handle, args.format, output)?;
    if handle.len() > 1 && args.variant.variant() == Variant::Raw {
        context.note(&format!(
            "a message under the last key costs {} requests: one for each key",
            handle.len()
        ));
    }
    context.report(
        &format!("wrote {name}: primary key {}", handle.primary_id()),
        &list::as_json(Some(&handle.info())),
        standard,
    )?;
    Ok(Exit::Done)
}

fn keyset(args: &MigrateArgs) -> Result<KeysetHandle, Failure> {
    let (first, others) = args.keks.split_first().ok_or_else(no_keks)?;
    let primary = args.primary.as_ref().unwrap_or(first);
    let mut keyset = KeysetHandle::new(key(first, args)?).map_err(not_made)?;
    let mut ids = vec![keyset.primary_id()];
    for (at, uri) in others.iter().enumerate() {
        if args.keks.iter().take(at + 1).any(|earlier| earlier == uri) {
            return Err(unusable(
                "kek_twice",
                format!("{} is named twice", printable(uri)),
            ));
        }
        ids.push(keyset.add(key(uri, args)?).map_err(not_made)?);
    }
    let named = args.keks.iter().zip(ids).find(|(uri, _)| *uri == primary);
    let (_, id) = named.ok_or_else(|| {
        let why = format!("{} is none of its keys", printable(primary));
        unusable("primary_not_listed", why)
    })?;
    keyset.promote(id).map_err(not_made)?;
    Ok(keyset)
}

fn key(uri: &str, args: &MigrateArgs) -> Result<Key, Failure> {
    KekUri::parse(uri)?;
    let types = KeyTypes::default();
    let template = types.template(&args.template);
    let template = template.map_err(|_| unknown_template(&args.template))?;
    KmsEnvelopeAeadParameters::new(uri, template.key_template().clone())
        .and_then(|parameters| Key::generate_with(&parameters, args.variant.variant()))
        .map_err(|error| unusable("envelope_template", error_chain(&error)))
}

fn unusable(code: &'static str, why: String) -> Failure {
    Failure::usage(code, "cannot make the keyset", why)
}

fn no_keks() -> Failure {
    unusable("no_keks", "it has no keys".to_owned())
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn not_made(error: KeysetError) -> Failure {
    let what = "cannot make the keyset";
    Failure::new(Exit::Failed, "not_made", what, error_chain(&error))
}
