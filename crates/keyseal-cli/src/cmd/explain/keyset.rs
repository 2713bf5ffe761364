//! Why a file does not decrypt with a keyset.

use keyseal::{
    KeyTypes, KeysetHandle, KeysetStreamingAead, Variant,
    key::{KeyKind, OutputPrefix},
    keyset::{KeyInfo, KeysetInfo, Protection, Status},
    streaming::StreamLayout,
};

use super::{
    facts::{compare_size, not_ciphertext, read_all},
    report::Report,
};
use crate::{
    args::{Aad, KeysetAccess},
    cmd::inspect::{FileKind, Seen},
    context::Context,
    display::{count, short_type},
    error::Failure,
    exit::Exit,
    first_bytes::{FirstBytes, Prefix},
    input::{FileArg, KEYSET_LIMIT},
    job::MESSAGE_LIMIT,
    keyset_failure::detect,
    keysets::Keyset,
    kms_failure::kms_failure,
    primitive::KeysetPrimitive,
};

/// A keyset file, and how it is opened.
pub(super) struct KeysetChoice<'c> {
    pub(super) keyset: &'c FileArg,
    pub(super) access: &'c KeysetAccess,
}

/// Explains why a keyset does not decrypt the input.
pub(super) fn explain(
    input: &FileArg,
    aad: &Aad,
    keyset: &KeysetChoice<'_>,
    context: &Context,
) -> Result<Exit, Failure> {
    let mut report = Report::new(
        "it decrypts, with this keyset and this associated data",
        "no public fact explains it: other associated data, another key under the same id, or a \
         damaged file",
        "nothing public rules out that it decrypts; to try it, pass --keyset-kek or \
         --insecure-cleartext, and the associated data",
    );
    let seen = Seen::read(input, context)?;
    let opened = open(keyset, context, &mut report)?;
    let info = match &opened {
        Some(opened) => Some(opened.handle.info()),
        None => described(keyset.keyset, context)?,
    };
    compare_all(&seen, info.as_ref(), opened.as_ref(), keyset, &mut report);
    let decrypts = match &opened {
        Some(opened) => try_it(input, aad, keyset, opened, context, &mut report)?,
        None => None,
    };
    report.print(&input.name(), decrypts, context)
}

/// Compares an input with a keyset, as far as both are known.
fn compare_all(
    seen: &Seen,
    info: Option<&KeysetInfo>,
    opened: Option<&Keyset>,
    keyset: &KeysetChoice<'_>,
    report: &mut Report,
) {
    match (&seen.kind, info) {
        (FileKind::Bytes(shape), Some(info)) => {
            report.fact(format!(
                "{} has {}, key {} is primary",
                keyset.keyset.name(),
                count(info.keys().len(), "key"),
                info.primary_id()
            ));
            match (other_kind(info), opened) {
                (Some(KeyKind::StreamingAead), _) if seen.looks_like_envelope => {
                    let (code, text) = envelope_problem();
                    report.problem(code, text);
                }
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
                (None, _) => compare(*shape, info, seen.looks_like_envelope, report),
            }
        }
        (FileKind::Bytes(_), None) if report.has_problems() => {}
        (FileKind::Bytes(_), None) => report.fact(format!(
            "{} does not describe its keys: pass --keyset-kek to decrypt it",
            keyset.keyset.name()
        )),
        (FileKind::SealedStream { .. } | FileKind::StartOfSealedStream, _) => report.problem(
            "input_is_sealed_stream",
            "the input is a sealed stream, which contains its keyset: decrypt it with --kek URI",
        ),
        (kind, _) => not_ciphertext(kind, report),
    }
}

/// Says that the input needs no keyset.
fn envelope_problem() -> Problem {
    let text =
        "the input is an envelope, which contains its wrapped key: decrypt it with --kek URI";
    ("input_is_envelope", text.to_owned())
}

/// Opens the keyset if the options allow it. A keyset that does not open is a finding too.
fn open(
    choice: &KeysetChoice<'_>,
    context: &Context,
    report: &mut Report,
) -> Result<Option<Keyset>, Failure> {
    let opened = choice
        .access
        .resolve(context)
        .and_then(|access| Keyset::open(choice.keyset, access, context));
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
    let fitting: Vec<&StreamLayout> = layouts
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
    compare_size(&fitting, shape.size, report);
}

