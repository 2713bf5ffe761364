//! The AEAD of one key: an output prefix, then the cipher's nonce, ciphertext and tag.

use zeroize::Zeroize as _;

use super::{Key, KeyId, KeyKind, OutputPrefix, Prefixed, RawPrimitive};
use crate::{
    cipher::{MAX_NONCE, Provider, RawAead, Refused},
    error::{DecryptError, EncryptError, KeyError},
    primitive::Aead,
    rng,
    secret::wipe,
};

/// Writes and opens `prefix(0|5) ‖ nonce ‖ ciphertext ‖ tag`; without a nonce, and with the tag where
/// the cipher has it, for a deterministic cipher.
pub(crate) struct PrefixedAead {
    prefix: OutputPrefix,
    cipher: Box<dyn RawAead>,
    /// Bytes before the ciphertext: prefix and nonce.
    head_len: usize,
    // The cipher's own sizes and limits, asked for once.
    nonce_len: usize,
    tag_len: usize,
    max_plaintext: u64,
    max_associated_data: u64,
}

impl PrefixedAead {
    pub(crate) fn new(prefix: OutputPrefix, cipher: Box<dyn RawAead>) -> Self {
        let nonce_len = cipher.nonce_len();
        Self {
            prefix,
            head_len: prefix.as_bytes().len() + nonce_len,
            nonce_len,
            tag_len: cipher.tag_len(),
            max_plaintext: cipher.max_plaintext(),
            max_associated_data: cipher.max_associated_data(),
            cipher,
        }
    }

    /// Returns how many bytes longer a ciphertext is than its plaintext.
    pub(crate) const fn overhead(&self) -> usize {
        self.head_len + self.tag_len
    }

    /// Returns the longest plaintext in bytes.
    pub(crate) const fn max_plaintext(&self) -> u64 {
        self.max_plaintext
    }

    /// Returns the length of the ciphertext of a plaintext of this length.
    #[inline]
    fn sealed_len(
        &self,
        plaintext_len: usize,
        associated_data_len: usize,
    ) -> Result<usize, EncryptError> {
        if !self.takes(plaintext_len, associated_data_len) {
            return Err(EncryptError::TooLong);
        }
        plaintext_len
            .checked_add(self.head_len + self.tag_len)
            .filter(|len| isize::try_from(*len).is_ok())
            .ok_or(EncryptError::TooLong)
    }

    /// Writes the ciphertext to `out`, which is as long as it.
    #[inline]
    fn seal(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut [u8],
    ) -> Result<(), EncryptError> {
        let (head, body) = out.split_at_mut(self.head_len);
        let nonce = self.prefix.write(head);
        rng::fill_nonce(nonce)?;
        self.cipher
            .seal(nonce, associated_data, plaintext, body)
            .map_err(|Refused| EncryptError::Provider)
    }

    /// Returns whether such lengths are within the cipher's limits.
    #[inline]
    fn takes(&self, plaintext_len: usize, associated_data_len: usize) -> bool {
        plaintext_len as u64 <= self.max_plaintext
            && associated_data_len as u64 <= self.max_associated_data
    }

    /// Splits a ciphertext into nonce and body, if it is one of this key and long enough.
    #[inline]
    fn split<'c>(
        &self,
        ciphertext: &'c [u8],
        associated_data: &[u8],
    ) -> Result<(&'c [u8], &'c [u8]), DecryptError> {
        let unprefixed = self.prefix.strip(ciphertext).ok_or(DecryptError::FAILED)?;
        let (nonce, body) = unprefixed
            .split_at_checked(self.nonce_len)
            .ok_or(DecryptError::FAILED)?;
        let plaintext_len = body
            .len()
            .checked_sub(self.tag_len)
            .ok_or(DecryptError::FAILED)?;
        if !self.takes(plaintext_len, associated_data.len()) {
            return Err(DecryptError::FAILED);
        }
        Ok((nonce, body))
    }
}

