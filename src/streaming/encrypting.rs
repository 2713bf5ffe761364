//! The common part of the writers: plaintext in, stream out, no I/O.

use std::io;

use super::{
    at::too_much,
    buffer::{Queue, segments_per_batch},
};
use crate::{error::EncryptError, segment::Sealer};

/// Gathers plaintext into segments, and seals a segment when more follows.
#[derive(Debug)]
pub(super) struct Encrypting {
    /// None once the last segment is sealed, or was to be.
    sealer: Option<Sealer>,
    /// Whether the last segment is sealed.
    is_finished: bool,
    /// The segment that is being gathered: up to a full one.
    plaintext: Queue,
    /// The next bytes of the stream.
    sealed: Queue,
}

impl Encrypting {
    pub(super) fn new(sealer: Sealer) -> Self {
        let mut sealed = Queue::default();
        sealed.push(sealer.header(), usize::MAX);
        Self {
            sealer: Some(sealer),
            is_finished: false,
            plaintext: Queue::default(),
            sealed,
        }
    }

    /// Returns the bytes of the stream to write next.
    pub(super) fn sealed(&self) -> &[u8] {
        self.sealed.filled()
    }

    /// Takes bytes of the stream as written.
    pub(super) fn written(&mut self, len: usize) -> io::Result<()> {
        if len > self.sealed.len() {
            return Err(too_much());
        }
        self.sealed.consume(len);
        Ok(())
    }

    /// Takes plaintext, when all of the stream so far is written; returns how much.
    ///
    /// Unless `buf` is empty it takes at least one byte, or returns an error and takes nothing.
    pub(super) fn accept(&mut self, buf: &[u8]) -> io::Result<usize> {
        let Some(sealer) = &mut self.sealer else {
            return Err(io::Error::other("the stream is finished"));
        };
        let mut segments = segments_per_batch(sealer.layout().segment_size());
        let mut rest = buf;
        if !self.plaintext.is_empty() {
            let wanted = sealer.capacity() - self.plaintext.len();
            let (part, after) = rest.split_at(wanted.min(rest.len()));
            self.plaintext.push(part, sealer.capacity());
            rest = after;
            if rest.is_empty() {
                return Ok(buf.len());
            }
            match seal(sealer, self.plaintext.filled(), &mut self.sealed) {
                Ok(()) => self.plaintext.consume(usize::MAX),
                Err(error) if part.is_empty() => return Err(error.into()),
                // It comes again with the next byte.
                Err(_) => return Ok(part.len()),
            }
            segments -= 1;
        }
        // Whole segments straight from the caller, while more follows.
        while let Some((segment, after @ [_, ..])) = rest.split_at_checked(sealer.capacity()) {
            if segments == 0 {
                break;
            }
            match seal(sealer, segment, &mut self.sealed) {
                Ok(()) => rest = after,
                Err(_) if rest.len() < buf.len() => return Ok(buf.len() - rest.len()),
                Err(error) => return Err(error.into()),
            }
            segments -= 1;
        }
        let part = rest.len().min(sealer.capacity());
        // Not when the caller may come back with a whole segment.
        if part == rest.len() || rest.len() == buf.len() {
            let (part, after) = rest.split_at(part);
            self.plaintext.push(part, sealer.capacity());
            rest = after;
        }
        Ok(buf.len() - rest.len())
    }

    /// Seals the last segment, once.
    pub(super) fn finish(&mut self) -> Result<(), EncryptError> {
        let Some(sealer) = self.sealer.take() else {
            // A stream whose end was not sealed must not be taken for a whole one.
            return match self.is_finished {
                true => Ok(()),
                false => Err(EncryptError::Provider),
            };
        };
        let plaintext = self.plaintext.filled();
        let len = plaintext.len() + sealer.layout().tag_size();
        let room = self.sealed.room(len).split_at_mut(len).0;
        sealer.seal_last_to(plaintext, room)?;
        self.sealed.fill(len);
        self.plaintext = Queue::default();
        self.is_finished = true;
        Ok(())
    }
}

