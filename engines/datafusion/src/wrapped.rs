//! `KEYS.*` on keysets that a key management service wraps. Each row is a call of the service.

use datafusion::{
    arrow::{array::ArrayRef, datatypes::DataType},
    error::Result,
};
use keyseal::{KeysetHandle, error_chain};

use crate::{
    call::{Call, utf8},
    function::{Definition, Nature, Parameter},
    key_type,
};

pub(crate) const FUNCTIONS: &[Definition] = &[
    Definition {
        name: "keys_new_wrapped_keyset",
        aliases: &["KEYS.NEW_WRAPPED_KEYSET"],
        parameters: &[Parameter::Value, Parameter::KeyType],
        result: DataType::Binary,
        nature: Nature::Random,
        run: new_wrapped_keyset,
    },
    Definition {
        name: "keys_rewrap_keyset",
        aliases: &["KEYS.REWRAP_KEYSET"],
        parameters: &[Parameter::Value; 3],
        result: DataType::Binary,
        nature: Nature::Random,
        run: rewrap_keyset,
    },
    Definition {
        name: "keys_rotate_wrapped_keyset",
        aliases: &["KEYS.ROTATE_WRAPPED_KEYSET"],
        parameters: &[Parameter::Value, Parameter::Value, Parameter::KeyType],
        result: DataType::Binary,
        nature: Nature::Random,
        run: rotate_wrapped_keyset,
    },
];

fn new_wrapped_keyset(call: &Call<'_>) -> Result<ArrayRef> {
    let write = |[uri, key_type]: [&[u8]; 2], out: &mut Vec<u8>| {
        let keyset = KeysetHandle::new(key_type::generate(utf8(key_type)?)?);
        wrap(
            call,
            uri,
            &keyset.map_err(|error| error_chain(&error))?,
            out,
        )
    };
    call.map(0, write)?.binary(call.function)
}

fn rewrap_keyset(call: &Call<'_>) -> Result<ArrayRef> {
    let write = |[from, to, wrapped]: [&[u8]; 3], out: &mut Vec<u8>| {
        let keyset = call.ring.unwrap_keyset(utf8(from)?, wrapped)?;
        wrap(call, to, &keyset, out)
    };
    call.map(call.size(2), write)?.binary(call.function)
}

fn rotate_wrapped_keyset(call: &Call<'_>) -> Result<ArrayRef> {
    let write = |[uri, wrapped, key_type]: [&[u8]; 3], out: &mut Vec<u8>| {
        let mut keyset = call.ring.unwrap_keyset(utf8(uri)?, wrapped)?;
        let key = key_type::generate(utf8(key_type)?)?;
        keyset.rotate(key).map_err(|error| error_chain(&error))?;
        wrap(call, uri, &keyset, out)
    };
    call.map(call.size(1) * 2, write)?.binary(call.function)
}

fn wrap(
    call: &Call<'_>,
    uri: &[u8],
    keyset: &KeysetHandle,
    out: &mut Vec<u8>,
) -> Result<Option<()>, String> {
    out.append(&mut call.ring.wrap_keyset(utf8(uri)?, keyset)?);
    Ok(Some(()))
}
