//! Arguments that several commands share.

use std::{num::NonZeroUsize, thread};

use clap::{ArgAction, Args, ValueEnum};
use keyseal::keyset::Format;
use zeroize::Zeroizing;

use crate::{
    context::Context,
    error::Failure,
    files::{HardLinks, Holds, Output},
    input::Place,
    kek::Kek,
    kek_uri::KekUri,
    keysets::Access,
    kms::KmsArgs,
};

/// The longest associated data that is read from a file, in bytes.
const AAD_LIMIT: u64 = 64 << 20;

/// What every command has.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Globals {
    /// Print reports and errors as JSON
    ///
    /// Errors are on standard error. Reports are on standard output, and on standard error where
    /// the data goes to standard output.
    #[arg(long, global = true, help_heading = "Messages")]
    pub(crate) json: bool,
    /// Print nothing but errors
    #[arg(short, long, global = true, help_heading = "Messages")]
    pub(crate) quiet: bool,
    /// Say more about each step
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Messages")]
    pub(crate) verbose: u8,
}

/// Associated data or a salt as text, from a file or in hexadecimal.
macro_rules! associated_data {
    ($name:ident, $text:literal, $file:literal, $hex:literal, $what:literal) => {
        #[derive(Args, Clone, Debug)]
        #[group(multiple = false)]
        pub(crate) struct $name {
            #[arg(id = $text, long = $text, value_name = "TEXT", help = $what)]
            text: Option<String>,
            #[arg(id = $file, long = $file, value_name = "FILE", help = "The same, from a file")]
            file: Option<Place>,
            #[arg(id = $hex, long = $hex, value_name = "HEX", help = "The same, in hexadecimal")]
            hex: Option<String>,
        }

        impl $name {
            pub(crate) fn place(&self) -> Option<&Place> {
                self.file.as_ref()
            }

            pub(crate) fn is_given(&self) -> bool {
                self.text.is_some() || self.file.is_some() || self.hex.is_some()
            }

            /// Returns the bytes, which are empty if no argument is given.
            pub(crate) fn read(&self, context: &Context) -> Result<Zeroizing<Vec<u8>>, Failure> {
                match (&self.text, &self.file, &self.hex) {
                    (Some(text), _, _) => Ok(Zeroizing::new(text.clone().into_bytes())),
                    (_, Some(file), _) => file.read_small(AAD_LIMIT, context),
                    (_, _, Some(hex)) => {
                        crate::encoding::from_hex(hex.as_bytes()).map_err(|reason| {
                            Failure::usage("hex", concat!("cannot read --", $hex), reason)
                        })
                    }
                    _ => Ok(Zeroizing::default()),
                }
            }
        }
    };
}

associated_data!(
    Aad,
    "aad",
    "aad-file",
    "aad-hex",
    "Associated data, which decryption needs again"
);
associated_data!(
    Salt,
    "salt",
    "salt-file",
    "salt-hex",
    "The salt: public, and the same for the same derived keyset"
);
associated_data!(
    KeysetAad,
    "keyset-aad",
    "keyset-aad-file",
    "keyset-aad-hex",
    "Associated data of the encrypted keyset"
);
associated_data!(
    NewKeysetAad,
    "new-keyset-aad",
    "new-keyset-aad-file",
    "new-keyset-aad-hex",
    "Associated data of the new encrypted keyset"
);

/// How a keyset file is opened and written.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Keyset")]
pub(crate) struct KeysetAccess {
    /// The key-encryption key of an encrypted keyset
    ///
    /// It is scw-kms://regions/REGION/keys/ID of Scaleway Key Manager, or file-kms://PATH of a keyset
    /// file.
    ///
    /// Key Manager encrypts keysets of up to 65,535 bytes. Before the URI, `envelope+` gives the
    /// keyset its own data key, which Key Manager wraps: then it has any size. It is read with the
    /// URI that it was written with.
    #[arg(
        long,
        value_name = "URI",
        env = "KEYSEAL_KEYSET_KEK",
        hide_env_values = true
    )]
    keyset_kek: Option<String>,
    #[command(flatten)]
    aad: KeysetAad,
    /// The keyset file is in cleartext
    ///
    /// Anyone who can read the file has its keys. With --keyset-kek or --kek it allows a file-kms:// key that others can read. A key file that
    /// only its owner can read needs no flag.
    #[arg(long)]
    insecure_cleartext: bool,
    #[command(flatten)]
    kms: KmsArgs,
}

