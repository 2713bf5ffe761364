//! Keysets as bytes: binary and JSON, in cleartext, encrypted, or without secrets.
//!
//! The only file that turns messages into keys and back.

use bytes::Bytes;
use prost::Message as _;
use zeroize::Zeroizing;

use super::{Format, KeysetHandle, KeysetKey, Remains, State, Status, text_form::holds_cleartext};
use crate::{
    error::{EncryptError, KeysetError, KmsErrorKind, ParseError},
    key::{Key, KeyId, KeyTypes, Variant},
    primitive::Aead,
    remote::RemoteAead,
    secret::{SecretAccess, SecretBytes},
    text_form::TextForm,
    wire::{
        self,
        json::{self, File},
        proto::{self, KeyData, KeyStatusType, key_data::KeyMaterialType},
    },
};

/// Reads keysets, for a program that does not accept all key types.
///
/// The functions of [`KeysetHandle`] do the same with all of them.
///
/// # Example
/// ```
/// use keyseal::{
///     KeyTypes, KeysetHandle, SecretAccess,
///     key::aes_gcm::AesGcmKeyType,
///     keyset::{Format, KeysetReader},
/// };
///
/// let access = SecretAccess::insecure();
/// let file = KeysetHandle::generate("AES256_GCM")?.write_cleartext(Format::Json, access);
///
/// let reader = KeysetReader::new().key_types(KeyTypes::new(&[&AesGcmKeyType]));
/// let keyset = reader.cleartext(file.expose(access), Format::Json, access)?;
/// # assert_eq!(keyset.len(), 1);
/// # Ok::<(), keyseal::KeysetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct KeysetReader<'a> {
    key_types: KeyTypes<'a>,
}

impl<'a> KeysetReader<'a> {
    /// Accepts all key types.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts only these key types. Keys of other types are kept, but you cannot use them.
    #[must_use]
    pub const fn key_types(self, key_types: KeyTypes<'a>) -> Self {
        Self { key_types }
    }

    /// Reads a keyset that is not encrypted.
    ///
    /// # Errors
    /// A [`KeysetError`] that describes the fault in the file.
    ///
    /// # Security
    /// The caller still holds, and should wipe, `bytes`.
    pub fn cleartext(
        &self,
        bytes: &[u8],
        format: Format,
        _access: SecretAccess,
    ) -> Result<KeysetHandle, KeysetError> {
        self.handle(parse_keyset(bytes, format)?)
    }

    /// Reads a keyset that is encrypted under `kek`.
    ///
    /// # Errors
    /// [`KeysetError::Decrypt`] if it does not decrypt, or an error that describes the fault in the
    /// file.
    pub fn encrypted(
        &self,
        bytes: &[u8],
        format: Format,
        kek: &dyn Aead,
        associated_data: &[u8],
    ) -> Result<KeysetHandle, KeysetError> {
        let encrypted = parse_encrypted_keyset(bytes, format)?;
        let decrypted = kek.decrypt(&encrypted.encrypted_keyset, associated_data);
        self.decrypted(decrypted.map_err(KeysetError::Decrypt)?)
    }

    /// Reads a keyset that is encrypted under a `kek` that a service holds.
    ///
    /// # Errors
    /// [`KeysetError::Decrypt`] if it does not decrypt or the service does not answer, or an error
    /// that describes the fault in the file.
    pub async fn encrypted_remote(
        &self,
        bytes: &[u8],
        format: Format,
        kek: &dyn RemoteAead,
        associated_data: &[u8],
    ) -> Result<KeysetHandle, KeysetError> {
        let encrypted = parse_encrypted_keyset(bytes, format)?;
        let decrypted = kek
            .decrypt(&encrypted.encrypted_keyset, associated_data)
            .await;
        self.decrypted(decrypted.map_err(|error| KeysetError::Decrypt(error.into()))?)
    }

