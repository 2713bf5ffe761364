//! Ciphers that leave nothing of their key on the stack.

use super::{RawAead, Refused};
use crate::{error::KeyError, secret::on_wiped_stack};

/// Sets up a cipher, and wipes the `KEYS` bytes of stack that this may use. Each message of the cipher
/// wipes `MESSAGES` bytes.
pub(super) fn boxed<A: RawAead + 'static, const KEYS: usize, const MESSAGES: usize>(
    make: impl FnOnce() -> Result<A, KeyError>,
) -> Result<Box<dyn RawAead>, KeyError> {
    on_wiped_stack::<KEYS, _>(|| Ok(Box::new(Wiping::<_, MESSAGES>(make()?)) as Box<dyn RawAead>))
}

/// A cipher whose key schedule or state does not fit in the registers, so that each message leaves
/// parts of the key on the stack: `DEPTH` bytes are wiped before the call returns.
struct Wiping<A, const DEPTH: usize>(A);

impl<A: RawAead, const DEPTH: usize> RawAead for Wiping<A, DEPTH> {
    fn nonce_len(&self) -> usize {
        self.0.nonce_len()
    }

    fn tag_len(&self) -> usize {
        self.0.tag_len()
    }

    fn max_plaintext(&self) -> u64 {
        self.0.max_plaintext()
    }

    fn max_associated_data(&self) -> u64 {
        self.0.max_associated_data()
    }

    fn seal(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        on_wiped_stack::<DEPTH, _>(|| self.0.seal(nonce, associated_data, plaintext, out))
    }

    fn open(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        body: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        on_wiped_stack::<DEPTH, _>(|| self.0.open(nonce, associated_data, body, out))
    }

    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        on_wiped_stack::<DEPTH, _>(|| self.0.seal_in_place(nonce, associated_data, buffer))
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        on_wiped_stack::<DEPTH, _>(|| self.0.open_in_place(nonce, associated_data, buffer))
    }
}
