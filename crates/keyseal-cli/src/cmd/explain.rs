//! `explain`: the reason why a file does not decrypt, from public facts.

use std::io;

use clap::Args;
use keyseal::{
    KeyTypes, KeysetHandle, KeysetStreamingAead, Variant,
    key::{KeyKind, OutputPrefix},
    keyset::{KeyInfo, KeysetInfo, Protection, Status},
    streaming::StreamLayout,
};
use serde_json::json;

use super::inspect::{FileKind, Seen};
use crate::{
    args::{Aad, KeysetChoice},
    context::Context,
    display::{Lines, count, short_type},
    error::Failure,
    exit::Exit,
    first_bytes::{FirstBytes, Prefix},
    input::{FileArg, KEYSET_LIMIT, check_one_standard_input},
    job::MESSAGE_LIMIT,
    keyset_failure::detect,
    keysets::Keyset,
    primitive::KeysetPrimitive,
};

/// Say why a file does not decrypt with a keyset, from public facts
///
/// It compares ids, statuses and sizes. With the options that decrypt the keyset, it also tries to
/// decrypt the file; without them, it uses what the keyset file says about its keys.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal explain letter.sealed --keyset keyset.json")]
pub(crate) struct ExplainArgs {
    /// The file that does not decrypt
    #[arg(value_name = "IN")]
    input: FileArg,
    #[command(flatten)]
    aad: Aad,
    #[command(flatten)]
    keyset: KeysetChoice,
}

pub(crate) fn run(args: ExplainArgs, context: &Context) -> Result<Exit, Failure> {
    let ExplainArgs { input, aad, keyset } = args;
    if input == FileArg::Standard || keyset.keyset == FileArg::Standard {
        return Err(Failure::usage(
            "two_readings",
            "cannot explain standard input",
            "the input and the keyset are read more than once",
        )
        .hint("name files"));
    }
    check_one_standard_input(aad.place().into_iter().chain(keyset.access.places()))?;
    let mut report = Report::default();
    let seen = Seen::read(&input, context)?;
    let opened = open(&keyset, context, &mut report)?;
    let info = match &opened {
        Some(opened) => Some(opened.handle.info()),
        None => described(&keyset.keyset, context)?,
    };
    compare_all(
        &seen.kind,
        info.as_ref(),
        opened.as_ref(),
        &keyset,
        &mut report,
    );
    let decrypts = match &opened {
        Some(opened) => try_it(&input, &aad, &keyset, opened, context, &mut report)?,
        None => None,
    };
    report.print(&input.name(), decrypts, context)
}

/// Compares an input with a keyset, as far as both are known.
fn compare_all(
    kind: &FileKind,
    info: Option<&KeysetInfo>,
    opened: Option<&Keyset>,
    keyset: &KeysetChoice,
    report: &mut Report,
) {
    match (kind, info) {
        (FileKind::Bytes(shape), Some(info)) => {
            report.fact(format!(
                "{} has {}, key {} is primary",
                keyset.keyset.name(),
                count(info.keys().len(), "key"),
                info.primary_id()
            ));
            match (other_kind(info), opened) {
                (Some(KeyKind::StreamingAead), Some(opened)) => {
                    compare_stream(*shape, opened, report);
                }
                (Some(KeyKind::StreamingAead), None) => {}
                (Some(kind), _) => report.problem(
                    "other_kind",
                    format!(
                        "the keyset is for {}, which cannot have made this input",
                        kind.with_article()
                    ),
                ),
                (None, _) => compare(*shape, info, report),
            }
        }
        (FileKind::Bytes(_), None) if !report.problems.is_empty() => {}
        (FileKind::Bytes(_), None) => report.fact(format!(
            "{} does not describe its keys: pass --keyset-kek to decrypt it",
            keyset.keyset.name()
        )),
        (FileKind::SealedStream { .. }, _) => report.problem(
            "input_is_sealed_stream",
            "the input is a sealed stream, which contains its keyset: decrypt it with --kek URI",
        ),
        (FileKind::Text, _) => {
            report.problem("input_is_text", "the input is text, not a ciphertext")
        }
        (FileKind::Empty, _) => report.problem("input_empty", "the input is empty"),
        (FileKind::Keyset { .. } | FileKind::Damaged(_), _) => {
            report.problem("input_is_keyset", "the input is a keyset, not a ciphertext");
        }
    }
}

#[derive(Default)]
struct Report {
    facts: Vec<String>,
    problems: Vec<(&'static str, String)>,
}

impl Report {
    fn fact(&mut self, text: impl Into<String>) {
        self.facts.push(text.into());
    }

