//! The wrapped key of a file: finding it, opening it, and wrapping it again.

use std::io::{self, Read as _};

use keyseal::{
    DecryptError, Envelope, Freshness, KeysetError, KeysetHandle, KmsErrorKind, SealedStreamHeader,
    SecretAccess,
    keyset::{Format, KeysetFile, Protection},
};
use zeroize::Zeroizing;

use crate::{
    comparison::Comparison,
    error::Failure,
    exit::Exit,
    first_bytes::envelope,
    format_name::FormatName,
    input::{InOrder, Input, KEYSET_LIMIT},
    kek::Kek,
    keyset_failure::keyset_failure,
    keysets::Seal,
    kms_failure::kms_failure,
};

/// The old key-encryption key, and the new one unless it is the same.
pub(super) struct Keks {
    pub(super) from: Kek,
    pub(super) to: Option<Kek>,
    /// The associated data of keysets.
    pub(super) aad: Zeroizing<Vec<u8>>,
}

/// A file whose key was opened.
pub(super) struct Opened {
    secret: Secret,
    /// Bytes of the file, from its start, that wrap the key.
    pub(super) start: u64,
    /// Whether it is under the newest version of the key that it should be under.
    pub(super) is_newest: bool,
    /// The key to wrap it with.
    kek: Kek,
}

/// The key of a file, by the form of the file.
enum Secret {
    SealedStream(KeysetHandle),
    Envelope(Zeroizing<Vec<u8>>),
    Keyset(KeysetHandle, Format),
    WrappedKeyset(KeysetHandle),
}

impl Opened {
    pub(super) const fn form(&self) -> &'static str {
        match self.secret {
            Secret::SealedStream(_) => "sealed stream",
            Secret::Envelope(_) => "envelope",
            Secret::Keyset(..) => "encrypted keyset",
            Secret::WrappedKeyset(_) => "wrapped keyset",
        }
    }

    /// Returns the keyset that is the whole content of the file, if it is one.
    fn keyset(&self) -> Option<Zeroizing<Vec<u8>>> {
        match &self.secret {
            Secret::SealedStream(_) | Secret::Envelope(_) => None,
            Secret::Keyset(handle, _) | Secret::WrappedKeyset(handle) => {
                let access = SecretAccess::insecure();
                let bytes = handle.write_cleartext(Format::Binary, access);
                Some(Zeroizing::new(bytes.expose(access).to_vec()))
            }
        }
    }
}

impl Keks {
    /// Returns the key that files will be under.
    pub(super) const fn target(&self) -> &Kek {
        match &self.to {
            Some(to) => to,
            None => &self.from,
        }
    }

    /// Recognises a file, and opens its key.
    pub(super) fn open(&self, input: &mut Input) -> Result<Opened, Failure> {
        let start = input.peek(SealedStreamHeader::MAX_SIZE)?;
        if SealedStreamHeader::detect(&start) {
            return self.open_sealed_stream(input.name(), &start);
        }
        let size = input.size().unwrap_or(u64::MAX);
        let envelope = envelope(&start, size);
        if let Some(envelope) = &envelope
            && let Some(opened) = self.open_envelope(input.name(), envelope)?
        {
            return Ok(opened);
        }
        // The input is read again when it is copied.
        let bytes = input.peek(usize::try_from(KEYSET_LIMIT + 1).unwrap_or(usize::MAX))?;
        match self.open_keyset(input.name(), &bytes)? {
            Some(opened) => Ok(opened),
            None if KeysetFile::detect(&bytes).is_ok() => Err(self.keyset_not_opened(input.name())),
            None if envelope.is_some() => Err(self.not_unwrapped(input.name())),
            None if self.from.may_wrap(&bytes) => Err(self
                .unknown(input.name())
                .hint("if it is a wrapped keyset, use the --keyset-aad that it was written with")),
            None => Err(self.unknown(input.name())),
        }
    }

