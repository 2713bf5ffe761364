//! From arguments to work: the input files, the output files, and the keys.

use keyseal::KeyId;
use zeroize::Zeroizing;

use crate::{
    args::{Aad, ChangedData, CryptosystemChoice, Threads},
    context::Context,
    cryptor::{Cryptor, KekCryptor, KeysetCryptor},
    error::Failure,
    files::{self, Content, Output, Overwrite},
    folder::{Destination, Item, Run},
    input::{FileArg, Input},
    job::{Job, Release},
    kek::Kek,
    keysets::Keyset,
    report::Verb,
};

/// The size from which all threads encrypt one input as a stream, in a run over many files.
const LARGE: u64 = 64 << 20;

/// The keys of a command, and the associated data of its files.
pub(crate) struct Keys {
    pub(crate) cryptor: Box<dyn Cryptor>,
    pub(crate) associated_data: Zeroizing<Vec<u8>>,
    /// The files that were read for them.
    places: Vec<FileArg>,
}

impl Keys {
    pub(crate) fn open(
        choice: &CryptosystemChoice,
        aad: &Aad,
        context: &Context,
    ) -> Result<Self, Failure> {
        let access = choice.access();
        let cleartext = access.allows_cleartext();
        let mut places: Vec<FileArg> = choice.places().into_iter().cloned().collect();
        places.extend(aad.place().cloned());
        places.extend(choice.kms().files().map(FileArg::File));
        let cryptor: Box<dyn Cryptor> = match (choice.keyset(), choice.kek()?) {
            (Some(place), _) => {
                let access = access.resolve(context)?;
                places.extend(access.kek.as_ref().and_then(Kek::place).cloned());
                let keyset = Keyset::open(place, access, context)?;
                Box::new(KeysetCryptor::new(keyset, place, cleartext, context)?)
            }
            (None, Some(uri)) => {
                let kek = Kek::open(&uri, cleartext, context)?;
                Box::new(KekCryptor::new(kek, choice.template()))
            }
            (None, None) => {
                return Err(Failure::usage(
                    "key_missing",
                    "cannot encrypt or decrypt",
                    "neither --keyset nor --kek names a key",
                ));
            }
        };
        places.extend(cryptor.places());
        Ok(Self {
            cryptor,
            associated_data: aad.read(context)?,
            places,
        })
    }

    /// Returns the files that hold keys or are inputs in another way: none of them may be replaced.
    pub(crate) fn places(&self) -> Vec<&FileArg> {
        self.places.iter().collect()
    }

    /// Prepares the work on one input.
    pub(crate) fn job<'j>(
        &'j self,
        input: Input,
        threads: Threads,
        is_one_of_many: bool,
        context: &'j Context,
    ) -> Job<'j> {
        let is_large = input.size().is_none_or(|size| size >= LARGE);
        let threads = match is_one_of_many && !is_large {
            true => std::num::NonZeroUsize::MIN,
            false => threads.get(),
        };
        Job {
            input,
            associated_data: &self.associated_data,
            threads,
            context,
        }
    }
}

/// Returns whether a ciphertext decrypts to the content of a file. Nothing is written.
pub(crate) fn decrypts_to(
    cryptor: &dyn Cryptor,
    ciphertext: &mut Job<'_>,
    plaintext: &Input,
    context: &Context,
) -> Result<bool, Failure> {
    let mut output = Output::compared_with(plaintext, context)?;
    let release = Release::Whole;
    cryptor.decrypt(ciphertext, None, release, &mut output)?;
    let is_equal = output.same()?;
    match [&ciphertext.input, plaintext]
        .into_iter()
        .find(|input| !input.is_unchanged())
    {
        Some(changed) => Err(files::changed(changed.name())),
        None => Ok(is_equal),
    }
}

/// Opens one input and plans its output.
pub(crate) fn one_file<'c>(
    place: &FileArg,
    output: &ChangedData,
    protected: &[&FileArg],
    context: &'c Context,
) -> Result<Item<'c>, Failure> {
    let file = &output.file;
    if file.is_in_place() {
        let Some(path) = place.path() else {
            return Err(Failure::usage(
                "in_place_input",
                "cannot write in place",
                "the input is standard input",
            )
            .hint("name a file, or write with -o"));
        };
        let input = Input::open_locked(path, context)?;
        let output = Output::replacing(&input, protected, output.hard_links(), context)?;
        return Ok(Item {
            input,
            output,
            earlier: None,
            has_twin: false,
        });
    }
    let mut output = file.plan(place, protected, Content::Data, context)?;
    let input = Input::open(place, context)?;
    output.limit_mode(&input);
    Ok(Item {
        input,
        output,
        earlier: None,
        has_twin: false,
    })
}

/// Plans the work on all files of a folder.
pub(crate) fn folder<'p>(
    place: &'p FileArg,
    output: &'p ChangedData,
    verb: Verb,
    protected: Vec<&'p FileArg>,
    workers: std::num::NonZeroUsize,
    dry_run: bool,
    context: &'p Context,
) -> Result<Run<'p>, Failure> {
    let wrong = |why: &str| {
        Failure::usage("recursive", "cannot process a folder", why).hint(
            "name a folder and where its files go: --recursive FOLDER -o OTHER, or --in-place",
        )
    };
    let folder = place
        .path()
        .ok_or_else(|| wrong("--recursive takes a folder"))?;
    let file = &output.file;
    let destination = match (file.is_in_place(), file.output().and_then(FileArg::path)) {
        (true, _) => Destination::InPlace(output.hard_links()),
        (false, Some(path)) => Destination::Folder(path.to_owned()),
        (false, None) => return Err(wrong("no folder is named for the output")),
    };
    Ok(Run {
        folder,
        destination,
        overwrite: Overwrite::from(file.force()),
        verb,
        protected,
        workers,
        dry_run,
        context,
    })
}

/// Returns the name of the key that encrypted, for a report.
pub(crate) fn key_name(key: Option<KeyId>, form: &str) -> String {
    match key {
        Some(key) => format!("key {key}"),
        None => form.to_owned(),
    }
}
