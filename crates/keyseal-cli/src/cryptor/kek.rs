//! Under a key-encryption key: envelopes, and sealed streams for large inputs and pipes.

use std::io;

use keyseal::{
    Aead as _, DecryptError, Decrypted, Envelope, Freshness, KeyTypes, KeysetError,
    KeysetStreamingAead, KmsErrorKind, SealedStreamHeader, StreamingAead as _,
    key::KeyKind,
    streaming::{Offset, RandomAccess},
};

use super::contract::{
    Cryptor, Form, Reason, Recognised, Summary, check_no_range, message_not_decrypted,
    not_encrypted,
};
use crate::{
    byte_range::ByteRange,
    error::Failure,
    exit::Exit,
    files::Output,
    first_bytes::{
        FirstBytes, SAMPLE, envelope, is_start_of_sealed_stream, may_be_ciphertext,
        may_be_envelope, may_be_stream,
    },
    input::FileArg,
    job::{Job, Release, Sizes},
    kek::Kek,
    keyset_failure::{keyset_failure, unknown_template},
    kms_failure::kms_failure,
};

/// Larger files become sealed streams.
const LARGE: u64 = 1 << 20;
/// The template of the data keys of envelopes.
const ENVELOPE_TEMPLATE: &str = "AES256_GCM";

/// Makes a key for each file, and wraps it with a key-encryption key.
pub(crate) struct KekCryptor {
    kek: Kek,
    /// The template of the generated keys, if the user names one.
    template: Option<String>,
}

impl KekCryptor {
    pub(crate) const fn new(kek: Kek, template: Option<String>) -> Self {
        Self { kek, template }
    }

    fn writes_stream(&self, form: Form, size: Option<u64>) -> Result<bool, Failure> {
        let Some(template) = self.template.as_deref() else {
            return Ok(match form {
                Form::Stream => true,
                Form::Message => false,
                Form::Fitting => size.is_none_or(|size| size > LARGE),
            });
        };
        match (form, kind_of(template)?) {
            (Form::Message, KeyKind::StreamingAead) => Err(wrong_template(
                "cannot write a message",
                template,
                "streams",
                "leave out --template, or name one for messages, such as AES256_GCM",
            )),
            (_, KeyKind::StreamingAead) => Ok(true),
            (Form::Stream, KeyKind::Aead) => Err(wrong_template(
                "cannot write a stream",
                template,
                "whole messages",
                "leave out --template, or name one for streams, such as AES256_GCM_HKDF_1MB",
            )),
            // Envelopes explain what else a template may be for.
            (_, _) => Ok(false),
        }
    }

    fn envelope_template(&self) -> &str {
        match self.template.as_deref() {
            // A template for streams says nothing about envelopes.
            Some(template) if kind_of(template).is_ok_and(|kind| kind == KeyKind::Aead) => template,
            _ => ENVELOPE_TEMPLATE,
        }
    }

    /// Asks the key for the data key of an envelope; `None` if the key does not decrypt it.
    fn unwrap(&self, wrapped: &[u8], what: &str) -> Result<Option<Decrypted>, Failure> {
        match self.kek.unwrap(wrapped) {
            Ok(unwrapped) => Ok(Some(unwrapped)),
            Err(error) => match error.kind() {
                // The length is within any service's limits, so the content is at fault.
                KmsErrorKind::DecryptionFailed | KmsErrorKind::InvalidInput => Ok(None),
                _ => Err(kms_failure(what, &error)),
            },
        }
    }

    /// Opens the keyset of a sealed stream. Returns the size of its header too.
    pub(crate) fn open_sealed(
        &self,
        job: &mut Job<'_>,
    ) -> Result<(u64, KeysetStreamingAead), Failure> {
        let header = read_header(job)?;
        let what = format!("cannot decrypt {}", job.input.name());
        let opened = header.open(self.kek.aead());
        let aead = opened.map_err(|error| self.failed(&what, error))?;
        Ok((header.as_bytes().len() as u64, aead))
    }

    /// Returns the URI of the key-encryption key, for messages.
    pub(crate) fn uri(&self) -> String {
        self.kek.uri()
    }