impl Key {
    /// Returns the AEAD that this key is for.
    pub(crate) fn aead(
        &self,
        id: KeyId,
        provider: Provider,
    ) -> Option<Result<PrefixedAead, KeyError>> {
        self.primitive(KeyKind::Aead, provider, |primitive| match primitive {
            RawPrimitive::Aead(cipher) => {
                Some(PrefixedAead::new(self.variant().prefix(id), cipher))
            }
            _ => None,
        })
    }

    /// Returns the deterministic AEAD that this key is for.
    pub(crate) fn daead(
        &self,
        id: KeyId,
        provider: Provider,
    ) -> Option<Result<PrefixedAead, KeyError>> {
        self.primitive(
            KeyKind::DeterministicAead,
            provider,
            |primitive| match primitive {
                RawPrimitive::DeterministicAead(cipher) => {
                    Some(PrefixedAead::new(self.variant().prefix(id), cipher))
                }
                _ => None,
            },
        )
    }
}

impl Aead for PrefixedAead {
    #[inline]
    fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError> {
        let mut out = vec![0; self.sealed_len(plaintext.len(), associated_data.len())?];
        self.seal(plaintext, associated_data, &mut out)?;
        Ok(out)
    }

    #[inline]
    fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let (nonce, body) = self.split(ciphertext, associated_data)?;
        let mut out = vec![0; body.len() - self.tag_len];
        match self.cipher.open(nonce, associated_data, body, &mut out) {
            Ok(()) => Ok(out),
            Err(Refused) => {
                out.as_mut_slice().zeroize();
                Err(DecryptError::FAILED)
            }
        }
    }

    #[inline]
    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        let len = self.sealed_len(plaintext.len(), associated_data.len())?;
        let start = out.len();
        let written = extend(out, len);
        let sealed = self.seal(plaintext, associated_data, written);
        if sealed.is_err() {
            out.truncate(start);
        }
        sealed
    }

    #[inline]
    fn decrypt_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        let (nonce, body) = self.split(ciphertext, associated_data)?;
        let start = out.len();
        let written = extend(out, body.len() - self.tag_len);
        if self
            .cipher
            .open(nonce, associated_data, body, written)
            .is_err()
        {
            written.zeroize();
            out.truncate(start);
            return Err(DecryptError::FAILED);
        }
        Ok(())
    }

    fn encrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        let len = self.sealed_len(buffer.len(), associated_data.len())?;
        if buffer.capacity() < len {
            // Growing would leave the plaintext behind in the old allocation.
            let mut ciphertext = Vec::new();
            self.encrypt_into(buffer, associated_data, &mut ciphertext)?;
            wipe(buffer);
            *buffer = ciphertext;
            return Ok(());
        }
        let mut drawn = [0; MAX_NONCE];
        let (nonce, _) = drawn.split_at_mut(self.nonce_len);
        rng::fill_nonce(nonce)?;
        let plaintext_len = buffer.len();
        buffer.resize(len, 0);
        buffer.copy_within(..plaintext_len, self.head_len);
        let (head, body) = buffer.split_at_mut(self.head_len);
        self.prefix.write(head).copy_from_slice(nonce);
        self.cipher
            .seal_in_place(nonce, associated_data, body)
            .map_err(|Refused| {
                wipe(buffer);
                EncryptError::Provider
            })
    }

    fn decrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        let mut kept = [0; MAX_NONCE];
        let nonce = match self.split(buffer, associated_data) {
            Ok((nonce, _)) => {
                let (place, _) = kept.split_at_mut(nonce.len());
                place.copy_from_slice(nonce);
                place
            }
            Err(error) => {
                buffer.clear();
                return Err(error);
            }
        };
        let (_, body) = buffer.split_at_mut(self.head_len);
        if self
            .cipher
            .open_in_place(nonce, associated_data, body)
            .is_err()
        {
            wipe(buffer);
            return Err(DecryptError::FAILED);
        }
        let plaintext_end = buffer.len() - self.tag_len;
        buffer.copy_within(self.head_len..plaintext_end, 0);
        // The bytes that the shift leaves behind are plaintext too.
        let (_, rest) = buffer.split_at_mut(plaintext_end - self.head_len);
        rest.zeroize();
        buffer.truncate(plaintext_end - self.head_len);
        Ok(())
    }
}

