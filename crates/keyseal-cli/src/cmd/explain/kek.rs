//! Why a file does not decrypt under a key-encryption key.

use std::num::NonZeroUsize;

use keyseal::{SealedStreamHeader, streaming::Offset};

use super::{
    facts::{compare_size, not_ciphertext, read_all},
    report::Report,
};
use crate::{
    args::{Aad, CryptosystemChoice},
    cmd::inspect::{FileKind, Seen},
    context::Context,
    cryptor::{Cryptor as _, KekCryptor, Recognised},
    error::Failure,
    exit::Exit,
    input::{FileArg, InOrder, Input},
    job::Job,
    kek::Kek,
    kek_uri::KekUri,
};

/// Explains why the input does not decrypt under a key-encryption key.
pub(super) fn explain(
    input: &FileArg,
    aad: &Aad,
    choice: &CryptosystemChoice,
    uri: &KekUri,
    context: &Context,
) -> Result<Exit, Failure> {
    let context = &context.with_kms(choice.kms());
    let mut report = Report::new(
        "it decrypts, with this key and this associated data",
        "the key unwraps the file's own key, so this is the right key: other associated data, another \
         --template of an envelope, or the file was cut or changed",
        "nothing public rules out that it decrypts; to try it, name a regular file",
    );
    let seen = Seen::read(input, context)?;
    let associated_data = aad.read(context)?;
    let mut job = Job {
        input: Input::open(input, context)?,
        associated_data: &associated_data,
        threads: NonZeroUsize::MIN,
        context,
    };
    let decrypts = match &seen.kind {
        FileKind::SealedStream { keyset } => {
            let cryptor = open(choice, uri, context)?;
            sealed_stream(input, &cryptor, &mut job, (*keyset, seen.size), &mut report)?
        }
        FileKind::StartOfSealedStream => {
            cut_header(seen.size, None, &mut report);
            None
        }
        FileKind::Bytes(_) => envelope(&open(choice, uri, context)?, &mut job, &mut report)?,
        kind => {
            not_ciphertext(kind, &mut report);
            None
        }
    };
    report.print(&input.name(), decrypts, context)
}

fn open(
    choice: &CryptosystemChoice,
    uri: &KekUri,
    context: &Context,
) -> Result<KekCryptor, Failure> {
    let cleartext = choice.access().allows_cleartext();
    let kek = Kek::open(uri, cleartext, context)?;
    Ok(KekCryptor::new(kek, choice.template()))
}

/// Compares a sealed stream, whose header has a keyset of `keyset` bytes, with its size.
fn sealed_stream(
    input: &FileArg,
    cryptor: &KekCryptor,
    job: &mut Job<'_>,
    (keyset, size): (u64, u64),
    report: &mut Report,
) -> Result<Option<bool>, Failure> {
    let header_size = SealedStreamHeader::START_SIZE as u64 + keyset;
    let is_possible = (1..=SealedStreamHeader::MAX_KEYSET_SIZE as u64).contains(&keyset);
    if is_possible && size < header_size {
        cut_header(size, Some(header_size), report);
        return Ok(None);
    }
    report.fact("the input is a sealed stream, which contains its keyset");
    let (header_size, aead) = match cryptor.open_sealed(job) {
        Ok(opened) => opened,
        Err(failure) if failure.exit() == Exit::NotDecrypted => {
            report.problem(failure.code(), failure.why());
            return Ok(Some(false));
        }
        Err(failure) => return Err(failure),
    };
    report.fact(format!(
        "its header has {header_size} bytes, and opens under {}",
        cryptor.uri()
    ));
    compare_size(&[aead.layout()], size.saturating_sub(header_size), report);
    let Some(file) = job.input.file() else {
        return Ok(None);
    };
    let stream = InOrder(Offset::new(file, header_size), 0);
    let stream = aead.decrypting_reader(stream, job.associated_data);
    read_all(stream, input).map(Some)
}

fn cut_header(size: u64, header_size: Option<u64>, report: &mut Report) {
    let of = header_size.map_or_else(String::new, |header_size| format!(" of {header_size}"));
    report.problem(
        "header_cut",
        format!(
            "the input starts like a sealed stream, and was cut within its header: it has only {size} \
             bytes{of}"
        ),
    );
}

fn envelope(
    cryptor: &KekCryptor,
    job: &mut Job<'_>,
    report: &mut Report,
) -> Result<Option<bool>, Failure> {
    Ok(match cryptor.recognise(job)? {
        Recognised::Current => Some(true),
        Recognised::Older(version) => {
            report.fact(format!("its data key is under {version}"));
            Some(true)
        }
        Recognised::Closed(reason) if reason.code == "not_decrypted" => {
            report.fact(format!("{} unwraps its data key", cryptor.uri()));
            Some(false)
        }
        Recognised::Closed(reason) | Recognised::Plain(reason) => {
            report.problem(reason.code, reason.text);
            Some(false)
        }
        Recognised::Unknown(text) => {
            report.fact(text);
            None
        }
    })
}
