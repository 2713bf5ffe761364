//! `keyset import`: a key that exists already becomes a key of a keyset.

use clap::Args;
use keyseal::{
    Key, KeyError, KeyId, KeyTypes, KeysetError, KeysetHandle, SecretAccess, SecretBytes,
    key::KeyTemplate,
};
use zeroize::Zeroizing;

use super::{
    list,
    parameters::{Parameters, parameters_of},
};
use crate::{
    args::{ChangedFile, FormatName, KeysetAccess, VariantName},
    context::Context,
    encoding::{from_base64, from_hex},
    error::{Failure, chain},
    exit::Exit,
    files::Holds,
    input::{Place, check_one_standard_input},
    keysets::{Keyset, Seal, keyset_failure},
    text::{Lines, closest, folded, printable, short_type},
};

/// The largest key file, in bytes. An HMAC key may be a megabyte, and base64 makes it longer.
const KEY_LIMIT: u64 = 4 << 20;

/// Make a key that exists already a key of a keyset
///
/// Key bytes are read from a file or from standard input, never from the command line. Of an
/// AES-CTR-HMAC key they are the AES key, then the HMAC key.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal keyset import --type AesGcmKey --variant raw --key-file key.bin \\
    --keyset-kek file-kms://kek.json --insecure-cleartext -o keyset.json
  openssl rand -hex 32 | keyseal keyset import --type AES256_GCM --key-file - --hex \\
    --insecure-cleartext -o keyset.json")]
pub(crate) struct ImportArgs {
    /// The keyset to add it to; without, a new keyset is made
    #[arg(value_name = "FILE")]
    keyset: Option<Place>,
    /// The type, such as AesGcmKey, or a template
    #[arg(long = "type", value_name = "TYPE")]
    type_name: String,
    /// The file with the key; `-` is standard input
    #[arg(long, value_name = "FILE")]
    key_file: Place,
    #[command(flatten)]
    encoding: Encoding,
    /// The output prefix type; a template has one
    #[arg(long, value_name = "PREFIX")]
    variant: Option<VariantName>,
    /// The id [default: random]
    #[arg(long, value_name = "ID")]
    key_id: Option<u32>,
    /// Make it the primary key of the keyset
    #[arg(long, requires = "keyset")]
    primary: bool,
    #[command(flatten)]
    parameters: Parameters,
    #[command(flatten)]
    output: ChangedFile,
    /// The format of the output; that of FILE, or json
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    format: Option<FormatName>,
    #[command(flatten)]
    access: KeysetAccess,
}

/// How the bytes of the key are written.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
struct Encoding {
    /// The key is in hexadecimal
    #[arg(long)]
    hex: bool,
    /// The key is in base64
    #[arg(long)]
    base64: bool,
    /// The bytes are the key, which is also the default
    #[arg(long)]
    raw: bool,
}

pub(crate) fn run(args: ImportArgs, context: &Context) -> Result<Exit, Failure> {
    let mut others: Vec<&Place> = args.access.places().chain([&args.key_file]).collect();
    check_one_standard_input(others.iter().copied().chain(&args.keyset))?;
    let access = args.access.resolve(context)?;
    let kek = access.kek.clone();
    others.extend(kek.as_ref().and_then(|kek| kek.place()));
    // Without a keyset there is nothing to replace.
    let target = args.keyset.as_ref().unwrap_or(&Place::Standard);
    let output = args.output.plan(target, &others, Holds::Keys, context)?;
    let keyset = match &args.keyset {
        Some(place) => Some(Keyset::open(place, access.clone(), context)?),
        None => None,
    };
    let seal = match &keyset {
        Some(keyset) => keyset.seal.clone(),
        None => Seal::of_new(access)?,
    };

    let key = read_key(&args, context)?;
    let id = args.key_id.map(KeyId::new);
    let failed = |error| keyset_failure(&target.argument(), error);
    let (handle, id, format) = match keyset {
        Some(Keyset {
            mut handle, format, ..
        }) => {
            let id = match id {
                Some(id) => handle.add_with_id(key, id).map(|()| id),
                None => handle.add(key),
            }
            .map_err(|error| taken(error, target))?;
            if args.primary {
                handle.promote(id).map_err(failed)?;
            }
            (handle, id, format)
        }
        None => {
            let handle = match id {
                Some(id) => KeysetHandle::with_id(key, id),
                None => KeysetHandle::new(key).map_err(failed)?,
            };
            let id = handle.primary();
            (handle, id, keyseal::keyset::Format::Json)
        }
    };
    let format = args.format.map_or(format, FormatName::format);
    let (name, standard) = (output.name(), output.is_standard());
    seal.write(&handle, format, output)?;
    context.report(
        Lines::from(&format!("imported key {id}")).line(format!("wrote {name}")),
        &list::as_json(Some(&handle.info())),
        standard,
    )?;
    Ok(Exit::Done)
}