    fn recognise_sealed_stream(&self, job: &mut Job<'_>) -> Result<Recognised, Failure> {
        let name = job.input.name().to_owned();
        let header = read_header(job)?;
        let (kek, witness) = self.kek.witnessed(false)?;
        let aead = match header.open(kek.aead()) {
            Ok(aead) => aead,
            Err(KeysetError::Decrypt(DecryptError::FAILED)) => {
                let text = format!("it is a sealed stream, but not under {}", self.kek.uri());
                return Ok(Recognised::Closed(Reason::new("sealed_otherwise", text)));
            }
            Err(error) => {
                return Err(self.failed(&format!("cannot recognise {name}"), error));
            }
        };
        let Some(file) = job.input.file() else {
            let text = format!("it is a sealed stream under {}", self.kek.uri());
            return Ok(Recognised::Closed(Reason::new("not_decrypted", text)));
        };
        let stream = Offset::new(file, header.as_bytes().len() as u64);
        match RandomAccess::new(aead.opener(job.associated_data), stream) {
            Ok(_) if witness.freshness() == Freshness::Newest => Ok(Recognised::Current),
            Ok(_) => Ok(Recognised::Older(self.older())),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(Recognised::Closed(self.under_kek("a sealed stream")))
            }
            Err(error) => Err(job.input.unreadable(&error)),
        }
    }

    fn recognise_envelope(&self, job: &mut Job<'_>) -> Result<Recognised, Failure> {
        let what = format!("cannot recognise {}", job.input.name());
        let start = job.input.peek(Envelope::MAX_HEAD_SIZE + SAMPLE)?;
        let size = job.input.size().unwrap_or(u64::MAX);
        let Some(envelope) = envelope(&start, size) else {
            return Ok(Recognised::Plain(not_envelope(&start, size)));
        };
        let Some(dek) = self.unwrap(envelope.wrapped_key(), &what)? else {
            return Ok(match may_be_envelope(&envelope) {
                true => Recognised::Closed(self.not_unwrapped()),
                false => Recognised::Plain(not_envelope(&start, size)),
            });
        };
        if job.input.file().is_none() {
            return Ok(Recognised::Closed(self.under_kek("an envelope")));
        }
        let message = job.read_message()?;
        let payload = self.kek.payload(self.envelope_template(), &dek)?;
        Ok(
            match (
                payload.decrypt(&message, job.associated_data),
                dek.freshness(),
            ) {
                (Err(_), _) => Recognised::Closed(self.under_kek("an envelope")),
                (Ok(_), Freshness::Newest) => Recognised::Current,
                (Ok(_), _) => Recognised::Older(self.older()),
            },
        )
    }

    fn older(&self) -> String {
        format!("an older version of {}", self.kek.uri())
    }

    fn under_kek(&self, form: &str) -> Reason {
        Reason::new(
            "not_decrypted",
            format!(
                "it is {form} under {}, but does not decrypt: it has other associated data or \
                 another --template, or is damaged",
                self.kek.uri()
            ),
        )
    }

    fn not_unwrapped(&self) -> Reason {
        Reason::new(
            "not_unwrapped",
            format!(
                "{} does not unwrap its data key: it is under another key, or is not an envelope",
                self.kek.uri()
            ),
        )
    }

    /// Explains why a stream's keyset was not wrapped or opened.
    fn failed(&self, what: &str, error: KeysetError) -> Failure {
        match &error {
            KeysetError::Decrypt(DecryptError::FAILED) => Failure::new(
                Exit::NotDecrypted,
                "not_unwrapped",
                what,
                format!(
                    "{} does not decrypt its keyset: it is under another key, or is damaged",
                    self.kek.uri()
                ),
            ),
            _ => match error.kms_error() {
                Some(error) => kms_failure(what, error),
                None => keyset_failure(&self.kek.uri(), error),
            },
        }
    }

    fn decrypt_envelope(
        &self,
        job: &mut Job<'_>,
        output: &mut Output<'_>,
    ) -> Result<Sizes, Failure> {
        let progress = job.progress();
        let message = job.read_ciphertext(&progress)?;
        let name = job.input.name();
        let envelope = Envelope::parse(&message)
            .map_err(|_| not_envelope(&message, message.len() as u64).failure(name))?;
        let what = format!("cannot decrypt {name}");
        let dek = self
            .unwrap(envelope.wrapped_key(), &what)?
            .ok_or_else(|| self.not_unwrapped().failure(name))?;
        let template = self.envelope_template();
        let payload = self.kek.payload(template, &dek)?;
        let plaintext = payload
            .decrypt(&message, job.associated_data)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| {
                message_not_decrypted(name, &error).hint(format!(
                    "its data key is assumed to be of {template}; --template names another"
                ))
            })?;
        Ok(Sizes {
            read: message.len() as u64,
            written: job.write_message(&plaintext, output)?,
        })
    }
}

impl Cryptor for KekCryptor {
    fn recognise(&self, job: &mut Job<'_>) -> Result<Recognised, Failure> {
        match SealedStreamHeader::detect(&job.input.peek(8)?) {
            true => self.recognise_sealed_stream(job),
            false => self.recognise_envelope(job),
        }
    }

