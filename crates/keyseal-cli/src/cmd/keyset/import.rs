//! `keyset import`: adds an existing key to a keyset.

use clap::Args;
use keyseal::{
    Key, KeyError, KeyId, KeyTypes, KeysetError, KeysetHandle, SecretAccess, SecretBytes, Variant,
    error_chain,
    key::{KeyTemplate, KeyType, Template},
};
use zeroize::Zeroizing;

use super::{
    change::KeysetEdit,
    edit::ANY_KIND_HINT,
    generate::with_variants,
    list,
    parameters::{Parameters, option},
};
use crate::{
    args::{ChangedFile, KeysetAccess, VariantName},
    context::Context,
    display::{Lines, closest, folded, printable, short_type},
    encoding::{from_base64, from_hex},
    error::Failure,
    exit::Exit,
    files::Content,
    format_name::FormatName,
    input::{FileArg, check_one_standard_input},
    keyset_failure::keyset_failure,
    keysets::{Access, Seal},
};

/// The largest key file, in bytes. An HMAC key may be a megabyte, and base64 makes it longer.
const KEY_LIMIT: u64 = 4 << 20;

/// Import an existing key into a keyset
///
/// Key bytes are read from a file or from standard input, never from the command line. For an
/// AES-CTR-HMAC key, they are the AES key followed by the HMAC key. With --serialized, they are
/// Tink's key message: the `keyData.value` of a keyset, or the data key of an envelope or a DEK
/// registry.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal keyset import --type AesGcmKey --variant raw --key-file key.bin \\
    --keyset-kek file-kms://kek.json --insecure-cleartext -o keyset.json
  openssl rand -hex 32 | keyseal keyset import --type AES256_GCM --key-file - --hex \\
    --insecure-cleartext -o keyset.json
  keyseal keyset import --type AesGcmKey --variant raw --key-file dek.b64 --base64 --serialized \\
    --insecure-cleartext -o keyset.json")]
pub(crate) struct ImportArgs {
    /// The keyset to add the key to [default: a new keyset]
    #[arg(value_name = "FILE")]
    keyset: Option<FileArg>,
    /// The key type, such as AesGcmKey, or a template
    #[arg(long = "type", value_name = "TYPE")]
    type_name: String,
    /// The file with the key; `-` is standard input
    #[arg(long, value_name = "FILE")]
    key_file: FileArg,
    #[command(flatten)]
    encoding: Encoding,
    /// The bytes are a serialized Tink key
    ///
    /// That is the protobuf message of its key type, with the key bytes and the parameters.
    #[arg(long)]
    serialized: bool,
    /// The output prefix type [default: that of the template]
    #[arg(long, value_name = "PREFIX")]
    variant: Option<VariantName>,
    /// The id [default: random]
    #[arg(long, value_name = "ID")]
    key_id: Option<u32>,
    /// Make it the primary key of the keyset
    #[arg(long, requires = "keyset")]
    primary: bool,
    /// Allow a key of another kind than the keyset's
    #[arg(long, requires = "keyset")]
    any_kind: bool,
    #[command(flatten)]
    parameters: Parameters,
    #[command(flatten)]
    output: ChangedFile,
    /// The format of the output [default: that of FILE, or json]
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    format: Option<FormatName>,
    #[command(flatten)]
    access: KeysetAccess,
}

/// How the bytes of the key are written.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
struct Encoding {
    /// The key is in hexadecimal, in lines of any length
    #[arg(long)]
    hex: bool,
    /// The key is in base64, in lines of any length
    #[arg(long)]
    base64: bool,
    /// The bytes are the key itself, which is the default
    #[arg(long)]
    raw: bool,
}

