//! `AEAD.*`: each encryption of a plaintext has another ciphertext.

use datafusion::{arrow::datatypes::DataType, error::Result};
use keyseal::{Aead as _, DecryptError, EncryptError};

use crate::{
    crypt::{PARAMETERS, Unopened, decrypt_bytes, decrypt_text, decryption, encrypt},
    function::{Definition, Nature},
    parsed::ParsedKeyset,
};

pub(crate) const FUNCTIONS: &[Definition] = &[
    Definition {
        name: "aead_encrypt",
        aliases: &["AEAD.ENCRYPT"],
        parameters: PARAMETERS,
        result: DataType::Binary,
        nature: Nature::Random,
        run: |call| encrypt(call, seal),
    },
    decryption(
        "aead_decrypt_bytes",
        &["AEAD.DECRYPT_BYTES"],
        DataType::Binary,
        |call| decrypt_bytes(call, Unopened::Fails, open),
    ),
    decryption(
        "aead_decrypt_string",
        &["AEAD.DECRYPT_STRING"],
        DataType::Utf8,
        |call| decrypt_text(call, Unopened::Fails, open),
    ),
    decryption(
        "try_aead_decrypt_bytes",
        &["SAFE.AEAD.DECRYPT_BYTES"],
        DataType::Binary,
        |call| decrypt_bytes(call, Unopened::IsNull, open),
    ),
    decryption(
        "try_aead_decrypt_string",
        &["SAFE.AEAD.DECRYPT_STRING"],
        DataType::Utf8,
        |call| decrypt_text(call, Unopened::IsNull, open),
    ),
];

fn seal(
    keyset: &ParsedKeyset,
    plaintext: &[u8],
    data: &[u8],
    out: &mut Vec<u8>,
) -> Result<Result<(), EncryptError>, String> {
    Ok(keyset.aead()?.encrypt_into(plaintext, data, out))
}

fn open(
    keyset: &ParsedKeyset,
    ciphertext: &[u8],
    data: &[u8],
    out: &mut Vec<u8>,
) -> Result<Result<(), DecryptError>, String> {
    Ok(keyset.aead()?.decrypt_into(ciphertext, data, out))
}
