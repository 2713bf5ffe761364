//! Keysets as JSON text: a member on each line, indented by two spaces.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::base64;
use crate::wire::proto::{
    EncryptedKeyset, KeyData, KeyStatusType, Keyset, OutputPrefixType, key_data::KeyMaterialType,
};

/// Writes a cleartext keyset: every member, even if it is 0 or empty, because some releases of Tink
/// do not read a key without them.
pub(crate) fn write_keyset(keyset: &Keyset) -> Zeroizing<Vec<u8>> {
    let empty = KeyData::default();
    let mut writer = Writer::default();
    writer.object(|w| {
        w.number("primaryKeyId", keyset.primary_key_id);
        w.objects("key", &keyset.key, |w, key| {
            let data = key.key_data.as_ref().unwrap_or(&empty);
            w.member("keyData");
            w.object(|w| {
                w.string("typeUrl", &data.type_url);
                w.bytes("value", &data.value);
                let material = data.key_material_type;
                w.enumeration("keyMaterialType", material, KeyMaterialType::as_str_name);
            });
            write_state(w, key.status, key.key_id, key.output_prefix_type);
        });
    });
    writer.finish()
}

/// Writes an encrypted keyset, with its `keysetInfo` where there is one.
pub(crate) fn write_encrypted_keyset(keyset: &EncryptedKeyset) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.object(|w| {
        w.bytes("encryptedKeyset", &keyset.encrypted_keyset);
        if let Some(info) = &keyset.keyset_info {
            w.member("keysetInfo");
            w.object(|w| {
                w.number("primaryKeyId", info.primary_key_id);
                w.objects("keyInfo", &info.key_info, |w, key| {
                    w.string("typeUrl", &key.type_url);
                    write_state(w, key.status, key.key_id, key.output_prefix_type);
                });
            });
        }
    });
    std::mem::take(&mut *writer.finish())
}

fn write_state(writer: &mut Writer<'_>, status: i32, key_id: u32, prefix: i32) {
    writer.enumeration("status", status, KeyStatusType::as_str_name);
    writer.number("keyId", key_id);
    writer.enumeration("outputPrefixType", prefix, OutputPrefixType::as_str_name);
}

/// Collects the pieces of a text, so that its size is known before it is written.
#[derive(Default)]
struct Writer<'a> {
    pieces: Vec<Piece<'a>>,
    depth: usize,
    /// Whether the object or array has an element already.
    filled: bool,
}

enum Piece<'a> {
    /// Public text.
    Text(Cow<'a, str>),
    /// A line end, and the spaces of this depth.
    Line(usize),
    /// Bytes that may be secret, to be written as base64.
    Bytes(&'a [u8]),
}

impl<'a> Writer<'a> {
    fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.bracketed("{", members, "}");
    }

    /// Writes an array of objects, of which `members` writes the members.
    fn objects<T>(
        &mut self,
        name: &'static str,
        items: &'a [T],
        mut members: impl FnMut(&mut Self, &'a T),
    ) {
        let elements = |writer: &mut Self| {
            for item in items {
                writer.next();
                writer.object(|writer| members(writer, item));
            }
        };
        self.member(name);
        self.bracketed("[", elements, "]");
    }

    /// Writes a name; its value comes next.
    fn member(&mut self, name: &'static str) {
        self.next();
        self.quoted(name);
        self.text(": ");
    }

    fn string(&mut self, name: &'static str, value: &'a str) {
        self.member(name);
        self.quoted(escape(value));
    }

    fn bytes(&mut self, name: &'static str, value: &'a [u8]) {
        self.member(name);
        self.text("\"");
        self.pieces.push(Piece::Bytes(value));
        self.text("\"");
    }

    fn number(&mut self, name: &'static str, value: u32) {
        self.member(name);
        self.text(value.to_string());
    }

    /// Writes the name of an enum value, or its number if it has no name.
    fn enumeration<E: TryFrom<i32>>(
        &mut self,
        name: &'static str,
        value: i32,
        value_name: fn(&E) -> &'static str,
    ) {
        self.member(name);
        match E::try_from(value) {
            Ok(value) => self.quoted(value_name(&value)),
            Err(_) => self.text(value.to_string()),
        }
    }

    /// Returns the text, in one buffer of exactly its size.
    fn finish(mut self) -> Zeroizing<Vec<u8>> {
        self.pieces.push(Piece::Line(0));
        let size = self.pieces.iter().map(Piece::size).sum();
        let mut out = Zeroizing::new(Vec::with_capacity(size));
        for piece in &self.pieces {
            match *piece {
                Piece::Text(ref text) => out.extend_from_slice(text.as_bytes()),
                Piece::Line(depth) => {
                    out.push(b'\n');
                    let len = out.len();
                    out.resize(len + 2 * depth, b' ');
                }
                Piece::Bytes(bytes) => base64::encode(bytes, &mut out),
            }
        }
        debug_assert_eq!(out.len(), size, "the buffer was sized for the text");
        out
    }

    fn bracketed(&mut self, open: &'static str, fill: impl FnOnce(&mut Self), close: &'static str) {
        self.text(open);
        self.depth += 1;
        self.filled = false;
        fill(self);
        self.depth -= 1;
        if self.filled {
            self.pieces.push(Piece::Line(self.depth));
        }
        self.text(close);
        self.filled = true;
    }

    fn next(&mut self) {
        if self.filled {
            self.text(",");
        }
        self.filled = true;
        self.pieces.push(Piece::Line(self.depth));
    }

    fn quoted(&mut self, text: impl Into<Cow<'a, str>>) {
        self.text("\"");
        self.text(text);
        self.text("\"");
    }

    fn text(&mut self, text: impl Into<Cow<'a, str>>) {
        self.pieces.push(Piece::Text(text.into()));
    }
}

impl Piece<'_> {
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Line(depth) => 1 + 2 * depth,
            Self::Bytes(bytes) => base64::encoded_len(bytes.len()),
        }
    }
}