pub(crate) fn run(args: ImportArgs, context: &Context) -> Result<Exit, Failure> {
    let mut others: Vec<&FileArg> = args.access.places().chain([&args.key_file]).collect();
    check_one_standard_input(others.iter().copied().chain(&args.keyset))?;
    let access = args.access.resolve(context)?;
    let kek = access.kek.clone();
    others.extend(kek.as_ref().and_then(|kek| kek.place()));
    match &args.keyset {
        None => import_as_new(&args, access, &others, context),
        Some(place) => {
            let edit = KeysetEdit::plan(place, &args.output, &others, context)?;
            let edited = edit.run(access, |keyset| {
                keyset.format = args.format.unwrap_or(keyset.format);
                let key = read_key(&args, context)?;
                add(&mut keyset.handle, key, &args).map_err(|error| taken(error, place))
            })?;
            edited.report(|name| format!("imported key {}\nwrote {name}", edited.told))
        }
    }
}

fn import_as_new(
    args: &ImportArgs,
    access: Access,
    others: &[&FileArg],
    context: &Context,
) -> Result<Exit, Failure> {
    // Without a keyset there is nothing to replace.
    let target = &FileArg::Standard;
    let output = args.output.plan(target, others, Content::Keys, context)?;
    let seal = Seal::of_new(access)?;
    let key = read_key(args, context)?;
    let handle = match args.key_id.map(KeyId::new) {
        Some(id) => KeysetHandle::with_id(key, id),
        None => {
            KeysetHandle::new(key).map_err(|error| keyset_failure(&target.argument(), error))?
        }
    };
    let (name, standard) = (output.name(), output.is_standard());
    seal.write(&handle, args.format.unwrap_or(FormatName::Json), output)?;
    context.report(
        Lines::from(&format!("imported key {}", handle.primary_id())).line(format!("wrote {name}")),
        &list::as_json(Some(&handle.info())),
        standard,
    )?;
    Ok(Exit::Done)
}

fn add(handle: &mut KeysetHandle, key: Key, args: &ImportArgs) -> Result<KeyId, KeysetError> {
    let id = match (args.key_id.map(KeyId::new), args.any_kind) {
        (None, false) => handle.add(key)?,
        (None, true) => handle.add_of_any_kind(key)?,
        (Some(id), false) => handle.add_with_id(key, id).map(|()| id)?,
        (Some(id), true) => handle.add_of_any_kind_with_id(key, id).map(|()| id)?,
    };
    if args.primary {
        handle.promote(id)?;
    }
    Ok(id)
}

fn taken(error: KeysetError, place: &FileArg) -> Failure {
    match error {
        KeysetError::DuplicateId { id } => Failure::usage(
            "key_id_taken",
            format!("cannot change keyset {}", place.name()),
            format!("it already has a key {id}"),
        )
        .hint(format!("keyseal keyset list {}", place.argument())),
        error @ KeysetError::OtherKind { .. } => {
            keyset_failure(&place.argument(), error).hint(ANY_KIND_HINT)
        }
        error => keyset_failure(&place.argument(), error),
    }
}

fn read_key(args: &ImportArgs, context: &Context) -> Result<Key, Failure> {
    let file = args.key_file.read_small(KEY_LIMIT, context)?;
    let bytes = SecretBytes::copy_from(&decode(&file, args)?, SecretAccess::insecure());
    let wanted = Wanted::new(args)?;
    if args.serialized {
        return wanted.read_serialized(&bytes, args);
    }
    let looks_serialized = wanted.is_serialized_key(&bytes);
    let template = wanted.template(bytes.len(), args).map_err(|failure| {
        match guess(&file, args.encoding) {
            _ if looks_serialized => {
                failure.hint("the bytes are a serialized Tink key: pass --serialized")
            }
            Some(flag) => failure.hint(format!("the file looks like text: try {flag}")),
            None => failure,
        }
    })?;
    if looks_serialized {
        context.warn(
            "the bytes look like a serialized Tink key, but are imported as a bare key: \
             --serialized imports the key inside",
        );
    }
    KeyTypes::default()
        .import(&template, &bytes)
        .map_err(|error| refused(args, &error))
}

