//! Under a keyset: messages, or streams if its keys are for those.

use std::io::{self, Read as _};

use keyseal::{
    Envelope, KeyId, KeysetHandle, KeysetStreamingAead, SealedStreamHeader, StreamingAead as _,
    Variant,
    keyset::{Entry, Status},
    streaming::RandomAccess,
};

use super::contract::{
    Cryptor, Form, Reason, Recognised, Summary, check_no_range, message_not_decrypted, no_message,
    no_stream, not_encrypted,
};
use crate::{
    byte_range::ByteRange,
    context::Context,
    error::Failure,
    exit::Exit,
    files::Output,
    first_bytes::{
        FirstBytes, Prefix, SAMPLE, envelope, looks_random, may_be_ciphertext, may_be_envelope,
        may_be_stream,
    },
    input::{FileArg, Input},
    job::{Job, Release, Sizes},
    keysets::Keyset,
    primitive::{KeysetPrimitive, files_of_keys, has_remote_keys, overhead, primary},
};

/// The bytes of an envelope up to those that show whether its payload may be one.
const ENVELOPE_SAMPLE: usize = Envelope::MAX_HEAD_SIZE + SAMPLE;
/// Says of a stream that no key of the keyset decrypts it.
const NOT_DECRYPTED: &str = "stream_not_decrypted";

/// Encrypts under the primary key of a keyset, and decrypts with any enabled key.
pub(crate) struct KeysetCryptor {
    keyset: Keyset,
    /// The file of the keyset.
    place: FileArg,
    cipher: KeysetPrimitive,
    /// The primary key alone.
    current: KeysetPrimitive,
    /// Every key for streams, the primary first, whatever its status.
    streams: Vec<(KeyId, Status, KeysetStreamingAead)>,
    /// The RAW keys that are not enabled. Only decrypting shows which files are theirs.
    disabled_raw: Vec<(KeyId, Status, KeysetPrimitive)>,
    /// The same with the disabled keys enabled, if there are any.
    with_disabled: Option<Box<Self>>,
}