    /// Reads a keyset that holds no secrets, such as one of keys that live in a KMS.
    ///
    /// # Errors
    /// [`KeysetError::Secret`] if it does, or an error that describes the fault in the file.
    pub fn no_secret(&self, bytes: &[u8], format: Format) -> Result<KeysetHandle, KeysetError> {
        let keyset = parse_keyset(bytes, format)?;
        for key in &keyset.key {
            let label = key
                .key_data
                .as_ref()
                .map_or(0, |data| data.key_material_type);
            if is_secret(label) {
                return Err(KeysetError::Secret {
                    id: KeyId::new(key.key_id),
                });
            }
        }
        let handle = self.handle(keyset)?;
        handle.check_no_secret()?;
        Ok(handle)
    }

    /// Reads a keyset that a key-encryption key has decrypted.
    fn decrypted(&self, serialized: Vec<u8>) -> Result<KeysetHandle, KeysetError> {
        let serialized = wire::secret(Zeroizing::new(serialized));
        self.handle(wire::decode(serialized).map_err(malformed)?)
    }

    fn handle(&self, keyset: proto::Keyset) -> Result<KeysetHandle, KeysetError> {
        let primary = KeyId::new(keyset.primary_key_id);
        let keys = keyset
            .key
            .into_iter()
            .map(|key| self.key(key))
            .collect::<Result<_, _>>()?;
        KeysetHandle::from_keys(keys, primary)
    }

    fn key(&self, key: proto::keyset::Key) -> Result<KeysetKey, KeysetError> {
        let id = KeyId::new(key.key_id);
        let status = read_status(key.status).ok_or(KeysetError::UnknownStatus {
            id,
            found: key.status,
        })?;
        let type_url = key.key_data.as_ref().map_or("", |data| &data.type_url);
        let variant = Variant::of_any_key(key.output_prefix_type)
            .filter(|variant| *variant != Variant::WithIdRequirement || !is_known(type_url))
            .ok_or(KeysetError::UnknownPrefix {
                id,
                found: key.output_prefix_type,
            })?;
        if status == Status::Destroyed {
            let data = key.key_data.filter(|data| *data != KeyData::default());
            let data = data.map(|data| {
                Key::opaque(data.type_url, data.value, data.key_material_type, variant)
            });
            return Ok(KeysetKey {
                id,
                state: State::Destroyed(Remains { variant, data }),
            });
        }
        let data = key.key_data.ok_or(KeysetError::NoKeyData { id })?;
        let key = self
            .key_types
            .read(data.type_url, data.value, data.key_material_type, variant)
            .map_err(|source| KeysetError::Key { id, source })?;
        let state = match status {
            Status::Enabled => State::Enabled(key),
            Status::Disabled | Status::Destroyed => State::Disabled(key),
        };
        Ok(KeysetKey { id, state })
    }
}

impl KeysetHandle {
    /// Reads a keyset that is not encrypted.
    ///
    /// # Errors
    /// A [`KeysetError`] that describes the fault in the file.
    ///
    /// # Security
    /// The caller still holds, and should wipe, `bytes`.
    pub fn read_cleartext(
        bytes: &[u8],
        format: Format,
        access: SecretAccess,
    ) -> Result<Self, KeysetError> {
        KeysetReader::new().cleartext(bytes, format, access)
    }

    /// Reads a keyset that is encrypted under `kek`. Pass the associated data that it was written
    /// with.
    ///
    /// # Errors
    /// [`KeysetError::Decrypt`] if it does not decrypt, or an error that describes the fault in the
    /// file.
    ///
    /// # Example
    /// ```
    /// use keyseal::{KeysetAead, KeysetHandle, keyset::Format};
    ///
    /// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
    /// let keyset = KeysetHandle::generate("XCHACHA20_POLY1305")?;
    /// let file = keyset.write_encrypted(Format::Json, &kek, b"orders")?;
    /// let read = KeysetHandle::read_encrypted(&file, Format::Json, &kek, b"orders")?;
    /// assert_eq!(read.primary_id(), keyset.primary_id());
    /// # Ok::<(), keyseal::KeysetError>(())
    /// ```
    pub fn read_encrypted(
        bytes: &[u8],
        format: Format,
        kek: &dyn Aead,
        associated_data: &[u8],
    ) -> Result<Self, KeysetError> {
        KeysetReader::new().encrypted(bytes, format, kek, associated_data)
    }

