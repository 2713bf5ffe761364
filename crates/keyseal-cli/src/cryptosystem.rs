//! What a file is encrypted with, and in which form: a message, an envelope, a stream.

use std::{
    io::{self, Read, Write as _},
    num::NonZeroUsize,
};

use keyseal::{
    Aead as _, DecryptError, EncryptError, KeyId, KeyTypes, KeysetError, SealedStreamHeader,
    StreamingAead as _,
    key::KeyKind,
    keyset::Status,
    streaming::{RandomAccess, ReadAt as _},
};
use zeroize::Zeroizing;

use crate::{
    cipher::{Cipher, LIMIT, overhead},
    context::Context,
    error::{Failure, chain},
    exit::Exit,
    files::Output,
    input::{Place, Source},
    kek::Kek,
    keysets::{Keyset, keyset_failure, unknown_template},
    kms::kms_failure,
    progress::Progress,
    stream::{InOrder, Range, Sizes, Streams, not_decrypted},
    text::{printable, size},
};

/// Files that are larger become sealed streams.
const LARGE: u64 = 1 << 20;
/// No ciphertext of a message is longer than its plaintext by more bytes.
const MOST_OVERHEAD: u64 = 4096 + 128;
/// The longest plaintext of a stream that is held back in memory until it is authenticated.
const HELD_BACK: usize = 256 << 20;
/// The data keys of envelopes.
const ENVELOPE_TEMPLATE: &str = "AES256_GCM";
/// Bytes in which a sealed stream is recognised.
const START: usize = 8;

/// What encrypts and decrypts.
pub(crate) enum Cryptosystem {
    Keyset { keyset: Keyset, cipher: Cipher },
    Kek { kek: Kek, template: Option<String> },
}

/// Whether it is a stream that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the size of the input says.
    Fitting,
    Stream,
    Message,
}

/// When plaintext comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// When all of it is authenticated.
    Whole,
    /// As it comes.
    AsItComes,
}

/// What was done with a file.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) sizes: Sizes,
    pub(crate) form: &'static str,
    pub(crate) key: Option<KeyId>,
}

/// What is the same for all files of a command.
pub(crate) struct Job<'j> {
    pub(crate) with: &'j Cryptosystem,
    pub(crate) associated_data: &'j [u8],
    pub(crate) threads: NonZeroUsize,
    pub(crate) context: &'j Context,
}

