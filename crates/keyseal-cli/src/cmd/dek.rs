//! `dek`: data keys that Key Manager makes and wraps.

use clap::{Args, Subcommand};
use keyseal::{RemoteAead as _, SecretAccess};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::kek::{KeyChoice, columns};
use crate::{
    args::Aad,
    context::Context,
    display::Lines,
    encoding::{from_base64, to_base64},
    error::Failure,
    exit::Exit,
    files::{Content, Output, Overwrite},
    input::{FileArg, check_one_standard_input},
    standard::check_output,
};

/// The largest file that may hold a ciphertext of Key Manager in base64, in bytes.
const CIPHERTEXT_LIMIT: u64 = 256 << 10;

/// Have Key Manager make a data key, or unwrap one
///
/// A data key is 32 bytes for AES-256-GCM. Store it wrapped, and unwrap it where it is used.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct DekArgs {
    #[command(subcommand)]
    command: DekCommand,
}

#[derive(Debug, Subcommand)]
enum DekCommand {
    Generate(GenerateArgs),
    Decrypt(DecryptArgs),
}

pub(crate) fn run(args: DekArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        DekCommand::Generate(args) => generate(&args, context),
        DekCommand::Decrypt(args) => decrypt(&args, context),
    }?;
    Ok(Exit::Done)
}

/// Make a data key
///
/// Key Manager returns the plaintext key only with --plaintext-out or --show-plaintext.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal dek generate \"$KEK\" --ciphertext-out dek.wrapped --plaintext-out dek")]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    choice: KeyChoice,
    /// Ask only for the wrapped key, which is the default
    #[arg(long, conflicts_with_all = ["plaintext_out", "show_plaintext"], help_heading = "Output")]
    without_plaintext: bool,
    #[command(flatten)]
    plaintext: PlaintextArgs,
    /// Write the wrapped key to this new file, as bytes
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    ciphertext_out: Option<FileArg>,
}

/// Where a plaintext goes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
struct PlaintextArgs {
    /// Write the key to this new file, as bytes; only its owner can read it
    #[arg(long, value_name = "FILE")]
    plaintext_out: Option<FileArg>,
    /// Print the key in base64: it stays in the terminal and in logs
    #[arg(long)]
    show_plaintext: bool,
}

impl PlaintextArgs {
    const fn is_wanted(&self) -> bool {
        self.plaintext_out.is_some() || self.show_plaintext
    }

    fn plan<'c>(&self, context: &'c Context) -> Result<Option<Output<'c>>, Failure> {
        self.plaintext_out
            .as_ref()
            .map(|place| new_file(place, Content::Keys, context))
            .transpose()
    }
}

fn generate(args: &GenerateArgs, context: &Context) -> Result<(), Failure> {
    if args.ciphertext_out.is_none() || args.plaintext.show_plaintext {
        check_output()?;
    }
    let plaintext_out = args.plaintext.plan(context)?;
    let ciphertext_out = args
        .ciphertext_out
        .as_ref()
        .map(|place| new_file(place, Content::WrappedKey, context))
        .transpose()?;
    if let (Some(plaintext), Some(ciphertext)) = (&plaintext_out, &ciphertext_out)
        && plaintext.is_same_file(ciphertext)
    {
        // One of the two would be lost, after the service has made the key.
        return Err(same_output(&plaintext.name()));
    }
    let (manager, key) = args.choice.open(context)?;
    let what = "cannot generate a data key";
    let (wrapped, secret) = match args.plaintext.is_wanted() {
        true => {
            let (wrapped, secret) = manager.run(what, key.generate_data_key())?.into_parts();
            (wrapped, Some(secret))
        }
        false => (manager.run(what, key.generate_wrapped_data_key())?, None),
    };
    let secret = secret
        .as_ref()
        .map(|key| key.bytes().expose(SecretAccess::insecure()));
    let mut fields = Fields::default();
    fields.add("KeyID", "key_id", wrapped.key_id());
    fields.add("Algorithm", "algorithm", wrapped.algorithm());
    fields.add_bytes("Ciphertext", "ciphertext", wrapped.ciphertext());
    if let Some(secret) = secret.filter(|_| args.plaintext.show_plaintext) {
        fields.add_bytes("Plaintext", "plaintext", secret);
    }
    if let Some(time) = wrapped.created_at() {
        fields.add("CreatedAt", "created_at", time);
    }
    // The wrapped key comes first, and is on the disk before the plaintext is: data encrypted with
    // a key whose wrapped form is lost could never be decrypted again.
    let report = match ciphertext_out {
        Some(output) => {
            output.write(wrapped.ciphertext())?;
            Some(fields)
        }
        None => {
            fields.print(context).map_err(|error| not_kept(&error))?;
            None
        }
    };
    if let (Some(output), Some(secret)) = (plaintext_out, secret) {
        output.write(secret)?;
    }
    report.map_or(Ok(()), |fields| fields.print(context))
}

/// The error for two outputs that are one file.
fn same_output(name: &str) -> Failure {
    Failure::usage(
        "same_output",
        format!("cannot write {name}"),
        "--ciphertext-out and --plaintext-out are the same file",
    )
    .hint("name two files")
}

