//! The messages for keysets that cannot be used.

use keyseal::{
    DecryptError, EncryptError, KeyError, KeyTypes, KeysetError, error_chain, keyset::KeysetFile,
};

use crate::{
    display::{closest, printable, quoted},
    error::Failure,
    exit::Exit,
    input::FileArg,
    kms_failure::kms_failure,
};

/// Recognises a keyset file, or fails.
pub(crate) fn detect(name: &str, bytes: &[u8]) -> Result<KeysetFile, Failure> {
    KeysetFile::detect(bytes).map_err(|error| keyset_failure(name, error))
}

/// The error for cleartext without the flag that allows it.
pub(crate) fn cleartext_failure(what: &str, why: &str) -> Failure {
    Failure::usage("cleartext_not_allowed", what, why)
        .hint("anyone who can read such a file has its keys; --insecure-cleartext allows it")
        .hint("--keyset-kek URI names the key-encryption key of an encrypted keyset")
}

/// Describes the fault of a keyset.
pub(crate) fn keyset_failure(name: &str, error: KeysetError) -> Failure {
    let why = printable(error_chain(&error));
    let what = format!("cannot use keyset {name}");
    match error {
        KeysetError::Decrypt(DecryptError::FAILED) => Failure::new(
            Exit::NotDecrypted,
            "keyset_not_decrypted",
            format!("cannot open keyset {name}"),
            "it did not decrypt",
        )
        .hint("use the key-encryption key and the --keyset-aad that it was written with")
        .hint("a damaged file does not decrypt either"),
        // We do not know whether it would open.
        KeysetError::Decrypt(error) => match error.kms_error() {
            Some(error) => kms_failure(&format!("cannot open keyset {name}"), error),
            None => Failure::new(Exit::Failed, "failed", what, why),
        },
        KeysetError::Encrypt(EncryptError::Kms(error)) => {
            kms_failure("cannot encrypt the keyset", &error)
        }
        KeysetError::UnknownId { .. }
        | KeysetError::IsPrimary { .. }
        | KeysetError::NotEnabled { .. }
        | KeysetError::Destroyed { .. }
        | KeysetError::OtherKind { .. } => not_changed(name, &error, why),
        KeysetError::Template(KeyError::UnknownTemplate { name, .. }) => unknown_template(&name),
        KeysetError::Random(_) | KeysetError::Template(_) | KeysetError::Encrypt(_) => {
            Failure::new(Exit::Failed, "failed", what, why)
        }
        KeysetError::TextForm { found } => {
            Failure::new(Exit::KeysetInvalid, "keyset_invalid", what, why).hint(found.advice())
        }
        KeysetError::WrongPrimitive { .. } => {
            Failure::new(Exit::KeysetInvalid, "wrong_primitive", what, why)
                .hint(format!("keyseal keyset list {}", argument(name)))
        }
        _ => Failure::new(Exit::KeysetInvalid, "keyset_invalid", what, why).hint(format!(
            "keyseal keyset lint {} says what is wrong, and what to do",
            argument(name)
        )),
    }
}

/// Returns the argument for a file of this name, in a command line that a hint suggests.
fn argument(name: &str) -> String {
    match name == FileArg::Standard.name() {
        true => FileArg::Standard.argument(),
        false => quoted(name.as_ref()),
    }
}

/// Explains why an edit of a keyset is refused.
fn not_changed(name: &str, error: &KeysetError, why: String) -> Failure {
    let what = format!("cannot change keyset {name}");
    let (code, hint) = match error {
        KeysetError::UnknownId { id } => {
            return Failure::usage("unknown_key_id", what, format!("it has no key {id}"))
                .hint(format!("keyseal keyset list {}", argument(name)));
        }
        KeysetError::IsPrimary { .. } => (
            "is_primary",
            "promote another key in the same call, with --promote ID",
        ),
        KeysetError::NotEnabled { .. } => (
            "not_enabled",
            "enable it in the same call, with --enable ID",
        ),
        KeysetError::Destroyed { .. } => (
            "destroyed",
            "nothing uses a destroyed key any more: you can only delete it",
        ),
        _ => (
            "other_kind",
            "nothing can use a keyset with keys of different kinds",
        ),
    };
    Failure::new(Exit::Failed, code, what, why).hint(hint)
}

/// The error for an unknown template name, with the one that was perhaps meant.
pub(crate) fn unknown_template(name: &str) -> Failure {
    let templates: Vec<_> = KeyTypes::default().templates().collect();
    let failure = Failure::usage(
        "unknown_template",
        format!("cannot use template {}", printable(name)),
        "no key template has this name",
    );
    match closest(name, templates.iter().map(keyseal::key::Template::name)) {
        Some(name) => failure.hint(format!("did you mean {name}?")),
        None => failure,
    }
    .hint("keyseal templates lists them all")
}
