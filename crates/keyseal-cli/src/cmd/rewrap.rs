//! `rewrap`: another key-encryption key around the same data, or the newest version of the same.

use std::io::{self, Read, Write as _};

use clap::Args;
use keyseal::{
    KeysetError, SealedStreamHeader,
    keyset::{KeysetFile, Protection},
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    args::{ChangedFile, KeysetAad},
    context::Context,
    error::Failure,
    exit::Exit,
    files::{Holds, Output},
    folder::{Outcome, Work},
    input::{KEYSET_LIMIT, Place, Source, check_one_standard_input},
    kek::Kek,
    kms::{KmsArgs, kms_failure},
    stream::not_decrypted,
};

/// The longest wrapped key of an envelope, in bytes.
const MAX_WRAPPED: u32 = 4096;

/// Wrap the keys of files anew; their data stay as they are
///
/// Under the newest version of the key-encryption key, or under another one. Takes envelopes, sealed
/// streams and encrypted keysets. The data are copied, and never
/// decrypted: only the wrapped key in front of them is.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal kek rotate scw-kms://regions/REGION/keys/ID
  keyseal rewrap letter.sealed --in-place --kek scw-kms://regions/REGION/keys/ID
  keyseal rewrap --recursive archive --in-place --kek scw-kms://regions/REGION/keys/ID \\
    --to scw-kms://regions/REGION/keys/OTHER")]
pub(crate) struct RewrapArgs {
    /// The file, or with --recursive the folder; `-` is standard input
    #[arg(value_name = "PATH")]
    input: Place,
    /// The key-encryption key that the file is under
    #[arg(
        long,
        value_name = "URI",
        help_heading = "Key-encryption key",
        env = "KEYSEAL_KEK",
        hide_env_values = true
    )]
    kek: String,
    /// The one that it comes under [default: the newest version of the same]
    #[arg(long, value_name = "URI", help_heading = "Key-encryption key")]
    to: Option<String>,
    #[command(flatten)]
    aad: KeysetAad,
    /// Allow a file-kms:// key in a file that others can read
    #[arg(long, help_heading = "Key-encryption key")]
    insecure_cleartext: bool,
    /// Wrap every file of a folder anew, to a folder or in place; a second run goes on
    #[arg(short, long)]
    recursive: bool,
    /// Say what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: ChangedFile,
    #[command(flatten)]
    kms: KmsArgs,
}

/// What a file is.
enum Kind {
    SealedStream,
    Keyset,
    Envelope,
}

impl Kind {
    const fn name(&self) -> &'static str {
        match self {
            Self::SealedStream => "sealed stream",
            Self::Keyset => "encrypted keyset",
            Self::Envelope => "envelope",
        }
    }
}

struct Rewrap {
    from: Kek,
    /// None for the same key.
    to: Option<Kek>,
    aad: Zeroizing<Vec<u8>>,
    dry_run: bool,
}

pub(crate) fn run(args: RewrapArgs, context: &Context) -> Result<Exit, Failure> {
    let others: Vec<&Place> = args.aad.place().into_iter().collect();
    check_one_standard_input(others.iter().copied().chain([&args.input]))?;
    let context = &context.with_kms(&args.kms);
    let open = |uri: &String| Kek::open(uri, args.insecure_cleartext, context);
    let rewrap = Rewrap {
        from: open(&args.kek)?,
        to: args.to.as_ref().map(open).transpose()?,
        aad: args.aad.read(context)?,
        dry_run: args.dry_run,
    };
    let keks = [Some(&rewrap.from), rewrap.to.as_ref()];
    let mut others = others;
    others.extend(keks.into_iter().flatten().filter_map(Kek::place));
    if args.recursive {
        let walk = args
            .output
            .walk(&args.input, Work::Rewrap, others, context)?;
        return walk.run(|input, output| match rewrap.one(input, output, context)? {
            Some((_, size)) => Ok(match args.dry_run {
                true => Outcome::Skipped("it would be wrapped anew"),
                false => Outcome::Done(size),
            }),
            None => Ok(Outcome::Skipped("it is under the other key already")),
        });
    }
    let mut output = args
        .output
        .plan(&args.input, &others, Holds::Data, context)?;
    if !args.dry_run {
        output.refuse_binary_on_terminal()?;
    }
    let (input, name, standard) = (args.input.name(), output.name(), output.is_standard());
    let under = rewrap.to.as_ref().unwrap_or(&rewrap.from).uri();
    let Some((kind, size)) = rewrap.one(&args.input, &mut output, context)? else {
        context.note(&format!("{input} is under {under} already"));
        return Ok(Exit::Done);
    };
    let done = if args.dry_run {
        format!(
            "would wrap {input} anew: {}, {size} bytes, under {under}",
            kind.name()
        )
    } else {
        output.commit()?;
        format!(
            "wrapped {input} anew to {name}: {}, {size} bytes, under {under}",
            kind.name()
        )
    };
    let value = json!({
        "dry_run": args.dry_run,
        "form": kind.name(),
        "kek": under,
        "output": name,
        "size": size,
    });
    context.report(&done, &value, standard && !args.dry_run)?;
    Ok(Exit::Done)
}