fn seal(sealer: &mut Sealer, plaintext: &[u8], sealed: &mut Queue) -> Result<(), EncryptError> {
    let len = plaintext.len() + sealer.layout().tag_size();
    sealer.seal_to(plaintext, sealed.room(len).split_at_mut(len).0)?;
    sealed.fill(len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cipher::{Hash, Provider},
        key::{
            Key, Variant,
            aes_ctr_hmac_streaming::{AesCtrHmacStreamingKey, AesCtrHmacStreamingParameters},
            aes_gcm_hkdf_streaming::{AesGcmHkdfStreamingKey, AesGcmHkdfStreamingParameters},
        },
        secret::SecretBytes,
    };

    fn hash(name: &str) -> Hash {
        let mut all = Hash::ALL.into_iter();
        all.find(|hash| hash.to_string() == name).unwrap()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex.trim_start_matches('-')).unwrap()
    }

    #[test]
    fn a_stream_whose_last_segment_failed_never_counts_as_finished() {
        let parameters = AesGcmHkdfStreamingParameters::new(16, 4096).unwrap();
        let key = AesGcmHkdfStreamingKey::new(parameters, SecretBytes::copy_of(&[7; 16])).unwrap();
        let key = Key::new(key, Variant::Raw).unwrap();
        let aead = key.streaming_aead(Provider::ALL[0]).unwrap().unwrap();
        let sealer = Sealer::new(aead.start_with(&[24; 24], b""));
        let mut state = Encrypting::new(sealer);
        // More than a segment takes, which the writers never leave here.
        state.plaintext.push(&[0; 5000], usize::MAX);
        let sealed = state.sealed().len();
        for _ in 0..3 {
            state.finish().unwrap_err();
            assert_eq!(state.sealed().len(), sealed);
        }
    }

    #[test]
    fn streams_with_the_headers_of_known_answers_are_the_known_answers() {
        let vectors = include_str!("../../tests/vectors/published/streaming_aead.txt");
        let mut ran = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let [
                kind,
                key,
                derived,
                hkdf,
                segment,
                hmac,
                tag,
                plaintext,
                aad,
                stream,
            ] = *line.split(' ').collect::<Vec<_>>()
            else {
                panic!("a line has ten fields: {line}");
            };
            let number = |text: &str| text.parse::<usize>().unwrap();
            let (derived, segment) = (number(derived), number(segment));
            let key = SecretBytes::copy_of(&bytes(key));
            let key = if kind == "AES-GCM-HKDF" {
                let parameters = AesGcmHkdfStreamingParameters::new(derived, segment)
                    .and_then(|start| start.with_key_size(key.len()))
                    .and_then(|start| start.with_hkdf_hash(hash(hkdf)))
                    .unwrap();
                Key::new(
                    AesGcmHkdfStreamingKey::new(parameters, key).unwrap(),
                    Variant::Raw,
                )
            } else {
                let parameters = AesCtrHmacStreamingParameters::new(derived, 4096)
                    .and_then(|start| start.with_tag(hash(hmac), number(tag)))
                    .and_then(|start| start.with_segment_size(segment))
                    .and_then(|start| start.with_key_size(key.len()))
                    .and_then(|start| start.with_hkdf_hash(hash(hkdf)))
                    .unwrap();
                Key::new(
                    AesCtrHmacStreamingKey::new(parameters, key).unwrap(),
                    Variant::Raw,
                )
            };
            let stream = bytes(stream);
            for &provider in Provider::ALL {
                let key = key
                    .as_ref()
                    .unwrap()
                    .streaming_aead(provider)
                    .unwrap()
                    .unwrap();
                let sealer = Sealer::new(key.start_with(&stream, &bytes(aad)));
                let mut state = Encrypting::new(sealer);
                let mut written = Vec::new();
                for byte in bytes(plaintext) {
                    written.extend_from_slice(state.sealed());
                    state.written(state.sealed().len()).unwrap();
                    assert_eq!(state.accept(&[byte]).unwrap(), 1);
                }
                state.finish().unwrap();
                written.extend_from_slice(state.sealed());
                assert_eq!(written, stream);
            }
            ran += 1;
        }
        assert_eq!(ran, 7);
    }
}
