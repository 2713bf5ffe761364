//! Keyset files: recognising, opening and writing them, and their error messages.

use keyseal::{
    DecryptError, EncryptError, KeyError, KeyTypes, KeysetError, KeysetHandle, SecretAccess,
    keyset::{Format, KeysetFile, Protection},
};
use zeroize::Zeroizing;

use crate::{
    args::FormatName,
    context::Context,
    error::{Failure, chain},
    exit::Exit,
    files::Output,
    input::{KEYSET_LIMIT, Place},
    kek::Kek,
    kms::kms_failure,
    text::{closest, count, printable},
};

/// The means by which a command may open keysets.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) kek: Option<Kek>,
    pub(crate) aad: Zeroizing<Vec<u8>>,
    pub(crate) cleartext: bool,
}

/// The protection of a keyset.
#[derive(Clone, Debug)]
pub(crate) enum Seal {
    /// None.
    Cleartext,
    /// None needed: all keys are in a KMS, or public.
    NoSecret,
    /// Encrypted.
    Under { kek: Kek, aad: Zeroizing<Vec<u8>> },
}

/// An opened keyset, and the format and protection of its file.
#[derive(Clone, Debug)]
pub(crate) struct Keyset {
    pub(crate) handle: KeysetHandle,
    pub(crate) format: FormatName,
    pub(crate) seal: Seal,
}

impl Keyset {
    /// Reads and opens a keyset file.
    pub(crate) fn open(place: &Place, access: Access, context: &Context) -> Result<Self, Failure> {
        let bytes = place.read_small(KEYSET_LIMIT, context)?;
        Self::parse(place, &bytes, access, context)
    }

    /// Opens the bytes of a keyset file.
    pub(crate) fn parse(
        place: &Place,
        bytes: &[u8],
        access: Access,
        context: &Context,
    ) -> Result<Self, Failure> {
        let name = place.name();
        let seen = match KeysetFile::detect(bytes) {
            Ok(seen) => seen,
            Err(error) => {
                let failure = keyset_failure(&name, error);
                return match access.kek.as_ref().is_some_and(|kek| kek.may_wrap(bytes)) {
                    true => Self::unwrap(&name, bytes, access, context)?.ok_or_else(|| {
                        failure.hint("nor does --keyset-kek decrypt it as a wrapped keyset")
                    }),
                    false => Err(failure),
                };
            }
        };
        let format = seen.format();
        context.detail(&format!(
            "{name}: {} keyset, {}",
            match seen.protection() {
                Protection::Cleartext => "cleartext",
                Protection::Encrypted => "encrypted",
            },
            format_name(format)
        ));
        let failed = |error| keyset_failure(&name, error);
        let (handle, seal) = match (seen.protection(), access.kek) {
            (Protection::Encrypted, Some(kek)) => {
                match kek.read(&name, bytes, format, &access.aad) {
                    Ok(handle) => {
                        let aad = access.aad;
                        (handle, Seal::Under { kek, aad })
                    }
                    // A ciphertext of Cloud KMS also parses as an encrypted keyset.
                    Err(failure)
                        if format == Format::Binary && failure.exit() == Exit::NotDecrypted =>
                    {
                        let kek = Some(kek);
                        let access = Access { kek, ..access };
                        let unwrapped = Self::unwrap(&name, bytes, access, context)?;
                        return unwrapped.ok_or(failure);
                    }
                    Err(failure) => return Err(failure),
                }
            }
            (Protection::Encrypted, None) => {
                return Err(Failure::usage(
                    "keyset_kek_missing",
                    format!("cannot open keyset {name}"),
                    "it is encrypted, and no key-encryption key is named",
                )
                .hint("name it with --keyset-kek URI"));
            }
            (Protection::Cleartext, Some(_)) => {
                return Err(Failure::usage(
                    "keyset_not_encrypted",
                    format!("cannot open keyset {name}"),
                    "it is not encrypted, and a key-encryption key is named",
                )
                .hint("leave out --keyset-kek, or check that this is the right file"));
            }
            (Protection::Cleartext, None) => match KeysetHandle::read_no_secret(bytes, format) {
                Ok(handle) => (handle, Seal::NoSecret),
                Err(KeysetError::Secret { .. }) if access.cleartext => {
                    let access = SecretAccess::insecure();
                    let read = KeysetHandle::read_cleartext(bytes, format, access);
                    (read.map_err(failed)?, Seal::Cleartext)
                }
                Err(KeysetError::Secret { .. }) => {
                    return Err(cleartext_failure(
                        &format!("cannot open keyset {name}"),
                        "it is in cleartext",
                    ));
                }
                Err(error) => return Err(failed(error)),
            },
        };
        context.detail(&format!("{name}: {}", count(handle.len(), "key")));
        Ok(Self {
            handle,
            format: format.into(),
            seal,
        })
    }

    /// Opens a file that is the key-encryption key's ciphertext of a bare binary keyset; `None` if
    /// the key does not decrypt it.
    fn unwrap(
        name: &str,
        bytes: &[u8],
        access: Access,
        context: &Context,
    ) -> Result<Option<Self>, Failure> {
        let Access {
            kek: Some(kek),
            aad,
            ..
        } = access
        else {
            return Ok(None);
        };
        let Some(handle) = kek.read_wrapped(name, bytes, &aad)? else {
            return Ok(None);
        };
        context.detail(&format!(
            "{name}: wrapped keyset, {}",
            count(handle.len(), "key")
        ));
        Ok(Some(Self {
            handle,
            format: FormatName::Wrapped,
            seal: Seal::Under { kek, aad },
        }))
    }

