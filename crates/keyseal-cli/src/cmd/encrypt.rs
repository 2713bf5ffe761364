//! `encrypt`: files, folders and standard input, with a keyset or a key-encryption key.

use clap::Args;
use serde_json::json;

use crate::{
    args::{Aad, ChangedData, CryptosystemChoice, Threads},
    context::Context,
    cryptor::{Cryptor, Form, Reason, Recognised},
    error::Failure,
    exit::Exit,
    files::Output,
    folder::{Earlier, Item},
    input::{FileArg, Input, check_one_standard_input},
    job::Job,
    plan::{self, Keys},
    report::{Outcome, Verb},
};

/// Encrypt a file, a folder or standard input
///
/// With --keyset, the primary key encrypts; its kind decides whether the output is a message or a
/// stream. With --kek, each file gets its own key, which the key-encryption key wraps: a file of up
/// to 1 MiB becomes an envelope, and a larger one or a pipe becomes a sealed stream. A message or
/// an envelope has at most 2 GiB and is held in memory. A stream can have any size, and takes
/// little memory. The output appears once all of it is written.
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
    input: FileArg,
    #[command(flatten)]
    aad: Aad,
    /// Encrypt every file of the folder IN
    ///
    /// Writes to another folder, or in place. To resume, run the command again: it skips a file
    /// that is already encrypted under the key that encrypts now. In place, that is the file
    /// itself. In another folder, it is the output, which must also decrypt to the content of the
    /// file and be newer than its last change. A run replaces an output only if a key of the keyset,
    /// enabled or disabled, decrypts it. A failure does not stop the run, unless every other file
    /// would fail in the same way.
    ///
    /// In place and with --kek, every file becomes a sealed stream, because a later run recognises it
    /// without a request. --no-stream writes envelopes.
    #[arg(short, long)]
    recursive: bool,
    /// Also encrypt files that are already encrypted
    ///
    /// Without this flag, we refuse a file that starts like a ciphertext of any key of the keyset,
    /// is under the key-encryption key, or has the form of an envelope or a sealed stream. We also
    /// refuse several files of a folder with the same prefix of another key; if there is only one,
    /// we encrypt it with a warning. We do not recognise RAW ciphertexts, streams of other keysets,
    /// or the output of other tools.
    #[arg(long)]
    allow_nested: bool,
    /// Write a stream, whatever the size
    ///
    /// This requires a streaming keyset or --kek.
    #[arg(long, conflicts_with = "no_stream")]
    stream: bool,
    /// Write a message or envelope, whatever the size
    #[arg(long)]
    no_stream: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: ChangedData,
    #[command(flatten)]
    key: CryptosystemChoice,
}

pub(crate) fn run(args: EncryptArgs, context: &Context) -> Result<Exit, Failure> {
    let mut read = args.key.places();
    read.extend(args.aad.place());
    check_one_standard_input(read.into_iter().chain([&args.input]))?;
    let kms = args.key.kms();
    let context = &match args.recursive {
        true => context.with_kms(&kms.patient()),
        false => context.with_kms(kms),
    };
    let form = match (args.stream, args.no_stream) {
        (true, _) => Form::Stream,
        (_, true) => Form::Message,
        _ => Form::Fitting,
    };
    match args.recursive {
        true => run_folder(&args, form, context),
        false => run_file(&args, form, context),
    }
}

