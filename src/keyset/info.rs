//! The public facts about a keyset: what anyone may know without its secrets.

use super::{Format, KeysetHandle, Status, format, text_form::holds_cleartext};
use crate::{
    error::KeysetError,
    key::{Key, KeyId, Variant},
    wire::{
        self,
        json::{self, File},
        proto,
    },
};

/// Ids, types and statuses of the keys of a keyset.
///
/// # Source
/// Tink's `KeysetInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysetInfo {
    primary: KeyId,
    keys: Vec<KeyInfo>,
}

/// Id, type and status of one key. Values from the file are kept even if they make no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    id: KeyId,
    type_url: String,
    status: Option<Status>,
    variant: Option<Variant>,
}

/// Whether anyone who has a keyset file can read its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "Tink's list, complete")]
pub enum Protection {
    /// The keys are readable.
    Cleartext,
    /// The keys are encrypted under a key-encryption key.
    Encrypted,
}

impl Protection {
    /// Guesses how a file protects its keys, even if the file is damaged. Returns `None` if there
    /// is no sign of it.
    #[must_use]
    pub fn guess(bytes: &[u8]) -> Option<Self> {
        match KeysetFile::detect(bytes) {
            Ok(file) => return Some(file.protection),
            Err(KeysetError::EncryptedInNameOnly) => return Some(Self::Cleartext),
            Err(_) => {}
        }
        match Format::detect(bytes) {
            Format::Binary => wire::looks_like_keyset(bytes).then_some(Self::Cleartext),
            Format::Json => match json::read_past_faults(bytes, &mut |_, _, _| {}) {
                (File::Encrypted(keyset), _) if holds_cleartext(&keyset.encrypted_keyset) => {
                    Some(Self::Cleartext)
                }
                (File::Encrypted(_), _) => Some(Self::Encrypted),
                (File::Cleartext(keyset), Ok(())) if keyset.key.is_empty() => None,
                // The part that cannot be read may have keys.
                (File::Cleartext(_), _) => Some(Self::Cleartext),
            },
        }
    }
}

/// A summary of a keyset file, as far as it can be read without any key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysetFile {
    format: Format,
    protection: Protection,
    info: Option<KeysetInfo>,
}

impl KeysetFile {
    /// Recognises a keyset file. The keys in it are not checked.
    ///
    /// This does not check whether an encrypted keyset decrypts, but it does check that there is no
    /// cleartext keyset in place of its ciphertext.
    ///
    /// # Errors
    /// A [`KeysetError`] that describes the fault in the file: [`KeysetError::EncryptedInNameOnly`]
    /// if it has a keyset in cleartext in place of a ciphertext.
    ///
    /// # Example
    /// ```
    /// use keyseal::keyset::{Format, KeysetFile, Protection};
    /// use keyseal::{KeysetAead, KeysetHandle};
    ///
    /// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
    /// let file = KeysetHandle::generate("AES128_GCM")?.write_encrypted(Format::Json, &kek, b"")?;
    /// let seen = KeysetFile::detect(&file)?;
    /// assert_eq!(seen.protection(), Protection::Encrypted);
    /// assert_eq!(seen.info().map(|info| info.keys().len()), Some(1));
    /// # Ok::<(), keyseal::KeysetError>(())
    /// ```
    pub fn detect(bytes: &[u8]) -> Result<Self, KeysetError> {
        let (format, file) = format::parse(bytes)?;
        let (protection, info) = match file {
            File::Cleartext(keyset) => {
                (Protection::Cleartext, Some(KeysetInfo::read_keyset(keyset)))
            }
            File::Encrypted(keyset) => (
                Protection::Encrypted,
                keyset.keyset_info.map(KeysetInfo::read),
            ),
        };
        Ok(Self {
            format,
            protection,
            info,
        })
    }

    /// Returns the format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns whether it is encrypted.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.protection
    }

    /// Returns the file's description of its keys, or `None` if an encrypted keyset has none.
    ///
    /// # Security
    /// In an encrypted keyset this is not authenticated.
    #[must_use]
    pub const fn info(&self) -> Option<&KeysetInfo> {
        self.info.as_ref()
    }
}

impl KeysetHandle {
    /// Returns the public facts: ids, types, statuses.
    #[must_use]
    pub fn info(&self) -> KeysetInfo {
        KeysetInfo::of(self)
    }
}

impl KeysetInfo {
    /// Returns the primary key id.
    #[must_use]
    pub const fn primary_id(&self) -> KeyId {
        self.primary
    }

    /// Returns the keys, in the order of the file.
    #[must_use]
    pub fn keys(&self) -> &[KeyInfo] {
        &self.keys
    }

    pub(super) fn of(keyset: &KeysetHandle) -> Self {
        let keys = keyset
            .entries()
            .map(|entry| KeyInfo {
                id: entry.id(),
                type_url: entry
                    .data()
                    .map_or_else(String::new, |key| Key::type_url(key).to_owned()),
                status: Some(entry.status()),
                variant: Some(entry.variant()),
            })
            .collect();
        Self {
            primary: keyset.primary,
            keys,
        }
    }

    pub(super) fn to_proto(&self) -> proto::KeysetInfo {
        let key_info = self
            .keys
            .iter()
            .map(|key| proto::keyset_info::KeyInfo {
                type_url: key.type_url.clone(),
                status: key
                    .status
                    .map_or(0, |status| format::write_status(status).into()),
                key_id: key.id.value(),
                output_prefix_type: key.variant.map_or(0, |variant| variant.to_proto().into()),
            })
            .collect();
        proto::KeysetInfo {
            primary_key_id: self.primary.value(),
            key_info,
        }
    }

    fn read(info: proto::KeysetInfo) -> Self {
        let keys = info
            .key_info
            .into_iter()
            .map(|key| KeyInfo::new(key.key_id, key.type_url, key.status, key.output_prefix_type))
            .collect();
        Self {
            primary: KeyId::new(info.primary_key_id),
            keys,
        }
    }

    fn read_keyset(keyset: proto::Keyset) -> Self {
        let keys = keyset
            .key
            .into_iter()
            .map(|key| {
                let type_url = key.key_data.unwrap_or_default().type_url;
                KeyInfo::new(key.key_id, type_url, key.status, key.output_prefix_type)
            })
            .collect();
        Self {
            primary: KeyId::new(keyset.primary_key_id),
            keys,
        }
    }
}

impl KeyInfo {
    fn new(id: u32, type_url: String, status: i32, prefix: i32) -> Self {
        Self {
            id: KeyId::new(id),
            type_url,
            status: format::read_status(status),
            variant: Variant::of_any_key(prefix),
        }
    }

    /// Returns the id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the type URL, which is empty for a destroyed key that has no key data.
    #[must_use]
    pub fn type_url(&self) -> &str {
        &self.type_url
    }

    /// Returns the status, or `None` if the file's value is not a known one.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        self.status
    }

    /// Returns the output prefix type, or `None` if the file's value is not a known one.
    #[must_use]
    pub const fn variant(&self) -> Option<Variant> {
        self.variant
    }
}