fn taken(error: KeysetError, place: &Place) -> Failure {
    match error {
        KeysetError::DuplicateId { id } => Failure::usage(
            "key_id_taken",
            format!("cannot change keyset {}", place.name()),
            format!("it has a key {id} already"),
        )
        .hint(format!("keyseal keyset list {}", place.argument())),
        error => keyset_failure(&place.argument(), error),
    }
}

fn read_key(args: &ImportArgs, context: &Context) -> Result<Key, Failure> {
    let file = args.key_file.read_small(KEY_LIMIT, context)?;
    let bytes = decode(&file, args)?;
    let template =
        template(args, bytes.len()).map_err(|failure| match guess(&file, args.encoding) {
            Some(flag) => failure.hint(format!("the file looks like text: try {flag}")),
            None => failure,
        })?;
    let bytes = SecretBytes::copy_from(&bytes, SecretAccess::insecure());
    KeyTypes::default()
        .import(&template, &bytes)
        .map_err(|error| refused(args, &error))
}

fn decode(file: &[u8], args: &ImportArgs) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bad = |what: &str| {
        Failure::new(
            Exit::Failed,
            "key_encoding",
            format!("cannot read the key in {}", args.key_file.name()),
            format!("it is no {what}"),
        )
    };
    let text = file.trim_ascii();
    match args.encoding {
        Encoding { hex: true, .. } => {
            from_hex(text).ok_or_else(|| bad("even number of hexadecimal digits"))
        }
        Encoding { base64: true, .. } => from_base64(text).ok_or_else(|| bad("base64")),
        Encoding { .. } => Ok(Zeroizing::new(file.to_vec())),
    }
}

/// Names the option that would read a file which was taken for bare bytes.
fn guess(file: &[u8], encoding: Encoding) -> Option<&'static str> {
    let text = file.trim_ascii();
    if encoding.hex || encoding.base64 || text.len() < 32 {
        return None;
    }
    match (from_hex(text), from_base64(text)) {
        (Some(_), _) => Some("--hex"),
        (None, Some(_)) => Some("--base64"),
        (None, None) => None,
    }
}

/// Finds out what key is meant, from its type and its size.
fn template(args: &ImportArgs, size: usize) -> Result<KeyTemplate, Failure> {
    let types = KeyTypes::default();
    let with_variant = |template: &KeyTemplate| match args.variant {
        Some(variant) => template.clone().with_variant(variant.variant()),
        None => template.clone(),
    };
    if let Ok(template) = types.template(&args.type_name) {
        args.parameters.check(&args.type_name, &[])?;
        let wanted = template.facts().key_size;
        if wanted != size {
            return Err(wrong_size(args, size, &[wanted]));
        }
        return Ok(with_variant(template.key_template()));
    }
    let key_type = types
        .iter()
        .find(|known| is_named(known.type_url(), &args.type_name))
        .ok_or_else(|| unknown_type(&args.type_name))?;
    let variant = args.variant.map(VariantName::variant).ok_or_else(|| {
        Failure::usage(
            "variant_missing",
            format!(
                "cannot import a key of type {}",
                short_type(key_type.type_url())
            ),
            "it is not said what it writes in front of its ciphertexts",
        )
        .hint("a key from another program that is not Tink: --variant raw")
        .hint("a key of a Tink keyset: --variant and --key-id as they are there")
    })?;
    let type_name = short_type(key_type.type_url());
    args.parameters
        .check(&type_name, parameters_of(&type_name))?;
    if let Some(template) = args.parameters.template(&type_name, size, variant) {
        return template.map_err(|error| refused(args, &error));
    }
    let templates = key_type.templates();
    let mut fitting: Vec<&KeyTemplate> = Vec::new();
    for template in templates
        .iter()
        .filter(|known| known.facts().key_size == size)
    {
        let template = template.key_template();
        if fitting
            .iter()
            .all(|known| known.value() != template.value())
        {
            fitting.push(template);
        }
    }
    match fitting.as_slice() {
        [template] => Ok((*template).clone().with_variant(variant)),
        [] => {
            let mut sizes: Vec<usize> = templates.iter().map(|t| t.facts().key_size).collect();
            sizes.sort_unstable();
            sizes.dedup();
            Err(wrong_size(args, size, &sizes))
        }
        [_, ..] => {
            let names: Vec<&str> = templates
                .iter()
                .filter(|known| known.facts().key_size == size)
                .map(keyseal::key::Template::name)
                .collect();
            Err(Failure::usage(
                "parameters_missing",
                format!(
                    "cannot import a key of type {}",
                    short_type(key_type.type_url())
                ),
                "its size does not say all of its parameters",
            )
            .hint(format!("name a template with --type: {}", names.join(", ")))
            .hint(match parameters_of(&type_name) {
                [] => "keyseal templates says what they are".to_owned(),
                options => format!("or say {}", options.join(" or ")),
            }))
        }
    }
}

/// Takes `AesGcmKey`, `aes-gcm` and the whole type URL for the same.
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
    Failure::new(
        Exit::Failed,
        "key_refused",
        format!("cannot import the key in {}", args.key_file.name()),
        chain(error),
    )
}
