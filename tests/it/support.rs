//! What several suites need: a writer of protobuf and JSON that knows no rules, and typed keys.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyseal::{
    Aead as _, Hash, Key, KeysetAead, KeysetError, KeysetHandle, Provider, SecretAccess,
    SecretBytes, Variant,
    key::{
        aes_ctr_hmac::{AesCtrHmacKey, AesCtrHmacParameters},
        aes_eax::AesEaxKey,
        aes_gcm::AesGcmKey,
        aes_gcm_siv::AesGcmSivKey,
        chacha20_poly1305::ChaCha20Poly1305Key,
        x_aes_gcm::XAesGcmKey,
        xchacha20_poly1305::XChaCha20Poly1305Key,
    },
    keyset::Format,
};

pub(crate) const ACCESS: SecretAccess = SecretAccess::insecure();

pub(crate) const FORMATS: [Format; 2] = [Format::Binary, Format::Json];

/// Lengths around the ends of blocks.
pub(crate) const LENGTHS: [usize; 6] = [0, 1, 15, 16, 17, 1000];

pub(crate) fn url(name: &str) -> String {
    format!("type.googleapis.com/google.crypto.tink.{name}")
}

pub(crate) fn bytes_of(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap_or_else(|error| panic!("{hex}: {error}"))
}

/// `len` bytes that repeat at no short distance.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

pub(crate) fn secret(bytes: impl AsRef<[u8]>) -> SecretBytes {
    SecretBytes::copy_from(bytes.as_ref(), ACCESS)
}

pub(crate) fn read(bytes: impl AsRef<[u8]>, format: Format) -> Result<KeysetHandle, KeysetError> {
    KeysetHandle::read_cleartext(bytes.as_ref(), format, ACCESS)
}

pub(crate) fn write(keyset: &KeysetHandle, format: Format) -> Vec<u8> {
    keyset
        .write_cleartext(format, ACCESS)
        .expose(ACCESS)
        .to_vec()
}

/// The AEADs of a keyset, one for each provider.
pub(crate) fn aeads(keyset: &KeysetHandle) -> Vec<KeysetAead> {
    Provider::ALL
        .iter()
        .map(|provider| keyset.primitive_with(*provider).unwrap())
        .collect()
}

/// Encrypts until the ciphertext is one that the caller can use, such as one with a certain start.
pub(crate) fn encrypt_until(aead: &KeysetAead, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    for _ in 0..100_000 {
        let ciphertext = aead.encrypt(b"plaintext", b"associated data").unwrap();
        if wanted(&ciphertext) {
            return ciphertext;
        }
    }
    panic!("no such ciphertext in 100,000");
}

/// A protobuf message in the making. Nothing is left out and nothing is checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn number(self, field: u32, value: u64) -> Self {
        self.tag(field, 0).varint(value)
    }

    pub(crate) fn bytes(self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.tag(field, 2).varint(value.len() as u64).raw(value)
    }

    pub(crate) fn message(self, field: u32, value: Self) -> Self {
        self.bytes(field, value.0)
    }

    pub(crate) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    pub(crate) fn tag(self, field: u32, wire_type: u32) -> Self {
        self.varint(u64::from(field << 3 | wire_type))
    }

    pub(crate) fn varint(mut self, mut value: u64) -> Self {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }
}

/// The numbers of `KeyStatusType`.
pub(crate) mod status {
    pub(crate) const ENABLED: u64 = 1;
    pub(crate) const DISABLED: u64 = 2;
    pub(crate) const DESTROYED: u64 = 3;
}

/// The numbers of `OutputPrefixType`.
pub(crate) mod prefix {
    pub(crate) const TINK: u64 = 1;
    pub(crate) const LEGACY: u64 = 2;
    pub(crate) const RAW: u64 = 3;
    pub(crate) const CRUNCHY: u64 = 4;
    pub(crate) const WITH_ID_REQUIREMENT: u64 = 5;
}

/// The numbers of `KeyMaterialType`.
pub(crate) mod label {
    pub(crate) const UNKNOWN: u64 = 0;
    pub(crate) const SYMMETRIC: u64 = 1;
    pub(crate) const ASYMMETRIC_PRIVATE: u64 = 2;
    pub(crate) const ASYMMETRIC_PUBLIC: u64 = 3;
    pub(crate) const REMOTE: u64 = 4;
}

/// One key of a keyset file, right or wrong.
#[derive(Clone, Debug)]
pub(crate) struct FileKey {
    pub(crate) data: Option<FileData>,
    pub(crate) status: u64,
    pub(crate) id: u64,
    pub(crate) prefix: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FileData {
    pub(crate) type_url: String,
    pub(crate) value: Vec<u8>,
    pub(crate) label: u64,
}

impl FileKey {
    /// A good key: enabled, TINK, symmetric.
    pub(crate) fn new(id: u64, type_name: &str, value: impl AsRef<[u8]>) -> Self {
        Self {
            data: Some(FileData {
                type_url: url(type_name),
                value: value.as_ref().to_vec(),
                label: label::SYMMETRIC,
            }),
            status: status::ENABLED,
            id,
            prefix: prefix::TINK,
        }
    }