impl Job<'_> {
    /// Encrypts an input. The output is not yet final.
    pub(crate) fn encrypt(
        &self,
        input: &Place,
        form: Form,
        output: &mut Output<'_>,
    ) -> Result<Done, Failure> {
        let source = input.open(self.context)?;
        match self.with {
            Cryptosystem::Keyset { keyset, cipher } => {
                let key = Some(keyset.handle.primary());
                if let Cipher::Streaming(aead) = cipher {
                    if form == Form::Message {
                        return Err(no_message());
                    }
                    let progress = Progress::start(source.size(), self.context);
                    let name = input.name();
                    let streams = self.streams(aead, &progress, &name);
                    let sizes = streams.encrypt(source, &[], output)?;
                    return Ok(Done {
                        sizes,
                        form: "stream",
                        key,
                    });
                }
                if form == Form::Stream {
                    return Err(no_stream());
                }
                let mut buffer = self.read(input, source, &[], LIMIT, overhead(keyset))?;
                let read = buffer.len() as u64;
                let encrypted = cipher.encrypt(&mut buffer, self.associated_data);
                encrypted.map_err(|error| not_encrypted(input, &error))?;
                let written = self.write(&buffer, output)?;
                let sizes = Sizes { read, written };
                Ok(Done {
                    sizes,
                    form: "message",
                    key,
                })
            }
            Cryptosystem::Kek { kek, template } => {
                self.encrypt_under(kek, template.as_deref(), input, source, form, output)
            }
        }
    }

    fn encrypt_under(
        &self,
        kek: &Kek,
        template: Option<&str>,
        input: &Place,
        source: Source,
        form: Form,
        output: &mut Output<'_>,
    ) -> Result<Done, Failure> {
        let kind = template.map(kind_of).transpose()?;
        let as_stream = match (form, kind) {
            (Form::Message, Some(KeyKind::StreamingAead)) => return Err(no_message()),
            (Form::Stream, Some(KeyKind::Aead)) => return Err(no_stream()),
            (Form::Stream, _) | (_, Some(KeyKind::StreamingAead)) => true,
            (Form::Message, _) | (_, Some(_)) => false,
            (Form::Fitting, None) => source.size().is_none_or(|size| size > LARGE),
        };
        if as_stream {
            let template = template.unwrap_or(SealedStreamHeader::TEMPLATE);
            let (header, aead) = SealedStreamHeader::generate(template, kek.aead())
                .map_err(|error| under_kek("cannot wrap the stream's keyset", kek, error))?;
            let progress = Progress::start(source.size(), self.context);
            let name = input.name();
            let streams = self.streams(&aead, &progress, &name);
            let sizes = streams.encrypt(source, header.as_bytes(), output)?;
            return Ok(Done {
                sizes,
                form: "sealed stream",
                key: None,
            });
        }
        let envelope = kek.envelope(template.unwrap_or(ENVELOPE_TEMPLATE))?;
        let buffer = self.read(input, source, &[], LIMIT, 0)?;
        let ciphertext = envelope
            .encrypt(&buffer, self.associated_data)
            .map_err(|error| not_encrypted(input, &error))?;
        let written = self.write(&ciphertext, output)?;
        let sizes = Sizes {
            read: buffer.len() as u64,
            written,
        };
        Ok(Done {
            sizes,
            form: "envelope",
            key: None,
        })
    }

    /// Decrypts an input. The output is not yet final.
    pub(crate) fn decrypt(
        &self,
        input: &Place,
        range: Option<Range>,
        release: Release,
        output: &mut Output<'_>,
    ) -> Result<Done, Failure> {
        let mut source = input.open(self.context)?;
        let name = input.name();
        let unreadable = |error: io::Error| Failure::io(format!("cannot read {name}"), &error);
        match self.with {
            Cryptosystem::Keyset { keyset: _, cipher } => {
                if let Cipher::Streaming(aead) = cipher {
                    let stream = Sealed {
                        source,
                        start: Vec::new(),
                        header_size: 0,
                    };
                    let sizes = self.decrypt_stream(aead, stream, input, range, release, output)?;
                    return Ok(Done {
                        sizes,
                        form: "stream",
                        key: None,
                    });
                }
                check_no_range(range)?;
                let mut buffer = self.read(input, source, &[], LIMIT + MOST_OVERHEAD, 0)?;
                let read = buffer.len() as u64;
                let decrypted = cipher.decrypt(&mut buffer, self.associated_data);
                decrypted.map_err(|error| message_not_decrypted(input, error))?;
                let written = self.write(&buffer, output)?;
                let sizes = Sizes { read, written };
                Ok(Done {
                    sizes,
                    form: "message",
                    key: None,
                })
            }
            Cryptosystem::Kek { kek, template } => {
                let mut start = Vec::with_capacity(START);
                match &source {
                    Source::File(file) => {
                        start.resize(START, 0);
                        let read = file.read_at(&mut start, 0).map_err(unreadable)?;
                        start.truncate(read);
                    }
                    Source::Stream(_) => {
                        let mut first = source.by_ref().take(START as u64);
                        first.read_to_end(&mut start).map_err(unreadable)?;
                    }
                }
                if SealedStreamHeader::recognize(&start) {
                    let (header, stream) = read_header(start, source, input)?;
                    let aead = header.open(kek.aead()).map_err(|error| {
                        under_kek(&format!("cannot decrypt {name}"), kek, error)
                    })?;
                    let sizes =
                        self.decrypt_stream(&aead, stream, input, range, release, output)?;
                    return Ok(Done {
                        sizes,
                        form: "sealed stream",
                        key: None,
                    });
                }
                check_no_range(range)?;
                let template = template.as_deref().unwrap_or(ENVELOPE_TEMPLATE);
                let envelope = kek.envelope(template)?;
                if let Source::File(_) = &source {
                    start.clear();
                }
                let buffer = self.read(input, source, &start, LIMIT + MOST_OVERHEAD, 0)?;
                let plaintext = envelope
                    .decrypt(&buffer, self.associated_data)
                    .map(Zeroizing::new)
                    .map_err(|error| {
                        let failure = message_not_decrypted(input, error);
                        if failure.exit() != Exit::NotDecrypted {
                            return failure;
                        }
                        failure.hint(format!(
                            "its data key is taken for one of {template}; --template names another"
                        ))
                    })?;
                let written = self.write(&plaintext, output)?;
                let sizes = Sizes {
                    read: buffer.len() as u64,
                    written,
                };
                Ok(Done {
                    sizes,
                    form: "envelope",
                    key: None,
                })
            }
        }
    }

    /// Returns the form in which a file tells that it is encrypted.
    pub(crate) const fn recognizable_form(&self) -> Form {
        match self.with {
            Cryptosystem::Keyset { .. } => Form::Fitting,
            Cryptosystem::Kek { template: None, .. } => Form::Stream,
            Cryptosystem::Kek { .. } => Form::Fitting,
        }
    }

    /// Returns whether a file is known to be encrypted with the same key: it opens.
    pub(crate) fn is_encrypted(&self, input: &Place) -> Result<bool, Failure> {
        let unreadable = |error| Failure::io(format!("cannot read {}", input.name()), &error);
        let source = input.open(self.context)?;
        let Source::File(file) = &source else {
            return Ok(false);
        };
        match self.with {
            Cryptosystem::Keyset {
                cipher: Cipher::Streaming(aead),
                ..
            } => {
                let opened = RandomAccess::new(aead.opener(self.associated_data), file);
                match opened {
                    Ok(_) => Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(false),
                    Err(error) => Err(unreadable(error)),
                }
            }
            Cryptosystem::Keyset { cipher, .. } => {
                let mut buffer = self.read(input, source, &[], LIMIT + MOST_OVERHEAD, 0)?;
                match cipher.decrypt(&mut buffer, self.associated_data) {
                    Ok(()) => Ok(true),
                    Err(error) if error.kms_error().is_none() => Ok(false),
                    Err(error) => Err(message_not_decrypted(input, error)),
                }
            }
            Cryptosystem::Kek { kek, .. } => {
                let mut start = vec![0; START];
                let read = file.read_at(&mut start, 0).map_err(unreadable)?;
                if !SealedStreamHeader::recognize(start.split_at(read).0) {
                    return Ok(false);
                }
                let (header, _) = read_header(start, source, input)?;
                match header.keyset(kek.aead()) {
                    Ok(_) => Ok(true),
                    Err(KeysetError::Decrypt(DecryptError::FAILED)) => Err(Failure::new(
                        Exit::Failed,
                        "sealed_otherwise",
                        format!("cannot encrypt {}", input.name()),
                        "it is a sealed stream already, of another key",
                    )
                    .hint("to another folder, or without --recursive, it can be encrypted again")),
                    Err(error) => Err(under_kek(
                        &format!("cannot encrypt {}", input.name()),
                        kek,
                        error,
                    )),
                }
            }
        }
    }

    /// Returns whether a file shows by its first bytes that this key has not encrypted it. A key that
    /// shows nothing in what it writes never does.
    pub(crate) fn is_plainly_not_encrypted(&self, input: &Place) -> Result<bool, Failure> {
        let mut start = Vec::new();
        let read = input
            .open(self.context)?
            .take(START as u64)
            .read_to_end(&mut start);
        read.map_err(|error| Failure::io(format!("cannot read {}", input.name()), &error))?;
        Ok(match self.with {
            Cryptosystem::Keyset {
                cipher: Cipher::Streaming(_),
                ..
            } => false,
            Cryptosystem::Keyset { keyset, .. } => {
                let mut enabled = keyset
                    .handle
                    .entries()
                    .filter(|entry| entry.status() == Status::Enabled);
                !enabled
                    .any(|entry| start.starts_with(entry.variant().prefix(entry.id()).as_bytes()))
            }
            // An envelope has no name of its own, and is not written in place.
            Cryptosystem::Kek { template: None, .. } => !SealedStreamHeader::recognize(&start),
            Cryptosystem::Kek { .. } => false,
        })
    }

    fn decrypt_stream(
        &self,
        aead: &keyseal::KeysetStreamingAead,
        sealed: Sealed,
        input: &Place,
        range: Option<Range>,
        release: Release,
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let name = input.name();
        let Sealed {
            source,
            start,
            header_size,
        } = sealed;
        let progress = Progress::start(source.size(), self.context);
        let streams = self.streams(aead, &progress, &name);
        let as_it_comes = release == Release::AsItComes;
        if as_it_comes && !output.is_revocable() {
            self.context.warn(
                "the output comes as it is decrypted: it is whole only if this ends with exit code 0",
            );
        }
        match (source, range) {
            (Source::File(file), Some(range)) => {
                streams.decrypt_range(&file, header_size, range, output)
            }
            (Source::Stream(_), Some(_)) => Err(Failure::usage(
                "range",
                format!("cannot read a part of {name}"),
                "it is no regular file, and comes once",
            )),
            (Source::File(file), None) if !as_it_comes || output.is_revocable() => {
                streams.decrypt_file(&file, header_size, output)
            }
            (source, None) => {
                let mut source = Counted {
                    inner: source,
                    count: header_size,
                };
                // Of a file everything is read again, of a pipe nothing.
                skip(&mut source, header_size)
                    .map_err(|error| Failure::io(format!("cannot read {name}"), &error))?;
                let written = if as_it_comes || output.is_revocable() {
                    let to = output.name();
                    streams.decrypt_in_order(
                        start.chain(&mut source),
                        &mut output.opened()?,
                        &to,
                    )?
                } else {
                    let plaintext = streams
                        .decrypt_to_memory(start.chain(&mut source), HELD_BACK)?
                        .ok_or_else(|| held_back(&name))?;
                    self.write(&plaintext, output)?
                };
                Ok(Sizes {
                    read: source.count,
                    written,
                })
            }
        }
    }

    fn streams<'s>(
        &'s self,
        aead: &'s keyseal::KeysetStreamingAead,
        progress: &'s Progress,
        input: &'s str,
    ) -> Streams<'s> {
        Streams {
            aead,
            associated_data: self.associated_data,
            threads: self.threads,
            progress,
            input,
        }
    }

    fn read(
        &self,
        input: &Place,
        source: Source,
        start: &[u8],
        limit: u64,
        spare: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        source
            .read_to_memory(start, limit, spare)
            .map_err(|error| Failure::io(format!("cannot read {}", input.name()), &error))?
            .ok_or_else(|| too_large(input))
    }

    fn write(&self, bytes: &[u8], output: &mut Output<'_>) -> Result<u64, Failure> {
        output.refuse_binary(bytes)?;
        let what = format!("cannot write {}", output.name());
        let written = output.opened()?.write_all(bytes);
        written.map_err(|error| Failure::io(what, &error))?;
        Ok(bytes.len() as u64)
    }
}