    fn problem(&mut self, code: &'static str, text: impl Into<String>) {
        self.problems.push((code, text.into()));
    }

    fn print(
        &self,
        name: &str,
        decrypts: Option<bool>,
        context: &Context,
    ) -> Result<Exit, Failure> {
        let conclusion = match (decrypts, self.problems.as_slice()) {
            (Some(true), _) => "it decrypts, with this keyset and this associated data",
            (_, [_, ..]) => "that is why it does not decrypt",
            (Some(false), []) => {
                "no public fact explains it: other associated data, another key under the same id, \
                 or a damaged file"
            }
            (None, []) => {
                "nothing public rules out that it decrypts; to try it, pass --keyset-kek or \
                 --insecure-cleartext, and the associated data"
            }
        };
        if context.json {
            let problems: Vec<_> = self
                .problems
                .iter()
                .map(|(code, text)| json!({ "code": code, "text": text }))
                .collect();
            context.print_json(&json!({
                "conclusion": conclusion,
                "decrypts": decrypts,
                "facts": self.facts,
                "file": name,
                "problems": problems,
            }))?;
            return Ok(Exit::Done);
        }
        let mut text = format!("{name}:\n");
        for fact in &self.facts {
            text.push_str(&format!("  {fact}\n"));
        }
        for (_, problem) in &self.problems {
            text.push_str(&format!("  problem: {problem}\n"));
        }
        text.push_str(&format!("  so: {conclusion}\n"));
        context.print(Lines::of_text(&text))?;
        Ok(Exit::Done)
    }
}

/// Opens the keyset if the options allow it. A keyset that does not open is a finding too.
fn open(
    choice: &KeysetChoice,
    context: &Context,
    report: &mut Report,
) -> Result<Option<Keyset>, Failure> {
    let opened = choice
        .access
        .resolve(context)
        .and_then(|access| Keyset::open(&choice.keyset, access, context));
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(failure) => match failure.code() {
            "cleartext_not_allowed" | "keyset_kek_missing" => Ok(None),
            "keyset_not_decrypted" | "keyset_invalid" | "keyset_not_encrypted" => {
                report.problem("keyset_not_opened", failure.message());
                Ok(None)
            }
            _ => Err(failure),
        },
    }
}

fn described(keyset: &FileArg, context: &Context) -> Result<Option<KeysetInfo>, Failure> {
    let bytes = keyset.read_small(KEYSET_LIMIT, context)?;
    // If it is not a keyset, opening it has already said so.
    let Ok(seen) = detect(&keyset.name(), &bytes) else {
        return Ok(None);
    };
    if seen.protection() == Protection::Encrypted && seen.info().is_some() {
        context.detail("using the unencrypted description of the keys");
    }
    Ok(seen.info().cloned())
}

/// Returns the kind of a keyset, or `None` if it encrypts messages.
fn other_kind(info: &KeysetInfo) -> Option<KeyKind> {
    let primary = info
        .keys()
        .iter()
        .find(|key| key.id() == info.primary_id())?;
    let kind = KeyTypes::default().find(primary.type_url())?.kind();
    let encrypts = matches!(kind, KeyKind::Aead | KeyKind::DeterministicAead);
    (!encrypts).then_some(kind)
}

/// Compares a file with the streams that the keys of a keyset write.
fn compare_stream(shape: FirstBytes, keyset: &Keyset, report: &mut Report) {
    let enabled = keyset
        .handle
        .entries()
        .filter(|entry| entry.status() == Status::Enabled);
    let layouts: Vec<StreamLayout> = enabled
        .filter_map(|entry| {
            let alone = KeysetHandle::with_id(entry.key()?.clone(), entry.id());
            let aead: KeysetStreamingAead = alone.primitive().ok()?;
            Some(*aead.layout())
        })
        .collect();
    let mut fitting: Vec<&StreamLayout> = layouts
        .iter()
        .filter(|layout| shape.first.map(usize::from) == Some(layout.header_size()))
        .collect();
    if fitting.is_empty() {
        report.problem(
            "not_a_stream",
            "the input does not start like a stream of any key of the keyset",
        );
        return;
    }
    fitting.retain(|layout| layout.map(shape.size).is_some());
    if fitting.is_empty() {
        report.problem(
            "stream_cut",
            "no complete stream has the input's size: it was cut short or extended",
        );
    }
    for layout in fitting {
        if let Some(map) = layout.map(shape.size) {
            report.fact(format!(
                "with segments of {} bytes it has {}, and {} bytes of plaintext",
                layout.segment_size(),
                count(
                    usize::try_from(map.segments()).unwrap_or(usize::MAX),
                    "segment"
                ),
                map.plaintext_size()
            ));
        }
    }
}