/// The error for a wrapped key whose only copy went to a reader that is gone.
fn not_kept(error: &Failure) -> Failure {
    Failure::new(
        Exit::InputOutput,
        "wrapped_key_lost",
        "cannot generate a data key",
        error.message(),
    )
    .hint("no plaintext key was written; --ciphertext-out FILE keeps the wrapped one")
}

/// Unwrap a data key, or any ciphertext of Key Manager
///
/// Without --plaintext-out and --show-plaintext, the data key is only checked. If the key
/// has been rotated since, the report has a Ciphertext line, as in `scw`: store that ciphertext in
/// place of the old one.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal dek decrypt \"$KEK\" --ciphertext-file dek.wrapped --plaintext-out dek")]
pub(crate) struct DecryptArgs {
    #[command(flatten)]
    choice: KeyChoice,
    #[command(flatten)]
    ciphertext: CiphertextArgs,
    #[command(flatten)]
    aad: Aad,
    #[command(flatten)]
    plaintext: PlaintextArgs,
}

/// A ciphertext, which is no secret.
#[derive(Args, Debug)]
#[command(next_help_heading = "Ciphertext")]
#[group(required = true, multiple = false)]
struct CiphertextArgs {
    /// The ciphertext in base64
    #[arg(long, value_name = "BASE64")]
    ciphertext: Option<String>,
    /// A file with the bytes of the ciphertext; `-` is standard input
    #[arg(long, value_name = "FILE")]
    ciphertext_file: Option<FileArg>,
    /// A file with the ciphertext in base64
    #[arg(long, value_name = "FILE")]
    ciphertext_base64_file: Option<FileArg>,
}

impl CiphertextArgs {
    fn place(&self) -> Option<&FileArg> {
        self.ciphertext_file
            .as_ref()
            .or(self.ciphertext_base64_file.as_ref())
    }

    fn read(&self, context: &Context) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let from_text = |what: &str, text: &[u8]| {
            from_base64(text)
                .map_err(|reason| Failure::usage("base64", format!("cannot read {what}"), reason))
        };
        match (&self.ciphertext, &self.ciphertext_base64_file) {
            (Some(text), _) => from_text("--ciphertext", text.as_bytes()),
            (_, Some(file)) => {
                from_text(&file.name(), &file.read_small(CIPHERTEXT_LIMIT, context)?)
            }
            _ => match &self.ciphertext_file {
                Some(file) => file.read_small(CIPHERTEXT_LIMIT, context),
                None => Ok(Zeroizing::default()),
            },
        }
    }
}

fn decrypt(args: &DecryptArgs, context: &Context) -> Result<(), Failure> {
    let inputs = args.ciphertext.place().into_iter().chain(args.aad.place());
    check_one_standard_input(inputs)?;
    if args.plaintext.show_plaintext {
        check_output()?;
    }
    let plaintext_out = args.plaintext.plan(context)?;
    let ciphertext = args.ciphertext.read(context)?;
    let aad = args.aad.read(context)?;
    let (manager, key) = args.choice.open(context)?;
    let opened = manager.run(
        "cannot decrypt",
        key.decrypt_with_refresh(&ciphertext, &aad),
    )?;
    if let Some(output) = plaintext_out {
        output.write(opened.plaintext())?;
    }
    let mut fields = Fields::default();
    fields.add("KeyID", "key_id", key.uri().key_id());
    if args.plaintext.show_plaintext {
        fields.add_bytes("Plaintext", "plaintext", opened.plaintext());
    }
    if let Some(refreshed) = opened.rewrapped() {
        fields.add_bytes("Ciphertext", "ciphertext", refreshed);
    }
    fields.print(context)
}

/// Plans a new file, never a stream, because the report is on standard output.
fn new_file<'c>(
    place: &FileArg,
    holds: Content,
    context: &'c Context,
) -> Result<Output<'c>, Failure> {
    let output = Output::new(place, &[], holds, Overwrite::Never, context)?;
    match output.is_standard() {
        false => Ok(output),
        true => Err(Failure::usage(
            "two_standard_outputs",
            "cannot write to standard output",
            "the report is there",
        )
        .hint("name a file; --show-plaintext and --json print the key in base64")),
    }
}

/// The fields of a report: people see the names that `scw` prints, programs the service's own.
#[derive(Default)]
struct Fields(Vec<(&'static str, &'static str, Zeroizing<String>)>);

impl Fields {
    fn add(&mut self, name: &'static str, member: &'static str, value: impl ToString) {
        self.0
            .push((name, member, Zeroizing::new(value.to_string())));
    }

    fn add_bytes(&mut self, name: &'static str, member: &'static str, bytes: &[u8]) {
        let text = to_base64(bytes);
        let text = Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
        self.0.push((name, member, text));
    }

    fn print(self, context: &Context) -> Result<(), Failure> {
        if context.json {
            let mut object = Map::new();
            for (_, member, value) in &self.0 {
                object.insert((*member).to_owned(), value.as_str().into());
            }
            return context.print_json_now(&Value::Object(object));
        }
        let lines: Vec<(&str, &str)> = self
            .0
            .iter()
            .map(|(name, _, value)| (*name, value.as_str()))
            .collect();
        context.print_data(Lines::of_text(&columns(&lines)))
    }
}
