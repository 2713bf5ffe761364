//! `decrypt`: the reverse.

use clap::Args;
use serde_json::json;

use crate::{
    args::{Aad, ChangedFile, CryptosystemChoice, Threads},
    context::Context,
    cryptosystem::{Job, Release},
    error::Failure,
    exit::Exit,
    files::Holds,
    folder::{Outcome, Work},
    input::{Place, check_one_standard_input},
    stream::Range,
};

/// Decrypt what `encrypt`, or another Tink, has encrypted
///
/// Output appears only after all of it is authenticated. To a pipe that means: a file is read twice,
/// and what itself comes through a pipe is held in memory, up to 256 MiB of a stream.
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
    input: Place,
    #[command(flatten)]
    aad: Aad,
    /// Decrypt every file of the folder IN
    ///
    /// To a folder or in place. Run it again to resume.
    #[arg(short, long, conflicts_with_all = ["range", "stream_output"])]
    recursive: bool,
    /// Decrypt only these bytes of a stream
    ///
    /// As in HTTP, 0-99 is the first hundred, 100- the rest, and -100 the last hundred. Reads no more of the file than it takes. The bytes are authenticated, and so is the end.
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    range: Option<Range>,
    /// Write each segment of a stream once it is authenticated
    ///
    /// For pipes. The output may be cut where this ends with another exit code than 0.
    #[arg(long)]
    stream_output: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: ChangedFile,
    #[command(flatten)]
    key: CryptosystemChoice,
}

pub(crate) fn run(args: DecryptArgs, context: &Context) -> Result<Exit, Failure> {
    let mut others = args.key.places();
    others.extend(args.aad.place());
    check_one_standard_input(others.iter().copied().chain([&args.input]))?;
    let context = &context.with_kms(args.key.kms());
    let kek_place = args.key.kek_place();
    others.extend(&kek_place);
    if args.recursive {
        return run_folder(&args, others, context);
    }
    let mut output = args
        .output
        .plan(&args.input, &others, Holds::Data, context)?;
    let with = args.key.open(context)?;
    let aad = args.aad.read(context)?;
    let job = Job {
        with: &with,
        associated_data: &aad,
        threads: args.threads.get(),
        context,
    };
    let release = match args.stream_output {
        true => Release::AsItComes,
        false => Release::Whole,
    };
    let done = job
        .decrypt(&args.input, args.range, release, &mut output)
        .map_err(|failure| explained(failure, &args))?;
    let (name, standard) = (output.name(), output.is_standard());
    output.commit()?;
    let (ciphertext, plaintext) = (done.sizes.read, done.sizes.written);
    context.report(
        &format!("decrypted {ciphertext} bytes to {name}: {plaintext} bytes"),
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

fn run_folder(args: &DecryptArgs, others: Vec<&Place>, context: &Context) -> Result<Exit, Failure> {
    let walk = args
        .output
        .walk(&args.input, Work::Decrypt, others, context)?;
    let with = args.key.open(context)?;
    let aad = args.aad.read(context)?;
    let job = Job {
        with: &with,
        associated_data: &aad,
        threads: args.threads.get(),
        context,
    };
    let in_place = args.output.is_in_place();
    walk.run(|input, output| {
        if in_place && job.is_plainly_not_encrypted(input)? {
            return Ok(Outcome::Skipped("it is not encrypted with this key"));
        }
        let done = job.decrypt(input, None, Release::Whole, output)?;
        Ok(Outcome::Done(done.sizes.read))
    })
}

/// Says what may be wrong where nothing closer can be told.
fn explained(failure: Failure, args: &DecryptArgs) -> Failure {
    if failure.exit() != Exit::NotDecrypted || failure.code() != "not_decrypted" {
        return failure;
    }
    let failure = failure.hint(if args.aad.is_given() {
        "the associated data must be those of the encryption"
    } else {
        "if it was encrypted with --aad, decryption takes the same"
    });
    match args.key.keyset() {
        Some(keyset) => failure.hint(format!(
            "keyseal explain {} --keyset {} says what can be known",
            args.input.argument(),
            keyset.argument(),
        )),
        None => failure,
    }
}