/// A stream behind a header that was read.
struct Sealed {
    source: Source,
    /// What was read of a source that comes once, and belongs to the stream.
    start: Vec<u8>,
    /// Bytes in front of the stream in a file.
    header_size: u64,
}

fn read_header(
    start: Vec<u8>,
    mut source: Source,
    input: &Place,
) -> Result<(SealedStreamHeader, Sealed), Failure> {
    let read = match &mut source {
        Source::File(file) => SealedStreamHeader::read_from(&mut InOrder(&*file, 0)),
        Source::Stream(stream) => SealedStreamHeader::read_from(&mut start.chain(stream)),
    };
    let header = read.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Failure::new(
            Exit::NotDecrypted,
            "sealed_stream",
            format!("cannot decrypt {}", input.name()),
            error.to_string(),
        ),
        _ => Failure::io(format!("cannot read {}", input.name()), &error),
    })?;
    let header_size = match source {
        Source::File(_) => header.as_bytes().len() as u64,
        Source::Stream(_) => 0,
    };
    let start = Vec::new();
    Ok((
        header,
        Sealed {
            source,
            start,
            header_size,
        },
    ))
}

/// Counts what is read.
struct Counted {
    inner: Source,
    count: u64,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buf)?;
        self.count += len as u64;
        Ok(len)
    }
}

