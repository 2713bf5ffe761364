//! JSON keysets as people and other programs write them: read past each fault, which is noted.
//!
//! Nothing here decides whether a keyset is usable: that is the strict reader's word.

use std::collections::BTreeSet;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    Finding,
    tree::{self, Value},
};
use crate::wire::{
    self,
    proto::{self, KeyStatusType, OutputPrefixType, key_data::KeyMaterialType},
};

/// What kind of keyset a text is.
pub(super) enum File {
    Cleartext(proto::Keyset),
    Encrypted(Option<proto::KeysetInfo>),
}

const MARK: &[u8] = "\u{feff}".as_bytes();

/// Returns whether a file is meant as JSON, also behind a byte order mark.
pub(super) fn looks_like_json(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes);
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Reads a text as far as it goes, and notes what is wrong or odd.
pub(super) fn read(bytes: &[u8], findings: &mut Vec<Finding>) -> Option<File> {
    if bytes.starts_with(MARK) {
        findings.push(Finding::error(
            "json-mark",
            "the text starts with a byte order mark",
            "save the file as UTF-8 without a byte order mark",
        ));
    }
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let parsed = match tree::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            findings.push(Finding::error(
                "json-malformed",
                format!("the text is no JSON: {error}"),
                "get the file again, or write it with a program instead of by hand",
            ));
            return None;
        }
    };
    if let Some(at) = parsed.trailing_comma {
        findings.push(Finding::error(
            "json-trailing-comma",
            format!("a comma stands before the closing bracket at byte {at}"),
            "remove the comma",
        ));
    }
    if let Some(at) = parsed.trailing_data {
        findings.push(Finding::error(
            "json-trailing-data",
            format!("something follows the keyset at byte {at}"),
            "remove it: a file holds one keyset",
        ));
    }
    let said = BTreeSet::new();
    Some(Linter { findings, said }.file(&parsed.value))
}

struct Linter<'f> {
    findings: &'f mut Vec<Finding>,
    /// What is in them, to say it once.
    said: BTreeSet<(&'static str, String)>,
}