fn run_file(args: &EncryptArgs, form: Form, context: &Context) -> Result<Exit, Failure> {
    let keys = Keys::open(&args.key, &args.aad, context)?;
    let item = plan::one_file(&args.input, &args.output, &keys.places(), context)?;
    let mut output = item.output;
    output.refuse_binary_on_terminal()?;
    let mut job = keys.job(item.input, args.threads, false, context);
    if !args.allow_nested {
        match keys.cryptor.recognise(&mut job)? {
            Recognised::Plain(reason) => warn_of(&reason, job.input.name(), context),
            Recognised::Unknown(why) => {
                if args.output.file.is_in_place() {
                    context.warn(&format!("{}: {why}", job.input.name()));
                }
            }
            seen => return Err(already_encrypted(job.input.name(), seen)),
        }
    }
    let done = keys.cryptor.encrypt(&mut job, form, &mut output)?;
    let (name, standard) = (output.name(), output.is_standard());
    output.commit_of(&job.input)?;
    let (plaintext, ciphertext) = (done.sizes.read, done.sizes.written);
    let with = plan::key_name(done.key, done.form);
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

fn run_folder(args: &EncryptArgs, form: Form, context: &Context) -> Result<Exit, Failure> {
    let keys = Keys::open(&args.key, &args.aad, context)?;
    let is_in_place = args.output.file.is_in_place();
    if is_in_place
        && !args.allow_nested
        && let Some(why) = keys.cryptor.cannot_tell()
    {
        return Err(
            Failure::usage("cannot_tell", "cannot encrypt the folder in place", why)
                .hint("encrypt it to another folder, or with a keyset without RAW keys")
                .hint("--allow-nested encrypts whatever does not decrypt"),
        );
    }
    // A later run must be able to tell which files this one encrypted in place.
    let form = match (is_in_place, form) {
        (true, Form::Fitting) => keys.cryptor.recognisable_form(),
        _ => form,
    };
    let workers = args.threads.files(keys.cryptor.is_remote());
    let run = plan::folder(
        &args.input,
        &args.output,
        Verb::Encrypt,
        keys.places(),
        workers,
        false,
        context,
    )?;
    run.run(|item| encrypt_one(args, &keys, form, item, context))
}

fn encrypt_one(
    args: &EncryptArgs,
    keys: &Keys,
    form: Form,
    item: Item<'_>,
    context: &Context,
) -> Result<Outcome, Failure> {
    let job = |input| keys.job(input, args.threads, true, context);
    let is_in_place = args.output.file.is_in_place();
    if let Some(earlier) = item.earlier
        && is_output(keys, args, earlier, &item.input, &item.output, context)?
    {
        return Ok(Outcome::UpToDate(
            "there is an output with the same content",
        ));
    }
    let mut job = job(item.input);
    if is_in_place || !args.allow_nested {
        match keys.cryptor.recognise(&mut job)? {
            Recognised::Current if is_in_place => {
                return Ok(Outcome::UpToDate(
                    "it is already encrypted, with the same key",
                ));
            }
            _ if args.allow_nested => {}
            Recognised::Plain(_) | Recognised::Unknown(_) if item.has_twin => {
                let text = "it and other files start like ciphertexts of one key, which is not \
                            in the keyset";
                let seen = Recognised::Closed(Reason::new("key_not_in_keyset", text));
                return Err(already_encrypted(job.input.name(), seen));
            }
            Recognised::Plain(reason) => warn_of(&reason, job.input.name(), context),
            Recognised::Unknown(_) if !is_in_place => {}
            seen => return Err(already_encrypted(job.input.name(), seen)),
        }
    }
    let mut output = item.output;
    let done = keys.cryptor.encrypt(&mut job, form, &mut output)?;
    output.commit_unchanged(&job.input)?;
    Ok(Outcome::Done(done.sizes.read))
}

/// Returns whether nothing is left to do, because an earlier run has encrypted this input under the
/// key that encrypts now. Refuses to replace a file unless a key of the keyset decrypts it, because
/// nothing else shows that an earlier run has written it.
fn is_output(
    keys: &Keys,
    args: &EncryptArgs,
    earlier: Earlier,
    input: &Input,
    output: &Output<'_>,
    context: &Context,
) -> Result<bool, Failure> {
    let mut job = keys.job(earlier.input, args.threads, true, context);
    let mut cryptor = &*keys.cryptor;
    let mut seen = cryptor.recognise(&mut job)?;
    let is_current = seen == Recognised::Current;
    // A key that was disabled still shows what it has encrypted.
    if let (Recognised::Closed(_), Some(all)) = (&seen, cryptor.with_disabled_keys()) {
        cryptor = all;
        seen = cryptor.recognise(&mut job)?;
    }
    let exists = |hint: &str| Err(output.exists().hint(hint));
    match seen {
        // The input has not changed since: its ciphertext decrypts to it, and anything else is the
        // ciphertext of another file.
        Recognised::Current | Recognised::Older(_) if earlier.is_younger => {
            match decrypts_to(cryptor, &mut job, input, context)? {
                true => Ok(is_current),
                false => exists("it is the ciphertext of a different input"),
            }
        }
        Recognised::Current | Recognised::Older(_) => Ok(false),
        Recognised::Unknown(_) => Err(output.exists()),
        Recognised::Plain(reason) if reason.is_plaintext() => Err(output.exists()),
        Recognised::Plain(_) | Recognised::Closed(_) => exists(
            "it looks like a ciphertext, but does not decrypt with these keys and this --aad",
        ),
    }
}

/// Returns whether the ciphertext of an earlier run is that of this input.
fn decrypts_to(
    cryptor: &dyn Cryptor,
    earlier: &mut Job<'_>,
    input: &Input,
    context: &Context,
) -> Result<bool, Failure> {
    match plan::decrypts_to(cryptor, earlier, input, context) {
        Err(failure) if failure.exit() == Exit::NotDecrypted => Ok(false),
        compared => compared,
    }
}

/// Warns of a file that starts like a ciphertext. One in 64 files of random bytes does.
fn warn_of(reason: &Reason, name: &str, context: &Context) {
    if !reason.is_plaintext() {
        context.warn(&format!(
            "{name} may be a ciphertext, but is encrypted anyway: {}",
            reason.text
        ));
    }
}

/// Refuses to encrypt a ciphertext again.
fn already_encrypted(name: &str, seen: Recognised) -> Failure {
    let why = match seen {
        Recognised::Current => "it is already encrypted, with the same key".to_owned(),
        Recognised::Older(key) => format!("it is already encrypted, with {key}"),
        Recognised::Closed(reason) => format!("it is already encrypted: {}", reason.text),
        Recognised::Plain(reason) => reason.text,
        Recognised::Unknown(why) => format!("it may already be encrypted: {why}"),
    };
    let what = format!("cannot encrypt {name}");
    Failure::new(Exit::Failed, "already_encrypted", what, why)
        .hint("--allow-nested encrypts it anyway: you then decrypt it twice")
}