fn decode(file: &[u8], args: &ImportArgs) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match args.encoding {
        Encoding { hex: true, .. } => from_hex(file),
        Encoding { base64: true, .. } => from_base64(file),
        Encoding { .. } => Ok(Zeroizing::new(file.to_vec())),
    }
    .map_err(|reason| {
        Failure::new(
            Exit::Failed,
            "key_encoding",
            format!("cannot read the key in {}", args.key_file.name()),
            reason,
        )
    })
}

/// Names the option that would read a file that was taken for bare bytes.
fn guess(file: &[u8], encoding: Encoding) -> Option<&'static str> {
    if encoding.hex || encoding.base64 || file.trim_ascii().len() < 32 {
        return None;
    }
    match (from_hex(file), from_base64(file)) {
        (Ok(_), _) => Some("--hex"),
        (Err(_), Ok(_)) => Some("--base64"),
        (Err(_), Err(_)) => None,
    }
}

/// The kind of key that --type and --variant ask for.
struct Wanted {
    key_type: &'static dyn KeyType,
    /// The template that --type names, or `None` if it names a type.
    template: Option<Template>,
    variant: Variant,
}

impl Wanted {
    fn new(args: &ImportArgs) -> Result<Self, Failure> {
        let types = KeyTypes::default();
        let told = args.variant.map(VariantName::variant);
        let template = types.template(&args.type_name).ok();
        let key_type = match &template {
            Some(template) => types.find(template.key_template().type_url()),
            None => types
                .iter()
                .find(|known| is_named(known.type_url(), &args.type_name)),
        }
        .ok_or_else(|| unknown_type(&args.type_name))?;
        let of_template = template
            .as_ref()
            .map(|known| known.key_template().variant());
        let variant = told.or(of_template).ok_or_else(|| {
            Failure::usage(
                "variant_missing",
                format!(
                    "cannot import a key of type {}",
                    short_type(key_type.type_url())
                ),
                "its output prefix type is not given",
            )
            .hint("for a key that Tink did not make: --variant raw")
            .hint("for a key of a Tink keyset: the --variant and --key-id that it has there")
        })?;
        Ok(Self {
            key_type,
            template,
            variant,
        })
    }

    fn parse_serialized(&self, bytes: &SecretBytes) -> Result<Key, KeyError> {
        KeyTypes::default().import_serialized(self.key_type.type_url(), bytes, self.variant)
    }

    fn is_serialized_key(&self, bytes: &SecretBytes) -> bool {
        !bytes.is_empty() && self.parse_serialized(bytes).is_ok()
    }

    fn read_serialized(&self, bytes: &SecretBytes, args: &ImportArgs) -> Result<Key, Failure> {
        args.parameters.check("a serialized key", &[])?;
        let key = self
            .parse_serialized(bytes)
            .map_err(|error| refused(args, &error))?;
        match &self.template {
            Some(template) if !is_of(&key, template) => Err(Failure::new(
                Exit::Failed,
                "key_refused",
                format!("cannot import the key in {}", args.key_file.name()),
                format!("its parameters are not those of {}", template.name()),
            )
            .hint(format!(
                "--type {} takes any parameters",
                short_type(key.type_url())
            ))),
            _ => Ok(key),
        }
    }