impl Rewrap {
    /// Writes the file with its key wrapped anew, and returns what it is and its size; none where it
    /// opens under the other key alone.
    fn one(
        &self,
        input: &Place,
        output: &mut Output<'_>,
        context: &Context,
    ) -> Result<Option<(Kind, u64)>, Failure> {
        let mut source = input.open(context)?;
        let name = input.name();
        let unreadable = |error: io::Error| Failure::io(format!("cannot read {name}"), &error);
        let mut start = Vec::new();
        let read = source.by_ref().take(8).read_to_end(&mut start);
        read.map_err(unreadable)?;
        let kind = if SealedStreamHeader::recognize(&start) {
            Kind::SealedStream
        } else {
            match wrapped_size(&start) {
                Some(_) => Kind::Envelope,
                None => {
                    let rest = source.read_to_memory(&start, KEYSET_LIMIT, 0);
                    let bytes = rest.map_err(unreadable)?.ok_or_else(|| unknown(&name))?;
                    return self.keyset(&name, &bytes, output);
                }
            }
        };
        let front = match &kind {
            Kind::SealedStream => self.header(&name, start, &mut source)?,
            _ => self.wrapped_key(&name, start, &mut source)?,
        };
        let Some(front) = front else { return Ok(None) };
        if self.dry_run {
            return Ok(Some((kind, source.size().unwrap_or_default())));
        }
        let what = format!("cannot write {}", output.name());
        let mut target = output.opened()?;
        let written = target.write_all(&front);
        written.map_err(|error| Failure::io(what.clone(), &error))?;
        let copied = io::copy(&mut source, &mut target)
            .map_err(|error| Failure::io(format!("cannot copy {name}"), &error))?;
        Ok(Some((kind, front.len() as u64 + copied)))
    }

    fn header(
        &self,
        name: &str,
        start: Vec<u8>,
        source: &mut Source,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let header = SealedStreamHeader::read_from(&mut start.chain(source)).map_err(|error| {
            Failure::new(
                Exit::NotDecrypted,
                "sealed_stream",
                format!("cannot wrap {name} anew"),
                error.to_string(),
            )
        })?;
        let to = self.to.as_ref().unwrap_or(&self.from);
        match header.rewrap(self.from.aead(), to.aead()) {
            Ok(header) => Ok(Some(header.as_bytes().to_vec())),
            Err(KeysetError::Decrypt(error)) if error.kms_error().is_none() => {
                let is_done = |kek: &Kek| header.keyset(kek.aead()).is_ok();
                self.not_opened(name, is_done)
            }
            Err(error) => Err(failed(name, error)),
        }
    }

