//! `inspect`: recognises a file, without any key.

use clap::Args;
use keyseal::{
    Envelope, KeyId, KeyTypes, KeysetError, KeysetHandle, KeysetStreamingAead, SealedStreamHeader,
    error_chain,
    key::{KeyKind, Template},
    keyset::{Format, KeysetFile, Protection, TextForm},
};
use serde_json::{Value, json};

use super::keyset::list;
use crate::{
    context::Context,
    display::{Lines, count, is_text, printable, short_type},
    error::Failure,
    exit::Exit,
    first_bytes::{
        FirstBytes, SAMPLE, envelope, is_start_of_sealed_stream, may_be_envelope, overheads,
    },
    input::{FileArg, KEYSET_LIMIT},
    keysets::format_name,
};

/// Say what kind of file this is, without any key
///
/// Keyset files are recognised for certain. A ciphertext does not identify itself: if the answer is
/// a guess from its first bytes, the report says so.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal inspect letter.sealed")]
pub(crate) struct InspectArgs {
    /// The file; `-` is standard input
    #[arg(value_name = "IN")]
    input: FileArg,
}

pub(crate) fn run(args: InspectArgs, context: &Context) -> Result<Exit, Failure> {
    let seen = Seen::read(&args.input, context)?;
    let (text, value) = match &seen.kind {
        FileKind::Keyset { file, no_secret } => keyset_report(&seen, file, *no_secret),
        FileKind::Damaged(why) => damaged_report(&seen, why),
        FileKind::Text => plain_report(
            &seen,
            "text",
            "text, but not a keyset; encrypted files are binary",
        ),
        FileKind::StartOfSealedStream => cut_report(&seen),
        FileKind::Empty => plain_report(&seen, "empty", "an empty file"),
        FileKind::SealedStream { keyset } => sealed_stream_report(&seen, *keyset),
        FileKind::Bytes(shape) => bytes_report(&seen, *shape),
    };
    if context.json {
        context.print_json(&value)?;
    } else {
        context.print(Lines::of_text(&text))?;
    }
    Ok(Exit::Done)
}

/// The visible facts about a file.
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) kind: FileKind,
    /// Whether it starts like an envelope, and goes on like one.
    pub(crate) looks_like_envelope: bool,
}

pub(crate) enum FileKind {
    Keyset {
        file: KeysetFile,
        /// Whether its cleartext keys are all public or in a KMS.
        no_secret: bool,
    },
    /// A file meant as a keyset, but not a valid one.
    Damaged(String),
    Text,
    Empty,
    /// It starts with an encrypted keyset of this many bytes.
    SealedStream {
        keyset: u64,
    },
    /// It is cut before it says more.
    StartOfSealedStream,
    Bytes(FirstBytes),
}

impl Seen {
    /// Reads only as much as it needs: a large file is not a keyset.
    pub(crate) fn read(input: &FileArg, context: &Context) -> Result<Self, Failure> {
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
            looks_like_envelope: envelope(&bytes, size).is_some_and(|seen| may_be_envelope(&seen)),
        })
    }
}

fn kind_of(bytes: &[u8], size: u64) -> FileKind {
    if size == 0 {
        return FileKind::Empty;
    }
    if SealedStreamHeader::detect(bytes) {
        // The start of a large file may not contain the whole header.
        let length = bytes.get(8..).and_then(|rest| rest.first_chunk());
        let keyset = length.map_or(0, |length| u32::from_be_bytes(*length).into());
        return FileKind::SealedStream { keyset };
    }
    match KeysetFile::detect(bytes) {
        Ok(file) => FileKind::Keyset {
            no_secret: KeysetHandle::read_no_secret(bytes, file.format()).is_ok(),
            file,
        },
        Err(error) if is_meant_as_keyset(bytes, &error) => FileKind::Damaged(error_chain(&error)),
        Err(_) if is_start_of_sealed_stream(bytes) => FileKind::StartOfSealedStream,
        Err(_) if is_text(bytes) => FileKind::Text,
        Err(_) => FileKind::Bytes(FirstBytes::of(bytes, size)),
    }
}