fn skip(source: &mut Counted, size: u64) -> io::Result<()> {
    source.count = 0;
    io::copy(&mut source.take(size), &mut io::sink()).map(drop)
}

/// Returns what the keys of a template are for.
fn kind_of(template: &str) -> Result<KeyKind, Failure> {
    let types = KeyTypes::default();
    let found = types.template(template);
    found
        .map(|template| template.kind())
        .map_err(|_| unknown_template(template))
}

fn not_encrypted(input: &Place, error: &EncryptError) -> Failure {
    let what = format!("cannot encrypt {}", input.name());
    match error {
        EncryptError::Kms(error) => kms_failure(&what, error),
        error => Failure::new(Exit::Failed, "not_encrypted", what, printable(chain(error))),
    }
}

fn message_not_decrypted(input: &Place, error: DecryptError) -> Failure {
    match error.kms_error() {
        Some(error) => kms_failure(&format!("cannot decrypt {}", input.name()), error),
        None => not_decrypted(&input.name()),
    }
}

/// Says why a stream's keyset was not wrapped or opened.
fn under_kek(what: &str, kek: &Kek, error: KeysetError) -> Failure {
    match &error {
        KeysetError::Decrypt(DecryptError::FAILED) => Failure::new(
            Exit::NotDecrypted,
            "not_decrypted",
            what,
            "decryption failed",
        )
        .hint(format!("its keyset does not open under {}", kek.uri())),
        KeysetError::WrongPrimitive { .. } => no_stream(),
        _ => match error.kms_error() {
            Some(error) => kms_failure(what, error),
            None => keyset_failure(&kek.uri(), error),
        },
    }
}