fn escape(text: &str) -> Cow<'_, str> {
    let special = |c: char| c < ' ' || c == '"' || c == '\\';
    if !text.contains(special) {
        return text.into();
    }
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            _ if special(c) => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => escaped.push(c),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::{
        super::{
            read_encrypted_keyset, read_keyset,
            tests::{PRETTY, PRETTY_ENCRYPTED, encrypted_keyset, keyset},
        },
        *,
    };
    use crate::wire::proto::{KeysetInfo, keyset::Key, keyset_info::KeyInfo};

    #[test]
    fn write_gives_one_text_byte_for_byte() {
        assert_eq!(str::from_utf8(&write_keyset(&keyset())), Ok(PRETTY));
        let encrypted = encrypted_keyset();
        assert_eq!(
            str::from_utf8(&write_encrypted_keyset(&encrypted)),
            Ok(PRETTY_ENCRYPTED)
        );
        let without_info = EncryptedKeyset {
            keyset_info: None,
            ..encrypted
        };
        let json = write_encrypted_keyset(&without_info);
        assert_eq!(json, b"{\n  \"encryptedKeyset\": \"AAEC/w==\"\n}\n");
    }

    #[test]
    fn write_gives_every_member_also_of_an_empty_key() {
        let empty = write_keyset(&Keyset::default());
        assert_eq!(
            str::from_utf8(&empty),
            Ok("{\n  \"primaryKeyId\": 0,\n  \"key\": []\n}\n")
        );
        let keys = [(0, 0), (-1, 6)].map(|(status, output_prefix_type)| Key {
            status,
            output_prefix_type,
            ..Default::default()
        });
        let expected = r#"{
  "primaryKeyId": 0,
  "key": [
    {
      "keyData": {
        "typeUrl": "",
        "value": "",
        "keyMaterialType": "UNKNOWN_KEYMATERIAL"
      },
      "status": "UNKNOWN_STATUS",
      "keyId": 0,
      "outputPrefixType": "UNKNOWN_PREFIX"
    },
    {
      "keyData": {
        "typeUrl": "",
        "value": "",
        "keyMaterialType": "UNKNOWN_KEYMATERIAL"
      },
      "status": -1,
      "keyId": 0,
      "outputPrefixType": 6
    }
  ]
}
"#;
        let json = write_keyset(&Keyset {
            key: keys.into(),
            ..Default::default()
        });
        assert_eq!(str::from_utf8(&json), Ok(expected));
    }

    #[test]
    fn write_escapes_only_what_must_be() {
        let plain = " !/\u{7f}é\u{2028}\u{ffff}😀";
        assert!(matches!(escape(plain), Cow::Borrowed(text) if text == plain));
        assert_eq!(
            escape("a\"b\\c\0\n\u{1f}é"),
            r#"a\"b\\c\u0000\u000a\u001fé"#
        );
    }

    /// Type URL, status, id, prefix.
    type Info = (String, i32, u32, i32);

    fn any_info() -> impl Strategy<Value = Info> {
        let number = || prop_oneof![0..7, any::<i32>()];
        (".*", number(), any::<u32>(), number())
    }

    fn key_info((type_url, status, key_id, output_prefix_type): Info) -> KeyInfo {
        KeyInfo {
            type_url,
            status,
            key_id,
            output_prefix_type,
        }
    }

    fn key((info, value, key_material_type): (Info, Vec<u8>, i32)) -> Key {
        let (type_url, status, key_id, output_prefix_type) = info;
        let key_data = Some(KeyData {
            type_url,
            value: value.into(),
            key_material_type,
        });
        Key {
            key_data,
            status,
            key_id,
            output_prefix_type,
        }
    }

    proptest! {
        #[test]
        fn read_undoes_write(
            primary_key_id: u32,
            keys in vec((any_info(), any::<Vec<u8>>(), prop_oneof![0..6, any::<i32>()]), 0..4),
        ) {
            let keyset = Keyset { primary_key_id, key: keys.into_iter().map(key).collect() };
            let json = write_keyset(&keyset);
            prop_assert_eq!(json.len(), json.capacity());
            prop_assert!(read_keyset(&json).is_ok_and(|read| read == keyset));
        }

        #[test]
        fn read_encrypted_undoes_write(
            encrypted_keyset in vec(any::<u8>(), 1..300),
            info in option::of((any::<u32>(), vec(any_info(), 0..4))),
        ) {
            let keyset_info = info.map(|(primary_key_id, keys)| KeysetInfo {
                primary_key_id,
                key_info: keys.into_iter().map(key_info).collect(),
            });
            let keyset = EncryptedKeyset { encrypted_keyset: encrypted_keyset.into(), keyset_info };
            let json = write_encrypted_keyset(&keyset);
            prop_assert_eq!(json.len(), json.capacity());
            prop_assert!(read_encrypted_keyset(&json).is_ok_and(|read| read == keyset));
        }
    }
}
