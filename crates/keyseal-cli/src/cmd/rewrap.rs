//! `rewrap`: another key-encryption key for the same data, or the newest version of the same key.

use std::io::{self, Read as _, Write as _};

use clap::Args;
use keyseal::{
    DecryptError, KeysetError, SealedStreamHeader,
    keyset::{KeysetFile, Protection},
    rewrap::{Rewrap, Wrapped},
};
use serde_json::json;

use crate::{
    args::{ChangedData, KeysetAad, Threads},
    context::Context,
    error::Failure,
    exit::Exit,
    files::Output,
    folder::Item,
    input::{Input, KEYSET_LIMIT, Place, check_one_standard_input},
    kek::Kek,
    kek_uri::KekUri,
    keysets::keyset_failure,
    kms::{KmsArgs, kms_failure},
    plan,
    report::{Outcome, Verb},
    shape::envelope,
};

/// Re-wrap file keys under another KEK, or under its newest version
///
/// Takes envelopes, sealed streams and encrypted keysets. The data is copied, and never decrypted:
/// only the wrapped key that precedes it is. A file that is under the newest version already is
/// left alone, and costs one request.
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
    /// The key-encryption key that it will be under [default: the newest version of the same]
    #[arg(long, value_name = "URI", help_heading = "Key-encryption key")]
    to: Option<String>,
    #[command(flatten)]
    aad: KeysetAad,
    /// Allow a file-kms:// key in a file that others can read
    #[arg(long, help_heading = "Key-encryption key")]
    insecure_cleartext: bool,
    /// Re-wrap every file of a folder, to a folder or in place; run it again to resume
    #[arg(short, long)]
    recursive: bool,
    /// Say what would be done, and write nothing: keys are unwrapped, and not wrapped again
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: ChangedData,
    #[command(flatten)]
    kms: KmsArgs,
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    SealedStream,
    Keyset,
    Envelope,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::SealedStream => "sealed stream",
            Self::Keyset => "encrypted keyset",
            Self::Envelope => "envelope",
        }
    }
}

/// The change that a file needs.
enum Change {
    /// None: it is under the newest version of the key.
    None,
    /// These bytes replace the first `replaced` ones. A dry run leaves them out.
    Start { start: Vec<u8>, replaced: u64 },
}

struct Rewrapper<'r> {
    from: Kek,
    /// `None` for the same key.
    to: Option<Kek>,
    rewrap: Rewrap,
    dry_run: bool,
    in_place: bool,
    context: &'r Context,
}

pub(crate) fn run(args: RewrapArgs, context: &Context) -> Result<Exit, Failure> {
    let settings: Vec<Place> = args.kms.files().map(Place::File).collect();
    let mut protected: Vec<&Place> = args.aad.place().into_iter().collect();
    check_one_standard_input(protected.iter().copied().chain([&args.input]))?;
    let context = &match args.recursive {
        true => context.with_kms(&args.kms.patient()),
        false => context.with_kms(&args.kms),
    };
    let open = |uri: &String| {
        let uri = KekUri::parse(uri)?;
        Kek::open(&uri, args.insecure_cleartext, context)
    };
    let from = open(&args.kek)?;
    let to = args.to.as_ref().map(open).transpose()?;
    let to = to.filter(|to| !to.is_same(&from));
    let rewrap = match &to {
        Some(to) => Rewrap::between(from.remote(), to.remote()),
        None => Rewrap::to_newest(from.remote()),
    };
    let aad = args.aad.read(context)?;
    let rewrap = Rewrapper {
        to,
        from,
        rewrap: rewrap.keyset_associated_data(&aad[..]),
        dry_run: args.dry_run,
        in_place: args.output.file.is_in_place(),
        context,
    };
    let keks = [Some(&rewrap.from), rewrap.to.as_ref()];
    protected.extend(keks.into_iter().flatten().filter_map(Kek::place));
    protected.extend(&settings);
    if !args.recursive {
        return rewrap.file(&args, &protected);
    }
    let is_remote = keks.into_iter().flatten().any(Kek::is_remote);
    let workers = args.threads.files(is_remote);
    let run = plan::folder(
        &args.input,
        &args.output,
        Verb::Rewrap,
        protected,
        workers,
        context,
    )?;
    run.run(|item| rewrap.one(item))
}

