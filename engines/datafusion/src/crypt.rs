//! Encryption and decryption of columns: one loop for both kinds of keysets.

use datafusion::{
    arrow::{array::ArrayRef, datatypes::DataType},
    error::Result,
};
use keyseal::{DecryptError, EncryptError, error_chain};

use crate::{
    call::{Call, LastKeyset},
    function::{Definition, Nature, Parameter},
    key_use::KeyUse,
    output::Output,
    parsed::ParsedKeyset,
};

/// Keyset, plaintext or ciphertext, additional data.
pub(crate) const PARAMETERS: &[Parameter] = &[Parameter::Value; 3];

/// The overhead of common keys in bytes: 5 of the prefix, a nonce and a tag. The buffer grows for the
/// others.
const OVERHEAD: usize = 5 + 24 + 16;

/// What to do with a ciphertext that does not open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unopened {
    Fails,
    IsNull,
}

/// Encrypts or decrypts with a kind of keyset: its input, its additional data, and the end of which
/// buffer to write to. The outer error is that of the keyset.
type Cipher<E> = fn(&ParsedKeyset, &[u8], &[u8], &mut Vec<u8>) -> Result<Result<(), E>, String>;

/// A function that decrypts: its result is secret.
pub(crate) const fn decryption(
    name: &'static str,
    aliases: &'static [&'static str],
    result: DataType,
    run: fn(&Call<'_>) -> Result<ArrayRef>,
) -> Definition {
    Definition {
        name,
        aliases,
        parameters: PARAMETERS,
        result,
        nature: Nature::Secret,
        run,
    }
}

pub(crate) fn encrypt(call: &Call<'_>, cipher: Cipher<EncryptError>) -> Result<ArrayRef> {
    let mut keysets = LastKeyset::new(call.ring, Some(KeyUse::Encrypt));
    let room = call.size(1) + call.rows * OVERHEAD;
    let output = call.map(room, |[keyset, plaintext, data], out| {
        let encrypted = cipher(keysets.get(keyset)?, plaintext, data, out)?;
        encrypted.map_err(|error| error_chain(&error)).map(Some)
    })?;
    output.binary(call.function)
}

pub(crate) fn decrypt_bytes(
    call: &Call<'_>,
    unopened: Unopened,
    cipher: Cipher<DecryptError>,
) -> Result<ArrayRef> {
    decrypt(call, unopened, cipher, |_| Ok(()))?.binary(call.function)
}

pub(crate) fn decrypt_text(
    call: &Call<'_>,
    unopened: Unopened,
    cipher: Cipher<DecryptError>,
) -> Result<ArrayRef> {
    let check = |plaintext: &[u8]| match std::str::from_utf8(plaintext) {
        Ok(_) => Ok(()),
        Err(_) => Err("a plaintext is not UTF-8: decrypt it to bytes"),
    };
    decrypt(call, unopened, cipher, check)?.text(call.function)
}

fn decrypt(
    call: &Call<'_>,
    unopened: Unopened,
    cipher: Cipher<DecryptError>,
    check: fn(&[u8]) -> Result<(), &'static str>,
) -> Result<Output> {
    let mut keysets = LastKeyset::new(call.ring, Some(KeyUse::Decrypt));
    // A plaintext is not longer than its ciphertext, so the buffer never grows and leaves no copy.
    call.map(call.size(1), |[keyset, ciphertext, data], out| {
        let start = out.len();
        let mut decrypted = cipher(keysets.get(keyset)?, ciphertext, data, out)?;
        // Another process may have rotated the keyset.
        if decrypted.is_err()
            && let Some(newer) = keysets.newer(ciphertext)?
        {
            out.truncate(start);
            decrypted = cipher(newer, ciphertext, data, out)?;
        }
        let checked = decrypted
            .map_err(|_| "a ciphertext does not open under this keyset and additional data")
            .and_then(|()| check(out.get(start..).unwrap_or_default()));
        match checked {
            Ok(()) => Ok(Some(())),
            Err(_) if unopened == Unopened::IsNull => {
                out.truncate(start);
                Ok(None)
            }
            Err(error) => Err(error.to_owned()),
        }
    })
}