impl KeysetCryptor {
    /// Makes the primitives of a keyset. `cleartext` allows keys whose URI is a file.
    pub(crate) fn new(
        keyset: Keyset,
        place: &FileArg,
        cleartext: bool,
        context: &Context,
    ) -> Result<Self, Failure> {
        let cipher = KeysetPrimitive::of(&keyset, place, cleartext, context)?;
        let only = |entry: &Entry<'_>| {
            let handle = KeysetHandle::with_id(entry.key()?.clone(), entry.id());
            Some(Keyset {
                handle,
                ..keyset.clone()
            })
        };
        let current = primary(&keyset).and_then(|entry| only(&entry));
        let current = current.as_ref().unwrap_or(&keyset);
        let current = KeysetPrimitive::of(current, place, cleartext, context)?;
        let is_disabled_raw = |entry: &Entry<'_>| {
            entry.status() != Status::Enabled && entry.variant() == Variant::Raw
        };
        let raw = keyset.handle.entries().filter(is_disabled_raw);
        let disabled_raw = raw.filter_map(|entry| {
            // No service is asked about every file whether a key that is disabled opens it.
            let alone = only(&entry).filter(|alone| !has_remote_keys(alone))?;
            let cipher = KeysetPrimitive::of(&alone, place, cleartext, context).ok()?;
            Some((entry.id(), entry.status(), cipher))
        });
        let disabled_raw = disabled_raw.collect();
        let mut streams: Vec<_> = keyset
            .handle
            .entries()
            .filter_map(|entry| alone(&entry))
            .collect();
        streams.sort_by_key(|(id, ..)| *id != keyset.handle.primary_id());
        let with_disabled = with_disabled_enabled(&keyset)
            .and_then(|all| Self::new(all, place, cleartext, context).ok());
        Ok(Self {
            with_disabled: with_disabled.map(Box::new),
            keyset,
            place: place.clone(),
            cipher,
            current,
            streams,
            disabled_raw,
        })
    }

    /// Returns the key whose prefix a ciphertext starts with: an enabled one if there is one.
    fn named_by(&self, start: &[u8]) -> Option<Entry<'_>> {
        let named = |entry: &Entry<'_>| {
            let prefix = entry.variant().prefix(entry.id());
            !prefix.as_bytes().is_empty() && start.starts_with(prefix.as_bytes())
        };
        let entries = self.keyset.handle.entries().filter(named);
        entries.min_by_key(|entry| entry.status() != Status::Enabled)
    }

    /// Returns the first key whose messages have no prefix, whatever its status.
    fn raw_key(&self) -> Option<KeyId> {
        let mut entries = self.keyset.handle.entries();
        let raw = entries.find(|entry| entry.variant() == Variant::Raw);
        raw.map(|entry| entry.id())
    }

    fn closed(&self, id: KeyId, status: Status) -> Reason {
        match status {
            Status::Disabled => {
                // Without it, the command writes the keyset to standard output.
                let in_place = match self.place {
                    FileArg::Standard => "",
                    FileArg::File(_) => " --in-place",
                };
                Reason::new("key_disabled", format!("key {id} is disabled")).hint(format!(
                    "if it should still decrypt, enable it: keyseal keyset enable {} --key-id {id}{in_place}",
                    self.place.argument()
                ))
            }
            Status::Destroyed => Reason::new("key_destroyed", format!("key {id} is destroyed"))
                .hint("its material is gone: use a copy of the keyset from before".to_owned()),
            _ => Reason::new(
                "not_decrypted",
                format!(
                    "it starts like a ciphertext of key {id}, but does not decrypt: it has other \
                     associated data, or is damaged"
                ),
            ),
        }
    }

    /// Recognises a message that does not decrypt by its first bytes.
    fn look_at(&self, start: &[u8], size: Option<u64>) -> Recognised {
        if SealedStreamHeader::detect(start) {
            return Recognised::Closed(sealed_stream());
        }
        if let Some(entry) = self.named_by(start) {
            return Recognised::Closed(self.closed(entry.id(), entry.status()));
        }
        if let Some(id) = self.raw_key() {
            return Recognised::Unknown(format!(
                "the keyset has a RAW key, {id}, whose ciphertexts cannot be distinguished from other data"
            ));
        }
        of_another_key(start, size)
    }

    fn recognise_message(&self, job: &mut Job<'_>) -> Result<Recognised, Failure> {
        let start = job.input.peek(ENVELOPE_SAMPLE)?;
        let size = job.input.size();
        let seen = self.look_at(&start, size);
        let may_open = match &seen {
            Recognised::Closed(_) => self.named_by(&start).map(|entry| entry.id()),
            Recognised::Unknown(_) => self.raw_key(),
            _ => None,
        };
        // Only the start of a pipe is available.
        if may_open.is_none() || job.input.file().is_none() {
            return Ok(seen);
        }
        if opens(&self.current, job)? {
            return Ok(Recognised::Current);
        }
        if opens(&self.cipher, job)? {
            let key = match self.named_by(&start) {
                Some(entry) => format!("key {}", entry.id()),
                None => "another key of the keyset".to_owned(),
            };
            return Ok(Recognised::Older(key));
        }
        if !matches!(seen, Recognised::Unknown(_)) {
            return Ok(seen);
        }
        for (id, status, cipher) in &self.disabled_raw {
            if opens(cipher, job)? {
                return Ok(Recognised::Closed(self.closed(*id, *status)));
            }
        }
        Ok(seen)
    }

    fn recognise_stream(&self, job: &mut Job<'_>) -> Result<Recognised, Failure> {
        let start = job.input.peek(ENVELOPE_SAMPLE)?;
        if SealedStreamHeader::detect(&start) {
            return Ok(Recognised::Closed(sealed_stream()));
        }
        for (id, status, aead) in &self.streams {
            if !stream_opens(aead, job)? {
                continue;
            }
            return Ok(match status {
                Status::Enabled if *id == self.keyset.handle.primary_id() => Recognised::Current,
                Status::Enabled => Recognised::Older(format!("key {id}")),
                status => Recognised::Closed(self.closed(*id, *status)),
            });
        }
        let size = job.input.size();
        let fits = |aead: &KeysetStreamingAead| {
            let header = start.first().copied().map(usize::from);
            header == Some(aead.layout().header_size())
                && size.is_none_or(|size| aead.layout().map(size).is_some())
        };
        if self.streams.iter().any(|(.., aead)| fits(aead))
            && start.get(1..).is_some_and(looks_random)
        {
            return Ok(Recognised::Closed(Reason::new(
                NOT_DECRYPTED,
                "it starts like a stream of this keyset, but does not decrypt: it may have other \
                 associated data",
            )));
        }
        // The material of a destroyed key is gone, and with it its sizes.
        if self.streams.len() < self.keyset.handle.len() && may_be_stream(&start) {
            let text = "it starts like a stream, and may be one under a destroyed key";
            return Ok(Recognised::Closed(Reason::new(NOT_DECRYPTED, text)));
        }
        Ok(of_another_key(&start, size))
    }
}