fn no_stream() -> Failure {
    Failure::usage(
        "stream",
        "cannot write a stream",
        "the keys are for whole messages",
    )
    .hint("a streaming keyset writes streams: keyset create --template AES256_GCM_HKDF_1MB")
    .hint("--kek writes them for large inputs, without a keyset")
}

fn no_message() -> Failure {
    Failure::usage(
        "stream",
        "cannot write a message",
        "the keys are for streams: leave out --no-stream",
    )
}

fn check_no_range(range: Option<Range>) -> Result<(), Failure> {
    match range {
        None => Ok(()),
        Some(_) => Err(Failure::usage(
            "range",
            "cannot decrypt a range",
            "only a stream can be decrypted in part, and this is a message",
        )),
    }
}

fn held_back(name: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "too_large",
        format!("cannot decrypt {name}"),
        format!(
            "it is longer than {}, and cannot be held back in memory until all of it is authenticated",
            size(HELD_BACK as u64)
        ),
    )
    .hint("write to a file with -o OUT, which appears when all of it is authenticated")
    .hint("--stream-output writes what is authenticated so far: a later failure ends with exit code 4")
}

fn too_large(input: &Place) -> Failure {
    Failure::new(
        Exit::Failed,
        "too_large",
        format!("cannot process {}", input.name()),
        format!(
            "it is longer than {}, the limit for one message in memory",
            size(LIMIT)
        ),
    )
    .hint("a streaming keyset needs no memory for it, nor does --kek without --no-stream")
}
