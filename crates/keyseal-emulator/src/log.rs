//! The log of a state file: the state at its start, and each change since.
//!
//! `"KSEMUST" ‖ 02 ‖ id(16)`, then records: `u32be length ‖ check(4) ‖ nonce(24) ‖ body ‖ tag(16)`,
//! where the length counts the bytes after the check. A record is sealed with XChaCha20-Poly1305
//! under the state key, with the first 24 bytes of the file and the record's number as associated
//! data: you cannot move a record, leave one out, or bring one in from another log.
//!
//! A killed process can leave an incomplete record at the end. Its request was not answered yet, so
//! it does not count. The check, which is not secret, tells this from a damaged length.

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{AeadInOut as _, inout::InOutBuf},
};
use keyseal::SecretBytes;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::random::{self, ACCESS, RandomError};

const MAGIC: [u8; 8] = *b"KSEMUST\x02";
/// The start of a file in the old format: only the state, sealed with these bytes as associated
/// data.
const WHOLE_STATE: [u8; 8] = *b"KSEMUST\x01";
const ID_LEN: usize = 16;
const START_LEN: usize = MAGIC.len() + ID_LEN;
const LENGTH_LEN: usize = 4;
const CHECK_LEN: usize = 4;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// A log that is being written.
pub(super) struct Log {
    cipher: XChaCha20Poly1305,
    start: [u8; START_LEN],
    /// How many records there are.
    records: u64,
}

impl Log {
    /// Begins a log with a new random id.
    pub(super) fn new(key: &SecretBytes) -> Result<Self, SealError> {
        let mut start = [0; START_LEN];
        let (magic, id) = start.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        random::fill(id).map_err(SealError::Random)?;
        Ok(Self {
            cipher: cipher(key).ok_or(SealError::WrongKeyLength)?,
            start,
            records: 0,
        })
    }

    /// Returns the bytes before the first record.
    pub(super) const fn start(&self) -> &[u8] {
        &self.start
    }

    /// Returns the next record, which counts once [`written`](Self::written) says so.
    pub(super) fn seal(&self, body: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce).map_err(SealError::Random)?;
        let length =
            u32::try_from(NONCE_LEN + body.len() + TAG_LEN).map_err(|_| SealError::TooLong)?;
        let mut sealed = Zeroizing::new(body.to_vec());
        let tag = self
            .cipher
            .encrypt_inout_detached(
                &nonce.into(),
                &associated_data(&self.start, self.records),
                InOutBuf::from(&mut **sealed),
            )
            .map_err(|_| SealError::TooLong)?;
        let length = length.to_be_bytes();
        Ok([
            &length[..],
            &check(&self.start, self.records, length),
            &nonce,
            &sealed,
            &tag,
        ]
        .concat())
    }

    pub(super) const fn written(&mut self) {
        self.records += 1;
    }
}

/// A record could not be made.
#[derive(Debug)]
pub(super) enum SealError {
    Random(RandomError),
    TooLong,
    WrongKeyLength,
}

/// Reads a file: the bodies of its records, oldest first. `None` if any of it was damaged, or if
/// not even the first record is complete.
pub(super) fn read(key: &SecretBytes, file: &[u8]) -> Option<Vec<Zeroizing<Vec<u8>>>> {
    let cipher = cipher(key)?;
    if let Some(sealed) = file.strip_prefix(&WHOLE_STATE) {
        return Some(vec![open(&cipher, sealed, &WHOLE_STATE)?]);
    }
    let (start, mut rest) = file.split_first_chunk::<START_LEN>()?;
    if !start.starts_with(&MAGIC) {
        return None;
    }
    let mut bodies = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<{ LENGTH_LEN + CHECK_LEN }>() {
        let number = bodies.len() as u64;
        let (length, found) = head.split_first_chunk::<LENGTH_LEN>()?;
        if *found != check(start, number, *length) {
            return None;
        }
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let Some((sealed, next)) = after.split_at_checked(length) else {
            break;
        };
        bodies.push(open(&cipher, sealed, &associated_data(start, number))?);
        rest = next;
    }
    (!bodies.is_empty()).then_some(bodies)
}

fn open(
    cipher: &XChaCha20Poly1305,
    sealed: &[u8],
    associated_data: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let (body, tag) = rest.split_last_chunk::<TAG_LEN>()?;
    let mut body = Zeroizing::new(body.to_vec());
    let buffer = InOutBuf::from(&mut **body);
    cipher
        .decrypt_inout_detached(&(*nonce).into(), associated_data, buffer, &(*tag).into())
        .ok()?;
    Some(body)
}

fn cipher(key: &SecretBytes) -> Option<XChaCha20Poly1305> {
    XChaCha20Poly1305::new_from_slice(key.expose(ACCESS)).ok()
}

fn associated_data(start: &[u8; START_LEN], number: u64) -> Vec<u8> {
    [&start[..], &number.to_be_bytes()].concat()
}

fn check(start: &[u8; START_LEN], number: u64, length: [u8; LENGTH_LEN]) -> [u8; CHECK_LEN] {
    let digest = Sha256::new()
        .chain_update(start)
        .chain_update(number.to_be_bytes())
        .chain_update(length)
        .finalize();
    let mut check = [0; CHECK_LEN];
    check.copy_from_slice(digest.get(..CHECK_LEN).unwrap_or_default());
    check
}