impl Cryptor for KeysetCryptor {
    fn recognise(&self, job: &mut Job<'_>) -> Result<Recognised, Failure> {
        match &self.cipher {
            KeysetPrimitive::Streaming(_) => self.recognise_stream(job),
            _ => self.recognise_message(job),
        }
    }

    fn encrypt(
        &self,
        job: &mut Job<'_>,
        form: Form,
        output: &mut Output<'_>,
    ) -> Result<Summary, Failure> {
        let key = Some(self.keyset.handle.primary_id());
        match (&self.cipher, form) {
            (KeysetPrimitive::Streaming(_), Form::Message) => Err(no_message()),
            (KeysetPrimitive::Streaming(aead), _) => Ok(Summary {
                sizes: job.encrypt_stream(aead, &[], output)?,
                form: "stream",
                key,
            }),
            (_, Form::Stream) => Err(no_stream()),
            (cipher, _) => {
                let progress = job.progress();
                let mut buffer = job.read_plaintext(overhead(&self.keyset), &progress)?;
                let read = buffer.len() as u64;
                cipher
                    .encrypt(&mut buffer, job.associated_data)
                    .map_err(|error| not_encrypted(job.input.name(), &error))?;
                let written = job.write_message(&buffer, output)?;
                Ok(Summary {
                    sizes: Sizes { read, written },
                    form: "message",
                    key,
                })
            }
        }
    }

    fn decrypt(
        &self,
        job: &mut Job<'_>,
        range: Option<ByteRange>,
        release: Release,
        output: &mut Output<'_>,
    ) -> Result<Summary, Failure> {
        let start = job.input.peek(SAMPLE)?;
        if let KeysetPrimitive::Streaming(aead) = &self.cipher {
            let decrypted = job.decrypt_stream(aead, 0, range, release, output);
            let explain = |failure| match job.input.file() {
                // Why such a stream does not decrypt is not known.
                Some(_) => match self.recognise_stream(job) {
                    Ok(Recognised::Closed(reason)) if reason.code == NOT_DECRYPTED => failure,
                    seen => explained(failure, seen, &job.input),
                },
                None => failure,
            };
            return Ok(Summary {
                sizes: decrypted.map_err(explain)?,
                form: "stream",
                key: None,
            });
        }
        check_no_range(range, job.input.name(), "a message")?;
        let progress = job.progress();
        let mut buffer = job.read_ciphertext(&progress)?;
        let read = buffer.len() as u64;
        self.cipher
            .decrypt(&mut buffer, job.associated_data)
            .map_err(|error| {
                let failure = message_not_decrypted(job.input.name(), &error);
                explained(failure, Ok(self.look_at(&start, Some(read))), &job.input)
            })?;
        let written = job.write_message(&buffer, output)?;
        Ok(Summary {
            sizes: Sizes { read, written },
            form: "message",
            key: None,
        })
    }

    fn with_disabled_keys(&self) -> Option<&dyn Cryptor> {
        let all = self.with_disabled.as_deref()?;
        Some(all)
    }

    fn recognisable_form(&self) -> Form {
        Form::Fitting
    }

    fn cannot_tell(&self) -> Option<String> {
        let id = match self.cipher {
            // Streams are inspected: each possible ciphertext is recognised or refused.
            KeysetPrimitive::Streaming(_) => None,
            _ => self.raw_key(),
        }?;
        Some(format!(
            "key {id} is RAW: its ciphertexts cannot be distinguished from other data, so a second run \
             would encrypt them again"
        ))
    }

