//! Encrypt, decrypt, data keys, signatures, key material: requests and answers.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Unbelievable;
use crate::{
    error::{KmsError, KmsErrorKind},
    kms::{
        client::secret_json,
        scaleway::{
            Algorithm, Timestamp, Uuid,
            data_key::{DataKey, DataKeySecret, WrappedDataKey},
        },
    },
    remote::{Decrypted, Freshness},
    secret::SecretBytes,
};

/// The longest plaintext in bytes that Key Manager encrypts. The shortest has one byte.
pub const MAX_PLAINTEXT_SIZE: usize = 65_535;
/// The longest ciphertext in bytes that Key Manager decrypts. The shortest has one byte.
pub const MAX_CIPHERTEXT_SIZE: usize = 131_071;

/// Selects a version of imported key material.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyMaterial {
    /// The most recently imported version.
    #[default]
    Newest,
    /// The version with this index, counted from 1.
    Version(u32),
}

/// The public key that wraps key material before it is sent to the service, and its token.
///
/// None of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportParameters {
    public_key: Vec<u8>,
    import_token: Vec<u8>,
}

impl ImportParameters {
    /// Returns the public key that wraps the material, as the service encodes it.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Returns the token to send back with the wrapped material.
    #[must_use]
    pub fn import_token(&self) -> &[u8] {
        &self.import_token
    }
}

pub(crate) fn encrypt(
    plaintext: &[u8],
    associated_data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    check_size("plaintext", plaintext.len(), MAX_PLAINTEXT_SIZE)?;
    Ok(with_associated_data(
        ("plaintext", plaintext),
        associated_data,
    ))
}

pub(crate) fn decrypt(
    ciphertext: &[u8],
    associated_data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    check_size("ciphertext", ciphertext.len(), MAX_CIPHERTEXT_SIZE)?;
    Ok(with_associated_data(
        ("ciphertext", ciphertext),
        associated_data,
    ))
}

/// Whether the answer should include the data key in the clear.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataKeyPlaintext {
    Wanted,
    Withheld,
}

pub(crate) fn generate_data_key(plaintext: DataKeyPlaintext) -> Zeroizing<Vec<u8>> {
    let without = plaintext == DataKeyPlaintext::Withheld;
    let json = format!(r#"{{"algorithm":"aes_256_gcm","without_plaintext":{without}}}"#);
    Zeroizing::new(json.into_bytes())
}

pub(crate) fn sign(digest: &[u8]) -> Zeroizing<Vec<u8>> {
    secret_json::write(&[("digest", digest)])
}

pub(crate) fn verify(digest: &[u8], signature: &[u8]) -> Zeroizing<Vec<u8>> {
    secret_json::write(&[("digest", digest), ("signature", signature)])
}

pub(crate) fn import_key_material(material: &[u8], salt: &[u8]) -> Zeroizing<Vec<u8>> {
    match salt {
        [] => secret_json::write(&[("key_material", material)]),
        _ => secret_json::write(&[("key_material", material), ("salt", salt)]),
    }
}

pub(crate) fn wrap(key: &[u8], associated_data: &[u8]) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    check_size("key", key.len(), MAX_PLAINTEXT_SIZE)?;
    Ok(with_associated_data(("plaintext", key), associated_data))
}

pub(crate) fn import_parameters(wrapping: &Algorithm) -> Zeroizing<Vec<u8>> {
    let body = serde_json::json!({ "wrapping_algorithm": wrapping.as_str() });
    Zeroizing::new(body.to_string().into_bytes())
}

pub(crate) fn delete_key_material(which: KeyMaterial) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(match which {
        KeyMaterial::Newest => b"{}".to_vec(),
        KeyMaterial::Version(index) => format!(r#"{{"key_rotation_index":{index}}}"#).into_bytes(),
    })
}

fn check_size(name: &str, size: usize, max: usize) -> Result<(), KmsError> {
    if (1..=max).contains(&size) {
        return Ok(());
    }
    Err(
        KmsError::new(KmsErrorKind::InvalidInput).with_message(format!(
            "the {name} has {size} bytes, and must have 1 to {max}"
        )),
    )
}

/// The service treats absent and empty associated data alike; asymmetric keys refuse any.
fn with_associated_data(input: (&str, &[u8]), associated_data: &[u8]) -> Zeroizing<Vec<u8>> {
    match associated_data {
        [] => secret_json::write(&[input]),
        _ => secret_json::write(&[input, ("associated_data", associated_data)]),
    }
}

