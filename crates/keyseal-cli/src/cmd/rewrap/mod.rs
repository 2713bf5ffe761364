//! `rewrap`: another key-encryption key for the same data, or the newest version of the same key.

mod wrapped;

use std::io::{self, Read as _, Write as _};

use clap::Args;
use serde_json::json;

use self::wrapped::{Keks, Opened, is_same_content};
use crate::{
    args::{ChangedData, KeysetAad, Threads},
    context::Context,
    error::Failure,
    exit::Exit,
    files::Output,
    folder::Item,
    input::{FileArg, Input, check_one_standard_input},
    kek::Kek,
    kek_uri::KekUri,
    kms_args::KmsArgs,
    plan,
    progress::Progress,
    report::{Outcome, Verb},
};

/// Re-wrap file keys under another KEK, or under its newest version
///
/// Takes envelopes, sealed streams and encrypted keysets. Only the wrapped key at the start of a
/// file is decrypted; the data is copied as it is. A file that is already under the newest version
/// is left alone, and costs one request.
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
    input: FileArg,
    /// The key-encryption key that the file is under; a prefix `envelope+` is for keysets only
    #[arg(
        long,
        value_name = "URI",
        help_heading = "Key-encryption key",
        env = "KEYSEAL_KEK",
        hide_env_values = true
    )]
    kek: String,
    /// The new key-encryption key [default: the newest version of --kek]
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
    /// Report what would be done, and write nothing: keys are unwrapped, but not wrapped again
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: ChangedData,
    #[command(flatten)]
    kms: KmsArgs,
}

struct Rewrap<'r> {
    keks: Keks,
    dry_run: bool,
    in_place: bool,
    context: &'r Context,
}

pub(crate) fn run(args: RewrapArgs, context: &Context) -> Result<Exit, Failure> {
    let settings: Vec<FileArg> = args.kms.files().map(FileArg::File).collect();
    let mut protected: Vec<&FileArg> = args.aad.place().into_iter().collect();
    check_one_standard_input(protected.iter().copied().chain([&args.input]))?;
    let context = &match args.recursive {
        true => context.with_kms(&args.kms.patient()),
        false => context.with_kms(&args.kms),
    };
    // A malformed URI is reported before missing settings.
    let from = KekUri::parse_for_keyset(&args.kek)?;
    let to = args
        .to
        .as_deref()
        .map(KekUri::parse_for_keyset)
        .transpose()?;
    let open = |uri: &KekUri| Kek::open(uri, args.insecure_cleartext, context);
    let (from, to) = (open(&from)?, to.as_ref().map(open).transpose()?);
    let rewrap = Rewrap {
        keks: Keks {
            to: to.filter(|to| !to.is_same_key(&from) || to.is_envelope() != from.is_envelope()),
            from,
            aad: args.aad.read(context)?,
        },
        dry_run: args.dry_run,
        in_place: args.output.file.is_in_place(),
        context,
    };
    let keks = [Some(&rewrap.keks.from), rewrap.keks.to.as_ref()];
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
        args.dry_run,
        context,
    )?;
    run.run(|item| rewrap.one(item))
}

impl Rewrap<'_> {
    fn file(&self, args: &RewrapArgs, protected: &[&FileArg]) -> Result<Exit, Failure> {
        let item = plan::one_file(&args.input, &args.output, protected, self.context)?;
        let (mut input, mut output) = (item.input, item.output);
        if !self.dry_run {
            output.refuse_binary_on_terminal()?;
        }
        let (name, to, standard) = (input.name().to_owned(), output.name(), output.is_standard());
        let under = self.keks.target().uri();
        let opened = self.keks.open(&mut input)?;
        if opened.is_newest && (self.dry_run || self.in_place) {
            let note = format!("{name} is under the newest version of {under} already");
            self.context.note(&note);
            return Ok(Exit::Done);
        }
        let form = opened.form();
        let size = match self.dry_run {
            true => input.size().unwrap_or_default(),
            false => self.write(&mut input, &opened, &mut output)?,
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
        let (mut input, mut output) = (item.input, item.output);
        let opened = self.keks.open(&mut input)?;
        if let Some(mut earlier) = item.earlier.map(|earlier| earlier.input) {
            let there = match self.keks.open(&mut earlier) {
                Ok(there) => there,
                Err(failure) if failure.exit().is_of_the_kms() => return Err(failure),
                Err(_) => return Err(output.exists()),
            };
            // Only the same file under another version or key is replaced.
            if !is_same_content((&opened, &input), (&there, &earlier))? {
                return Err(output.exists().hint("it is another file than this input"));
            }
            if there.is_newest {
                return Ok(Outcome::UpToDate(
                    "there is an output with the same content",
                ));
            }
        }
        if opened.is_newest && (self.in_place || self.dry_run) {
            return Ok(Outcome::UpToDate(DONE));
        }
        if self.dry_run {
            return Ok(Outcome::Planned(input.size().unwrap_or_default()));
        }
        let written = self.write(&mut input, &opened, &mut output)?;
        output.commit_unchanged(&input)?;
        Ok(Outcome::Done(written))
    }

    /// Writes a file with its key under the newest version, and returns its size.
    fn write(
        &self,
        input: &mut Input,
        opened: &Opened,
        output: &mut Output<'_>,
    ) -> Result<u64, Failure> {
        let (start, replaced) = match opened.is_newest {
            true => (Vec::new(), 0),
            false => (self.keks.wrap(input.name(), opened)?, opened.start),
        };
        let what = format!("cannot write {}", output.name());
        let cannot_copy = format!("cannot copy {}", input.name());
        let progress = Progress::start(input.size(), self.context);
        let mut target = output.opened()?;
        let written = target.write_all(&start);
        written.map_err(|error| Failure::io(what, &error))?;
        let mut source = progress.counting(input.reader());
        let copied = io::copy(&mut source.by_ref().take(replaced), &mut io::sink())
            .and_then(|_| io::copy(&mut source, &mut target))
            .map_err(|error| Failure::io(cannot_copy, &error))?;
        Ok(start.len() as u64 + copied)
    }
}