    fn places(&self) -> Vec<FileArg> {
        files_of_keys(&self.keyset)
    }

    fn is_remote(&self) -> bool {
        has_remote_keys(&self.keyset)
    }
}

/// Returns the keyset with its disabled keys enabled, if it has any. They are only for looking, and
/// no service is asked about a key that is disabled.
fn with_disabled_enabled(keyset: &Keyset) -> Option<Keyset> {
    let entries = keyset.handle.entries();
    let disabled: Vec<KeyId> = entries
        .filter(|entry| entry.status() == Status::Disabled)
        .map(|entry| entry.id())
        .collect();
    if disabled.is_empty() || has_remote_keys(keyset) {
        return None;
    }
    let mut all = keyset.clone();
    for id in disabled {
        all.handle.enable(id).ok()?;
    }
    Some(all)
}

/// Returns a key for streams alone.
fn alone(entry: &Entry<'_>) -> Option<(KeyId, Status, KeysetStreamingAead)> {
    let keyset = KeysetHandle::with_id(entry.key()?.clone(), entry.id());
    Some((entry.id(), entry.status(), keyset.primitive().ok()?))
}

fn opens(cipher: &KeysetPrimitive, job: &mut Job<'_>) -> Result<bool, Failure> {
    let mut buffer = job.read_message()?;
    match cipher.decrypt(&mut buffer, job.associated_data) {
        Ok(()) => Ok(true),
        Err(error) if error.kms_error().is_none() => Ok(false),
        Err(error) => Err(message_not_decrypted(job.input.name(), &error)),
    }
}

fn stream_opens(aead: &KeysetStreamingAead, job: &mut Job<'_>) -> Result<bool, Failure> {
    let opened = match job.input.file() {
        Some(file) => RandomAccess::new(aead.opener(job.associated_data), file).map(drop),
        None => {
            // One byte more shows whether the first segment is the last.
            let start = job.input.peek(aead.layout().segment_size() + 1)?;
            let mut reader = aead.decrypting_reader(&start[..], job.associated_data);
            reader.read(&mut [0]).map(drop)
        }
    };
    match opened {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(false),
        Err(error) => Err(job.input.unreadable(&error)),
    }
}

/// Adds the most precise reason that public facts allow to a failed decryption.
fn explained(failure: Failure, seen: Result<Recognised, Failure>, input: &Input) -> Failure {
    if failure.exit() != Exit::NotDecrypted {
        return failure;
    }
    match seen {
        Ok(Recognised::Closed(reason)) if reason.code != "not_decrypted" => {
            reason.failure(input.name())
        }
        Ok(Recognised::Plain(reason)) => reason.failure(input.name()),
        _ => failure,
    }
}

fn sealed_stream() -> Reason {
    let text = "it is a sealed stream, which contains its keyset: --kek URI decrypts it";
    Reason::new("sealed_stream", text)
}

/// Recognises a file that is under no key of the keyset.
fn of_another_key(start: &[u8], size: Option<u64>) -> Recognised {
    let size = size.unwrap_or(u64::MAX);
    match envelope(start, size) {
        Some(envelope) if may_be_envelope(&envelope) => Recognised::Closed(in_envelope()),
        _ if may_be_ciphertext(start, size) => {
            Recognised::Plain(match FirstBytes::of(start, size).prefix {
                Some(Prefix { id, .. }) => Reason::new(
                    "key_not_in_keyset",
                    format!(
                        "it is not encrypted with this keyset: its first bytes name key {id}, and \
                         the keyset has no such key"
                    ),
                ),
                None => Reason::new(
                    "other_stream",
                    "it is not encrypted with this keyset: it starts like a stream of another one",
                ),
            })
        }
        _ => Recognised::Plain(not_ciphertext()),
    }
}

fn in_envelope() -> Reason {
    let text = "it is an envelope, which contains its wrapped key: --kek URI decrypts it";
    Reason::new("envelope", text)
}

fn not_ciphertext() -> Reason {
    Reason::new("not_ciphertext", "it is not encrypted with this keyset")
}