impl KeysetAccess {
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.aad.place().into_iter()
    }

    pub(crate) const fn allows_cleartext(&self) -> bool {
        self.insecure_cleartext
    }

    /// Returns how Key Manager is reached.
    pub(crate) const fn kms(&self) -> &KmsArgs {
        &self.kms
    }

    pub(crate) fn resolve(&self, context: &Context) -> Result<Access, Failure> {
        if self.keyset_kek.is_none() && self.aad.is_given() {
            return Err(Failure::usage(
                "keyset_aad",
                "cannot use --keyset-aad",
                "there is no --keyset-kek, and only encrypted keysets have associated data",
            ));
        }
        Ok(Access {
            kek: self
                .keyset_kek
                .as_deref()
                .map(|uri| {
                    let context = context.with_kms(&self.kms);
                    Kek::open_for_keyset(uri, self.insecure_cleartext, &context)
                })
                .transpose()?,
            aad: self.aad.read(context)?,
            cleartext: self.insecure_cleartext,
        })
    }
}

/// A keyset to encrypt or decrypt with.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Keyset")]
pub(crate) struct KeysetChoice {
    /// The keyset file
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSEAL_KEYSET",
        hide_env_values = true
    )]
    pub(crate) keyset: Place,
    #[command(flatten)]
    pub(crate) access: KeysetAccess,
}

/// What encrypts or decrypts: a keyset, or a key-encryption key.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Keyset")]
pub(crate) struct CryptosystemChoice {
    /// The keyset file; else --kek
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "kek",
        conflicts_with = "kek",
        env = "KEYSEAL_KEYSET",
        hide_env_values = true
    )]
    keyset: Option<Place>,
    /// The key that wraps the keys of files
    ///
    /// It is scw-kms://regions/REGION/keys/ID of Scaleway Key Manager, or file-kms://PATH of a keyset
    /// file.
    #[arg(
        long,
        value_name = "URI",
        help_heading = "Key-encryption key",
        env = "KEYSEAL_KEK",
        hide_env_values = true
    )]
    kek: Option<String>,
    /// The template of the keys that --kek wraps
    ///
    /// Unless told otherwise AES256_GCM for envelopes and AES256_GCM_HKDF_1MB for streams.
    #[arg(
        long,
        value_name = "NAME",
        requires = "kek",
        help_heading = "Key-encryption key"
    )]
    template: Option<String>,
    #[command(flatten)]
    access: KeysetAccess,
}

impl CryptosystemChoice {
    /// Returns the files that are read.
    pub(crate) fn places(&self) -> Vec<&Place> {
        self.keyset.iter().chain(self.access.places()).collect()
    }

    pub(crate) const fn keyset(&self) -> Option<&Place> {
        self.keyset.as_ref()
    }

    /// Returns how Key Manager is reached.
    pub(crate) const fn kms(&self) -> &KmsArgs {
        self.access.kms()
    }

    /// Returns how the keyset is opened.
    pub(crate) const fn access(&self) -> &KeysetAccess {
        &self.access
    }

    /// Returns the template of the keys that --kek wraps, if one is named.
    pub(crate) fn template(&self) -> Option<String> {
        self.template.clone()
    }

    /// Returns the key-encryption key's URI, which is named without a keyset.
    pub(crate) fn kek(&self) -> Result<Option<KekUri>, Failure> {
        let Some(uri) = &self.kek else {
            return Ok(None);
        };
        if self.access.keyset_kek.is_some() || self.access.aad.is_given() {
            return Err(Failure::usage(
                "kek_and_keyset",
                "cannot use --keyset-kek or --keyset-aad",
                "they are for --keyset, and --kek takes no keyset",
            ));
        }
        KekUri::parse(uri).map(Some)
    }
}

/// How much is done at the same time.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Threads {
    /// Threads, or files at once [default: one a core]
    ///
    /// With --recursive so many files are worked on at the same time: 16 where a service holds the
    /// key, unless told otherwise.
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// How many requests wait for a service at the same time, unless -j says otherwise.
const REQUESTS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

