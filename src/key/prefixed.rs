//! The AEAD of one key: an output prefix in front of a cipher's nonce, ciphertext and tag.

use zeroize::Zeroize as _;

use super::OutputPrefix;
use crate::{
    cipher::{MAX_ASSOCIATED_DATA, MAX_NONCE, RawAead, Refused},
    error::{DecryptError, EncryptError},
    primitive::Aead,
    rng,
};

/// Writes and opens `prefix(0|5) ‖ nonce ‖ ciphertext ‖ tag`.
pub(crate) struct PrefixedAead {
    prefix: OutputPrefix,
    cipher: Box<dyn RawAead>,
    /// Bytes in front of the ciphertext: prefix and nonce.
    head_len: usize,
    // What the cipher says of itself, asked once.
    nonce_len: usize,
    tag_len: usize,
    max_plaintext: u64,
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
            cipher,
        }
    }

    pub(crate) const fn prefix(&self) -> OutputPrefix {
        self.prefix
    }

    /// Returns the length of the ciphertext of such a plaintext.
    #[inline]
    fn sealed_len(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<usize, EncryptError> {
        if plaintext.len() as u64 > self.max_plaintext
            || associated_data.len() as u64 > MAX_ASSOCIATED_DATA
        {
            return Err(EncryptError::TooLong);
        }
        plaintext
            .len()
            .checked_add(self.head_len + self.tag_len)
            .filter(|len| isize::try_from(*len).is_ok())
            .ok_or(EncryptError::TooLong)
    }

    /// Splits a ciphertext into nonce and body, if it is one of this key and long enough.
    #[inline]
    fn split<'c>(
        &self,
        ciphertext: &'c [u8],
        associated_data: &[u8],
    ) -> Result<(&'c [u8], &'c [u8]), DecryptError> {
        let unprefixed = self.prefix.strip(ciphertext).ok_or(DecryptError)?;
        let (nonce, body) = unprefixed
            .split_at_checked(self.nonce_len)
            .ok_or(DecryptError)?;
        let plaintext_len = body.len().checked_sub(self.tag_len).ok_or(DecryptError)?;
        if plaintext_len as u64 > self.max_plaintext
            || associated_data.len() as u64 > MAX_ASSOCIATED_DATA
        {
            return Err(DecryptError);
        }
        Ok((nonce, body))
    }
}

impl Aead for PrefixedAead {
    #[inline]
    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        let len = self.sealed_len(plaintext, associated_data)?;
        let start = out.len();
        let written = extend(out, len);
        let (head, body) = written.split_at_mut(self.head_len);
        let nonce = self.prefix.write(head);
        let sealed = rng::fill_nonce(nonce)
            .map_err(EncryptError::from)
            .and_then(|()| {
                self.cipher
                    .seal(nonce, associated_data, plaintext, body)
                    .map_err(|Refused| EncryptError::TooLong)
            });
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
            return Err(DecryptError);
        }
        Ok(())
    }

    fn encrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        let len = self.sealed_len(buffer, associated_data)?;
        if buffer.capacity() < len {
            // Growing would leave the plaintext behind in the old allocation.
            let mut ciphertext = Vec::new();
            self.encrypt_into(buffer, associated_data, &mut ciphertext)?;
            buffer.zeroize();
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
                buffer.zeroize();
                EncryptError::TooLong
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
            buffer.zeroize();
            return Err(DecryptError);
        }
        let plaintext_end = buffer.len() - self.tag_len;
        buffer.copy_within(self.head_len..plaintext_end, 0);
        // What the shift left behind is plaintext too.
        let (_, rest) = buffer.split_at_mut(plaintext_end - self.head_len);
        rest.zeroize();
        buffer.truncate(plaintext_end - self.head_len);
        Ok(())
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
        out.reserve_exact(len);
        out.resize(start + len, 0);
    }
    out.split_at_mut(start).1
}
