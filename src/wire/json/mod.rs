//! Tink's JSON keysets: proto3 JSON, strict, by hand.
//!
//! The text of a cleartext keyset is as secret as its keys. So strings are slices of the input if
//! possible, and the rest is copied to buffers that are sized first and wiped. A general JSON
//! library does neither, and hides a member that is given twice.
//!
//! Each kind of object is a table of its members; there are as many levels as there are tables, so
//! the input cannot nest deeper.

mod base64;
mod reader;
mod text;
mod writer;

use bytes::Bytes;

use self::reader::{Given, Member, Reader, digits, member, whole};
pub(crate) use self::{
    base64::decode as decode_base64,
    reader::{Fault, Report},
    writer::{write_encrypted_keyset, write_keyset},
};
use super::{
    MAX_KEYS, TOO_MANY_KEYS,
    proto::{
        self, EncryptedKeyset, KeyData, KeyStatusType, Keyset, KeysetInfo, OutputPrefixType,
        key_data::KeyMaterialType, keyset_info::KeyInfo,
    },
    secret,
};
use crate::error::ParseError;

/// A keyset file in JSON.
pub(crate) enum File {
    Cleartext(Keyset),
    /// Nothing says that its `keysetInfo`, where there is one, is true.
    Encrypted(EncryptedKeyset),
}

/// Reads a keyset of either kind.
///
/// Enum values are kept as they are, names and numbers alike: whether a key may have them is for
/// the keyset's validation.
pub(crate) fn read(json: &[u8]) -> Result<File, ParseError> {
    let mut members = Members::default();
    Reader::read(json, FILE, &mut members, None)?;
    Ok(members.file())
}

/// Reads past the faults that `report` is told of, with a guess in the place of each, up to where
/// nothing can be read any more.
pub(crate) fn read_past_faults(json: &[u8], report: Report<'_>) -> (File, Result<(), ParseError>) {
    let mut members = Members::default();
    let read = Reader::read(json, FILE, &mut members, Some(&mut *report));
    let file = members.file();
    let read = read.map(|given| {
        if matches!(file, File::Cleartext(_)) && !given.contains("primaryKeyId") {
            report(Fault::NoId, "primaryKeyId", 0);
        }
    });
    (file, read)
}

/// Reads a cleartext keyset.
pub(crate) fn read_keyset(json: &[u8]) -> Result<Keyset, ParseError> {
    let mut members = Members::default();
    Reader::read(json, FILE, &mut members, None)?;
    match members.encrypted_at {
        Some(at) => Err(ParseError::new(
            "this is an encrypted keyset, by the member",
            at,
        )),
        None => Ok(members.keyset),
    }
}

/// Reads an encrypted keyset.
pub(crate) fn read_encrypted_keyset(json: &[u8]) -> Result<EncryptedKeyset, ParseError> {
    let mut members = Members::default();
    Reader::read(json, FILE, &mut members, None)?;
    if let Some(at) = members.cleartext_at {
        let reason = "this is a cleartext keyset, by the member";
        return Err(ParseError::new(reason, at));
    }
    if members.encrypted.encrypted_keyset.is_empty() {
        return Err(ParseError::new("an object without an encrypted keyset", 0));
    }
    Ok(members.encrypted)
}

/// The members of both kinds of keyset while a text is read: which it is shows on the way.
#[derive(Default)]
struct Members {
    keyset: Keyset,
    encrypted: EncryptedKeyset,
    /// Where the first member of a kind has its value.
    cleartext_at: Option<usize>,
    encrypted_at: Option<usize>,
}

impl Members {
    fn file(self) -> File {
        // A damaged file may have members of both kinds: a key in cleartext is what counts.
        match self.encrypted_at {
            Some(_) if self.keyset.key.is_empty() => File::Encrypted(self.encrypted),
            _ => File::Cleartext(self.keyset),
        }
    }

    fn cleartext(&mut self, reader: &mut Reader<'_>) -> Result<&mut Keyset, ParseError> {
        let at = reader.offset();
        if self.encrypted_at.is_some() && self.cleartext_at.is_none() {
            reader.refuse(Fault::TwoKinds, TWO_KINDS, at)?;
        }
        self.cleartext_at.get_or_insert(at);
        Ok(&mut self.keyset)
    }

    fn encrypted(&mut self, reader: &mut Reader<'_>) -> Result<&mut EncryptedKeyset, ParseError> {
        let at = reader.offset();
        if self.cleartext_at.is_some() && self.encrypted_at.is_none() {
            reader.refuse(Fault::TwoKinds, TWO_KINDS, at)?;
        }
        self.encrypted_at.get_or_insert(at);
        Ok(&mut self.encrypted)
    }
}

const TWO_KINDS: &str = "members of a cleartext keyset and of an encrypted one";