    /// Finds the parameters of a bare key from its type and size.
    fn template(&self, size: usize, args: &ImportArgs) -> Result<KeyTemplate, Failure> {
        if let Some(template) = &self.template {
            args.parameters.check(&args.type_name, &[])?;
            let wanted = template.properties().key_size;
            if wanted != size {
                return Err(wrong_size(args, size, &[wanted]));
            }
            return Ok(template.key_template().clone().with_variant(self.variant));
        }
        let type_name = short_type(self.key_type.type_url());
        let (parameters, names) = (args.parameters, self.key_type.parameter_names());
        parameters.check(&type_name, names)?;
        if let Some(template) = parameters.template(self.key_type, size, self.variant) {
            return template.map_err(|error| refused(args, &error));
        }
        let templates = self.key_type.templates();
        let of_size = || {
            templates
                .iter()
                .filter(|known| known.properties().key_size == size)
        };
        let mut fitting: Vec<&Template> = Vec::new();
        for template in of_size() {
            let value = template.key_template().value();
            if fitting
                .iter()
                .all(|known| known.key_template().value() != value)
            {
                fitting.push(template);
            }
        }
        match fitting.as_slice() {
            [template] => Ok(template.key_template().clone().with_variant(self.variant)),
            [] => {
                let mut sizes: Vec<usize> =
                    templates.iter().map(|t| t.properties().key_size).collect();
                sizes.sort_unstable();
                sizes.dedup();
                Err(wrong_size(args, size, &sizes))
            }
            [_, ..] => {
                let names: Vec<&str> = of_size().map(Template::name).collect();
                Err(parameters_missing(self.key_type, &names))
            }
        }
    }
}

/// Returns whether a template makes keys like this one, apart from the prefix.
fn is_of(key: &Key, template: &Template) -> bool {
    key.template().is_some_and(|made| {
        let variant = made.variant();
        made == template.key_template().clone().with_variant(variant)
    })
}

fn parameters_missing(key_type: &dyn KeyType, templates: &[&str]) -> Failure {
    Failure::usage(
        "parameters_missing",
        format!(
            "cannot import a key of type {}",
            short_type(key_type.type_url())
        ),
        "its size does not determine all of its parameters",
    )
    .hint(format!(
        "name a template with --type: {}",
        templates.join(", ")
    ))
    .hint(match key_type.parameter_names() {
        [] => "keyseal templates says what they are".to_owned(),
        names => {
            let options: Vec<&str> = names.iter().copied().map(option).collect();
            format!("or say {}", options.join(" or "))
        }
    })
}

/// Treats `AesGcmKey`, `aes-gcm` and the whole type URL as the same type.
fn is_named(type_url: &str, name: &str) -> bool {
    let known = short_type(type_url);
    let bare = known.strip_suffix("Key").unwrap_or(&known);
    let bare = bare.strip_suffix("Aead").unwrap_or(bare);
    name == type_url
        || [&known, bare]
            .iter()
            .any(|known| folded(known) == folded(name))
}

fn unknown_type(name: &str) -> Failure {
    let types = KeyTypes::default();
    let known: Vec<String> = types
        .iter()
        .map(|known| short_type(known.type_url()))
        .collect();
    let templates: Vec<_> = types.templates().collect();
    let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
    names.extend(templates.iter().map(|template| template.name()));
    let failure = Failure::usage(
        "unknown_type",
        format!("cannot import a key of type {}", printable(name)),
        "no key type or template has this name",
    );
    match closest(name, names) {
        Some(name) => failure.hint(format!("did you mean {name}?")),
        None => failure,
    }
    .hint(format!("the types are {}", known.join(", ")))
}

fn wrong_size(args: &ImportArgs, size: usize, allowed: &[usize]) -> Failure {
    let allowed: Vec<String> = allowed.iter().map(usize::to_string).collect();
    Failure::new(
        Exit::Failed,
        "key_size",
        format!("cannot import the key in {}", args.key_file.name()),
        format!(
            "it has {size} bytes, and keys of {} have {}",
            printable(&args.type_name),
            allowed.join(" or ")
        ),
    )
}

fn refused(args: &ImportArgs, error: &KeyError) -> Failure {
    let failure = Failure::new(
        Exit::Failed,
        "key_refused",
        format!("cannot import the key in {}", args.key_file.name()),
        error_chain(error),
    );
    let template = Wanted::new(args).ok().and_then(|wanted| {
        let first = wanted.key_type.templates().into_iter().next();
        Some(wanted.template.or(first)?.key_template().clone())
    });
    match template {
        Some(template) => with_variants(failure, error, &template),
        None => failure,
    }
}