    /// Makes a primitive of the keyset.
    pub(crate) fn primitive<P: keyseal::keyset::Primitive>(
        &self,
        place: &Place,
    ) -> Result<P, Failure> {
        let made = self.handle.primitive();
        made.map_err(|error| keyset_failure(&place.name(), error))
    }
}

impl Seal {
    /// Returns the protection of a new keyset, if the options name one.
    pub(crate) fn of_new(access: Access) -> Result<Self, Failure> {
        match access {
            Access {
                kek: Some(kek),
                aad,
                ..
            } => Ok(Self::Under { kek, aad }),
            Access {
                cleartext: true, ..
            } => Ok(Self::Cleartext),
            _ => Err(cleartext_failure(
                "cannot write the keyset",
                "it would be in cleartext",
            )),
        }
    }

    /// Returns the bytes of a keyset file.
    pub(crate) fn serialize(
        &self,
        handle: &KeysetHandle,
        format: FormatName,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let is_wrapped = format == FormatName::Wrapped;
        let format = format.format();
        match self {
            Self::Under { kek, aad } if is_wrapped => kek.write_wrapped(handle, aad),
            Self::Cleartext | Self::NoSecret if is_wrapped => Err(Failure::usage(
                "wrapped_without_kek",
                "cannot write a wrapped keyset",
                "no key-encryption key is named",
            )
            .hint("a wrapped keyset is its ciphertext: --format binary writes the keyset itself")),
            Self::Cleartext => {
                let access = SecretAccess::insecure();
                let bytes = handle.write_cleartext(format, access);
                Ok(Zeroizing::new(bytes.expose(access).to_vec()))
            }
            Self::NoSecret => handle
                .write_no_secret(format)
                .map(Zeroizing::new)
                .map_err(|error| keyset_failure("the new keyset", error)),
            Self::Under { kek, aad } => kek.write(handle, format, aad),
        }
    }

    pub(crate) fn write(
        &self,
        handle: &KeysetHandle,
        format: FormatName,
        output: Output<'_>,
    ) -> Result<(), Failure> {
        let bytes = self.serialize(handle, format)?;
        if format.format() == Format::Binary {
            output.refuse_binary_on_terminal()?;
        }
        output.write(&bytes)
    }
}

/// Recognises a keyset file, or fails.
pub(crate) fn detect(name: &str, bytes: &[u8]) -> Result<KeysetFile, Failure> {
    KeysetFile::detect(bytes).map_err(|error| keyset_failure(name, error))
}

pub(crate) fn format_name(format: Format) -> &'static str {
    FormatName::from(format).name()
}

/// The error for cleartext without the flag that allows it.
pub(crate) fn cleartext_failure(what: &str, why: &str) -> Failure {
    Failure::usage("cleartext_not_allowed", what, why)
        .hint("whoever can read such a file has its keys; --insecure-cleartext allows it")
        .hint("--keyset-kek URI names the key-encryption key of an encrypted keyset")
}

/// Describes the fault of a keyset.
pub(crate) fn keyset_failure(name: &str, error: KeysetError) -> Failure {
    let why = printable(chain(&error));
    let what = format!("cannot use keyset {name}");
    let refused = |code| {
        Failure::new(
            Exit::Failed,
            code,
            format!("cannot change keyset {name}"),
            &*why,
        )
    };
    match error {
        KeysetError::Decrypt(DecryptError::FAILED) => Failure::new(
            Exit::NotDecrypted,
            "keyset_not_decrypted",
            format!("cannot open keyset {name}"),
            "it did not decrypt",
        )
        .hint("it takes the key-encryption key and the --keyset-aad with which it was written")
        .hint("a damaged file does not decrypt either"),
        // We do not know whether it would open.
        KeysetError::Decrypt(error) => match error.kms_error() {
            Some(error) => kms_failure(&format!("cannot open keyset {name}"), error),
            None => Failure::new(Exit::Failed, "failed", what, why),
        },
        KeysetError::Encrypt(EncryptError::Kms(error)) => {
            kms_failure("cannot encrypt the keyset", &error)
        }
        KeysetError::UnknownId { id } => Failure::usage(
            "unknown_key_id",
            format!("cannot change keyset {name}"),
            format!("it has no key {id}"),
        )
        .hint(format!("keyseal keyset list {name}")),
        KeysetError::IsPrimary { .. } => {
            refused("is_primary").hint("promote another key in the same call, with --promote ID")
        }
        KeysetError::NotEnabled { .. } => {
            refused("not_enabled").hint("enable it in the same call, with --enable ID")
        }
        KeysetError::Destroyed { .. } => {
            refused("destroyed").hint("it is used for nothing any more: it can only be deleted")
        }
        KeysetError::OtherKind { .. } => {
            refused("other_kind").hint("the keys of a keyset are of one kind, or nothing uses it")
        }
        KeysetError::Template(KeyError::UnknownTemplate { name, .. }) => unknown_template(&name),
        KeysetError::Random(_) | KeysetError::Template(_) | KeysetError::Encrypt(_) => {
            Failure::new(Exit::Failed, "failed", what, why)
        }
        KeysetError::TextForm { found } => {
            Failure::new(Exit::KeysetInvalid, "keyset_invalid", what, why).hint(found.advice())
        }
        KeysetError::WrongPrimitive { .. } => {
            Failure::new(Exit::KeysetInvalid, "wrong_primitive", what, why)
                .hint(format!("keyseal keyset list {name}"))
        }
        _ => Failure::new(Exit::KeysetInvalid, "keyset_invalid", what, why).hint(format!(
            "keyseal keyset lint {name} says what is wrong, and what to do"
        )),
    }
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