/// Returns whether a refused file was meant as a keyset.
fn is_meant_as_keyset(bytes: &[u8], error: &KeysetError) -> bool {
    let names = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    match error {
        KeysetError::EncryptedInNameOnly | KeysetError::TooManyKeys => true,
        // A list or a string may be anything.
        KeysetError::TextForm {
            found: TextForm::JsonList | TextForm::JsonString,
        } => names(b"keyData") || names(b"key_data") || names(b"encryptedKeyset"),
        KeysetError::TextForm { .. } => true,
        _ => {
            Format::detect(bytes) == Format::Json
                || Protection::guess(bytes).is_some()
                || names(b"type.googleapis.com/google.crypto.tink.")
        }
    }
}

/// Reads the first bytes of a file that is larger than any keyset.
fn read_start(input: &FileArg) -> Result<(zeroize::Zeroizing<Vec<u8>>, u64), Failure> {
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
    // The longest start of an envelope, and some of its payload.
    let sample = Envelope::MAX_HEAD_SIZE + SAMPLE;
    let mut start = zeroize::Zeroizing::new(Vec::with_capacity(sample));
    let read = file.take(sample as u64).read_to_end(&mut start);
    read.map_err(failed)?;
    Ok((start, size))
}

fn keyset_report(seen: &Seen, file: &KeysetFile, no_secret: bool) -> (String, Value) {
    let (protection, secrecy) = match (file.protection(), file.info()) {
        (Protection::Cleartext, _) if no_secret => (
            "cleartext",
            "  it holds no secret: its keys are public, or a KMS holds them\n",
        ),
        (Protection::Cleartext, _) => (
            "cleartext",
            "  anyone who can read this file has its keys\n",
        ),
        (Protection::Encrypted, Some(_)) => (
            "encrypted",
            "  this description is neither encrypted nor authenticated\n  \
             its keys are not in cleartext; whether they decrypt was not checked\n",
        ),
        (Protection::Encrypted, None) => (
            "encrypted",
            "  it does not describe its keys: pass --keyset-kek to decrypt it\n  \
             they are not in cleartext; whether they decrypt was not checked\n",
        ),
    };
    let mut text = format!(
        "{}: {protection} keyset, {}, {}\n",
        seen.name,
        format_name(file.format()),
        count(usize::try_from(seen.size).unwrap_or(usize::MAX), "byte"),
    );
    text.extend(file.info().map(list::table));
    text.push_str(secrecy);
    let mut value = list::as_json(file.info());
    insert(&mut value, "certain", json!(true));
    insert(&mut value, "file", json!(seen.name));
    insert(
        &mut value,
        "format",
        json!(format_name(file.format()).to_lowercase()),
    );
    let holds_secret = file.protection() == Protection::Cleartext && !no_secret;
    insert(&mut value, "holds_secret", json!(holds_secret));
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

fn cut_report(seen: &Seen) -> (String, Value) {
    let text = format!(
        "{}: {} bytes. They are text, or the start of a sealed stream that was cut in its header\n",
        seen.name, seen.size
    );
    let value = json!({
        "certain": false,
        "file": seen.name,
        "kind": "sealed_stream",
        "size": seen.size,
    });
    (text, value)
}

fn sealed_stream_report(seen: &Seen, keyset: u64) -> (String, Value) {
    let header = 12 + keyset;
    let stream = seen.size.saturating_sub(header);
    let mut text = format!(
        "{}: sealed stream, {} bytes\n  header: {header} bytes, with an encrypted keyset of {keyset}\n",
        seen.name, seen.size
    );
    let whole =
        seen.size >= header && (1..=SealedStreamHeader::MAX_KEYSET_SIZE as u64).contains(&keyset);
    let value = if whole {
        text.push_str(&format!("  stream: {stream} bytes\n"));
        text.push_str("  the keyset says how long its segments are:\n");
        text.push_str(&segments_text(stream));
        json!(segments_json(stream))
    } else {
        text.push_str("  it is cut short: the header is incomplete\n");
        Value::Null
    };
    let value = json!({
        "certain": true,
        "file": seen.name,
        "header_size": header,
        "keyset_size": keyset,
        "kind": "sealed_stream",
        "size": seen.size,
        "stream_size": stream,
        "candidates": value,
    });
    (text, value)
}

/// The segments of a stream that is written with a stock template of this name.
struct Segments {
    template: &'static str,
    segments: u64,
    plaintext: u64,
}

/// Returns the possible segment layouts of a stream of this size, without duplicates.
fn segments(size: u64) -> Vec<Segments> {
    let mut all: Vec<Segments> = Vec::new();
    let kind = |template: &Template| template.kind() == KeyKind::StreamingAead;
    for template in KeyTypes::default().templates().filter(kind) {
        let layout = KeyTypes::default()
            .generate(template.name())
            .ok()
            .and_then(|key| KeysetHandle::with_id(key, KeyId::new(1)).primitive().ok())
            .map(|aead: KeysetStreamingAead| *aead.layout());
        let Some(map) = layout.and_then(|layout| layout.map(size)) else {
            continue;
        };
        all.push(Segments {
            template: template.name(),
            segments: map.segments(),
            plaintext: map.plaintext_size(),
        });
    }
    all
}

fn segments_text(size: u64) -> String {
    let lines = segments(size).into_iter().map(|known| {
        let segments = count(
            usize::try_from(known.segments).unwrap_or(usize::MAX),
            "segment",
        );
        format!(
            "    {}: {segments}, {} bytes of plaintext\n",
            known.template, known.plaintext
        )
    });
    match lines.collect::<String>() {
        none if none.is_empty() => {
            "    no stock template fits this size: it may be cut short\n".to_owned()
        }
        lines => lines,
    }
}

fn segments_json(size: u64) -> Vec<Value> {
    let all = segments(size).into_iter().map(|known| {
        json!({
            "template": known.template,
            "segments": known.segments,
            "plaintext_size": known.plaintext,
        })
    });
    all.collect()
}

fn bytes_report(seen: &Seen, shape: FirstBytes) -> (String, Value) {
    let mut text = format!(
        "{}: {} bytes. A guess from the first few:\n",
        seen.name, seen.size
    );
    if let Some(wrapped) = shape.wrapped {
        text.push_str(&format!(
            "  a Tink KMS envelope: a wrapped key of {wrapped} bytes, then {} bytes of payload\n",
            seen.size - 4 - wrapped as u64,
        ));
    }
    match shape.prefix {
        Some(prefix) => text.push_str(&format!(
            "  {}a Tink ciphertext of key {}, with a {} prefix\n",
            if shape.wrapped.is_some() { "or " } else { "" },
            prefix.id,
            prefix.start.name(),
        )),
        None => text.push_str("  no prefix: a ciphertext of a raw key, or not written by Tink\n"),
    }
    text.push_str("  if it is a ciphertext, its plaintext has\n");
    let candidates = plaintexts(seen.size, shape, &mut text);
    // A stream starts with the length of its header, and a raw ciphertext with any byte.
    let stream = matches!(shape.first, Some(24 | 40)).then(|| segments_json(seen.size));
    if stream.is_some() {
        text.push_str("  or it is a stream, whose segment size depends on the keyset:\n");
        text.push_str(&segments_text(seen.size));
    }
    if candidates.is_empty() {
        text.push_str("    no size at all: it is too short for any cipher\n");
    }
    let mut value = json!({
        "candidates": candidates,
        "certain": false,
        "file": seen.name,
        "key_id": shape.prefix.map(|prefix| prefix.id.value()),
        "kind": if shape.wrapped.is_some() { "envelope" } else { "ciphertext" },
        "prefix": shape.prefix.map(|prefix| prefix.start.name()),
        "size": seen.size,
        "wrapped_key_size": shape.wrapped,
    });
    if let Some(stream) = stream {
        insert(&mut value, "stream", json!(stream));
    }
    (text, value)
}

/// Adds a line for each size that the plaintext may have, and returns them for programs.
fn plaintexts(size: u64, shape: FirstBytes, text: &mut String) -> Vec<Value> {
    let mut candidates = Vec::new();
    for overhead in overheads() {
        let taken = overhead.bytes + shape.prefix_size();
        let Some(plaintext) = size.checked_sub(taken) else {
            continue;
        };
        let types = overhead.type_urls.iter().map(|url| short_type(url));
        let types: Vec<String> = types.collect();
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
    candidates
}

pub(crate) fn insert(value: &mut Value, name: &str, member: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(name.to_owned(), member);
    }
}