    fn open_sealed_stream(&self, name: &str, start: &[u8]) -> Result<Opened, Failure> {
        let (header, _) = SealedStreamHeader::parse(start).map_err(|error| {
            let what = format!("cannot re-wrap {name}");
            Failure::new(Exit::NotDecrypted, "sealed_stream", what, error.to_string())
        })?;
        let opened = self.try_both(header.as_bytes().len(), false, &|kek| {
            Ok(opened(name, header.keyset(kek.aead()))?.map(Secret::SealedStream))
        })?;
        opened.ok_or_else(|| self.not_unwrapped(name))
    }

    fn open_envelope(&self, name: &str, file: &Envelope<'_>) -> Result<Option<Opened>, Failure> {
        self.try_both(file.head().len(), false, &|kek| {
            let dek = kek.aead().decrypt(file.wrapped_key(), b"");
            let dek = dek.map(Zeroizing::new);
            Ok(opened(name, dek.map_err(KeysetError::Decrypt))?.map(Secret::Envelope))
        })
    }

    fn open_keyset(&self, name: &str, bytes: &[u8]) -> Result<Option<Opened>, Failure> {
        if bytes.len() as u64 > KEYSET_LIMIT {
            return Ok(None);
        }
        let seen = KeysetFile::detect(bytes).ok();
        if seen.as_ref().map(KeysetFile::protection) == Some(Protection::Cleartext) {
            return Err(Failure::usage(
                "keyset_not_encrypted",
                format!("cannot re-wrap {name}"),
                "it is a cleartext keyset, under no key-encryption key",
            ));
        }
        self.try_both(bytes.len(), true, &|kek| {
            if let Some(format) = seen.as_ref().map(KeysetFile::format) {
                match kek.read(name, bytes, format, &self.aad) {
                    Ok(handle) => return Ok(Some(Secret::Keyset(handle, format))),
                    Err(failure) if failure.exit() != Exit::NotDecrypted => return Err(failure),
                    Err(_) if format == Format::Json => return Ok(None),
                    // A ciphertext of Cloud KMS also parses as an encrypted keyset.
                    Err(_) => {}
                }
            }
            match kek.may_wrap(bytes) {
                true => Ok(kek
                    .read_wrapped(name, bytes, &self.aad)?
                    .map(Secret::WrappedKeyset)),
                false => Ok(None),
            }
        })
    }

    /// Opens a key with the old key-encryption key or, after an earlier run, with the new one.
    ///
    /// Only keysets are under the envelope that a URI may ask for.
    fn try_both(
        &self,
        start: usize,
        is_keyset: bool,
        open: &dyn Fn(&Kek) -> Result<Option<Secret>, Failure>,
    ) -> Result<Option<Opened>, Failure> {
        let is_other = |to: &&Kek| is_keyset || !to.is_same_key(&self.from);
        let to = self.to.as_ref().filter(is_other);
        let mut order = vec![(&self.from, to.is_none())];
        order.extend(to.map(|to| (to, true)));
        // A key file costs no request, and shows which files are done, whatever it is called.
        if to.is_some_and(|to| !to.is_remote()) {
            order.reverse();
        }
        for (kek, is_target) in order {
            let (kek, seen) = kek.witnessed(is_keyset && kek.is_envelope())?;
            if let Some(secret) = open(&kek)? {
                return Ok(Some(Opened {
                    secret,
                    start: start as u64,
                    is_newest: is_target && seen.freshness() == Freshness::Newest,
                    kek: match to {
                        Some(to) if !is_target => to.witnessed(is_keyset && to.is_envelope())?.0,
                        _ => kek,
                    },
                }));
            }
        }
        Ok(None)
    }

