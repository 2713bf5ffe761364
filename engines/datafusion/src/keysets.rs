//! `KEYS.*` on keysets in cleartext.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, Int64Array},
        datatypes::DataType,
    },
    error::Result,
};
use keyseal::{KeyTypes, KeysetHandle, SecretBytes, error_chain, keyset::Format};

use crate::{
    call::{Call, LastKeyset, utf8},
    function::{Definition, Nature, Parameter},
    key_type,
};

pub(crate) const FUNCTIONS: &[Definition] = &[
    Definition {
        name: "keys_new_keyset",
        aliases: &["KEYS.NEW_KEYSET"],
        parameters: &[Parameter::KeyType],
        result: DataType::Binary,
        nature: Nature::Random,
        run: new_keyset,
    },
    Definition {
        name: "keys_add_key_from_raw_bytes",
        aliases: &["KEYS.ADD_KEY_FROM_RAW_BYTES"],
        parameters: &[Parameter::Value, Parameter::RawKeyType, Parameter::Value],
        result: DataType::Binary,
        nature: Nature::Random,
        run: add_key_from_raw_bytes,
    },
    Definition {
        name: "keys_rotate_keyset",
        aliases: &["KEYS.ROTATE_KEYSET"],
        parameters: &[Parameter::Value, Parameter::KeyType],
        result: DataType::Binary,
        nature: Nature::Random,
        run: rotate_keyset,
    },
    Definition {
        name: "keys_keyset_length",
        aliases: &["KEYS.KEYSET_LENGTH"],
        parameters: &[Parameter::Value],
        result: DataType::Int64,
        nature: Nature::Plain,
        run: keyset_length,
    },
    Definition {
        name: "keys_keyset_from_json",
        aliases: &["KEYS.KEYSET_FROM_JSON"],
        parameters: &[Parameter::Value],
        result: DataType::Binary,
        nature: Nature::Secret,
        run: keyset_from_json,
    },
    Definition {
        name: "keys_keyset_to_json",
        aliases: &["KEYS.KEYSET_TO_JSON"],
        parameters: &[Parameter::Value],
        result: DataType::Utf8,
        nature: Nature::Secret,
        run: keyset_to_json,
    },
];

/// The bytes that a keyset of one key takes, about.
const ROOM: usize = 160;

fn new_keyset(call: &Call<'_>) -> Result<ArrayRef> {
    let write = |[key_type]: [&[u8]; 1], out: &mut Vec<u8>| {
        let keyset = KeysetHandle::new(key_type::generate(utf8(key_type)?)?);
        write_cleartext(
            call,
            &keyset.map_err(|error| error_chain(&error))?,
            Format::Binary,
            out,
        )
    };
    call.map(call.rows * ROOM, write)?.binary(call.function)
}

fn add_key_from_raw_bytes(call: &Call<'_>) -> Result<ArrayRef> {
    let write = |[keyset, _, key]: [&[u8]; 3], out: &mut Vec<u8>| {
        let mut keyset = call.ring.cleartext(keyset)?.handle().clone();
        let template = match key.len() {
            16 => "AES128_GCM_RAW",
            32 => "AES256_GCM_RAW",
            size => return Err(format!("an AES_GCM key has 16 or 32 bytes, not {size}")),
        };
        let key = SecretBytes::copy_from(key, call.ring.cleartext_access()?);
        let types = KeyTypes::default();
        let key = types
            .template(template)
            .and_then(|template| types.import(template.key_template(), &key))
            .map_err(|error| error_chain(&error))?;
        keyset.add(key).map_err(|error| error_chain(&error))?;
        write_cleartext(call, &keyset, Format::Binary, out)
    };
    let room = call.size(0) + call.rows * ROOM;
    call.map(room, write)?.binary(call.function)
}

fn rotate_keyset(call: &Call<'_>) -> Result<ArrayRef> {
    let write = |[keyset, key_type]: [&[u8]; 2], out: &mut Vec<u8>| {
        let mut keyset = call.ring.cleartext(keyset)?.handle().clone();
        let key = key_type::generate(utf8(key_type)?)?;
        keyset.rotate(key).map_err(|error| error_chain(&error))?;
        write_cleartext(call, &keyset, Format::Binary, out)
    };
    let room = call.size(0) + call.rows * ROOM;
    call.map(room, write)?.binary(call.function)
}

/// It takes references too: the number of keys is no secret.
fn keyset_length(call: &Call<'_>) -> Result<ArrayRef> {
    let mut keysets = LastKeyset::new(call.ring, None);
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let length = match call.row(row) {
            Some([keyset]) => {
                let keyset = keysets
                    .get(keyset)
                    .map_err(|error| call.error(row, &error))?;
                i64::try_from(keyset.handle().len()).ok()
            }
            None => None,
        };
        lengths.push(length);
    }
    Ok(Arc::new(Int64Array::from(lengths)))
}

fn keyset_from_json(call: &Call<'_>) -> Result<ArrayRef> {
    let write = |[json]: [&[u8]; 1], out: &mut Vec<u8>| {
        let access = call.ring.cleartext_access()?;
        let keyset = KeysetHandle::read_cleartext(json, Format::Json, access);
        write_cleartext(
            call,
            &keyset.map_err(|error| error_chain(&error))?,
            Format::Binary,
            out,
        )
    };
    call.map(call.size(0), write)?.binary(call.function)
}

fn keyset_to_json(call: &Call<'_>) -> Result<ArrayRef> {
    let write = |[keyset]: [&[u8]; 1], out: &mut Vec<u8>| {
        let keyset = call.ring.cleartext(keyset)?;
        write_cleartext(call, keyset.handle(), Format::Json, out)
    };
    call.map(call.size(0) * 3, write)?.text(call.function)
}

fn write_cleartext(
    call: &Call<'_>,
    keyset: &KeysetHandle,
    format: Format,
    out: &mut Vec<u8>,
) -> Result<Option<()>, String> {
    let access = call.ring.cleartext_access()?;
    out.extend_from_slice(keyset.write_cleartext(format, access).expose(access));
    Ok(Some(()))
}