impl Threads {
    pub(crate) fn get(self) -> NonZeroUsize {
        self.threads
            .or_else(|| thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
    }

    /// Returns how many files are worked on at the same time.
    pub(crate) fn files(self, is_remote: bool) -> NonZeroUsize {
        match (self.threads, is_remote) {
            (None, true) => REQUESTS.max(self.get()),
            _ => self.get(),
        }
    }
}

/// Where a new file goes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct NewFile {
    /// The output; `-` is standard output
    #[arg(
        short,
        long,
        value_name = "OUT",
        default_value = "-",
        hide_default_value = true
    )]
    output: Place,
    /// Replace an existing file; write binary to a terminal
    #[arg(long)]
    force: bool,
}

impl NewFile {
    pub(crate) fn plan<'c>(
        &self,
        inputs: &[&Place],
        holds: Holds,
        context: &'c Context,
    ) -> Result<Output<'c>, Failure> {
        Output::new(&self.output, inputs, holds, self.force.into(), context)
    }
}

/// Where a changed file goes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct ChangedFile {
    /// The output [default: standard output, `-`]
    #[arg(short, long, value_name = "OUT", conflicts_with = "in_place")]
    output: Option<Place>,
    /// Replace the input, all at once
    ///
    /// Its mode, owner and extended attributes stay.
    #[arg(long)]
    in_place: bool,
    /// Replace an existing file; write binary to a terminal
    #[arg(long)]
    force: bool,
}

impl ChangedFile {
    /// Plans the output of `input`, and refuses one that is among `others`.
    pub(crate) fn plan<'c>(
        &self,
        input: &Place,
        others: &[&Place],
        holds: Holds,
        context: &'c Context,
    ) -> Result<Output<'c>, Failure> {
        if self.in_place {
            return Output::in_place(input, others, holds, context);
        }
        let place = self.output.as_ref().unwrap_or(&Place::Standard);
        let inputs: Vec<&Place> = others.iter().copied().chain([input]).collect();
        Output::new(place, &inputs, holds, self.force.into(), context)
    }
}

impl ChangedFile {
    pub(crate) const fn is_in_place(&self) -> bool {
        self.in_place
    }

    pub(crate) const fn output(&self) -> Option<&Place> {
        self.output.as_ref()
    }

    pub(crate) const fn force(&self) -> bool {
        self.force
    }
}

/// Where a changed file of data goes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct ChangedData {
    #[command(flatten)]
    pub(crate) file: ChangedFile,
    /// Replace a file that has other names, too
    ///
    /// With --in-place. It is replaced under this name alone: its other names (hard links) keep the
    /// old content.
    #[arg(long, requires = "in_place")]
    break_hard_links: bool,
}

impl ChangedData {
    pub(crate) const fn hard_links(&self) -> HardLinks {
        match self.break_hard_links {
            true => HardLinks::Break,
            false => HardLinks::Refuse("--break-hard-links replaces it under this name alone"),
        }
    }
}

/// How a keyset is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// Tink's JSON
    Json,
    /// Tink's binary form
    Binary,
    /// The bare ciphertext of a binary keyset, as BigQuery's wrapped keysets
    Wrapped,
}

impl FormatName {
    pub(crate) const fn format(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Binary | Self::Wrapped => Format::Binary,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Binary => "binary",
            Self::Wrapped => "wrapped",
        }
    }
}

impl From<Format> for FormatName {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Binary => Self::Binary,
        }
    }
}

/// The prefix that a key puts before its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VariantName {
    /// 01 and the key id: the usual choice
    Tink,
    /// 00 and the key id
    Crunchy,
    /// 00 and the key id, for very old keysets
    Legacy,
    /// Nothing: the bare cipher
    Raw,
}

impl VariantName {
    pub(crate) const fn variant(self) -> keyseal::Variant {
        match self {
            Self::Tink => keyseal::Variant::Tink,
            Self::Crunchy => keyseal::Variant::Crunchy,
            Self::Legacy => keyseal::Variant::Legacy,
            Self::Raw => keyseal::Variant::Raw,
        }
    }
}