/// An answer whose byte strings are still the raw text of their fields.
#[derive(Deserialize)]
pub(crate) struct CryptoReply<'a> {
    #[serde(borrow)]
    key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ciphertext: Option<&'a RawValue>,
    #[serde(borrow)]
    plaintext: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    public_key: Option<&'a RawValue>,
    #[serde(borrow)]
    import_token: Option<&'a RawValue>,
    valid: Option<bool>,
    #[serde(borrow)]
    algorithm: Option<Cow<'a, str>>,
    #[serde(borrow)]
    created_at: Option<Cow<'a, str>>,
}

impl CryptoReply<'_> {
    pub(crate) fn encrypted(&self, key_id: Uuid) -> Result<Vec<u8>, Unbelievable> {
        self.check_key(key_id)?;
        self.ciphertext()?.ok_or("it has no ciphertext")
    }

    pub(crate) fn decrypted(&self, key_id: Uuid) -> Result<Decrypted, Unbelievable> {
        self.check_key(key_id)?;
        let plaintext = self.plaintext.ok_or("it has no plaintext")?;
        let mut plaintext = secret_json::read(plaintext).ok_or("its plaintext is not base64")?;
        if !(1..=MAX_PLAINTEXT_SIZE).contains(&plaintext.len()) {
            return Err("its plaintext has a size that no plaintext can have");
        }
        let rewrapped = self.ciphertext()?;
        let decrypted = Decrypted::new(std::mem::take(&mut *plaintext), Freshness::Newest);
        Ok(match rewrapped {
            // The service sends it only if the key was rotated since.
            Some(rewrapped) => decrypted.with_rewrapped(rewrapped),
            None => decrypted,
        })
    }

    pub(crate) fn unwrapped(&self, key_id: Uuid) -> Result<SecretBytes, Unbelievable> {
        let material = Zeroizing::new(self.decrypted(key_id)?.into_plaintext());
        Ok(SecretBytes::of_vec(material))
    }

    pub(crate) fn import_parameters(&self, key_id: Uuid) -> Result<ImportParameters, Unbelievable> {
        self.check_key(key_id)?;
        let bytes = |value: Option<&RawValue>| {
            value
                .and_then(take)
                .filter(|bytes| !bytes.is_empty())
                .ok_or("it lacks the public key or the import token")
        };
        Ok(ImportParameters {
            public_key: bytes(self.public_key)?,
            import_token: bytes(self.import_token)?,
        })
    }

    pub(crate) fn wrapped_data_key(&self, key_id: Uuid) -> Result<WrappedDataKey, Unbelievable> {
        self.check_key(key_id)?;
        Ok(WrappedDataKey {
            key_id,
            algorithm: self
                .algorithm
                .as_deref()
                .map_or(Algorithm::AES_256_GCM, Algorithm::named),
            ciphertext: self.ciphertext()?.ok_or("it has no ciphertext")?,
            created_at: self.created_at.as_deref().and_then(Timestamp::parse),
        })
    }

    pub(crate) fn data_key(&self, key_id: Uuid) -> Result<DataKey, Unbelievable> {
        let wrapped = self.wrapped_data_key(key_id)?;
        let plaintext = self.plaintext.ok_or("it has no plaintext")?;
        let plaintext = secret_json::read(plaintext).ok_or("its plaintext is not base64")?;
        let secret = DataKeySecret::new(plaintext).ok_or("its plaintext is not an AES-256 key")?;
        Ok(DataKey { wrapped, secret })
    }

    pub(crate) fn signature(&self, key_id: Uuid) -> Result<Vec<u8>, Unbelievable> {
        self.check_key(key_id)?;
        let signature = self.signature.ok_or("it has no signature")?;
        take(signature)
            .filter(|bytes| !bytes.is_empty())
            .ok_or("its signature is not base64")
    }

    pub(crate) fn valid(&self, key_id: Uuid) -> Result<bool, Unbelievable> {
        self.check_key(key_id)?;
        self.valid
            .ok_or("it does not say whether the signature is valid")
    }

    /// An answer about another key means that requests and answers were mixed up on the way.
    fn check_key(&self, key_id: Uuid) -> Result<(), Unbelievable> {
        match self.key_id.as_deref().map(Uuid::parse) {
            None => Ok(()),
            Some(answered) if answered == Some(key_id) => Ok(()),
            Some(_) => Err("it is about another key"),
        }
    }

    fn ciphertext(&self) -> Result<Option<Vec<u8>>, Unbelievable> {
        let Some(ciphertext) = self.ciphertext else {
            return Ok(None);
        };
        let ciphertext = take(ciphertext).ok_or("its ciphertext is not base64")?;
        if !(1..=MAX_CIPHERTEXT_SIZE).contains(&ciphertext.len()) {
            return Err("its ciphertext has a size that it would not decrypt");
        }
        Ok(Some(ciphertext))
    }
}

fn take(value: &RawValue) -> Option<Vec<u8>> {
    secret_json::read(value).map(|mut bytes| std::mem::take(&mut *bytes))
}
