//! `inspect`: what a file is, without any key.

use clap::Args;
use keyseal::keyset::{Format, KeysetFile, Protection};
use serde_json::{Value, json};

use super::keyset::list;
use crate::{
    context::Context,
    error::{Failure, chain},
    exit::Exit,
    input::{KEYSET_LIMIT, Place},
    keysets::format_name,
    shape::{Shape, overheads},
    text::{count, is_text, printable, short_type},
};

/// Say what a file is, without any key
///
/// Keyset files are recognised for certain. A ciphertext does not say that it is one: where the
/// answer is a guess from its first bytes, it is called so.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal inspect letter.sealed")]
pub struct InspectArgs {
    /// The file; `-` is standard input
    #[arg(value_name = "IN")]
    input: Place,
}

pub fn run(args: InspectArgs, context: &Context) -> Result<Exit, Failure> {
    let seen = Seen::read(&args.input, context)?;
    let (text, value) = match &seen.kind {
        Kind::Keyset(file) => keyset_report(&seen, file),
        Kind::Damaged(why) => damaged_report(&seen, why),
        Kind::Text => plain_report(&seen, "text", "text, and nothing that keyseal writes"),
        Kind::Empty => plain_report(&seen, "empty", "an empty file"),
        Kind::Bytes(shape) => bytes_report(&seen, *shape),
    };
    if context.json {
        context.print_json(&value)?;
    } else {
        context.print(&text)?;
    }
    Ok(Exit::Done)
}

/// A file, as far as it shows itself.
pub struct Seen {
    pub name: String,
    pub size: u64,
    pub kind: Kind,
}

pub enum Kind {
    Keyset(KeysetFile),
    /// Meant as a keyset, and none.
    Damaged(String),
    Text,
    Empty,
    Bytes(Shape),
}

impl Seen {
    /// Reads no more than it takes to tell: a large file is no keyset.
    pub fn read(input: &Place, context: &Context) -> Result<Self, Failure> {
        let name = input.name();
        let (bytes, size) = match input.read(KEYSET_LIMIT, 0, context)? {
            Some(bytes) => {
                let size = bytes.len() as u64;
                (bytes, size)
            }
            None => read_start(input)?,
        };
        Ok(Self {
            name,
            size,
            kind: kind_of(&bytes, size),
        })
    }
}

fn kind_of(bytes: &[u8], size: u64) -> Kind {
    if size == 0 {
        return Kind::Empty;
    }
    let looks_like_json = Format::detect(bytes) == Format::Json;
    match KeysetFile::recognize(bytes) {
        Ok(file) => Kind::Keyset(file),
        Err(error) if looks_like_json || names_a_type(bytes) => Kind::Damaged(chain(&error)),
        Err(_) if is_text(bytes) => Kind::Text,
        Err(_) => Kind::Bytes(Shape::of(bytes, size)),
    }
}

fn names_a_type(bytes: &[u8]) -> bool {
    let name = b"type.googleapis.com/google.crypto.tink.";
    bytes.windows(name.len()).any(|window| window == name)
}

