//! `AEAD.*`: each encryption of a plaintext has another ciphertext.

use datafusion::{arrow::datatypes::DataType, error::Result};
use keyseal::{Aead as _, DecryptError, EncryptError};

use crate::{
    crypt::{PARAMETERS, Unopened, decrypt_bytes, decrypt_text, encrypt},
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
    Definition {
        name: "aead_decrypt_bytes",
        aliases: &["AEAD.DECRYPT_BYTES"],
        parameters: PARAMETERS,
        result: DataType::Binary,
        nature: Nature::Secret,
        run: |call| decrypt_bytes(call, Unopened::Fails, open),
    },
    Definition {
        name: "aead_decrypt_string",
        aliases: &["AEAD.DECRYPT_STRING"],
        parameters: PARAMETERS,
        result: DataType::Utf8,
        nature: Nature::Secret,
        run: |call| decrypt_text(call, Unopened::Fails, open),
    },
    Definition {
        name: "try_aead_decrypt_bytes",
        aliases: &["SAFE.AEAD.DECRYPT_BYTES"],
        parameters: PARAMETERS,
        result: DataType::Binary,
        nature: Nature::Secret,
        run: |call| decrypt_bytes(call, Unopened::IsNull, open),
    },
    Definition {
        name: "try_aead_decrypt_string",
        aliases: &["SAFE.AEAD.DECRYPT_STRING"],
        parameters: PARAMETERS,
        result: DataType::Utf8,
        nature: Nature::Secret,
        run: |call| decrypt_text(call, Unopened::IsNull, open),
    },
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