    /// Reads a keyset that is encrypted under a `kek` that a service holds. Pass the associated
    /// data that it was written with.
    ///
    /// # Errors
    /// [`KeysetError::Decrypt`] if it does not decrypt or the service does not answer, or an error
    /// that describes the fault in the file.
    pub async fn read_encrypted_remote(
        bytes: &[u8],
        format: Format,
        kek: &dyn RemoteAead,
        associated_data: &[u8],
    ) -> Result<Self, KeysetError> {
        KeysetReader::new()
            .encrypted_remote(bytes, format, kek, associated_data)
            .await
    }

    /// Reads a keyset that holds no secrets, such as one of keys that live in a KMS.
    ///
    /// # Errors
    /// [`KeysetError::Secret`] if it does, or an error that describes the fault in the file.
    pub fn read_no_secret(bytes: &[u8], format: Format) -> Result<Self, KeysetError> {
        KeysetReader::new().no_secret(bytes, format)
    }

    /// Writes the keyset in cleartext.
    #[must_use]
    pub fn write_cleartext(&self, format: Format, _access: SecretAccess) -> SecretBytes {
        let keyset = self.to_proto();
        SecretBytes::of_vec(match format {
            Format::Binary => wire::encode(&keyset),
            Format::Json => json::write_keyset(&keyset),
        })
    }

    /// Writes the keyset encrypted under `kek`. To read it, pass the same associated data.
    ///
    /// The JSON form shows ids, types and states; the binary form shows nothing, as Tink's does.
    ///
    /// # Errors
    /// [`KeysetError::Encrypt`]; [`KeysetError::EncryptedInNameOnly`] if `kek` returns the keyset
    /// unencrypted.
    pub fn write_encrypted(
        &self,
        format: Format,
        kek: &dyn Aead,
        associated_data: &[u8],
    ) -> Result<Vec<u8>, KeysetError> {
        let serialized = wire::encode(&self.to_proto());
        let encrypted = kek
            .encrypt(&serialized, associated_data)
            .map_err(|error| not_encrypted(error, serialized.len()))?;
        self.wrap(&serialized, encrypted, format)
    }

