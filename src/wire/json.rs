//! Tink's JSON keysets: proto3 JSON, strict, by hand.
//!
//! The text of a cleartext keyset is as secret as its keys. So strings are slices of the input
//! where they can be, and what must be copied goes to buffers that are sized first and wiped. A
//! general JSON library does neither, and hides a member that is given twice.
//!
//! Each kind of object is a table of its members; there are as many levels as there are tables, so
//! the input cannot nest deeper.

mod base64;
mod reader;
mod text;
mod writer;

use bytes::Bytes;

use self::reader::{Member, Reader, member};
pub(crate) use self::text::Text;
pub(crate) use self::writer::{write_encrypted_keyset, write_keyset};
use super::{
    proto::{
        self, EncryptedKeyset, KeyData, KeyStatusType, Keyset, KeysetInfo, OutputPrefixType,
        key_data::KeyMaterialType, keyset_info::KeyInfo,
    },
    secret,
};
use crate::error::ParseError;

/// Reads a cleartext keyset.
///
/// Enum values are kept as they are, names and numbers alike: whether a key may have them is for
/// the keyset's validation.
pub(crate) fn read_keyset(json: &[u8]) -> Result<Keyset, ParseError> {
    let mut keyset = Keyset::default();
    Reader::read(json, KEYSET, &mut keyset)?;
    Ok(keyset)
}

/// Reads an encrypted keyset. Nothing says that its `keysetInfo`, where there is one, is true.
pub(crate) fn read_encrypted_keyset(json: &[u8]) -> Result<EncryptedKeyset, ParseError> {
    let mut keyset = EncryptedKeyset::default();
    Reader::read(json, ENCRYPTED_KEYSET, &mut keyset)?;
    if keyset.encrypted_keyset.is_empty() {
        return Err(ParseError::new("an object without an encrypted keyset", 0));
    }
    Ok(keyset)
}

const KEYSET: &[Member<Keyset>] = &[
    member("primaryKeyId", "primary_key_id", |reader, keyset| {
        read_id(reader, &mut keyset.primary_key_id)
    }),
    member("key", "key", read_keys),
    member("encryptedKeyset", "encrypted_keyset", refuse_encrypted),
    member("keysetInfo", "keyset_info", refuse_encrypted),
];

const ENCRYPTED_KEYSET: &[Member<EncryptedKeyset>] = &[
    member("encryptedKeyset", "encrypted_keyset", |reader, keyset| {
        read_bytes(reader, &mut keyset.encrypted_keyset)
    }),
    member("keysetInfo", "keyset_info", read_keyset_info),
    member("primaryKeyId", "primary_key_id", refuse_cleartext),
    member("key", "key", refuse_cleartext),
];

/// A key while it is read.
#[derive(Default)]
struct Key {
    key: proto::keyset::Key,
    /// The offset of key data that do not name their material type.
    without_material: Option<usize>,
}

const KEY: &[Member<Key>] = &[
    member("keyData", "key_data", read_key_data),
    member("status", "status", |reader, key| {
        read_status(reader, &mut key.key.status)
    }),
    member("keyId", "key_id", |reader, key| {
        read_id(reader, &mut key.key.key_id)
    }),
    member("outputPrefixType", "output_prefix_type", |reader, key| {
        read_prefix(reader, &mut key.key.output_prefix_type)
    }),
];

const KEY_DATA: &[Member<KeyData>] = &[
    member("typeUrl", "type_url", |reader, data| {
        read_text(reader, &mut data.type_url)
    }),
    member("value", "value", |reader, data| {
        read_bytes(reader, &mut data.value)
    }),
    member("keyMaterialType", "key_material_type", |reader, data| {
        let named = |name: &str| KeyMaterialType::from_str_name(name).map(i32::from);
        read_enum(
            reader,
            &mut data.key_material_type,
            named,
            "expected a key material type",
        )
    }),
];

const KEYSET_INFO: &[Member<KeysetInfo>] = &[
    member("primaryKeyId", "primary_key_id", |reader, info| {
        read_id(reader, &mut info.primary_key_id)
    }),
    member("keyInfo", "key_info", read_key_infos),
];

