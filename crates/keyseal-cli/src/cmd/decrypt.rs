//! `decrypt`: the reverse.

use clap::Args;
use serde_json::json;

use crate::{
    args::{Aad, ChangedData, CryptosystemChoice, Threads},
    byte_range::ByteRange,
    context::Context,
    cryptor::Recognised,
    display::quoted,
    error::Failure,
    exit::Exit,
    folder::Item,
    input::{FileArg, check_one_standard_input},
    job::Release,
    plan::{self, Keys},
    report::{Outcome, Verb},
};

/// Decrypt what `encrypt`, or another Tink, has encrypted
///
/// Output appears only after all of it is authenticated. So if the output is a pipe, an input file
/// is read twice, and input from a pipe is held in memory, up to 256 MiB of a stream.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal decrypt letter.sealed --keyset keyset.json --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --aad 'letter 7' -o letter.txt
  keyseal decrypt photos.sealed --kek scw-kms://regions/REGION/keys/ID --stream-output | tar x
  keyseal decrypt log.sealed --kek scw-kms://regions/REGION/keys/ID --range -1000")]
pub(crate) struct DecryptArgs {
    /// The ciphertext; `-` is standard input
    #[arg(value_name = "IN", default_value = "-", hide_default_value = true)]
    input: FileArg,
    #[command(flatten)]
    aad: Aad,
    /// Decrypt every file of the folder IN
    ///
    /// Writes to another folder, or in place. To resume, run the command again: it leaves an output
    /// with the same content alone. If there is a different file in its place, that is a failure;
    /// so is a file that does not decrypt or is not encrypted. A failure does not stop the run,
    /// unless every other file would fail in the same way.
    #[arg(short, long, conflicts_with_all = ["range", "stream_output"])]
    recursive: bool,
    /// With --recursive, leave plaintexts alone
    ///
    /// That means files whose first bytes show that they are not encrypted with these keys. After
    /// an interruption, these are the files that are already decrypted.
    #[arg(long, requires = "recursive")]
    skip_plaintext: bool,
    /// Decrypt only these bytes of a stream
    ///
    /// As in HTTP, 0-99 is the first hundred, 100- the rest, and -100 the last hundred. It reads no
    /// more of the file than it needs. The bytes are authenticated, and so is the end of the
    /// stream.
    #[arg(
        long,
        value_name = "A-B",
        allow_hyphen_values = true,
        conflicts_with = "in_place"
    )]
    range: Option<ByteRange>,
    /// Write each segment of a stream once it is authenticated
    ///
    /// For pipes. Unless the exit code is 0, the output may be incomplete.
    #[arg(long)]
    stream_output: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: ChangedData,
    #[command(flatten)]
    key: CryptosystemChoice,
}

pub(crate) fn run(args: DecryptArgs, context: &Context) -> Result<Exit, Failure> {
    let mut read = args.key.places();
    read.extend(args.aad.place());
    check_one_standard_input(read.into_iter().chain([&args.input]))?;
    let kms = args.key.kms();
    match args.recursive {
        true => run_folder(&args, &context.with_kms(&kms.patient())),
        false => run_file(&args, &context.with_kms(kms)),
    }
}

fn run_file(args: &DecryptArgs, context: &Context) -> Result<Exit, Failure> {
    let keys = Keys::open(&args.key, &args.aad, context)?;
    let item = plan::one_file(&args.input, &args.output, &keys.places(), context)?;
    let mut output = item.output;
    let mut job = keys.job(item.input, args.threads, false, context);
    let release = match args.stream_output {
        true => Release::AsItComes,
        false => Release::Whole,
    };
    let done = keys
        .cryptor
        .decrypt(&mut job, args.range, release, &mut output)
        .map_err(|failure| explained(failure, args))?;
    let (name, standard) = (output.name(), output.is_standard());
    output.commit_of(&job.input)?;
    let (ciphertext, plaintext) = (done.sizes.read, done.sizes.written);
    let part = if args.range.is_some() {
        "a part of "
    } else {
        ""
    };
    context.report(
        &format!("decrypted {part}{ciphertext} bytes to {name}: {plaintext} bytes"),
        &json!({
            "ciphertext_size": ciphertext,
            "form": done.form,
            "output": name,
            "plaintext_size": plaintext,
        }),
        standard,
    )?;
    Ok(Exit::Done)
}

fn run_folder(args: &DecryptArgs, context: &Context) -> Result<Exit, Failure> {
    let keys = Keys::open(&args.key, &args.aad, context)?;
    let workers = args.threads.files(keys.cryptor.is_remote());
    let run = plan::folder(
        &args.input,
        &args.output,
        Verb::Decrypt,
        keys.places(),
        workers,
        false,
        context,
    )?;
    run.run(|item| decrypt_one(args, &keys, item, context))
}

fn decrypt_one(
    args: &DecryptArgs,
    keys: &Keys,
    item: Item<'_>,
    context: &Context,
) -> Result<Outcome, Failure> {
    let mut job = keys.job(item.input, args.threads, true, context);
    if args.skip_plaintext
        && let Recognised::Plain(reason) = keys.cryptor.recognise(&mut job)?
        && reason.is_plaintext()
    {
        return Ok(Outcome::LeftAlone("it is not encrypted"));
    }
    let mut output = item.output;
    // Whatever the times say, only the content shows that a file is the output of this input.
    if let Some(earlier) = item.earlier {
        let decrypts_to = plan::decrypts_to(&*keys.cryptor, &mut job, &earlier.input, context);
        return match decrypts_to.map_err(|failure| hinted(failure, args))? {
            true => Ok(Outcome::UpToDate(
                "there is an output with the same content",
            )),
            false => Err(output
                .exists()
                .hint("it is not the plaintext of this input")),
        };
    }
    let done = keys
        .cryptor
        .decrypt(&mut job, None, Release::Whole, &mut output)
        .map_err(|failure| hinted(failure, args))?;
    output.commit_unchanged(&job.input)?;
    Ok(Outcome::Done(done.sizes.read))
}

/// Says how a run that was interrupted is resumed.
fn hinted(failure: Failure, args: &DecryptArgs) -> Failure {
    match failure.code() {
        "not_ciphertext" if args.output.file.is_in_place() => {
            failure.hint("if an earlier run has decrypted it, --skip-plaintext leaves it alone")
        }
        _ => failure,
    }
}

/// Says what may be wrong where nothing closer can be told.
fn explained(failure: Failure, args: &DecryptArgs) -> Failure {
    if failure.exit() != Exit::NotDecrypted || failure.code() != "not_decrypted" {
        return failure;
    }
    let failure = failure.hint(if args.aad.is_given() {
        "decryption needs the same associated data as encryption"
    } else {
        "if it was encrypted with --aad, decryption needs the same"
    });
    // Nothing tells which of these it is: the error of a decryption has no reason.
    let failure = failure.hint("a file that was cut or changed does not decrypt either");
    let keys = match (args.key.keyset(), args.key.kek()) {
        (Some(keyset), _) => format!("--keyset {}", keyset.argument()),
        (None, Ok(Some(uri))) => format!("--kek {}", quoted(uri.printable().as_ref())),
        _ => return failure,
    };
    // It reads the file more than once.
    if args.input == FileArg::Standard {
        return failure;
    }
    failure.hint(format!(
        "keyseal explain {} {keys} says what is known about it",
        args.input.argument(),
    ))
}
