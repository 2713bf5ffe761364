//! The work on one file, whatever the keys are.

use keyseal::{DecryptError, EncryptError, KeyId, error_chain};

use crate::{
    byte_range::ByteRange,
    display::printable,
    error::Failure,
    exit::Exit,
    files::Output,
    input::FileArg,
    job::{Job, Release, Sizes, not_decrypted},
    kms_failure::kms_failure,
};

/// Encrypts and decrypts files under one keyset or key-encryption key.
pub(crate) trait Cryptor: Sync {
    /// Recognises a file. Reads no more of a stream than its start.
    fn recognise(&self, job: &mut Job<'_>) -> Result<Recognised, Failure>;

    /// Encrypts the input. The output is not yet final.
    fn encrypt(
        &self,
        job: &mut Job<'_>,
        form: Form,
        output: &mut Output<'_>,
    ) -> Result<Summary, Failure>;

    /// Decrypts the input. The output is not yet final.
    fn decrypt(
        &self,
        job: &mut Job<'_>,
        range: Option<ByteRange>,
        release: Release,
        output: &mut Output<'_>,
    ) -> Result<Summary, Failure>;

    /// Returns the same keys with the disabled ones enabled, if there are any: to see what was
    /// encrypted with these keys.
    fn with_disabled_keys(&self) -> Option<&dyn Cryptor>;

    /// Returns the form that a later run can recognise as encrypted.
    fn recognisable_form(&self) -> Form;

    /// Returns the reason why a ciphertext cannot be told from a plaintext, if there is one.
    fn cannot_tell(&self) -> Option<String>;

    /// Returns the files that hold keys.
    fn places(&self) -> Vec<FileArg>;

    /// Returns whether a service is asked about each file, so that most of the time is waiting.
    fn is_remote(&self) -> bool;
}

/// The state of a file with respect to the keys of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// It decrypts under the key that encrypts now.
    Current,
    /// It decrypts under another key, which this names.
    Older(String),
    /// It is encrypted and does not decrypt, for this reason.
    Closed(Reason),
    /// Its first bytes show that no key here has encrypted it; this is the explanation.
    Plain(Reason),
    /// It may be either; this is the reason why we cannot tell.
    Unknown(String),
}

/// A public fact about a file, with a code for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    pub(crate) text: String,
    /// The next step for a user who wants to decrypt.
    hint: Option<String>,
}

impl Reason {
    pub(crate) fn new(code: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        let hint = None;
        Self { code, text, hint }
    }

    pub(super) fn hint(self, hint: String) -> Self {
        let hint = Some(hint);
        Self { hint, ..self }
    }

    /// Returns whether the file is certainly not a ciphertext, under any key.
    pub(crate) fn is_plaintext(&self) -> bool {
        self.code == "not_ciphertext"
    }

    /// Makes this the reason why a file does not decrypt.
    pub(super) fn failure(self, name: &str) -> Failure {
        let what = format!("cannot decrypt {name}");
        let failure = Failure::new(Exit::NotDecrypted, self.code, what, self.text);
        self.hint.into_iter().fold(failure, Failure::hint)
    }
}

/// Whether a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Decided by the keys and the size of the input.
    Fitting,
    Stream,
    Message,
}

/// The outcome of an encryption or decryption.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) sizes: Sizes,
    pub(crate) form: &'static str,
    pub(crate) key: Option<KeyId>,
}

pub(super) fn not_encrypted(name: &str, error: &EncryptError) -> Failure {
    let what = format!("cannot encrypt {name}");
    match error {
        EncryptError::Kms(error) => kms_failure(&what, error),
        error => Failure::new(
            Exit::Failed,
            "not_encrypted",
            what,
            printable(error_chain(error)),
        ),
    }
}

pub(super) fn message_not_decrypted(name: &str, error: &DecryptError) -> Failure {
    match error.kms_error() {
        Some(error) => kms_failure(&format!("cannot decrypt {name}"), error),
        None => not_decrypted(name),
    }
}

pub(super) fn no_stream() -> Failure {
    Failure::usage(
        "stream",
        "cannot write a stream",
        "the keys are for whole messages",
    )
    .hint("a streaming keyset writes streams: keyset create --template AES256_GCM_HKDF_1MB")
    .hint("--kek writes them for large inputs, without a keyset")
}

pub(super) fn no_message() -> Failure {
    Failure::usage(
        "stream",
        "cannot write a message",
        "the keys are for streams: leave out --no-stream",
    )
}

pub(super) fn check_no_range(
    range: Option<ByteRange>,
    name: &str,
    form: &str,
) -> Result<(), Failure> {
    match range {
        None => Ok(()),
        Some(_) => Err(Failure::usage(
            "range",
            format!("cannot decrypt a part of {name}"),
            format!("only a stream can be decrypted in part, and this is {form}"),
        )
        .hint("leave out --range to decrypt all of it")),
    }
}