    /// Wraps the key of a file again, and returns its new start.
    pub(super) fn wrap(&self, name: &str, opened: &Opened) -> Result<Vec<u8>, Failure> {
        let kek = &opened.kek;
        match &opened.secret {
            Secret::SealedStream(handle) => {
                let header = SealedStreamHeader::wrap(handle, kek.aead());
                let header = header.map_err(|error| failed(name, error))?;
                Ok(header.as_bytes().to_vec())
            }
            Secret::Envelope(dek) => {
                let wrapped = kek.aead().encrypt(dek, b"");
                let wrapped = wrapped.map_err(|error| failed(name, KeysetError::Encrypt(error)))?;
                Envelope::head_of(&wrapped).map_err(|_| self.unknown(name))
            }
            Secret::Keyset(handle, format) => self.wrap_keyset(kek, handle, (*format).into()),
            Secret::WrappedKeyset(handle) => self.wrap_keyset(kek, handle, FormatName::Wrapped),
        }
    }

    fn wrap_keyset(
        &self,
        kek: &Kek,
        handle: &KeysetHandle,
        format: FormatName,
    ) -> Result<Vec<u8>, Failure> {
        let seal = Seal::Under {
            kek: kek.clone(),
            aad: self.aad.clone(),
        };
        let bytes = seal.serialize(handle, format)?;
        seal.check(handle, &bytes, format)?;
        Ok(bytes.to_vec())
    }

    fn unknown(&self, name: &str) -> Failure {
        let why = format!(
            "it is not an envelope, a sealed stream or an encrypted keyset, nor a wrapped keyset \
             under {}",
            self.from.uri()
        );
        let what = format!("cannot re-wrap {name}");
        Failure::new(Exit::Failed, "not_wrapped", what, why)
    }

    fn keyset_not_opened(&self, name: &str) -> Failure {
        let why = format!(
            "{} does not decrypt the keyset: it is under another key, has other associated data, or \
             is damaged",
            self.from.uri()
        );
        let what = format!("cannot re-wrap {name}");
        Failure::new(Exit::NotDecrypted, "not_unwrapped", what, why)
            .hint("use the --keyset-aad that it was written with")
            .hint(self.from.hint_of_other_form())
    }

    fn not_unwrapped(&self, name: &str) -> Failure {
        let why = format!(
            "{} does not unwrap its key: it is under another key, or is damaged",
            self.from.uri()
        );
        let what = format!("cannot re-wrap {name}");
        Failure::new(Exit::NotDecrypted, "not_unwrapped", what, why)
    }
}

/// Returns whether two files are the same but for the wrapping of their keys.
pub(super) fn is_same_content(
    (opened, input): (&Opened, &Input),
    (other, other_input): (&Opened, &Input),
) -> Result<bool, Failure> {
    if opened.form() != other.form() {
        return Ok(false);
    }
    if let (Some(keyset), Some(other)) = (opened.keyset(), other.keyset()) {
        return Ok(keyset == other);
    }
    let (Some(file), Some(other_file)) = (input.file(), other_input.file()) else {
        return Ok(false);
    };
    let unreadable = |error: io::Error| other_input.unreadable(&error);
    let other_file = other_file.try_clone().map_err(unreadable)?;
    let rest = InOrder(other_file, other.start);
    let mut comparison = Comparison::with(Box::new(rest));
    let mut rest = InOrder(file, opened.start);
    let copied = io::copy(&mut rest.by_ref(), &mut comparison);
    copied.map_err(|error| input.unreadable(&error))?;
    comparison.same().map_err(unreadable)
}

/// Returns the key that was opened; `None` if it is under another one.
fn opened<T>(name: &str, opened: Result<T, KeysetError>) -> Result<Option<T>, Failure> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(KeysetError::Decrypt(DecryptError::FAILED)) => Ok(None),
        Err(error) => match error.kms_error() {
            Some(kms) if kms.kind() == KmsErrorKind::InvalidInput => Ok(None),
            _ => Err(failed(name, error)),
        },
    }
}

fn failed(name: &str, error: KeysetError) -> Failure {
    match error.kms_error() {
        Some(error) => kms_failure(&format!("cannot re-wrap {name}"), error),
        None => keyset_failure(name, error),
    }
}