fn compare(shape: FirstBytes, info: &KeysetInfo, report: &mut Report) {
    let raw = |key: &&KeyInfo| {
        key.variant() == Some(Variant::Raw) && key.status() == Some(Status::Enabled)
    };
    let raws = info.keys().iter().filter(raw).count();
    let overhead = |key: &KeyInfo| least_overhead(key.type_url());
    if let Some(wrapped) = shape.wrapped {
        report.fact(format!(
            "the input may be a KMS envelope, with a wrapped key of {wrapped} bytes"
        ));
    }
    let named = shape.prefix.map(|prefix| {
        report.fact(format!(
            "the input starts like a ciphertext of key {}, with a {} prefix",
            prefix.id,
            prefix.start.name()
        ));
        (prefix, info.keys().iter().find(|key| key.id() == prefix.id))
    });
    let problem = named.and_then(|(prefix, key)| match key {
        Some(key) => compare_with(key, prefix, shape.size, report),
        None => Some((
            "key_not_in_keyset",
            format!("the keyset has no key {}", prefix.id),
        )),
    });
    // Raw keys are tried whatever the prefix is.
    if raws > 0 {
        report.fact(format!(
            "{} tried on any input",
            match raws {
                1 => "1 raw key is".to_owned(),
                _ => format!("{raws} raw keys are"),
            }
        ));
        let least = info.keys().iter().filter(raw).filter_map(overhead).min();
        if least.is_some_and(|least| shape.size < least) {
            report.problem("too_short", "the input is too short for any raw key");
        }
    }
    match problem {
        Some((code, text)) if raws == 0 || code != "key_not_in_keyset" => {
            report.problem(code, text)
        }
        Some((_, text)) => report.fact(format!("{text}: only a raw key can have made it")),
        None if named.is_none() && raws == 0 => report.problem(
            "no_raw_key",
            "the input names no key, and the keyset has no enabled raw key",
        ),
        None => {}
    }
}

/// Returns the reason why a key cannot have made a ciphertext that names it.
fn compare_with(
    key: &KeyInfo,
    prefix: Prefix,
    size: u64,
    report: &mut Report,
) -> Option<(&'static str, String)> {
    let id = key.id();
    match (key.status(), key.variant()) {
        (_, Some(variant)) if !prefix.start.is_of(variant) => Some((
            "other_prefix",
            format!("key {id} has the prefix type {variant}"),
        )),
        (Some(Status::Disabled), _) => Some(("key_disabled", format!("key {id} is disabled"))),
        (Some(Status::Destroyed), _) => Some(("key_destroyed", format!("key {id} is destroyed"))),
        _ => {
            report.fact(format!(
                "key {id} is enabled: {}",
                short_type(key.type_url())
            ));
            let least = least_overhead(key.type_url())? + OutputPrefix::SIZE as u64;
            let text = format!(
                "the input has {size} bytes, but every ciphertext of key {id} has at least {least}: \
                 it was cut short"
            );
            (size < least).then_some(("too_short", text))
        }
    }
}

fn try_it(
    input: &FileArg,
    aad: &Aad,
    keyset: &KeysetChoice,
    opened: &Keyset,
    context: &Context,
    report: &mut Report,
) -> Result<Option<bool>, Failure> {
    let cleartext = keyset.access.allows_cleartext();
    let context = &context.with_kms(keyset.access.kms());
    let cipher = match KeysetPrimitive::of(opened, &keyset.keyset, cleartext, context) {
        Ok(cipher) => cipher,
        Err(failure) => {
            if report.problems.is_empty() {
                report.problem("wrong_primitive", failure.message());
            }
            return Ok(Some(false));
        }
    };
    let aad = aad.read(context)?;
    if let KeysetPrimitive::Streaming(aead) = &cipher {
        let mut stream = aead.decrypting_reader(input.open(context)?, &aad);
        return Ok(Some(io::copy(&mut stream, &mut io::sink()).is_ok()));
    }
    let Some(mut buffer) = input.read(MESSAGE_LIMIT, 0, context)? else {
        return Ok(None);
    };
    Ok(Some(cipher.decrypt(&mut buffer, &aad).is_ok()))
}

/// Returns the fewest bytes that a key of a type adds, or `None` if the type is unknown.
fn least_overhead(type_url: &str) -> Option<u64> {
    let templates = KeyTypes::default().find(type_url)?.templates();
    templates
        .iter()
        .map(|template| template.properties().overhead as u64)
        .min()
}