    fn wrapped_key(
        &self,
        name: &str,
        start: Vec<u8>,
        source: &mut Source,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let size = u64::from(wrapped_size(&start).unwrap_or_default());
        let mut wrapped = Vec::new();
        let mut start = start.as_slice();
        let unreadable = |error: io::Error| Failure::io(format!("cannot read {name}"), &error);
        start.read_exact(&mut [0; 4]).map_err(unreadable)?;
        let rest_of_start = start.to_vec();
        let read = (&rest_of_start[..])
            .chain(source.by_ref())
            .take(size)
            .read_to_end(&mut wrapped);
        read.map_err(unreadable)?;
        if wrapped.len() as u64 != size {
            return Err(unknown(name));
        }
        // What was read of the payload with the first bytes.
        let payload = rest_of_start.get(wrapped.len()..).unwrap_or_default();
        let opened = match self.from.aead().decrypt(&wrapped, b"") {
            Ok(dek) => Zeroizing::new(dek),
            Err(error) => {
                return match error.kms_error() {
                    Some(error) => Err(kms_failure(&format!("cannot wrap {name} anew"), error)),
                    None => self.not_opened(name, |kek: &Kek| {
                        let opened = kek.aead().decrypt(&wrapped, b"");
                        opened.map(Zeroizing::new).is_ok()
                    }),
                };
            }
        };
        let to = self.to.as_ref().unwrap_or(&self.from);
        let wrapped = to
            .aead()
            .encrypt(&opened, b"")
            .map_err(|error| failed(name, KeysetError::Encrypt(error)))?;
        let length = u32::try_from(wrapped.len())
            .ok()
            .filter(|length| (1..=MAX_WRAPPED).contains(length))
            .ok_or_else(|| unknown(name))?;
        Ok(Some(
            [&length.to_be_bytes(), &wrapped[..], payload].concat(),
        ))
    }

    fn keyset(
        &self,
        name: &str,
        bytes: &[u8],
        output: &mut Output<'_>,
    ) -> Result<Option<(Kind, u64)>, Failure> {
        let seen = KeysetFile::recognize(bytes).map_err(|_| unknown(name))?;
        if seen.protection() != Protection::Encrypted {
            return Err(Failure::usage(
                "keyset_not_encrypted",
                format!("cannot wrap {name} anew"),
                "it is a keyset in cleartext, and under no key",
            ));
        }
        let format = seen.format();
        let handle = match self.from.read(name, bytes, format, &self.aad) {
            Ok(handle) => handle,
            Err(failure) if failure.exit() == Exit::NotDecrypted => {
                let is_done = |kek: &Kek| kek.read(name, bytes, format, &self.aad).is_ok();
                return Ok(self.not_opened(name, is_done)?.map(|_| (Kind::Keyset, 0)));
            }
            Err(failure) => return Err(failure),
        };
        let to = self.to.as_ref().unwrap_or(&self.from);
        let written = to.write(&handle, format, &self.aad)?;
        if !self.dry_run {
            let what = format!("cannot write {}", output.name());
            let wrote = output.opened()?.write_all(&written);
            wrote.map_err(|error| Failure::io(what, &error))?;
        }
        Ok(Some((Kind::Keyset, written.len() as u64)))
    }

    /// What did not open under the old key may have been done by an earlier run.
    fn not_opened(
        &self,
        name: &str,
        is_done: impl Fn(&Kek) -> bool,
    ) -> Result<Option<Vec<u8>>, Failure> {
        match &self.to {
            Some(to) if is_done(to) => Ok(None),
            _ => Err(not_decrypted(name).hint(format!("it is not under {}", self.from.uri()))),
        }
    }
}

fn failed(name: &str, error: KeysetError) -> Failure {
    let what = format!("cannot wrap {name} anew");
    match error.kms_error() {
        Some(error) => kms_failure(&what, error),
        None => crate::keysets::keyset_failure(name, error),
    }
}

fn unknown(name: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "not_wrapped",
        format!("cannot wrap {name} anew"),
        "it is no envelope, no sealed stream and no encrypted keyset",
    )
}

/// Returns the length of the wrapped key that an envelope would have.
fn wrapped_size(start: &[u8]) -> Option<u32> {
    let length = u32::from_be_bytes(*start.first_chunk()?);
    (1..=MAX_WRAPPED).contains(&length).then_some(length)
}
