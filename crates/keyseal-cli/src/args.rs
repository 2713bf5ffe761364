//! Arguments that several commands share.

use std::{num::NonZeroUsize, thread};

use clap::{ArgGroup, Args, ValueEnum};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    error::Failure,
    files::{Content, HardLinks, Output},
    input::FileArg,
    kek::Kek,
    kek_uri::KekUri,
    keysets::Access,
    kms_args::KmsArgs,
};

/// The longest associated data that is read from a file, in bytes.
const AAD_LIMIT: u64 = 64 << 20;

/// Associated data or a salt as text, from a file or in hexadecimal.
macro_rules! associated_data {
    ($name:ident, $text:literal, $file:literal, $hex:literal, $what:literal) => {
        #[derive(Args, Clone, Debug)]
        #[group(multiple = false)]
        pub(crate) struct $name {
            #[arg(id = $text, long = $text, value_name = "TEXT", help = $what)]
            text: Option<String>,
            #[arg(id = $file, long = $file, value_name = "FILE", help = "The same, from a file")]
            file: Option<FileArg>,
            #[arg(id = $hex, long = $hex, value_name = "HEX", help = "The same, in hexadecimal")]
            hex: Option<String>,
        }

        impl $name {
            pub(crate) fn place(&self) -> Option<&FileArg> {
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
    "Associated data: the same for decryption as for encryption"
);
associated_data!(
    Salt,
    "salt",
    "salt-file",
    "salt-hex",
    "The salt, which is public: the same salt gives the same keyset"
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
    /// scw-kms://regions/REGION/keys/ID names a key of Scaleway Key Manager, file-kms://PATH a
    /// keyset file.
    ///
    /// Key Manager encrypts keysets of up to 65,535 bytes. For a larger one, put `envelope+` before
    /// the URI: the keyset then gets its own data key, which Key Manager wraps. To read the keyset,
    /// pass the URI that it was written with.
    #[arg(
        long,
        value_name = "URI",
        env = "KEYSEAL_KEYSET_KEK",
        hide_env_values = true
    )]
    keyset_kek: Option<String>,
    #[command(flatten)]
    aad: KeysetAad,
    /// Accept that the keyset file is in cleartext
    ///
    /// Anyone who can read the file has its keys. The flag also allows a file-kms:// key whose file
    /// others can read. If only its owner can read the key file, you do not need the flag.
    #[arg(long)]
    insecure_cleartext: bool,
    #[command(flatten)]
    kms: KmsArgs,
}

impl KeysetAccess {
    pub(crate) fn places(&self) -> impl Iterator<Item = &FileArg> {
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
    pub(crate) keyset: FileArg,
    #[command(flatten)]
    pub(crate) access: KeysetAccess,
}

/// What encrypts or decrypts: a keyset, or a key-encryption key.
#[derive(Args, Clone, Debug)]
#[command(
    next_help_heading = "Keyset",
    group = ArgGroup::new("key").args(["keyset", "kek"]).required(true).multiple(true)
)]
pub(crate) struct CryptosystemChoice {
    /// The keyset file, or use --kek
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "kek",
        env = "KEYSEAL_KEYSET",
        hide_env_values = true
    )]
    keyset: Option<FileArg>,
    /// The key that wraps the keys of files
    ///
    /// scw-kms://regions/REGION/keys/ID names a key of Scaleway Key Manager, file-kms://PATH a
    /// keyset file.
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
    /// The default is AES256_GCM for envelopes and AES256_GCM_HKDF_1MB for streams.
    #[arg(
        long,
        value_name = "NAME",
        requires = "kek",
        // A requirement alone does not count beside --keyset, which conflicts with what is required.
        conflicts_with = "keyset",
        help_heading = "Key-encryption key"
    )]
    template: Option<String>,
    #[command(flatten)]
    access: KeysetAccess,
}

impl CryptosystemChoice {
    /// Returns the files that are read.
    pub(crate) fn places(&self) -> Vec<&FileArg> {
        self.keyset.iter().chain(self.access.places()).collect()
    }

    pub(crate) const fn keyset(&self) -> Option<&FileArg> {
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
    /// Threads, or files at once [default: one per core]
    ///
    /// With --recursive, how many files are processed at the same time. If a service holds the key,
    /// the default is at least 16.
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
    output: FileArg,
    /// Replace an existing file; write binary to a terminal
    #[arg(long)]
    force: bool,
}

impl NewFile {
    pub(crate) fn plan<'c>(
        &self,
        inputs: &[&FileArg],
        holds: Content,
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
    output: Option<FileArg>,
    /// Replace the input in one step
    ///
    /// Its mode, owner and extended attributes are kept.
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
        input: &FileArg,
        others: &[&FileArg],
        holds: Content,
        context: &'c Context,
    ) -> Result<Output<'c>, Failure> {
        if self.in_place {
            return Output::in_place(input, others, holds, context);
        }
        let place = self.output.as_ref().unwrap_or(&FileArg::Standard);
        let inputs: Vec<&FileArg> = others.iter().copied().chain([input]).collect();
        let planned = Output::new(place, &inputs, holds, self.force.into(), context);
        planned.map_err(|failure| {
            let is_other = others.iter().any(|other| other.is_same_file(place));
            match failure.code() == "same_file" && !is_other {
                true => failure.hint("--in-place replaces the input"),
                false => failure,
            }
        })
    }
}

impl ChangedFile {
    pub(crate) const fn is_in_place(&self) -> bool {
        self.in_place
    }

    pub(crate) const fn output(&self) -> Option<&FileArg> {
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
    /// Replace a file that has other names (hard links)
    ///
    /// With --in-place. The file is replaced under this name only: its other names keep the old
    /// content.
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

/// The prefix that a key puts before its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VariantName {
    /// 01 and the key id: the usual choice
    Tink,
    /// 00 and the key id
    Crunchy,
    /// 00 and the key id, for very old keysets
    Legacy,
    /// No prefix: the bare cipher
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