const KEY_INFO: &[Member<KeyInfo>] = &[
    member("typeUrl", "type_url", |reader, info| {
        read_text(reader, &mut info.type_url)
    }),
    member("status", "status", |reader, info| {
        read_status(reader, &mut info.status)
    }),
    member("keyId", "key_id", |reader, info| {
        read_id(reader, &mut info.key_id)
    }),
    member("outputPrefixType", "output_prefix_type", |reader, info| {
        read_prefix(reader, &mut info.output_prefix_type)
    }),
];

fn refuse_encrypted(reader: &mut Reader<'_>, _: &mut Keyset) -> Result<(), ParseError> {
    Err(reader.error("this is an encrypted keyset, by the member"))
}

fn refuse_cleartext(reader: &mut Reader<'_>, _: &mut EncryptedKeyset) -> Result<(), ParseError> {
    Err(reader.error("this is a cleartext keyset, by the member"))
}

fn read_keys(reader: &mut Reader<'_>, keyset: &mut Keyset) -> Result<(), ParseError> {
    if reader.null() {
        return Ok(());
    }
    reader.array(|reader| {
        let mut read = Key::default();
        reader.object(KEY, &mut read)?;
        match read.without_material {
            // A destroyed key's data count for nothing.
            Some(at) if read.key.status != KeyStatusType::Destroyed as i32 => {
                return Err(ParseError::new("key data without a key material type", at));
            }
            _ => keyset.key.push(read.key),
        }
        Ok(())
    })
}

fn read_key_data(reader: &mut Reader<'_>, key: &mut Key) -> Result<(), ParseError> {
    if reader.null() {
        return Ok(());
    }
    let at = reader.offset();
    let data = key.key.key_data.insert(KeyData::default());
    let given = reader.object(KEY_DATA, data)?;
    if !given.contains("keyMaterialType") {
        key.without_material = Some(at);
    }
    Ok(())
}

fn read_keyset_info(
    reader: &mut Reader<'_>,
    keyset: &mut EncryptedKeyset,
) -> Result<(), ParseError> {
    if !reader.null() {
        reader.object(
            KEYSET_INFO,
            keyset.keyset_info.insert(KeysetInfo::default()),
        )?;
    }
    Ok(())
}

fn read_key_infos(reader: &mut Reader<'_>, info: &mut KeysetInfo) -> Result<(), ParseError> {
    if reader.null() {
        return Ok(());
    }
    reader.array(|reader| {
        let mut key = KeyInfo::default();
        reader.object(KEY_INFO, &mut key)?;
        info.key_info.push(key);
        Ok(())
    })
}

fn read_text(reader: &mut Reader<'_>, text: &mut String) -> Result<(), ParseError> {
    if !reader.null() {
        reader.string()?.clone_into(text);
    }
    Ok(())
}

fn read_bytes(reader: &mut Reader<'_>, bytes: &mut Bytes) -> Result<(), ParseError> {
    if !reader.null() {
        let error = reader.error("expected base64");
        *bytes = secret(base64::decode(&reader.string()?).ok_or(error)?);
    }
    Ok(())
}

fn read_id(reader: &mut Reader<'_>, id: &mut u32) -> Result<(), ParseError> {
    if !reader.null() {
        *id = reader.integer("expected an integer from 0 to 4294967295")?;
    }
    Ok(())
}

fn read_status(reader: &mut Reader<'_>, status: &mut i32) -> Result<(), ParseError> {
    let named = |name: &str| KeyStatusType::from_str_name(name).map(i32::from);
    read_enum(reader, status, named, "expected a key status")
}

fn read_prefix(reader: &mut Reader<'_>, prefix: &mut i32) -> Result<(), ParseError> {
    let named = |name: &str| OutputPrefixType::from_str_name(name).map(i32::from);
    read_enum(reader, prefix, named, "expected an output prefix type")
}

/// Reads a name or a number. `null` is refused: no enum here has a default that is of use.
fn read_enum(
    reader: &mut Reader<'_>,
    value: &mut i32,
    named: impl Fn(&str) -> Option<i32>,
    expected: &'static str,
) -> Result<(), ParseError> {
    *value = if reader.at_string() {
        let error = reader.error(expected);
        named(&reader.string()?).ok_or(error)?
    } else {
        reader.integer(expected)?
    };
    Ok(())
}

#[cfg(test)]
mod tests;
