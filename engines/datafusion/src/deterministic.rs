//! `DETERMINISTIC_*`: equal plaintexts have equal ciphertexts, which can be joined and searched.

use datafusion::{arrow::datatypes::DataType, error::Result};
use keyseal::{DecryptError, DeterministicAead as _, EncryptError};

use crate::{
    crypt::{PARAMETERS, Unopened, decrypt_bytes, decrypt_text, decryption, encrypt},
    function::{Definition, Nature},
    parsed::ParsedKeyset,
};

/// Their own names are BigQuery's in lower case, which DataFusion makes of names without dots.
pub(crate) const FUNCTIONS: &[Definition] = &[
    Definition {
        name: "deterministic_encrypt",
        aliases: &[],
        parameters: PARAMETERS,
        result: DataType::Binary,
        nature: Nature::Plain,
        run: |call| encrypt(call, seal),
    },
    decryption(
        "deterministic_decrypt_bytes",
        &[],
        DataType::Binary,
        |call| decrypt_bytes(call, Unopened::Fails, open),
    ),
    decryption(
        "deterministic_decrypt_string",
        &[],
        DataType::Utf8,
        |call| decrypt_text(call, Unopened::Fails, open),
    ),
    decryption(
        "try_deterministic_decrypt_bytes",
        &["SAFE.DETERMINISTIC_DECRYPT_BYTES"],
        DataType::Binary,
        |call| decrypt_bytes(call, Unopened::IsNull, open),
    ),
    decryption(
        "try_deterministic_decrypt_string",
        &["SAFE.DETERMINISTIC_DECRYPT_STRING"],
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
    let keys = keyset.deterministic()?;
    Ok(keys.encrypt_deterministically_into(plaintext, data, out))
}

fn open(
    keyset: &ParsedKeyset,
    ciphertext: &[u8],
    data: &[u8],
    out: &mut Vec<u8>,
) -> Result<Result<(), DecryptError>, String> {
    let keys = keyset.deterministic()?;
    Ok(keys.decrypt_deterministically_into(ciphertext, data, out))
}
