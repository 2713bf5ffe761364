//! `encrypt`: files, folders and standard input, with a keyset or a key-encryption key.

use clap::Args;
use serde_json::json;

use crate::{
    args::{Aad, ChangedFile, CryptosystemChoice, Threads},
    context::Context,
    cryptosystem::{Form, Job},
    error::Failure,
    exit::Exit,
    files::Holds,
    folder::{Outcome, Work},
    input::{Place, check_one_standard_input},
};

/// Encrypt a file, a folder or standard input
///
/// With --keyset the primary key encrypts, as a message or a stream, as its kind is. With --kek the
/// key-encryption key wraps a key for this file alone: a file of up to 1 MiB becomes an envelope, a
/// larger one or a pipe a sealed stream. A message or envelope is held in memory, at most 2 GiB; a
/// stream has any size, and takes little memory. The output appears when all of it is written.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal encrypt letter.txt --keyset keyset.json --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --aad 'letter 7' -o letter.sealed
  tar c photos | keyseal encrypt --kek scw-kms://regions/REGION/keys/ID > photos.sealed
  keyseal encrypt --recursive invoices -o invoices.sealed --kek scw-kms://regions/REGION/keys/ID")]
pub(crate) struct EncryptArgs {
    /// The plaintext; `-` is standard input
    #[arg(value_name = "IN", default_value = "-", hide_default_value = true)]
    input: Place,
    #[command(flatten)]
    aad: Aad,
    /// Encrypt every file of the folder IN
    ///
    /// To a folder or in place. Run it again to resume.
    #[arg(short, long)]
    recursive: bool,
    /// Write a stream, whatever the size
    ///
    /// It takes a streaming keyset, or --kek.
    #[arg(long, conflicts_with = "no_stream")]
    stream: bool,
    /// Write a message or envelope, whatever the size
    #[arg(long)]
    no_stream: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: ChangedFile,
    #[command(flatten)]
    key: CryptosystemChoice,
}

pub(crate) fn run(args: EncryptArgs, context: &Context) -> Result<Exit, Failure> {
    let mut others = args.key.places();
    others.extend(args.aad.place());
    check_one_standard_input(others.iter().copied().chain([&args.input]))?;
    let context = &context.with_kms(args.key.kms());
    let form = match (args.stream, args.no_stream) {
        (true, _) => Form::Stream,
        (_, true) => Form::Message,
        _ => Form::Fitting,
    };
    let kek_place = args.key.kek_place();
    others.extend(&kek_place);
    if args.recursive {
        return run_folder(&args, form, others, context);
    }
    let mut output = args
        .output
        .plan(&args.input, &others, Holds::Data, context)?;
    output.refuse_binary_on_terminal()?;
    let with = args.key.open(context)?;
    let aad = args.aad.read(context)?;
    let job = Job {
        with: &with,
        associated_data: &aad,
        threads: args.threads.get(),
        context,
    };
    let done = job.encrypt(&args.input, form, &mut output)?;
    let (name, standard) = (output.name(), output.is_standard());
    output.commit()?;
    let (plaintext, ciphertext) = (done.sizes.read, done.sizes.written);
    let with = match done.key {
        Some(key) => format!("key {key}"),
        None => done.form.to_owned(),
    };
    context.report(
        &format!("encrypted {plaintext} bytes to {name}: {ciphertext} bytes, {with}"),
        &json!({
            "ciphertext_size": ciphertext,
            "form": done.form,
            "key_id": done.key.map(keyseal::KeyId::value),
            "output": name,
            "plaintext_size": plaintext,
        }),
        standard,
    )?;
    Ok(Exit::Done)
}

fn run_folder(
    args: &EncryptArgs,
    form: Form,
    others: Vec<&Place>,
    context: &Context,
) -> Result<Exit, Failure> {
    let walk = args
        .output
        .walk(&args.input, Work::Encrypt, others, context)?;
    let with = args.key.open(context)?;
    let aad = args.aad.read(context)?;
    let job = Job {
        with: &with,
        associated_data: &aad,
        threads: args.threads.get(),
        context,
    };
    // What is done in place must be recognised the next time.
    let in_place = args.output.is_in_place();
    let form = match (in_place, form) {
        (true, Form::Fitting) => job.recognizable_form(),
        _ => form,
    };
    walk.run(|input, output| {
        if in_place && job.is_encrypted(input)? {
            return Ok(Outcome::Skipped(
                "it is encrypted already, with the same key",
            ));
        }
        let done = job.encrypt(input, form, output)?;
        Ok(Outcome::Done(done.sizes.read))
    })
}
