//! [`seal`] and [`open`]: whole sealed streams in one call.

use std::io::{self, BufRead as _, Read, Write};

use zeroize::Zeroizing;

use super::header::SealedStreamHeader;
use crate::{any_error::Error, primitive::Aead};

/// Bytes of plaintext that are read at a time.
pub(super) const CHUNK_SIZE: usize = 64 << 10;

/// Encrypts all of `plaintext` to a new sealed stream under `kek`, flushes `sealed`, and returns
/// the length of the plaintext in bytes.
///
/// The stream has its own key, of the template [`SealedStreamHeader::TEMPLATE`]. Pass the same
/// `associated_data` to [`open`]; it is authenticated, and not stored. A few MiB of memory are
/// enough for any length.
///
/// # Errors
/// [`Error::Keyset`] if the KEK cannot encrypt the new key; [`Error::Io`] if `plaintext` or
/// `sealed` fails. The part that was written never decrypts.
pub fn seal(
    kek: &dyn Aead,
    mut plaintext: impl Read,
    mut sealed: impl Write,
    associated_data: &[u8],
) -> Result<u64, Error> {
    let (header, aead) = SealedStreamHeader::generate(SealedStreamHeader::TEMPLATE, kek)?;
    sealed.write_all(header.as_bytes())?;
    let mut writer = aead.encrypting_writer(sealed, associated_data)?;
    let mut chunk = Zeroizing::new(vec![0; CHUNK_SIZE]);
    let mut total = 0;
    loop {
        let len = match plaintext.read(&mut chunk) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        writer.write_all(chunk.split_at(len).0)?;
        total += len as u64;
    }
    writer.finish()?;
    Ok(total)
}

/// Decrypts all of a sealed stream under `kek`, flushes `plaintext`, and returns its length in
/// bytes.
///
/// # Errors
/// [`Error::Parse`] if `sealed` is not a sealed stream; [`Error::Keyset`] if its header does not
/// decrypt under this KEK; [`Error::Decrypt`] if the stream was changed or cut, or has other
/// associated data; [`Error::Io`].
///
/// # Security
/// Every byte that is written was authenticated first. But only the end of a stream shows that it
/// was not cut, so discard all of `plaintext` after an error.
pub fn open(
    kek: &dyn Aead,
    mut sealed: impl Read,
    mut plaintext: impl Write,
    associated_data: &[u8],
) -> Result<u64, Error> {
    let aead = SealedStreamHeader::read_from(&mut sealed)?.open(kek)?;
    let mut reader = aead.decrypting_reader(sealed, associated_data);
    let mut total = 0;
    loop {
        let segment = reader.fill_buf()?;
        let len = segment.len();
        if len == 0 {
            break;
        }
        plaintext.write_all(segment)?;
        reader.consume(len);
        total += len as u64;
    }
    plaintext.flush()?;
    Ok(total)
}