/// Why no key of a keyset with this prefix can have made the input.
type Problem = (&'static str, String);

fn compare(shape: FirstBytes, info: &KeysetInfo, looks_like_envelope: bool, report: &mut Report) {
    let raw = |key: &&KeyInfo| {
        key.variant() == Some(Variant::Raw) && key.status() == Some(Status::Enabled)
    };
    let raws = info.keys().iter().filter(raw).count();
    let overhead = |key: &KeyInfo| least_overhead(key.type_url());
    let (problem, if_raw) = compare_start(shape, info, looks_like_envelope, report);
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
    match (problem, if_raw) {
        (Some(_), Some(fact)) if raws > 0 => report.fact(fact),
        (Some((code, text)), _) => report.problem(code, text),
        (None, _) => {}
    }
}

/// Compares the first bytes of the input with the prefixes of the keys. Returns a problem; and what is
/// true instead if the keyset has a raw key, whose ciphertexts may look like that.
fn compare_start(
    shape: FirstBytes,
    info: &KeysetInfo,
    looks_like_envelope: bool,
    report: &mut Report,
) -> (Option<Problem>, Option<String>) {
    if let Some(wrapped) = shape.wrapped {
        report.fact(format!(
            "the input may be a KMS envelope, with a wrapped key of {wrapped} bytes"
        ));
    }
    let key_of = |prefix: Prefix| info.keys().iter().find(|key| key.id() == prefix.id);
    let Some(prefix) = shape.prefix else {
        let text = "the input names no key, and the keyset has no enabled raw key";
        let has_raw = info.keys().iter().any(|key| {
            key.variant() == Some(Variant::Raw) && key.status() == Some(Status::Enabled)
        });
        let problem = (!has_raw).then(|| ("no_raw_key", text.to_owned()));
        return (problem, None);
    };
    let key = key_of(prefix);
    // The length of an envelope's wrapped key looks like the prefix of a key, and names none.
    if looks_like_envelope && key.is_none() {
        let fact = "the input looks like an envelope: a raw key of the keyset made it, or it needs \
                    --kek URI";
        return (Some(envelope_problem()), Some(fact.to_owned()));
    }
    report.fact(format!(
        "the input starts like a ciphertext of key {}, with a {} prefix",
        prefix.id,
        prefix.start.name()
    ));
    match key {
        Some(key) => (compare_with(key, prefix, shape.size, report), None),
        None => {
            let text = format!("the keyset has no key {}", prefix.id);
            let fact = format!("{text}: only a raw key can have made it");
            (Some(("key_not_in_keyset", text)), Some(fact))
        }
    }
}

/// Returns the reason why a key cannot have made a ciphertext that names it.
fn compare_with(key: &KeyInfo, prefix: Prefix, size: u64, report: &mut Report) -> Option<Problem> {
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
    keyset: &KeysetChoice<'_>,
    opened: &Keyset,
    context: &Context,
    report: &mut Report,
) -> Result<Option<bool>, Failure> {
    let cleartext = keyset.access.allows_cleartext();
    let context = &context.with_kms(keyset.access.kms());
    let cipher = match KeysetPrimitive::of(opened, keyset.keyset, cleartext, context) {
        Ok(cipher) => cipher,
        Err(failure) if failure.exit() == Exit::KeysetInvalid => {
            if !report.has_problems() {
                report.problem("wrong_primitive", failure.message());
            }
            return Ok(Some(false));
        }
        // A key of the keyset is elsewhere, and cannot be used: nothing was tried.
        Err(failure) => return Err(failure),
    };
    let aad = aad.read(context)?;
    if let KeysetPrimitive::Streaming(aead) = &cipher {
        let stream = aead.decrypting_reader(input.open(context)?, &aad);
        return read_all(stream, input).map(Some);
    }
    let Some(mut buffer) = input.read(MESSAGE_LIMIT, 0, context)? else {
        return Ok(None);
    };
    match cipher.decrypt(&mut buffer, &aad) {
        Ok(()) => Ok(Some(true)),
        Err(error) => match error.kms_error() {
            None => Ok(Some(false)),
            Some(error) => Err(kms_failure(
                &format!("cannot decrypt {}", input.name()),
                error,
            )),
        },
    }
}

/// Returns the fewest bytes that a key of a type adds, or `None` if the type is unknown.
fn least_overhead(type_url: &str) -> Option<u64> {
    let templates = KeyTypes::default().find(type_url)?.templates();
    templates
        .iter()
        .map(|template| template.properties().overhead as u64)
        .min()
}
