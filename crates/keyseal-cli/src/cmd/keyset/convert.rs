//! `keyset convert`: the same keys, in another format or under another key-encryption key.

use clap::Args;

use super::change::KeysetEdit;
use crate::{
    args::{ChangedFile, KeysetAccess, NewKeysetAad},
    context::Context,
    error::Failure,
    exit::Exit,
    format_name::FormatName,
    input::{FileArg, check_one_standard_input},
    kek::Kek,
    kek_uri::KekUri,
    keyset_failure::cleartext_failure,
    keysets::Seal,
};

/// Write a keyset in another format, or under another key-encryption key
///
/// Without --new-keyset-kek and --to-cleartext, an encrypted keyset stays encrypted under its key
/// and a cleartext one stays in cleartext.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal keyset convert keyset.json --format binary --keyset-kek file-kms://kek.json \\
    --insecure-cleartext -o keyset.bin
  keyseal keyset convert plain.json --insecure-cleartext --new-keyset-kek file-kms://kek.json \\
    -o keyset.json")]
pub(crate) struct ConvertArgs {
    /// The keyset file; `-` is standard input
    #[arg(value_name = "FILE")]
    keyset: FileArg,
    /// The format of the output
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "json",
        help_heading = "Output"
    )]
    format: FormatName,
    #[command(flatten)]
    output: ChangedFile,
    #[command(flatten)]
    access: KeysetAccess,
    /// Encrypt the output under this key-encryption key
    #[arg(
        long,
        value_name = "URI",
        conflicts_with = "to_cleartext",
        help_heading = "Keyset"
    )]
    new_keyset_kek: Option<String>,
    #[command(flatten, next_help_heading = "Keyset")]
    new_aad: NewKeysetAad,
    /// Write an encrypted keyset in cleartext; also requires --insecure-cleartext
    #[arg(long, help_heading = "Keyset")]
    to_cleartext: bool,
}

pub(crate) fn run(args: ConvertArgs, context: &Context) -> Result<Exit, Failure> {
    let mut others: Vec<&FileArg> = args.access.places().chain(args.new_aad.place()).collect();
    check_one_standard_input(others.iter().copied().chain([&args.keyset]))?;
    if args.new_keyset_kek.is_none() && args.new_aad.is_given() {
        return Err(Failure::usage(
            "keyset_aad",
            "cannot use --new-keyset-aad",
            "there is no --new-keyset-kek",
        ));
    }
    let cleartext = args.access.allows_cleartext();
    if args.to_cleartext && !cleartext {
        return Err(cleartext_failure(
            "cannot write the keyset",
            "it would be in cleartext",
        ));
    }
    // A malformed URI is reported before missing settings.
    let new_kek = args.new_keyset_kek.as_deref();
    let new_kek = new_kek.map(KekUri::parse_for_keyset).transpose()?;
    let access = args.access.resolve(context)?;
    let new_kek = new_kek
        .map(|uri| Kek::open(&uri, cleartext, &context.with_kms(args.access.kms())))
        .transpose()?;
    let keks = [access.kek.clone(), new_kek.clone()];
    others.extend(keks.iter().flatten().filter_map(Kek::place));
    let edit = KeysetEdit::plan(&args.keyset, &args.output, &others, context)?;
    let aad = args.new_aad.read(context)?;
    let edited = edit.run(access, |keyset| {
        keyset.format = args.format;
        match new_kek {
            Some(kek) => keyset.seal = Seal::Under { kek, aad },
            None if args.to_cleartext => keyset.seal = Seal::Cleartext,
            None => {}
        }
        Ok(())
    })?;
    edited.report(|name| {
        let how = match &edited.keyset.seal {
            Seal::Cleartext => "in cleartext".to_owned(),
            Seal::NoSecret => "no key in it is secret".to_owned(),
            Seal::Under { kek, .. } => format!("encrypted under {}", kek.uri()),
        };
        format!("wrote {name}: {how}")
    })
}