impl Prefixed for PrefixedAead {
    fn prefix(&self) -> OutputPrefix {
        self.prefix
    }
}

/// Makes room for `len` bytes at the end of `out`: from the allocator's zeroed memory where it
/// can be, which is cheaper for large messages than writing zeros.
#[inline]
fn extend(out: &mut Vec<u8>, len: usize) -> &mut [u8] {
    let start = out.len();
    if start == 0 && out.capacity() < len {
        *out = vec![0; len];
    } else {
        // Not `reserve_exact`: a caller that appends many messages should not reallocate for each.
        out.reserve(len);
        out.resize(start + len, 0);
    }
    out.split_at_mut(start).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyId, Variant};
    #[cfg(target_pointer_width = "64")]
    use crate::{cipher::Provider, key::KeyTypes};

    /// Takes four bytes, and must never be asked for more. Its nonce is 3 bytes, its tag 2.
    struct Small;

    impl RawAead for Small {
        fn nonce_len(&self) -> usize {
            3
        }

        fn tag_len(&self) -> usize {
            2
        }

        fn max_plaintext(&self) -> u64 {
            4
        }

        fn seal(&self, _: &[u8], _: &[u8], text: &[u8], out: &mut [u8]) -> Result<(), Refused> {
            assert!(text.len() <= 4 && out.len() == text.len() + 2);
            out.fill(7);
            Ok(())
        }

        fn open(&self, _: &[u8], _: &[u8], body: &[u8], out: &mut [u8]) -> Result<(), Refused> {
            assert!(out.len() <= 4 && body.len() == out.len() + 2);
            Ok(())
        }

        fn seal_in_place(&self, _: &[u8], _: &[u8], buffer: &mut [u8]) -> Result<(), Refused> {
            assert!(buffer.len() <= 4 + 2);
            Ok(())
        }

        fn open_in_place(&self, _: &[u8], _: &[u8], buffer: &mut [u8]) -> Result<(), Refused> {
            assert!(buffer.len() <= 4 + 2);
            Ok(())
        }
    }

    #[test]
    fn what_is_longer_than_the_limit_never_reaches_the_cipher() {
        for variant in [Variant::Tink, Variant::Raw] {
            let aead = PrefixedAead::new(variant.prefix(KeyId::new(42)), Box::new(Small));
            let overhead = aead.prefix().as_bytes().len() + 3 + 2;
            for len in 0..20 {
                let plaintext = vec![1; len];
                let mut out = b"before".to_vec();
                let sealed = aead.encrypt_into(&plaintext, b"", &mut out);
                let mut roomy = Vec::with_capacity(100);
                roomy.extend_from_slice(&plaintext);
                let in_place = aead.encrypt_in_place(&mut roomy, b"");
                let mut tight = plaintext.clone();
                let reallocated = aead.encrypt_in_place(&mut tight, b"");
                if len <= 4 {
                    assert_eq!(
                        (&sealed, &in_place, &reallocated),
                        (&Ok(()), &Ok(()), &Ok(()))
                    );
                    assert_eq!(out.len(), 6 + len + overhead);
                    assert_eq!((roomy.len(), tight.len()), (len + overhead, len + overhead));
                    assert!(aead.decrypt(&roomy, b"").is_ok());
                } else {
                    let refused = Err(EncryptError::TooLong);
                    assert_eq!((&sealed, &in_place), (&refused, &refused));
                    assert_eq!(reallocated, refused);
                    assert_eq!(
                        (&out[..], &roomy, &tight),
                        (&b"before"[..], &plaintext, &plaintext)
                    );
                }

                let ciphertext = [aead.prefix().as_bytes(), &vec![9; len + 3 + 2]].concat();
                let mut out = b"before".to_vec();
                let opened = aead.decrypt_into(&ciphertext, b"", &mut out);
                assert_eq!(opened.is_ok(), len <= 4);
                assert_eq!(out.len(), 6 + if len <= 4 { len } else { 0 });
                let mut buffer = ciphertext.clone();
                assert_eq!(aead.decrypt_in_place(&mut buffer, b"").is_ok(), len <= 4);
                assert_eq!(buffer.len(), if len <= 4 { len } else { 0 });
            }
        }
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn every_key_type_refuses_one_byte_more_than_its_properties_say() {
        let mut aeads = 0;
        for template in KeyTypes::default().templates() {
            let key = KeyTypes::default().generate(template.name()).unwrap();
            for &provider in Provider::ALL {
                let Some(aead) = key.aead(KeyId::new(1), provider) else {
                    continue;
                };
                aeads += 1;
                let aead = aead.unwrap();
                let max = template.properties().max_plaintext;
                assert_eq!(aead.cipher.max_plaintext(), max, "{}", template.name());
                let max = usize::try_from(max).unwrap();
                let refused = Err(EncryptError::TooLong);
                let len = |text, data| aead.sealed_len(text, data);
                assert_eq!(len(max, 0), Ok(max + template.overhead()));
                assert_eq!(len(max + 1, 0), refused);
                assert_eq!(len(usize::MAX, 0), refused);
                // RFC 8452 allows 64 GiB; the others count the bits in 64.
                let siv = template.name().contains("GCM_SIV");
                let most = if siv { 1 << 36 } else { (1 << 61) - 1 };
                assert_eq!(len(max, most), Ok(max + template.overhead()));
                assert_eq!(len(max, most + 1), refused);
                assert_eq!(len(0, usize::MAX), refused);
                assert!(aead.takes(max, most));
                assert!(!aead.takes(max + 1, 0) && !aead.takes(0, most + 1));
            }
        }
        assert!(aeads > 20);
    }

    #[test]
    fn a_length_that_no_allocation_has_is_refused() {
        /// A cipher with no limit.
        struct Endless;
        #[rustfmt::skip]
        impl RawAead for Endless {
            fn nonce_len(&self) -> usize { 3 }
            fn tag_len(&self) -> usize { 2 }
            fn max_plaintext(&self) -> u64 { u64::MAX }
            fn seal(&self, _: &[u8], _: &[u8], _: &[u8], _: &mut [u8]) -> Result<(), Refused> {
                Err(Refused)
            }
            fn open(&self, _: &[u8], _: &[u8], _: &[u8], out: &mut [u8]) -> Result<(), Refused> {
                out.fill(7);
                Err(Refused)
            }
            fn seal_in_place(&self, _: &[u8], _: &[u8], _: &mut [u8]) -> Result<(), Refused> {
                Err(Refused)
            }
            fn open_in_place(&self, _: &[u8], _: &[u8], _: &mut [u8]) -> Result<(), Refused> {
                Err(Refused)
            }
        }
        let aead = PrefixedAead::new(Variant::Tink.prefix(KeyId::new(1)), Box::new(Endless));
        let most = usize::MAX / 2 - (5 + 3 + 2);
        assert_eq!(aead.sealed_len(most, 0), Ok(usize::MAX / 2));
        for len in [most + 1, usize::MAX / 2, usize::MAX - 9, usize::MAX] {
            assert_eq!(aead.sealed_len(len, 0), Err(EncryptError::TooLong));
        }

        // A cipher that refuses leaves nothing behind.
        let mut out = b"before".to_vec();
        assert!(aead.encrypt_into(b"text", b"", &mut out).is_err());
        let ciphertext = [aead.prefix().as_bytes(), &[9; 20]].concat();
        assert!(aead.decrypt_into(&ciphertext, b"", &mut out).is_err());
        assert_eq!(out, b"before");
        let mut buffer = ciphertext.clone();
        assert!(aead.decrypt_in_place(&mut buffer, b"").is_err());
        assert!(buffer.is_empty());
        buffer.extend_from_slice(b"text");
        buffer.reserve(100);
        assert!(aead.encrypt_in_place(&mut buffer, b"").is_err());
    }
}