impl Rewrapper<'_> {
    fn file(&self, args: &RewrapArgs, protected: &[&Place]) -> Result<Exit, Failure> {
        let item = plan::one_file(&args.input, &args.output, protected, self.context)?;
        let (mut input, mut output) = (item.input, item.output);
        if !self.dry_run {
            output.refuse_binary_on_terminal()?;
        }
        let (name, to, standard) = (input.name().to_owned(), output.name(), output.is_standard());
        let under = self.target().uri();
        let (form, change) = self.change(&mut input)?;
        if let (Change::None, true) = (&change, self.dry_run || self.in_place) {
            let note = format!("{name} is under the newest version of {under} already");
            self.context.note(&note);
            return Ok(Exit::Done);
        }
        let form = form.name();
        let size = match self.dry_run {
            true => input.size().unwrap_or_default(),
            false => self.write(&mut input, change, &mut output)?,
        };
        let done = match self.dry_run {
            true => format!("would re-wrap {name}: {form}, {size} bytes, under {under}"),
            false => format!("re-wrapped {name} to {to}: {form}, {size} bytes, under {under}"),
        };
        if !self.dry_run {
            output.commit_unchanged(&input)?;
        }
        let value = json!({
            "dry_run": self.dry_run,
            "form": form,
            "kek": under,
            "output": to,
            "size": size,
        });
        self.context
            .report(&done, &value, standard && !self.dry_run)?;
        Ok(Exit::Done)
    }

    fn one(&self, item: Item<'_>) -> Result<Outcome, Failure> {
        const DONE: &str = "it is under the newest version of the key already";
        if let Some(mut earlier) = item.earlier {
            match self.change(&mut earlier.input) {
                Ok((_, Change::None)) if earlier.is_younger => {
                    return Ok(Outcome::UpToDate("there is an output"));
                }
                Ok(_) => {}
                // Only a file that these keys open is replaced by its newer self.
                Err(failure) if failure.exit().is_of_the_kms() => return Err(failure),
                Err(_) => return Err(item.output.exists()),
            }
        }
        let (mut input, mut output) = (item.input, item.output);
        match self.change(&mut input)?.1 {
            Change::None if self.in_place || self.dry_run => Ok(Outcome::UpToDate(DONE)),
            Change::Start { .. } if self.dry_run => {
                Ok(Outcome::Planned(input.size().unwrap_or_default()))
            }
            change => {
                let written = self.write(&mut input, change, &mut output)?;
                output.commit_unchanged(&input)?;
                Ok(Outcome::Done(written))
            }
        }
    }

    const fn target(&self) -> &Kek {
        match &self.to {
            Some(to) => to,
            None => &self.from,
        }
    }

    /// Recognises a file, and finds the change that it needs.
    fn change(&self, input: &mut Input) -> Result<(Form, Change), Failure> {
        let start = input.peek(SealedStreamHeader::MAX_SIZE)?;
        let name = input.name().to_owned();
        if SealedStreamHeader::detect(&start) {
            let (header, _) = SealedStreamHeader::parse(&start).map_err(|error| {
                let what = format!("cannot re-wrap {name}");
                Failure::new(Exit::NotDecrypted, "sealed_stream", what, error.to_string())
            })?;
            let header = Wrapped::SealedStream(header);
            return Ok((Form::SealedStream, self.head(&name, &header)?));
        }
        let size = input.size().unwrap_or(u64::MAX);
        if let Some(envelope) = envelope(&start, size) {
            let envelope = Wrapped::Envelope(envelope);
            return Ok((Form::Envelope, self.head(&name, &envelope)?));
        }
        // The input is read again when it is copied.
        let bytes = input.peek(usize::try_from(KEYSET_LIMIT + 1).unwrap_or(usize::MAX))?;
        check_encrypted_keyset(&name, &bytes)?;
        Ok((Form::Keyset, self.head(&name, &Wrapped::Keyset(&bytes))?))
    }

    fn head(&self, name: &str, wrapped: &Wrapped<'_>) -> Result<Change, Failure> {
        // Both keys' connections are on one worker: the new key is used nowhere else.
        let head = match self.dry_run {
            true => {
                let is_due = self.from.run(self.rewrap.is_due(wrapped));
                is_due.map(|is_due| is_due.then(Vec::new))
            }
            false => self.from.run(self.rewrap.head(wrapped)),
        };
        match head {
            Ok(None) => Ok(Change::None),
            Ok(Some(start)) => Ok(Change::Start {
                start,
                replaced: wrapped.head_size() as u64,
            }),
            Err(KeysetError::Decrypt(DecryptError::FAILED)) => Err(self.not_unwrapped(name)),
            Err(error @ KeysetError::TooLargeForKek { .. }) => {
                Err(self.target().not_written(error))
            }
            Err(error) => Err(failed(name, error)),
        }
    }

    fn not_unwrapped(&self, name: &str) -> Failure {
        let why = format!(
            "{} does not open its key: it is under another one, or is damaged",
            self.from.uri()
        );
        Failure::new(
            Exit::NotDecrypted,
            "not_unwrapped",
            format!("cannot re-wrap {name}"),
            why,
        )
    }

    /// Writes the changed file, and returns its size.
    fn write(
        &self,
        input: &mut Input,
        change: Change,
        output: &mut Output<'_>,
    ) -> Result<u64, Failure> {
        let (start, replaced) = match change {
            Change::None => (Vec::new(), 0),
            Change::Start { start, replaced } => (start, replaced),
        };
        let what = format!("cannot write {}", output.name());
        let cannot_copy = format!("cannot copy {}", input.name());
        let mut target = output.opened()?;
        let written = target.write_all(&start);
        written.map_err(|error| Failure::io(what, &error))?;
        let mut source = input.reader();
        let copied = io::copy(&mut source.by_ref().take(replaced), &mut io::sink())
            .and_then(|_| io::copy(&mut source, &mut target))
            .map_err(|error| Failure::io(cannot_copy, &error))?;
        Ok(start.len() as u64 + copied)
    }
}

fn check_encrypted_keyset(name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let too_large = bytes.len() as u64 > KEYSET_LIMIT;
    let seen = KeysetFile::detect(bytes).ok().filter(|_| !too_large);
    match seen.ok_or_else(|| unknown(name))?.protection() {
        Protection::Encrypted => Ok(()),
        _ => Err(Failure::usage(
            "keyset_not_encrypted",
            format!("cannot re-wrap {name}"),
            "it is a keyset in cleartext, and under no key",
        )),
    }
}

fn failed(name: &str, error: KeysetError) -> Failure {
    match error.kms_error() {
        Some(error) => kms_failure(&format!("cannot re-wrap {name}"), error),
        None => keyset_failure(name, error),
    }
}

fn unknown(name: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "not_wrapped",
        format!("cannot re-wrap {name}"),
        "it is not an envelope, a sealed stream or an encrypted keyset",
    )
}
