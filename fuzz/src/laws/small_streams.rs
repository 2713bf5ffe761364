//! Streams with segments so small that a short plaintext has many.

use std::{
    io::{self, Read, Write as _},
    sync::LazyLock,
};

use keyseal::{
    Hash, Key, KeyId, KeysetHandle, KeysetStreamingAead, SecretBytes, Variant,
    key::{
        aes_ctr_hmac_streaming::{AesCtrHmacStreamingKey, AesCtrHmacStreamingParameters},
        aes_gcm_hkdf_streaming::{AesGcmHkdfStreamingKey, AesGcmHkdfStreamingParameters},
    },
};

use super::{Input, keys};

/// The longest plaintext: nine segments of the smaller sizes.
pub const MAX_LEN: usize = 1024;

static AEADS: LazyLock<Vec<KeysetStreamingAead>> = LazyLock::new(|| {
    let secret = |len| SecretBytes::copy_from(&[7; 32][..len], keys::ACCESS);
    let mut all = Vec::new();
    for (key_size, segment_size) in [(16, 41), (16, 64), (32, 57), (32, 128), (32, 500)] {
        let parameters = AesGcmHkdfStreamingParameters::new(key_size, segment_size);
        let key = AesGcmHkdfStreamingKey::new(parameters.expect("large enough"), secret(key_size));
        all.push(Key::new(key.expect("of that size"), Variant::Raw));
    }
    for (key_size, tag_size, segment_size) in [(16, 10, 64), (32, 32, 90), (32, 16, 300)] {
        let parameters = AesCtrHmacStreamingParameters::new(key_size, 128)
            .and_then(|wide| wide.with_tag(Hash::Sha256, tag_size))
            .and_then(|wide| wide.with_segment_size(segment_size));
        let key = AesCtrHmacStreamingKey::new(parameters.expect("large enough"), secret(key_size));
        all.push(Key::new(key.expect("of that size"), Variant::Raw));
    }
    let aead = |key: Result<Key, _>| {
        let keyset = KeysetHandle::with_id(key.expect("a stream may be raw"), KeyId::new(1));
        keyset.primitive().expect("it is for streams")
    };
    all.into_iter().map(aead).collect()
});

/// A stream and its plaintext.
pub struct SmallStream {
    pub aead: &'static KeysetStreamingAead,
    pub plaintext: Vec<u8>,
    pub associated_data: Vec<u8>,
    pub stream: Vec<u8>,
}

impl SmallStream {
    /// Writes one in parts of a few bytes: key, length, size of the parts, associated data.
    pub fn write(input: &mut Input<'_>) -> Self {
        let aead = input.one_of(&AEADS);
        let plaintext: Vec<u8> = (0..input.below(MAX_LEN))
            .map(|at| (at ^ (at >> 7)) as u8)
            .collect();
        let part = 1 + input.below(256);
        let associated_data = input.bytes().to_vec();
        let writer = aead.encrypting_writer(Vec::new(), &associated_data);
        let mut writer = writer.expect("the system has randomness");
        for part in plaintext.chunks(part) {
            writer.write_all(part).expect("a vector takes everything");
        }
        let stream = writer.finish().expect("a vector takes everything");
        let size = aead.layout().ciphertext_size(plaintext.len() as u64);
        assert_eq!(size, Some(stream.len() as u64));
        Self {
            aead,
            plaintext,
            associated_data,
            stream,
        }
    }
}

/// Gives a few bytes at a time, after an interruption each.
pub struct InParts<R> {
    pub inner: R,
    pub part: usize,
    pub interrupted: bool,
}

impl<R: Read> Read for InParts<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = buf.len().min(self.part);
        self.inner.read(&mut buf[..len])
    }
}
