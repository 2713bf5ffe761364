//! Tinkey's verbs and flags, with Tinkey's meaning, so that a script moves over by changing the
//! program's name.
//!
//! As in Tinkey, a keyset without `--master-key-uri` is in cleartext; we add a warning. Unlike in
//! Tinkey, an encrypted keyset becomes a cleartext one only if you ask for it.

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use keyseal::{KeyId, KeyTypes, keyset::KeysetInfo};

use super::keyset::{
    edit::{Change, NewKeys, apply},
    generate::generate_keyset,
    list::{prefix, status},
};
use crate::{
    context::Context,
    display::{LONGEST_NAME, Lines, cut, printable},
    error::Failure,
    exit::Exit,
    files::{Content, Output, Overwrite},
    format_name::FormatName,
    input::FileArg,
    kek::Kek,
    keysets::{Access, Keyset, Seal},
    kms_args::KmsArgs,
};

#[derive(Debug, Subcommand)]
pub(crate) enum TinkeyCommand {
    /// Tinkey's name for `keyset create`
    #[command(hide = true)]
    CreateKeyset(TinkeyArgs),
    /// Tinkey's name for `keyset add`
    #[command(hide = true)]
    AddKey(TinkeyArgs),
    /// Tinkey's name for `keyset rotate`
    #[command(hide = true)]
    RotateKeyset(TinkeyArgs),
    /// Tinkey's name for `keyset promote`
    #[command(hide = true)]
    PromoteKey(TinkeyArgs),
    /// Tinkey's name for `keyset enable`
    #[command(hide = true)]
    EnableKey(TinkeyArgs),
    /// Tinkey's name for `keyset disable`
    #[command(hide = true)]
    DisableKey(TinkeyArgs),
    /// Tinkey's name for `keyset destroy`
    #[command(hide = true)]
    DestroyKey(TinkeyArgs),
    /// Tinkey's name for `keyset delete`
    #[command(hide = true)]
    DeleteKey(TinkeyArgs),
    /// Tinkey's name for `keyset list`
    #[command(hide = true)]
    ListKeyset(TinkeyArgs),
    /// Tinkey's name for `templates`
    #[command(hide = true)]
    ListKeyTemplates(TinkeyArgs),
    /// Tinkey's name for `keyset convert`
    #[command(hide = true)]
    ConvertKeyset(TinkeyArgs),
}

/// Tinkey's flags. As there, those that a command has no use for are tolerated.
#[derive(Args, Debug)]
pub(crate) struct TinkeyArgs {
    /// The input [default: standard input]
    #[arg(
        long = "in",
        value_name = "FILE",
        default_value = "-",
        hide_default_value = true
    )]
    input: FileArg,
    /// The format of the input [default: detected]
    #[arg(long, value_name = "FORMAT", ignore_case = true)]
    in_format: Option<TinkeyFormat>,
    /// The output, which must not exist [default: standard output]
    #[arg(
        long = "out",
        value_name = "FILE",
        default_value = "-",
        hide_default_value = true
    )]
    output: FileArg,
    /// The format of the output
    #[arg(
        long,
        value_name = "FORMAT",
        ignore_case = true,
        default_value = "json"
    )]
    out_format: TinkeyFormat,
    /// The template of a new key
    #[arg(long, value_name = "NAME")]
    key_template: Option<String>,
    /// The key
    #[arg(long, value_name = "ID")]
    key_id: Option<u32>,
    /// The key-encryption key of input and output
    #[arg(long, value_name = "URI")]
    master_key_uri: Option<String>,
    /// Credentials for it; for Scaleway, a configuration file like that of scw
    #[arg(long, value_name = "FILE")]
    credential: Option<FileArg>,
    /// The key-encryption key of convert-keyset's output
    #[arg(long, value_name = "URI")]
    new_master_key_uri: Option<String>,
    /// Credentials for it
    #[arg(long, value_name = "FILE")]
    new_credential: Option<FileArg>,
    /// Let convert-keyset write an encrypted keyset in cleartext; not one of Tinkey's flags
    #[arg(long)]
    insecure_cleartext: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TinkeyFormat {
    Json,
    Binary,
}

impl TinkeyFormat {
    const fn name(self) -> FormatName {
        match self {
            Self::Json => FormatName::Json,
            Self::Binary => FormatName::Binary,
        }
    }
}

pub(crate) fn run(command: TinkeyCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        TinkeyCommand::CreateKeyset(args) => create(&args, context),
        TinkeyCommand::AddKey(args) => edit(&args, Change::Add(args.template()?), context),
        TinkeyCommand::RotateKeyset(args) => edit(&args, Change::Rotate(args.template()?), context),
        TinkeyCommand::PromoteKey(args) => edit(&args, Change::Promote(args.id()?), context),
        TinkeyCommand::EnableKey(args) => edit(&args, Change::Enable(args.id()?), context),
        TinkeyCommand::DisableKey(args) => edit(&args, Change::Disable(args.id()?), context),
        TinkeyCommand::DestroyKey(args) => edit(&args, Change::Destroy(args.id()?), context),
        TinkeyCommand::DeleteKey(args) => edit(&args, Change::Delete(args.id()?), context),
        TinkeyCommand::ListKeyset(args) => list(&args, context),
        TinkeyCommand::ListKeyTemplates(_) => templates(context),
        TinkeyCommand::ConvertKeyset(args) => convert(&args, context),
    }
}

