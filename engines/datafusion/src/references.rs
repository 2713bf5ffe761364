//! `KEYS.KEYSET_CHAIN` and `keyset`: references to keysets, which plans may show.

use datafusion::arrow::datatypes::DataType;

use crate::{
    function::{Definition, Nature, Parameter},
    reference::{write_chain, write_name},
};

pub(crate) const FUNCTIONS: &[Definition] = &[
    Definition {
        name: "keys_keyset_chain",
        aliases: &["KEYS.KEYSET_CHAIN"],
        parameters: &[Parameter::Value; 2],
        result: DataType::Binary,
        nature: Nature::Plain,
        run: |call| {
            let write = |[uri, wrapped]: [&[u8]; 2], out: &mut Vec<u8>| {
                write_chain(uri, wrapped, out).ok_or("the key URI is longer than 65535 bytes")?;
                Ok(Some(()))
            };
            call.map(call.size(1), write)?.binary(call.function)
        },
    },
    Definition {
        name: "keyset",
        aliases: &[],
        parameters: &[Parameter::Value],
        result: DataType::Binary,
        nature: Nature::Plain,
        run: |call| {
            let write = |[name]: [&[u8]; 1], out: &mut Vec<u8>| {
                write_name(name, out);
                Ok(Some(()))
            };
            call.map(call.size(0), write)?.binary(call.function)
        },
    },
];