    /// Writes the keyset encrypted under a `kek` that a service holds. To read it, pass the same
    /// associated data.
    ///
    /// Services limit the size of a message: Scaleway Key Manager takes 65,535 bytes. For a larger
    /// keyset, use a [`KmsEnvelopeAead`](crate::KmsEnvelopeAead) as the `kek`, both here and for
    /// reading; it binds the associated data in the same way.
    ///
    /// # Errors
    /// [`KeysetError::TooLargeForKek`]; [`KeysetError::Encrypt`] with the service's error;
    /// [`KeysetError::EncryptedInNameOnly`] if the service returns the keyset unencrypted.
    ///
    /// # Example
    /// ```
    /// use keyseal::{KeysetAead, KeysetHandle, keyset::Format, kms::LocalAead};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
    /// // In production: ScalewayClient::from_env()?.key(&uri)?
    /// let kek = LocalAead::new(kek);
    /// let keyset = KeysetHandle::generate("AES256_GCM")?;
    /// let file = keyset.write_encrypted_remote(Format::Json, &kek, b"orders").await?;
    /// let read = KeysetHandle::read_encrypted_remote(&file, Format::Json, &kek, b"orders").await?;
    /// assert_eq!(read.primary_id(), keyset.primary_id());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn write_encrypted_remote(
        &self,
        format: Format,
        kek: &dyn RemoteAead,
        associated_data: &[u8],
    ) -> Result<Vec<u8>, KeysetError> {
        let serialized = wire::encode(&self.to_proto());
        let encrypted = kek
            .encrypt(&serialized, associated_data)
            .await
            .map_err(|error| not_encrypted(EncryptError::Kms(error), serialized.len()))?;
        self.wrap(&serialized, encrypted, format)
    }

    /// Writes a keyset that holds no secrets, such as one of keys that live in a KMS.
    ///
    /// # Errors
    /// [`KeysetError::Secret`] if it does.
    pub fn write_no_secret(&self, format: Format) -> Result<Vec<u8>, KeysetError> {
        self.check_no_secret()?;
        let keyset = self.to_proto();
        Ok(match format {
            Format::Binary => keyset.encode_to_vec(),
            Format::Json => json::write_keyset(&keyset).to_vec(),
        })
    }

    /// Puts the ciphertext of `serialized` into a file, unless that is the keyset still.
    fn wrap(
        &self,
        serialized: &[u8],
        encrypted_keyset: Vec<u8>,
        format: Format,
    ) -> Result<Vec<u8>, KeysetError> {
        if encrypted_keyset.starts_with(serialized)
            || encrypted_keyset.ends_with(serialized)
            || holds_cleartext(&encrypted_keyset)
        {
            return Err(KeysetError::EncryptedInNameOnly);
        }
        let encrypted_keyset = Bytes::from(encrypted_keyset);
        let file = match format {
            Format::Binary => proto::EncryptedKeyset {
                encrypted_keyset,
                keyset_info: None,
            }
            .encode_to_vec(),
            Format::Json => json::write_encrypted_keyset(&proto::EncryptedKeyset {
                encrypted_keyset,
                keyset_info: Some(self.info().to_proto()),
            }),
        };
        // One ciphertext in a hundred million has the structure of a key by chance. Readers refuse
        // it, so it must not be written.
        if format == Format::Binary && wire::looks_like_keyset(&file) {
            return Err(KeysetError::EncryptedInNameOnly);
        }
        Ok(file)
    }

    /// A destroyed key counts as secret: its remains may be, whatever its label says.
    fn check_no_secret(&self) -> Result<(), KeysetError> {
        match self
            .entries()
            .find(|entry| is_secret(entry.key().map_or(0, Key::key_material_type)))
        {
            Some(entry) => Err(KeysetError::Secret { id: entry.id() }),
            None => Ok(()),
        }
    }

    fn to_proto(&self) -> proto::Keyset {
        let key = self
            .entries()
            .map(|entry| proto::keyset::Key {
                key_data: Some(entry.data().map_or_else(KeyData::default, |key| KeyData {
                    type_url: key.type_url().to_owned(),
                    value: key.value(),
                    key_material_type: key.key_material_type(),
                })),
                status: write_status(entry.status()).into(),
                key_id: entry.id().value(),
                output_prefix_type: entry.variant().to_proto().into(),
            })
            .collect();
        proto::Keyset {
            primary_key_id: self.primary.value(),
            key,
        }
    }
}

/// Reads a keyset file of either format and kind.
pub(super) fn parse(bytes: &[u8]) -> Result<(Format, File), KeysetError> {
    let format = Format::detect(bytes);
    let file = match format {
        // UTF-16 without a mark starts like JSON.
        Format::Json => {
            match json::read(bytes).map_err(|error| in_another_form(bytes, malformed(error)))? {
                File::Cleartext(keyset) if keyset.key.is_empty() => return Err(KeysetError::Empty),
                File::Cleartext(keyset) => File::Cleartext(keyset),
                File::Encrypted(keyset) => File::Encrypted(check_encrypted(keyset, bytes)?),
            }
        }
        Format::Binary if wire::looks_like_keyset(bytes) => {
            File::Cleartext(parse_keyset(bytes, format)?)
        }
        Format::Binary => match parse_encrypted_keyset(bytes, format) {
            Ok(keyset) => File::Encrypted(keyset),
            Err(error @ KeysetError::EncryptedInNameOnly) => return Err(error),
            // Report the error of the keyset reader, unless it finds no fault.
            Err(error) => return Err(parse_keyset(bytes, format).err().unwrap_or(error)),
        },
    };
    Ok((format, file))
}

