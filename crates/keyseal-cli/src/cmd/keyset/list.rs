//! `keyset list`: ids, states, types.

use clap::Args;
use keyseal::keyset::{KeyInfo, KeysetInfo, Protection};
use serde_json::{Value, json};

use crate::{
    args::KeysetAccess,
    context::Context,
    display::{LONGEST_NAME, Lines, cut, short_type},
    error::Failure,
    exit::Exit,
    input::{FileArg, KEYSET_LIMIT, check_one_standard_input},
    keyset_failure::detect,
    keysets::Keyset,
};

/// List the keys of a keyset, without any secret
///
/// You need no key if the file describes its keys, as cleartext keysets and encrypted JSON do.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal keyset list keyset.json")]
pub(crate) struct ListArgs {
    /// The keyset file; `-` is standard input
    #[arg(value_name = "FILE")]
    keyset: FileArg,
    #[command(flatten)]
    access: KeysetAccess,
}

pub(crate) fn run(args: ListArgs, context: &Context) -> Result<Exit, Failure> {
    check_one_standard_input(args.access.places().chain([&args.keyset]))?;
    let access = args.access.resolve(context)?;
    let bytes = args.keyset.read_small(KEYSET_LIMIT, context)?;
    let name = args.keyset.name();
    let described = match access.kek {
        Some(_) => None,
        None => {
            let seen = detect(&name, &bytes)?;
            if seen.protection() == Protection::Encrypted && seen.info().is_some() {
                context.detail("this is what the file says about itself; --keyset-kek verifies it");
            }
            seen.info().cloned()
        }
    };
    let info = match described {
        Some(info) => info,
        None => Keyset::parse(&args.keyset, &bytes, access, context)?
            .handle
            .info(),
    };
    if context.json {
        context.print_json(&as_json(Some(&info)))?;
    } else {
        context.print(Lines::of_text(&table(&info)))?;
    }
    Ok(Exit::Done)
}

/// Returns a line for each key; the primary key has a star.
pub(crate) fn table(info: &KeysetInfo) -> String {
    let mut text = String::from("  KEY ID      STATUS     PREFIX   TYPE\n");
    for key in info.keys() {
        text.push_str(&format!(
            "{} {:10}  {:9}  {:7}  {}\n",
            if key.id() == info.primary_id() {
                '*'
            } else {
                ' '
            },
            key.id().value(),
            status(key),
            prefix(key),
            short_type(key.type_url()),
        ));
    }
    text
}

pub(crate) fn as_json(info: Option<&KeysetInfo>) -> Value {
    let keys = |info: &KeysetInfo| -> Vec<Value> {
        let key = |key: &KeyInfo| {
            json!({
                "key_id": key.id().value(),
                "output_prefix_type": prefix(key),
                "primary": key.id() == info.primary_id(),
                "status": status(key),
                "type_url": cut(key.type_url(), LONGEST_NAME),
            })
        };
        info.keys().iter().map(key).collect()
    };
    json!({
        "keys": info.map(keys),
        "primary_key_id": info.map(|info| info.primary_id().value()),
    })
}

pub(crate) fn status(key: &KeyInfo) -> &'static str {
    key.status()
        .map_or("UNKNOWN", keyseal::keyset::Status::name)
}

pub(crate) fn prefix(key: &KeyInfo) -> &'static str {
    key.variant().map_or("UNKNOWN", keyseal::Variant::name)
}