    fn encrypt(
        &self,
        job: &mut Job<'_>,
        form: Form,
        output: &mut Output<'_>,
    ) -> Result<Summary, Failure> {
        let name = job.input.name().to_owned();
        if self.writes_stream(form, job.input.size())? {
            let template = self.template.as_deref();
            let template = template.unwrap_or(SealedStreamHeader::TEMPLATE);
            let (header, aead) = SealedStreamHeader::generate(template, self.kek.aead())
                .map_err(|error| self.failed(&format!("cannot encrypt {name}"), error))?;
            return Ok(Summary {
                sizes: job.encrypt_stream(&aead, header.as_bytes(), output)?,
                form: "sealed stream",
                key: None,
            });
        }
        let envelope = self
            .kek
            .envelope(self.template.as_deref().unwrap_or(ENVELOPE_TEMPLATE))?;
        let progress = job.progress();
        let plaintext = job.read_plaintext(0, &progress)?;
        let ciphertext = envelope
            .encrypt(&plaintext, job.associated_data)
            .map_err(|error| not_encrypted(&name, &error))?;
        let read = plaintext.len() as u64;
        let written = job.write_message(&ciphertext, output)?;
        Ok(Summary {
            sizes: Sizes { read, written },
            form: "envelope",
            key: None,
        })
    }

    fn decrypt(
        &self,
        job: &mut Job<'_>,
        range: Option<ByteRange>,
        release: Release,
        output: &mut Output<'_>,
    ) -> Result<Summary, Failure> {
        if SealedStreamHeader::detect(&job.input.peek(8)?) {
            let (header_size, aead) = self.open_sealed(job)?;
            return Ok(Summary {
                sizes: job.decrypt_stream(&aead, header_size, range, release, output)?,
                form: "sealed stream",
                key: None,
            });
        }
        check_no_range(range, job.input.name(), "an envelope")?;
        Ok(Summary {
            sizes: self.decrypt_envelope(job, output)?,
            form: "envelope",
            key: None,
        })
    }

    fn with_disabled_keys(&self) -> Option<&dyn Cryptor> {
        None
    }

    fn recognisable_form(&self) -> Form {
        match self.template {
            // We recognise it without asking the service about other files.
            None => Form::Stream,
            Some(_) => Form::Fitting,
        }
    }

    fn cannot_tell(&self) -> Option<String> {
        None
    }

    fn places(&self) -> Vec<FileArg> {
        self.kek.place().cloned().into_iter().collect()
    }

    fn is_remote(&self) -> bool {
        self.kek.is_remote()
    }
}

fn read_header(job: &mut Job<'_>) -> Result<SealedStreamHeader, Failure> {
    let start = job.input.peek(SealedStreamHeader::MAX_SIZE)?;
    let parsed = SealedStreamHeader::parse(&start);
    parsed.map(|(header, _)| header).map_err(|error| {
        Failure::new(
            Exit::NotDecrypted,
            "sealed_stream",
            format!("cannot decrypt {}", job.input.name()),
            error.to_string(),
        )
    })
}

fn not_envelope(start: &[u8], size: u64) -> Reason {
    match FirstBytes::of(start, size).prefix {
        _ if size == start.len() as u64 && is_start_of_sealed_stream(start) => {
            let text = "it starts like a sealed stream, and was cut within its header";
            Reason::new("sealed_stream", text)
        }
        _ if size == 0 => Reason::new("not_ciphertext", "it is empty, and no ciphertext is"),
        Some(prefix) if may_be_ciphertext(start, size) => {
            let id = prefix.id;
            let text = format!(
                "it is neither an envelope nor a sealed stream: its first bytes name key {id}, \
                 and --keyset takes the keyset that has it"
            );
            Reason::new("key_not_in_keyset", text)
        }
        _ if may_be_stream(start) => {
            let text = "it is neither an envelope nor a sealed stream: it starts like a stream of \
                        a keyset";
            Reason::new("other_stream", text)
        }
        _ => {
            let text = "it is not encrypted: it is neither an envelope nor a sealed stream";
            Reason::new("not_ciphertext", text)
        }
    }
}

/// The error for a template whose keys do not write the form that the user asks for.
fn wrong_template(what: &str, template: &str, purpose: &str, hint: &str) -> Failure {
    let why = format!("the keys of --template {template} are for {purpose}");
    Failure::usage("stream", what, why).hint(hint)
}

/// Returns the kind of a template's keys.
fn kind_of(template: &str) -> Result<KeyKind, Failure> {
    let types = KeyTypes::default();
    let found = types.template(template);
    found
        .map(|template| template.kind())
        .map_err(|_| unknown_template(template))
}
