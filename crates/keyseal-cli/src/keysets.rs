//! Keyset files: opening and writing them.

use keyseal::{
    KeysetError, KeysetHandle, SecretAccess,
    keyset::{Format, KeysetFile, Protection},
};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    display::count,
    error::Failure,
    exit::Exit,
    files::Output,
    format_name::FormatName,
    input::{FileArg, KEYSET_LIMIT},
    kek::Kek,
    keyset_failure::{cleartext_failure, keyset_failure},
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
    pub(crate) fn open(
        place: &FileArg,
        access: Access,
        context: &Context,
    ) -> Result<Self, Failure> {
        let bytes = place.read_small(KEYSET_LIMIT, context)?;
        Self::parse(place, &bytes, access, context)
    }

    /// Opens the bytes of a keyset file.
    pub(crate) fn parse(
        place: &FileArg,
        bytes: &[u8],
        access: Access,
        context: &Context,
    ) -> Result<Self, Failure> {
        let name = place.name();
        let keyset = match (KeysetFile::detect(bytes), access.kek) {
            (Ok(seen), Some(kek)) if seen.protection() == Protection::Encrypted => {
                Self::decrypt(&name, bytes, seen.format(), kek, access.aad)?
            }
            (Ok(seen), None) if seen.protection() == Protection::Cleartext => {
                Self::read(&name, bytes, seen.format(), access.cleartext)?
            }
            (Ok(seen), _) => return Err(wrong_protection(&name, seen.protection())),
            (Err(_), Some(kek)) if kek.may_wrap(bytes) => {
                let unwrapped = Self::unwrap(&name, bytes, kek.clone(), access.aad)?;
                unwrapped.ok_or_else(|| kek.not_unwrapped(&name))?
            }
            (Err(error), _) => return Err(keyset_failure(&name, error)),
        };
        context.detail(&format!(
            "{name}: {} keyset, {}, {}",
            match keyset.seal {
                Seal::Cleartext | Seal::NoSecret => "cleartext",
                Seal::Under { .. } => "encrypted",
            },
            keyset.format.name(),
            count(keyset.handle.len(), "key")
        ));
        Ok(keyset)
    }

    fn decrypt(
        name: &str,
        bytes: &[u8],
        format: Format,
        kek: Kek,
        aad: Zeroizing<Vec<u8>>,
    ) -> Result<Self, Failure> {
        match kek.read(name, bytes, format, &aad) {
            Ok(handle) => Ok(Self {
                handle,
                format: format.into(),
                seal: Seal::Under { kek, aad },
            }),
            // A ciphertext of Cloud KMS also parses as an encrypted keyset.
            Err(failure) if format == Format::Binary && failure.exit() == Exit::NotDecrypted => {
                Self::unwrap(name, bytes, kek, aad)?.ok_or(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Opens a file that is the key-encryption key's ciphertext of a bare binary keyset; `None` if
    /// the key does not decrypt it.
    fn unwrap(
        name: &str,
        bytes: &[u8],
        kek: Kek,
        aad: Zeroizing<Vec<u8>>,
    ) -> Result<Option<Self>, Failure> {
        let handle = kek.read_wrapped(name, bytes, &aad)?;
        Ok(handle.map(|handle| Self {
            handle,
            format: FormatName::Wrapped,
            seal: Seal::Under { kek, aad },
        }))
    }

    fn read(name: &str, bytes: &[u8], format: Format, cleartext: bool) -> Result<Self, Failure> {
        let (read, seal) = match KeysetHandle::read_no_secret(bytes, format) {
            Err(KeysetError::Secret { .. }) if cleartext => {
                let access = SecretAccess::insecure();
                let read = KeysetHandle::read_cleartext(bytes, format, access);
                (read, Seal::Cleartext)
            }
            Err(KeysetError::Secret { .. }) => {
                let what = format!("cannot open keyset {name}");
                return Err(cleartext_failure(&what, "it is in cleartext"));
            }
            read => (read, Seal::NoSecret),
        };
        Ok(Self {
            handle: read.map_err(|error| keyset_failure(name, error))?,
            format: format.into(),
            seal,
        })
    }

    /// Makes a primitive of the keyset.
    pub(crate) fn primitive<P: keyseal::keyset::Primitive>(
        &self,
        place: &FileArg,
    ) -> Result<P, Failure> {
        let made = self.handle.primitive();
        made.map_err(|error| keyset_failure(&place.name(), error))
    }
}

/// The error for an encrypted keyset without its key, and for a key without an encrypted keyset.
fn wrong_protection(name: &str, protection: Protection) -> Failure {
    let what = format!("cannot open keyset {name}");
    match protection {
        Protection::Encrypted => Failure::usage(
            "keyset_kek_missing",
            what,
            "it is encrypted, but no key-encryption key is named",
        )
        .hint("name it with --keyset-kek URI"),
        Protection::Cleartext => {
            let failure = Failure::usage(
                "keyset_not_encrypted",
                what,
                "it is not encrypted, but a key-encryption key is named",
            )
            .hint("leave out --keyset-kek, or check that this is the right file");
            match std::env::var_os("KEYSEAL_KEYSET_KEK").is_some_and(|value| !value.is_empty()) {
                true => {
                    failure.hint("KEYSEAL_KEYSET_KEK= before the command leaves the variable out")
                }
                false => failure,
            }
        }
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

    /// Checks that a keyset that is about to replace its file decrypts: a service may have spoiled it.
    pub(crate) fn check(
        &self,
        handle: &KeysetHandle,
        bytes: &[u8],
        format: FormatName,
    ) -> Result<(), Failure> {
        let Self::Under { kek, aad } = self else {
            return Ok(());
        };
        if !kek.is_remote() {
            return Ok(());
        }
        let read = match format {
            FormatName::Wrapped => kek.read_wrapped("the new keyset", bytes, aad)?,
            _ => match kek.read("the new keyset", bytes, format.format(), aad) {
                Err(failure) if failure.exit() == Exit::NotDecrypted => None,
                read => Some(read?),
            },
        };
        match read.is_some_and(|read| read.info() == handle.info()) {
            true => Ok(()),
            false => Err(Failure::new(
                Exit::NotDecrypted,
                "keyset_spoiled",
                "cannot replace the keyset",
                format!("{} does not decrypt what it has just encrypted", kek.uri()),
            )
            .hint("the file is as it was: try again, and ask the service if it stays so")),
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

pub(crate) fn format_name(format: Format) -> &'static str {
    FormatName::from(format).name()
}