/// The members of an object.
type Members<'v, 'a> = [(&'v str, &'v Value<'a>)];

/// A member in camel case and in snake case.
type Name = (&'static str, &'static str);

const PRIMARY: Name = ("primaryKeyId", "primary_key_id");
const KEY: Name = ("key", "key");
const ENCRYPTED: Name = ("encryptedKeyset", "encrypted_keyset");
const INFO: Name = ("keysetInfo", "keyset_info");
const KEY_INFO: Name = ("keyInfo", "key_info");
const KEY_DATA: Name = ("keyData", "key_data");
const STATUS: Name = ("status", "status");
const KEY_ID: Name = ("keyId", "key_id");
const PREFIX: Name = ("outputPrefixType", "output_prefix_type");
const TYPE_URL: Name = ("typeUrl", "type_url");
const VALUE: Name = ("value", "value");
const MATERIAL: Name = ("keyMaterialType", "key_material_type");

impl Linter<'_> {
    fn file(&mut self, value: &Value<'_>) -> File {
        let members = self.object(value, "the keyset", &[PRIMARY, KEY, ENCRYPTED, INFO]);
        let Some(encrypted) = find(&members, ENCRYPTED) else {
            return File::Cleartext(self.keyset(&members));
        };
        if find(&members, KEY).is_some() || find(&members, PRIMARY).is_some() {
            self.error(
                "json-two-kinds",
                "the file is a cleartext and an encrypted keyset at once".into(),
                "keep one of them",
            );
        }
        self.bytes(encrypted, "encryptedKeyset");
        let info = match find(&members, INFO) {
            None | Some(Value::Word("null")) => None,
            Some(info) => Some(self.info(info)),
        };
        File::Encrypted(info)
    }

    fn keyset(&mut self, members: &Members<'_, '_>) -> proto::Keyset {
        let primary_key_id = self.id(find(members, PRIMARY), "primaryKeyId");
        let key = self
            .array(find(members, KEY), "key")
            .into_iter()
            .map(|key| self.key(key))
            .collect();
        proto::Keyset {
            primary_key_id,
            key,
        }
    }

    fn key(&mut self, value: &Value<'_>) -> proto::keyset::Key {
        let members = self.object(value, "a key", &[KEY_DATA, STATUS, KEY_ID, PREFIX]);
        let destroyed = match find(&members, STATUS) {
            Some(Value::Text(name)) => &**name == "DESTROYED",
            Some(Value::Number(number)) => *number == "3",
            _ => false,
        };
        let key_data = match find(&members, KEY_DATA) {
            None | Some(Value::Word("null")) => None,
            Some(data) => Some(self.key_data(data, destroyed)),
        };
        proto::keyset::Key {
            key_data,
            status: self.status(&members),
            key_id: self.id(find(&members, KEY_ID), "keyId"),
            output_prefix_type: self.prefix(&members),
        }
    }

    fn key_data(&mut self, value: &Value<'_>, destroyed: bool) -> proto::KeyData {
        let members = self.object(value, "keyData", &[TYPE_URL, VALUE, MATERIAL]);
        let material = find(&members, MATERIAL);
        if material.is_none() && !destroyed {
            self.error(
                "json-no-material-type",
                "a key's data have no keyMaterialType".into(),
                "add it: SYMMETRIC for all but keys of a KMS",
            );
        }
        proto::KeyData {
            type_url: self.text(find(&members, TYPE_URL), "typeUrl"),
            value: find(&members, VALUE)
                .map(|value| self.bytes(value, "value"))
                .unwrap_or_default(),
            key_material_type: self.number_of(material, "keyMaterialType", |name| {
                KeyMaterialType::from_str_name(name).map(i32::from)
            }),
        }
    }

    fn info(&mut self, value: &Value<'_>) -> proto::KeysetInfo {
        let members = self.object(value, "keysetInfo", &[PRIMARY, KEY_INFO]);
        let primary_key_id = self.id(find(&members, PRIMARY), "primaryKeyId");
        let key_info = self
            .array(find(&members, KEY_INFO), "keyInfo")
            .into_iter()
            .map(|key| {
                let members = self.object(
                    key,
                    "an entry of keyInfo",
                    &[TYPE_URL, STATUS, KEY_ID, PREFIX],
                );
                proto::keyset_info::KeyInfo {
                    type_url: self.text(find(&members, TYPE_URL), "typeUrl"),
                    status: self.status(&members),
                    key_id: self.id(find(&members, KEY_ID), "keyId"),
                    output_prefix_type: self.prefix(&members),
                }
            })
            .collect();
        proto::KeysetInfo {
            primary_key_id,
            key_info,
        }
    }

    fn status(&mut self, members: &Members<'_, '_>) -> i32 {
        self.number_of(find(members, STATUS), "status", |name| {
            KeyStatusType::from_str_name(name).map(i32::from)
        })
    }

    fn prefix(&mut self, members: &Members<'_, '_>) -> i32 {
        self.number_of(find(members, PREFIX), "outputPrefixType", |name| {
            OutputPrefixType::from_str_name(name).map(i32::from)
        })
    }

    /// Checks the names of an object's members, and returns them.
    fn object<'v, 'a>(
        &mut self,
        value: &'v Value<'a>,
        what: &str,
        known: &[Name],
    ) -> Vec<(&'v str, &'v Value<'a>)> {
        let Value::Object(members) = value else {
            self.error(
                "json-kind",
                format!("{what} is no JSON object"),
                "write it as Tink does, between braces",
            );
            return Vec::new();
        };
        let mut seen: Vec<Name> = Vec::new();
        for (name, _) in members {
            let name: &str = name;
            let Some(&known) = known
                .iter()
                .find(|known| known.0 == name || known.1 == name)
            else {
                self.error(
                    "json-unknown-member",
                    format!("{what} has the unknown member `{}`", name.escape_debug()),
                    "remove it: what a program does not know it may not skip",
                );
                continue;
            };
            if known.0 != name {
                self.warning(
                    "json-snake-case",
                    "members are spelled in snake case, such as `key_id`".into(),
                    "write the keyset again: some releases of Tink read camel case only",
                );
            }
            if seen.contains(&known) {
                self.error(
                    "json-duplicate-member",
                    format!("{what} has the member `{}` more than once", known.0),
                    "keep the right one: programs differ in which of them they take",
                );
            }
            seen.push(known);
        }
        members
            .iter()
            .map(|(name, value)| (&**name, value))
            .collect()
    }

    fn array<'v, 'a>(&mut self, value: Option<&'v Value<'a>>, name: &str) -> Vec<&'v Value<'a>> {
        match value {
            None | Some(Value::Word("null")) => Vec::new(),
            Some(Value::Array(values)) => values.iter().collect(),
            Some(other) => {
                self.error(
                    "json-kind",
                    format!("`{name}` is no JSON array"),
                    "write it as Tink does, between square brackets",
                );
                vec![other]
            }
        }
    }

    fn text(&mut self, value: Option<&Value<'_>>, name: &str) -> String {
        match value {
            None | Some(Value::Word("null")) => String::new(),
            Some(Value::Text(text)) => (**text).to_owned(),
            Some(_) => {
                self.error(
                    "json-kind",
                    format!("`{name}` is no JSON string"),
                    "write it as Tink does, between quotation marks",
                );
                String::new()
            }
        }
    }

    /// Reads an id, also in spellings that some programs take and the strict reader does not.
    fn id(&mut self, value: Option<&Value<'_>>, name: &str) -> u32 {
        let odd = match value {
            None => {
                self.warning(
                    "json-no-id",
                    format!("`{name}` is absent, which stands for 0"),
                    "write the keyset again: some releases of Tink do not read it without",
                );
                return 0;
            }
            Some(Value::Word("null")) => return 0,
            Some(Value::Number(number)) => match number.parse::<u32>() {
                Ok(id) if id.to_string() == *number => return id,
                _ => *number,
            },
            Some(Value::Text(text)) => &**text,
            Some(_) => "",
        };
        self.error(
            "json-id",
            format!("`{name}` is no integer from 0 to 4294967295, written in digits alone"),
            "write the number without sign, point, exponent or quotation marks; a negative one \
             stands for itself plus 4294967296",
        );
        nearest_id(odd)
    }

    fn number_of(
        &mut self,
        value: Option<&Value<'_>>,
        name: &str,
        named: impl Fn(&str) -> Option<i32>,
    ) -> i32 {
        let guess = match value {
            None => return 0,
            Some(Value::Text(text)) => match named(text) {
                Some(number) => return number,
                None => named(&text.to_ascii_uppercase()).unwrap_or_default(),
            },
            Some(Value::Number(number)) => match number.parse::<i32>() {
                Ok(value) if value.to_string() == *number => {
                    self.warning(
                        "json-enum-number",
                        format!("`{name}` is a number instead of a name"),
                        "write the keyset again: some releases of Tink read names only",
                    );
                    return value;
                }
                _ => 0,
            },
            Some(_) => 0,
        };
        self.error(
            "json-enum",
            format!("`{name}` has a value that does not exist"),
            "write one of Tink's names, in capital letters",
        );
        guess
    }

    fn bytes(&mut self, value: &Value<'_>, name: &str) -> Bytes {
        let Value::Text(text) = value else {
            if !matches!(value, Value::Word("null")) {
                self.error(
                    "json-kind",
                    format!("`{name}` is no JSON string"),
                    "write it as base64, between quotation marks",
                );
            }
            return Bytes::new();
        };
        let symbols = text.trim_end_matches('=');
        let padding = text.len() - symbols.len();
        let mut odd = padding != 0 && padding != (4 - symbols.len() % 4) % 4;
        let mut plain = Zeroizing::new(String::with_capacity(text.len()));
        for symbol in symbols.chars() {
            match symbol {
                'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/' => plain.push(symbol),
                '-' => plain.push('+'),
                '_' => plain.push('/'),
                _ => odd = true,
            }
        }
        let url_safe = symbols.contains(['-', '_']);
        if url_safe && symbols.contains(['+', '/']) {
            odd = true;
        }
        let mut decoded = Zeroizing::new(vec![0; plain.len() / 4 * 3 + 3]);
        let len = ENGINE
            .decode_slice(&*plain, &mut decoded)
            .unwrap_or_else(|_| {
                odd = true;
                0
            });
        decoded.truncate(len);
        if odd {
            self.error(
                "json-base64",
                format!("`{name}` is no sound base64"),
                "copy the value again from its source, without spaces or line ends, and with all \
                 of its padding",
            );
        } else if url_safe {
            self.warning(
                "json-base64-url",
                format!("`{name}` is in the URL-safe alphabet"),
                "write the keyset again: some releases of Tink skip its `-` and `_`",
            );
        } else if padding == 0 && symbols.len() % 4 != 0 {
            self.warning(
                "json-base64-padding",
                format!("`{name}` is base64 without padding"),
                "write the keyset again: some releases of Tink want the padding",
            );
        }
        wire::secret(decoded)
    }

    fn error(&mut self, code: &'static str, message: String, advice: &'static str) {
        self.push(Finding::error(code, message, advice));
    }

    fn warning(&mut self, code: &'static str, message: String, advice: &'static str) {
        self.push(Finding::warning(code, message, advice));
    }

    /// What is said of every key is said once.
    fn push(&mut self, finding: Finding) {
        if self.said.insert((finding.code, finding.message.clone())) {
            self.findings.push(finding);
        }
    }
}

/// Returns the id that a number most likely stands for.
fn nearest_id(number: &str) -> u32 {
    if let Ok(negative) = number.parse::<i32>() {
        return negative.cast_unsigned();
    }
    let digits = number.split(['.', 'e', 'E']).next().unwrap_or(number);
    digits.parse().unwrap_or_default()
}

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

fn find<'v, 'a>(members: &Members<'v, 'a>, name: Name) -> Option<&'v Value<'a>> {
    members
        .iter()
        .find(|(known, _)| *known == name.0 || *known == name.1)
        .map(|(_, value)| *value)
}