/// Reads the first bytes of a file that is larger than any keyset.
fn read_start(input: &Place) -> Result<(zeroize::Zeroizing<Vec<u8>>, u64), Failure> {
    use std::io::Read as _;
    let failed = |error| Failure::io(format!("cannot read {}", input.name()), &error);
    let Some(path) = input.path() else {
        return Err(Failure::new(
            Exit::Failed,
            "too_large",
            "cannot inspect standard input",
            "it is larger than any keyset",
        )
        .hint("inspect a file: its size is known without reading it"));
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut start = zeroize::Zeroizing::new(Vec::with_capacity(4096));
    file.take(4096).read_to_end(&mut start).map_err(failed)?;
    Ok((start, size))
}

fn keyset_report(seen: &Seen, file: &KeysetFile) -> (String, Value) {
    let protection = match file.protection() {
        Protection::Cleartext => "cleartext",
        Protection::Encrypted => "encrypted",
    };
    let mut text = format!(
        "{}: {protection} keyset, {}, {}\n",
        seen.name,
        format_name(file.format()),
        count(usize::try_from(seen.size).unwrap_or(usize::MAX), "byte"),
    );
    match file.info() {
        Some(info) => text.push_str(&list::table(info)),
        None => text.push_str("  it says nothing of its keys: --keyset-kek opens it\n"),
    }
    match file.protection() {
        Protection::Cleartext => {
            text.push_str("  whoever can read this file has its keys\n");
        }
        Protection::Encrypted if file.info().is_some() => {
            text.push_str("  this description is not encrypted, and nobody vouches for it\n");
        }
        Protection::Encrypted => {}
    }
    let mut value = list::as_json(file.info());
    insert(&mut value, "certain", json!(true));
    insert(&mut value, "file", json!(seen.name));
    insert(
        &mut value,
        "format",
        json!(format_name(file.format()).to_lowercase()),
    );
    insert(&mut value, "kind", json!("keyset"));
    insert(&mut value, "protection", json!(protection));
    insert(&mut value, "size", json!(seen.size));
    (text, value)
}

fn damaged_report(seen: &Seen, why: &str) -> (String, Value) {
    let why = printable(why);
    let text = format!(
        "{}: meant as a keyset, and none: {why}\n  keyseal keyset lint says more\n",
        seen.name
    );
    let value = json!({
        "certain": false,
        "file": seen.name,
        "kind": "damaged_keyset",
        "reason": why,
        "size": seen.size,
    });
    (text, value)
}

fn plain_report(seen: &Seen, kind: &str, what: &str) -> (String, Value) {
    let text = format!("{}: {what}\n", seen.name);
    let value = json!({
        "certain": true,
        "file": seen.name,
        "kind": kind,
        "size": seen.size,
    });
    (text, value)
}

fn bytes_report(seen: &Seen, shape: Shape) -> (String, Value) {
    let mut text = format!(
        "{}: {} bytes. A guess from the first of them:\n",
        seen.name, seen.size
    );
    if let Some(wrapped) = shape.wrapped {
        text.push_str(&format!(
            "  a Tink KMS envelope: a wrapped key of {wrapped} bytes, then {} bytes of payload\n",
            seen.size - 4 - u64::from(wrapped),
        ));
    }
    match shape.prefix {
        Some(prefix) => text.push_str(&format!(
            "  {}a Tink ciphertext of key {}, with a {} prefix\n",
            if shape.wrapped.is_some() { "or " } else { "" },
            prefix.id,
            prefix.start.name(),
        )),
        None => {
            text.push_str("  no prefix: a ciphertext of a raw key, or nothing that Tink wrote\n")
        }
    }
    text.push_str("  if it is a ciphertext, its plaintext has\n");
    let mut candidates = Vec::new();
    for overhead in overheads() {
        let taken = overhead.bytes + shape.prefix_size();
        let Some(plaintext) = seen.size.checked_sub(taken) else {
            continue;
        };
        let types: Vec<String> = overhead
            .type_urls
            .iter()
            .map(|url| short_type(url))
            .collect();
        text.push_str(&format!(
            "    {plaintext} bytes with {}\n",
            types.join(", ")
        ));
        candidates.push(json!({
            "overhead": taken,
            "plaintext_size": plaintext,
            "types": types,
        }));
    }
    if candidates.is_empty() {
        text.push_str("    no size at all: it is too short for every cipher\n");
    }
    let value = json!({
        "candidates": candidates,
        "certain": false,
        "file": seen.name,
        "key_id": shape.prefix.map(|prefix| prefix.id.value()),
        "kind": if shape.wrapped.is_some() { "envelope" } else { "ciphertext" },
        "prefix": shape.prefix.map(|prefix| prefix.start.name()),
        "size": seen.size,
        "wrapped_key_size": shape.wrapped,
    });
    (text, value)
}

pub fn insert(value: &mut Value, name: &str, member: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(name.to_owned(), member);
    }
}