const FILE: &[Member<Members>] = &[
    member("primaryKeyId", "primary_key_id", |reader, members| {
        let keyset = members.cleartext(reader)?;
        read_id(reader, &mut keyset.primary_key_id)
    }),
    member("key", "key", |reader, members| {
        let keyset = members.cleartext(reader)?;
        read_keys(reader, keyset)
    }),
    member("encryptedKeyset", "encrypted_keyset", |reader, members| {
        let keyset = members.encrypted(reader)?;
        read_bytes(reader, &mut keyset.encrypted_keyset)
    }),
    member("keysetInfo", "keyset_info", |reader, members| {
        let keyset = members.encrypted(reader)?;
        read_keyset_info(reader, keyset)
    }),
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

/// Reads an array of objects, at most [`MAX_KEYS`] of them.
fn read_objects(
    reader: &mut Reader<'_>,
    mut object: impl FnMut(&mut Reader<'_>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    if reader.null() {
        return Ok(());
    }
    let mut count = 0;
    reader.array(|reader| {
        count += 1;
        if count > MAX_KEYS {
            return Err(reader.error(TOO_MANY_KEYS));
        }
        object(reader)
    })
}

fn read_keys(reader: &mut Reader<'_>, keyset: &mut Keyset) -> Result<(), ParseError> {
    read_objects(reader, |reader| {
        if !reader.at_object()? {
            return Ok(());
        }
        let start = reader.offset();
        let mut read = Key::default();
        let given = reader.object(KEY, &mut read)?;
        note_absent_id(reader, &given, "keyId", start);
        // A destroyed key's data counts for nothing.
        if let Some(at) = read.without_material
            && read.key.status != KeyStatusType::Destroyed as i32
        {
            let reason = "key data without a key material type";
            reader.refuse(Fault::NoMaterialType, reason, at)?;
        }
        keyset.key.push(read.key);
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
        let start = reader.offset();
        let info = keyset.keyset_info.insert(KeysetInfo::default());
        let given = reader.object(KEYSET_INFO, info)?;
        note_absent_id(reader, &given, "primaryKeyId", start);
    }
    Ok(())
}

fn read_key_infos(reader: &mut Reader<'_>, info: &mut KeysetInfo) -> Result<(), ParseError> {
    read_objects(reader, |reader| {
        if !reader.at_object()? {
            return Ok(());
        }
        let start = reader.offset();
        let mut key = KeyInfo::default();
        let given = reader.object(KEY_INFO, &mut key)?;
        note_absent_id(reader, &given, "keyId", start);
        info.key_info.push(key);
        Ok(())
    })
}

/// An absent id means 0, and some releases of Tink do not read it.
fn note_absent_id<M>(reader: &mut Reader<'_>, given: &Given<M>, name: &str, at: usize) {
    if !given.contains(name) {
        reader.note_of(Fault::NoId, name, at);
    }
}

fn read_text(reader: &mut Reader<'_>, text: &mut String) -> Result<(), ParseError> {
    if !reader.null()
        && let Some(read) = reader.text()?
    {
        read.clone_into(text);
    }
    Ok(())
}

fn read_bytes(reader: &mut Reader<'_>, bytes: &mut Bytes) -> Result<(), ParseError> {
    if reader.null() {
        return Ok(());
    }
    let at = reader.offset();
    let Some(text) = reader.text()? else {
        return Ok(());
    };
    *bytes = secret(match base64::decode(&text) {
        Some(bytes) => {
            for fault in base64::oddities(&text) {
                reader.note(fault, at);
            }
            bytes
        }
        None => {
            reader.refuse(Fault::Base64, "expected base64", at)?;
            base64::guess(&text)
        }
    });
    Ok(())
}

/// Reads a number in any spelling that JSON has for it. In quotation marks it is refused: protobuf's
/// JSON mapping has that too, and Tink's own suite counts it as invalid.
fn read_id(reader: &mut Reader<'_>, id: &mut u32) -> Result<(), ParseError> {
    if reader.null() {
        return Ok(());
    }
    let at = reader.offset();
    let expected = "expected an integer from 0 to 4294967295";
    if reader.at_string() {
        reader.refuse(Fault::Id, expected, at)?;
        *id = nearest_id(&reader.string()?);
        return Ok(());
    }
    let number = reader.number()?;
    *id = match whole(number) {
        Some(id) => {
            if digits::<u32>(number).is_none() {
                reader.note(Fault::IdForm, at);
            }
            id
        }
        None => {
            reader.refuse(Fault::Id, expected, at)?;
            nearest_id(number)
        }
    };
    Ok(())
}

/// Returns the id that a wrong number most likely stands for.
fn nearest_id(number: &str) -> u32 {
    if let Ok(negative) = number.parse::<i32>() {
        return negative.cast_unsigned();
    }
    let digits = number.split(['.', 'e', 'E']).next().unwrap_or(number);
    digits.parse().unwrap_or_default()
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
    let at = reader.offset();
    let (read, guess) = if reader.at_string() {
        let name = reader.string()?;
        (named(&name), named(&name.to_ascii_uppercase()))
    } else {
        let read = digits(reader.number()?);
        if read.is_some() {
            reader.note(Fault::EnumNumber, at);
        }
        (read, None)
    };
    *value = match read {
        Some(value) => value,
        None => {
            reader.refuse(Fault::Enum, expected, at)?;
            guess.unwrap_or_default()
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests;