pub(super) fn parse_keyset(bytes: &[u8], format: Format) -> Result<proto::Keyset, KeysetError> {
    match format {
        Format::Binary => wire::decode(wire::secret(Zeroizing::new(bytes.to_vec()))),
        Format::Json => json::read_keyset(bytes),
    }
    .map_err(malformed)
    .and_then(|keyset| match keyset.key.is_empty() {
        true => Err(KeysetError::Empty),
        false => Ok(keyset),
    })
    .map_err(|error| in_another_form(bytes, error))
}

/// Reads an encrypted keyset. One that holds a keyset in cleartext is refused: it must not be sent
/// to a key-encryption key that is elsewhere.
pub(super) fn parse_encrypted_keyset(
    bytes: &[u8],
    format: Format,
) -> Result<proto::EncryptedKeyset, KeysetError> {
    let parsed: proto::EncryptedKeyset = match format {
        // A cleartext keyset has a key where an encrypted keyset has its ciphertext.
        Format::Binary if wire::looks_like_keyset(bytes) => {
            Err(ParseError::new("this is a cleartext keyset", 0))
        }
        // Bytes that cannot be parsed may still be a keyset, so the copy is wiped.
        Format::Binary => wire::decode(wire::secret(Zeroizing::new(bytes.to_vec()))),
        Format::Json => json::read_encrypted_keyset(bytes),
    }
    .map_err(malformed)
    .map_err(|error| in_another_form(bytes, error))?;
    check_encrypted(parsed, bytes)
}

/// Checks that an encrypted keyset has a ciphertext, and that it looks like one.
pub(super) fn check_encrypted(
    parsed: proto::EncryptedKeyset,
    bytes: &[u8],
) -> Result<proto::EncryptedKeyset, KeysetError> {
    if parsed.encrypted_keyset.is_empty() {
        let error = malformed(ParseError::new("this is not an encrypted keyset", 0));
        return Err(in_another_form(bytes, error));
    }
    if holds_cleartext(&parsed.encrypted_keyset) {
        return Err(KeysetError::EncryptedInNameOnly);
    }
    Ok(parsed)
}

pub(super) fn malformed(error: ParseError) -> KeysetError {
    match error.reason() {
        wire::TOO_MANY_KEYS => KeysetError::TooManyKeys,
        _ => KeysetError::Malformed(error),
    }
}

/// Replaces the error by the name of the text's form, if it has one that we do not read.
fn in_another_form(bytes: &[u8], error: KeysetError) -> KeysetError {
    TextForm::of(bytes).map_or(error, |found| KeysetError::TextForm { found })
}

pub(super) fn read_status(status: i32) -> Option<Status> {
    match KeyStatusType::try_from(status) {
        Ok(KeyStatusType::Enabled) => Some(Status::Enabled),
        Ok(KeyStatusType::Disabled) => Some(Status::Disabled),
        Ok(KeyStatusType::Destroyed) => Some(Status::Destroyed),
        Ok(KeyStatusType::UnknownStatus) | Err(_) => None,
    }
}

pub(super) const fn write_status(status: Status) -> KeyStatusType {
    match status {
        Status::Enabled => KeyStatusType::Enabled,
        Status::Disabled => KeyStatusType::Disabled,
        Status::Destroyed => KeyStatusType::Destroyed,
    }
}

/// A service that does not take the plaintext takes no keyset of that size.
fn not_encrypted(error: EncryptError, size: usize) -> KeysetError {
    match error {
        EncryptError::Kms(source) if source.kind() == KmsErrorKind::InvalidInput => {
            KeysetError::TooLargeForKek { size, source }
        }
        error => KeysetError::Encrypt(error),
    }
}

/// Returns whether a type is symmetric or of a KMS. No other types are supported.
fn is_known(type_url: &str) -> bool {
    KeyTypes::default().find(type_url).is_some()
}

fn is_secret(label: i32) -> bool {
    !matches!(
        KeyMaterialType::try_from(label),
        Ok(KeyMaterialType::AsymmetricPublic | KeyMaterialType::Remote)
    )
}