    /// A good AES-128-GCM key, another for each id.
    pub(crate) fn aes_gcm(id: u64) -> Self {
        Self::new(id, "AesGcmKey", Message::new().bytes(3, [id as u8; 16]).0)
    }

    pub(crate) fn status(self, status: u64) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn prefix(self, prefix: u64) -> Self {
        Self { prefix, ..self }
    }

    pub(crate) fn label(mut self, label: u64) -> Self {
        self.data.get_or_insert_default().label = label;
        self
    }

    pub(crate) fn value(mut self, value: impl AsRef<[u8]>) -> Self {
        self.data.get_or_insert_default().value = value.as_ref().to_vec();
        self
    }

    pub(crate) fn type_url(mut self, type_url: &str) -> Self {
        self.data.get_or_insert_default().type_url = type_url.to_owned();
        self
    }

    pub(crate) fn without_data(self) -> Self {
        Self { data: None, ..self }
    }

    pub(crate) fn with_empty_data(self) -> Self {
        let data = Some(FileData::default());
        Self { data, ..self }
    }

    fn to_message(&self) -> Message {
        let mut message = Message::new();
        if let Some(data) = &self.data {
            message = message.message(1, data.to_message());
        }
        message
            .number(2, self.status)
            .number(3, self.id)
            .number(4, self.prefix)
    }

    fn to_json(&self) -> String {
        let mut json = String::from("{");
        if let Some(data) = &self.data {
            let FileData {
                type_url,
                value,
                label,
            } = data;
            let value = STANDARD.encode(value);
            write!(
                json,
                r#""keyData":{{"typeUrl":"{type_url}","value":"{value}","keyMaterialType":{label}}},"#
            )
            .unwrap();
        }
        let Self {
            status, id, prefix, ..
        } = self;
        write!(
            json,
            r#""status":{status},"keyId":{id},"outputPrefixType":{prefix}}}"#
        )
        .unwrap();
        json
    }
}

impl FileData {
    pub(crate) fn to_message(&self) -> Message {
        let mut message = Message::new();
        if !self.type_url.is_empty() {
            message = message.bytes(1, &self.type_url);
        }
        if !self.value.is_empty() {
            message = message.bytes(2, &self.value);
        }
        if self.label != 0 {
            message = message.number(3, self.label);
        }
        message
    }
}

/// Writes a keyset file by hand.
pub(crate) fn file(primary: u64, keys: &[FileKey], format: Format) -> Vec<u8> {
    match format {
        Format::Binary => {
            keys.iter()
                .fold(Message::new().number(1, primary), |keyset, key| {
                    keyset.message(2, key.to_message())
                })
                .0
        }
        Format::Json => {
            let keys: Vec<String> = keys.iter().map(FileKey::to_json).collect();
            format!(r#"{{"primaryKeyId":{primary},"key":[{}]}}"#, keys.join(",")).into()
        }
    }
}

/// A vector file's description of a key: the name of the cipher, and its parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Import<'a> {
    pub(crate) cipher: &'a str,
    pub(crate) key: &'a [u8],
    pub(crate) hmac_key: &'a [u8],
    pub(crate) hash: Option<Hash>,
    pub(crate) tag_size: usize,
    pub(crate) iv_size: usize,
    pub(crate) salt_size: usize,
}

impl Import<'_> {
    /// Makes a typed key, as a program does that brings its own bytes.
    pub(crate) fn key(&self, variant: Variant) -> Result<Key, keyseal::KeyError> {
        let key = secret(self.key);
        match self.cipher {
            "AES-GCM" => Key::new(AesGcmKey::new(key)?, variant),
            "AES-GCM-SIV" => Key::new(AesGcmSivKey::new(key)?, variant),
            "AES-EAX" => Key::new(AesEaxKey::new(key, self.iv_size)?, variant),
            "ChaCha20-Poly1305" => Key::new(ChaCha20Poly1305Key::new(key)?, variant),
            "XChaCha20-Poly1305" => Key::new(XChaCha20Poly1305Key::new(key)?, variant),
            "X-AES-GCM" => Key::new(XAesGcmKey::new(key, self.salt_size)?, variant),
            "AES-CTR-HMAC" => {
                let parameters = AesCtrHmacParameters::new(self.key.len())?
                    .with_iv_size(self.iv_size)?
                    .with_hmac_key_size(self.hmac_key.len())?
                    .with_tag(self.hash.expect("a hash"), self.tag_size)?;
                Key::new(
                    AesCtrHmacKey::new(parameters, key, secret(self.hmac_key))?,
                    variant,
                )
            }
            other => panic!("{other}: not a cipher of these tests"),
        }
    }
}
