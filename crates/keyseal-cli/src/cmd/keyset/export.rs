//! `keyset export`: the keyset in cleartext, or one raw key.

use clap::Args;
use keyseal::{Key, KeyId, KeysetError, SecretAccess, SecretBytes};
use serde_json::json;
use zeroize::Zeroizing;

use super::list;
use crate::{
    args::{KeysetAccess, NewFile},
    context::Context,
    display::short_type,
    encoding::{to_base64, to_hex},
    error::Failure,
    exit::Exit,
    files::Content,
    format_name::FormatName,
    input::{FileArg, check_one_standard_input},
    keyset_failure::{cleartext_failure, keyset_failure},
    keysets::{Keyset, Seal},
};

/// Write a keyset in cleartext, or one of its keys as bare bytes
///
/// Both require --insecure-cleartext: anyone who can read the output has the keys.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal keyset export keyset.json --keyset-kek file-kms://kek.json --insecure-cleartext \\
    -o plain.json
  keyseal keyset export keyset.json --keyset-kek file-kms://kek.json --insecure-cleartext \\
    --key-id 2948273 --raw -o key.bin")]
pub(crate) struct ExportArgs {
    /// The keyset file; `-` is standard input
    #[arg(value_name = "FILE")]
    keyset: FileArg,
    /// Write the bytes of this key instead of the keyset
    #[arg(long, value_name = "ID")]
    key_id: Option<u32>,
    #[command(flatten)]
    encoding: Encoding,
    /// The format of the keyset
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "json",
        conflicts_with = "key_id"
    )]
    format: FormatName,
    #[command(flatten)]
    output: NewFile,
    #[command(flatten)]
    access: KeysetAccess,
}

/// How the bytes of a key are written.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false, requires = "key_id")]
struct Encoding {
    /// As hexadecimal digits
    #[arg(long)]
    hex: bool,
    /// As base64
    #[arg(long)]
    base64: bool,
    /// As they are, which is the default
    #[arg(long)]
    raw: bool,
}

pub(crate) fn run(args: ExportArgs, context: &Context) -> Result<Exit, Failure> {
    let mut inputs: Vec<&FileArg> = args.access.places().chain([&args.keyset]).collect();
    check_one_standard_input(inputs.iter().copied())?;
    if !args.access.allows_cleartext() {
        return Err(cleartext_failure(
            "cannot export the keyset",
            "the output would be in cleartext",
        ));
    }
    let access = args.access.resolve(context)?;
    let kek = access.kek.clone();
    inputs.extend(kek.as_ref().and_then(|kek| kek.place()));
    let output = args.output.plan(&inputs, Content::Keys, context)?;
    let (name, standard) = (output.name(), output.is_standard());
    let keyset = Keyset::open(&args.keyset, access, context)?;
    match args.key_id.map(KeyId::new) {
        None => {
            let seal = match keyset.seal {
                Seal::NoSecret => Seal::NoSecret,
                Seal::Cleartext | Seal::Under { .. } => Seal::Cleartext,
            };
            seal.write(&keyset.handle, args.format, output)?;
            context.report(
                &format!("wrote {name}: in cleartext"),
                &list::as_json(Some(&keyset.handle.info())),
                standard,
            )?;
        }
        Some(id) => {
            let shown = args.keyset.argument();
            let failed = |error| keyset_failure(&shown, error);
            let entry = keyset
                .handle
                .entries()
                .find(|entry| entry.id() == id)
                .ok_or_else(|| failed(KeysetError::UnknownId { id }))?;
            let key = entry
                .key()
                .ok_or_else(|| failed(KeysetError::Destroyed { id }))?;
            let bytes = encode(bare(key)?.expose(SecretAccess::insecure()), args.encoding);
            output.write(&bytes)?;
            context.report(
                &format!("wrote {name}: key {id} in cleartext"),
                &json!({ "key_id": id.value(), "output": name }),
                standard,
            )?;
        }
    }
    Ok(Exit::Done)
}

/// Returns the bytes of a key, in the order in which `import` takes them.
fn bare(key: &Key) -> Result<SecretBytes, Failure> {
    key.export(SecretAccess::insecure()).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "no_raw_key",
            "cannot export the key",
            format!(
                "keys of type {} have no bare form",
                short_type(key.type_url())
            ),
        )
        .hint("without --key-id, the whole keyset is exported")
    })
}

fn encode(bytes: &[u8], encoding: Encoding) -> Zeroizing<Vec<u8>> {
    let text = match encoding {
        Encoding { hex: true, .. } => to_hex(bytes),
        Encoding { base64: true, .. } => to_base64(bytes),
        Encoding { .. } => return Zeroizing::new(bytes.to_vec()),
    };
    let mut line = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    line.extend_from_slice(&text);
    line.push(b'\n');
    line
}