fn create(args: &TinkeyArgs, context: &Context) -> Result<Exit, Failure> {
    let template = args.template()?;
    let access = args.access(context)?;
    let output = args.output(&[], &access, context)?;
    let seal = args.seal(access, context)?;
    let handle = generate_keyset(&template, None)?;
    seal.write(&handle, args.out_format.name(), output)?;
    Ok(Exit::Done)
}

fn edit(args: &TinkeyArgs, change: Change, context: &Context) -> Result<Exit, Failure> {
    let access = args.access(context)?;
    let output = args.output(&[&args.input], &access, context)?;
    let mut keyset = args.open(access.clone(), context)?;
    apply(
        &mut keyset.handle,
        vec![change],
        &NewKeys::default(),
        &args.input,
    )?;
    let seal = args.seal(access, context)?;
    seal.write(&keyset.handle, args.out_format.name(), output)?;
    Ok(Exit::Done)
}

fn list(args: &TinkeyArgs, context: &Context) -> Result<Exit, Failure> {
    let keyset = args.open(args.access(context)?, context)?;
    context.print(Lines::of_text(&text_format(&keyset.handle.info())))?;
    Ok(Exit::Done)
}

fn convert(args: &TinkeyArgs, context: &Context) -> Result<Exit, Failure> {
    let access = args.access(context)?;
    let was_encrypted = access.kek.is_some();
    let new = args.kek(
        args.new_master_key_uri.as_deref(),
        args.new_credential.as_ref(),
        context,
    )?;
    if was_encrypted && new.is_none() && !args.insecure_cleartext {
        return Err(Failure::usage(
            "cleartext_not_allowed",
            "cannot convert the keyset",
            "it is encrypted, and the output would be in cleartext",
        )
        .hint("--new-master-key-uri names the key-encryption key of the output")
        .hint(
            "--insecure-cleartext allows cleartext: anyone who can read the output has its keys",
        ));
    }
    let access_of_output = Access {
        kek: new,
        ..access.clone()
    };
    let output = args.output(&[&args.input], &access_of_output, context)?;
    let keyset = args.open(access, context)?;
    let seal = args.seal(access_of_output, context)?;
    seal.write(&keyset.handle, args.out_format.name(), output)?;
    Ok(Exit::Done)
}

fn templates(context: &Context) -> Result<Exit, Failure> {
    let mut names: Vec<&str> = KeyTypes::default()
        .templates()
        .map(|template| template.name())
        .collect();
    names.sort_unstable();
    context.print(Lines::of_text(&format!(
        "Key templates:\n{}\n",
        names.join("\n")
    )))?;
    Ok(Exit::Done)
}

/// Writes the keyset's description as protobuf text, followed by an empty line.
fn text_format(info: &KeysetInfo) -> String {
    let mut text = format!("primary_key_id: {}\n", info.primary_id());
    for key in info.keys() {
        text.push_str(&format!(
            "key_info {{\n  type_url: \"{}\"\n  status: {}\n  key_id: {}\n  \
             output_prefix_type: {}\n}}\n",
            printable(cut(key.type_url(), LONGEST_NAME)),
            status(key),
            key.id(),
            prefix(key),
        ));
    }
    text.push('\n');
    text
}

impl TinkeyArgs {
    fn template(&self) -> Result<String, Failure> {
        self.key_template
            .clone()
            .ok_or_else(|| missing("--key-template NAME"))
    }

    fn id(&self) -> Result<KeyId, Failure> {
        self.key_id
            .map(KeyId::new)
            .ok_or_else(|| missing("--key-id ID"))
    }

    fn access(&self, context: &Context) -> Result<Access, Failure> {
        Ok(Access {
            kek: self.kek(
                self.master_key_uri.as_deref(),
                self.credential.as_ref(),
                context,
            )?,
            aad: zeroize::Zeroizing::default(),
            cleartext: true,
        })
    }

    fn kek(
        &self,
        uri: Option<&str>,
        credential: Option<&FileArg>,
        context: &Context,
    ) -> Result<Option<Kek>, Failure> {
        if let Some(path) = credential.and_then(FileArg::path) {
            std::fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?;
        }
        let file = credential.and_then(FileArg::path).map(Path::to_owned);
        let context = context.with_kms(&KmsArgs::of_credentials(file));
        uri.map(|uri| Kek::open_for_keyset(uri, true, &context))
            .transpose()
    }

    fn open(&self, access: Access, context: &Context) -> Result<Keyset, Failure> {
        let keyset = Keyset::open(&self.input, access, context)?;
        match self.in_format {
            Some(told) if told.name() != keyset.format => Err(Failure::new(
                Exit::KeysetInvalid,
                "other_format",
                format!("cannot open keyset {}", self.input.name()),
                "it is not in the format of --in-format",
            )
            .hint("leave out --in-format: the format is recognised")),
            _ => Ok(keyset),
        }
    }

    fn output<'c>(
        &self,
        inputs: &[&FileArg],
        access: &Access,
        context: &'c Context,
    ) -> Result<Output<'c>, Failure> {
        let kek = access.kek.as_ref().and_then(Kek::place);
        let inputs: Vec<&FileArg> = inputs.iter().copied().chain(kek).collect();
        Output::new(
            &self.output,
            &inputs,
            Content::Keys,
            Overwrite::Never,
            context,
        )
    }

    fn seal(&self, access: Access, context: &Context) -> Result<Seal, Failure> {
        let seal = Seal::of_new(access)?;
        if matches!(seal, Seal::Cleartext) {
            context.warn("the output is in cleartext: anyone who can read it has its keys");
        }
        Ok(seal)
    }
}

fn missing(flag: &str) -> Failure {
    Failure::usage("usage", "command line", format!("{flag} is missing"))
}
