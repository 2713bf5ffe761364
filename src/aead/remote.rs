//! [`KeysetRemoteAead`]: AEAD over a keyset with some or all of its keys in services.

use std::{fmt, sync::Arc};

use crate::{
    cipher::Provider,
    envelope::KmsEnvelopeAead,
    error::{KeyError, KeysetError, KmsError, KmsErrorKind},
    key::{
        DekTemplate, Key, KeyId, KeyKind, OutputPrefix, PrefixMap, Prefixed, PrefixedAead,
        RemoteKey,
    },
    keyset::KeysetHandle,
    primitive::Aead as _,
    remote::{BoxFuture, Decrypted, Freshness, KmsClient, RemoteAead, find},
};

/// The AEAD of a keyset with keys that services hold. Cheap to clone, and safe to share between
/// threads.
///
/// The counterpart of [`KeysetAead`](crate::KeysetAead) for remote keys: the primary key encrypts,
/// and every enabled key may decrypt. Keys of type [`KmsAeadKey`](crate::key::kms_aead) and
/// [`KmsEnvelopeAeadKey`](crate::key::kms_envelope_aead), each with its own URI, can share a keyset
/// with local keys, so you can move data from one to another by rotation.
///
/// Decryption tries the keys whose prefix the ciphertext starts with, then every raw key, in keyset
/// order. A service is called only if the ciphertext has the shape that its key produces. If a
/// service cannot be reached, the remaining keys are still tried; if none of them decrypts the
/// ciphertext, the result is that service's error.
///
/// # Example
/// ```
/// use keyseal::{
///     Key, KeyTypes, KeysetHandle, KeysetRemoteAead, RemoteAead, SecretAccess, Variant,
///     key::kms_envelope_aead::KmsEnvelopeAeadParameters,
///     keyset::Format,
///     kms::{KmsClients, file::FileKmsClient},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let access = SecretAccess::insecure();
/// # let folder = tempfile::tempdir()?;
/// # let kek = KeysetHandle::generate("AES256_GCM")?.write_cleartext(Format::Json, access);
/// # std::fs::write(folder.path().join("kek.json"), kek.expose(access))?;
/// # let files = FileKmsClient::in_folder(folder.path(), access);
/// // Until now a local key encrypted messages. From now on an envelope key does.
/// let mut keyset = KeysetHandle::generate("AES256_GCM")?;
/// let dek = KeyTypes::default().template("AES256_GCM")?.key_template().clone();
/// let envelope = KmsEnvelopeAeadParameters::new("file-kms://kek.json", dek)?;
/// keyset.rotate(Key::generate_with(&envelope, Variant::Tink)?)?;
///
/// let clients = KmsClients::new().with(files);
/// let aead = KeysetRemoteAead::new(&keyset, &clients)?;
/// let ciphertext = aead.encrypt(b"attack at dawn", b"letter 7").await?;
/// assert_eq!(aead.decrypt(&ciphertext, b"letter 7").await?, b"attack at dawn");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct KeysetRemoteAead(Arc<PrefixMap<AnyAead>>);

/// The AEAD of one key, wherever the key is.
enum AnyAead {
    Local(PrefixedAead),
    Remote {
        prefix: OutputPrefix,
        aead: Arc<dyn RemoteAead>,
    },
}

impl KeysetRemoteAead {
    /// Makes the AEAD of `keyset`, with the services' keys that `kms` finds. Makes no call to them.
    ///
    /// # Errors
    /// [`KeysetError::WrongPrimitive`] if an enabled key is of another kind or an unknown type;
    /// [`KeyError::Kms`] in a [`KeysetError::Key`] if no client serves its URI.
    pub fn new(keyset: &KeysetHandle, kms: &dyn KmsClient) -> Result<Self, KeysetError> {
        Self::with_provider(keyset, kms, Provider::FASTEST)
    }

    /// Like [`new`](Self::new), with the ciphers of a provider that the caller chooses.
    ///
    /// # Errors
    /// The errors of [`new`](Self::new).
    pub fn with_provider(
        keyset: &KeysetHandle,
        kms: &dyn KmsClient,
        provider: Provider,
    ) -> Result<Self, KeysetError> {
        Self::of(keyset, kms, provider, |envelope| Ok(Arc::new(envelope)))
    }

    /// Like [`new`](Self::new), with a cache of data-encryption keys for each envelope key, within
    /// the limits of `policy`. [`KmsAeadKey`](crate::key::kms_aead)s have none: the service
    /// encrypts each message itself.
    ///
    /// # Errors
    /// The errors of [`new`](Self::new), and a [`KeyError::Kms`] of kind `Configuration` whose
    /// source is the [`CachePolicyError`](crate::envelope::CachePolicyError).
    #[cfg(feature = "cache")]
    pub fn cached(
        keyset: &KeysetHandle,
        kms: &dyn KmsClient,
        policy: impl Into<crate::envelope::CachePolicy>,
    ) -> Result<Self, KeysetError> {
        let policy = policy.into();
        Self::of(keyset, kms, Provider::FASTEST, |envelope| {
            let cached = envelope.cached(policy.clone());
            let unusable = |error| KmsError::new(KmsErrorKind::Configuration).with_source(error);
            Ok(Arc::new(cached.map_err(unusable)?))
        })
    }

    fn of(
        keyset: &KeysetHandle,
        kms: &dyn KmsClient,
        provider: Provider,
        finish: impl Fn(KmsEnvelopeAead) -> Result<Arc<dyn RemoteAead>, KmsError>,
    ) -> Result<Self, KeysetError> {
        let make = |id, key: &Key| AnyAead::of(id, key, kms, provider, &finish);
        Ok(Self(Arc::new(keyset.make_prefix_map(KeyKind::Aead, make)?)))
    }

    async fn decrypt_with_any(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
    ) -> Result<Decrypted, KmsError> {
        let mut unanswered = None;
        for key in self.0.candidates(ciphertext) {
            match key.decrypt(ciphertext, associated_data).await {
                Ok(decrypted) if std::ptr::eq(key, self.0.primary()) => return Ok(decrypted),
                Ok(decrypted) => return Ok(decrypted.with_freshness(Freshness::Older)),
                // The service answered: the ciphertext is not from this key.
                Err(error)
                    if matches!(
                        error.kind(),
                        KmsErrorKind::DecryptionFailed | KmsErrorKind::InvalidInput
                    ) => {}
                Err(error) => unanswered = unanswered.or(Some(error)),
            }
        }
        Err(unanswered.unwrap_or_else(|| KmsErrorKind::DecryptionFailed.into()))
    }
}

/// What becomes of an envelope AEAD: itself, or one with a cache.
type Finish<'f> = &'f dyn Fn(KmsEnvelopeAead) -> Result<Arc<dyn RemoteAead>, KmsError>;

impl AnyAead {
    fn of(
        id: KeyId,
        key: &Key,
        kms: &dyn KmsClient,
        provider: Provider,
        finish: Finish<'_>,
    ) -> Option<Result<Self, KeyError>> {
        match key.remote_key() {
            Some(remote) => {
                let prefix = key.variant().prefix(id);
                let aead = Self::remote(remote, kms, provider, finish);
                Some(aead.map(|aead| Self::Remote { prefix, aead }))
            }
            None => key.aead(id, provider).map(|local| local.map(Self::Local)),
        }
    }

    fn remote(
        key: RemoteKey<'_>,
        kms: &dyn KmsClient,
        provider: Provider,
        finish: Finish<'_>,
    ) -> Result<Arc<dyn RemoteAead>, KeyError> {
        match key {
            RemoteKey::Kms { key_uri } => find(kms, key_uri),
            RemoteKey::Envelope {
                kek_uri,
                dek_template,
            } => {
                let dek = DekTemplate::new(dek_template)?;
                let kek = find(kms, kek_uri).map_err(KeyError::Kms)?;
                finish(KmsEnvelopeAead::of(kek, dek, provider))
            }
        }
        .map_err(KeyError::Kms)
    }

    async fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, KmsError> {
        match self {
            Self::Local(aead) => Ok(aead.encrypt(plaintext, associated_data)?),
            Self::Remote { prefix, aead } => {
                let mut ciphertext = aead.encrypt(plaintext, associated_data).await?;
                ciphertext.splice(0..0, prefix.as_bytes().iter().copied());
                Ok(ciphertext)
            }
        }
    }

    async fn decrypt(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
    ) -> Result<Decrypted, KmsError> {
        match self {
            Self::Local(aead) => {
                let plaintext = aead.decrypt(ciphertext, associated_data)?;
                Ok(Decrypted::new(plaintext, Freshness::Newest))
            }
            Self::Remote { prefix, aead } => {
                let output = prefix.strip(ciphertext);
                let output = output.ok_or(KmsErrorKind::DecryptionFailed)?;
                let decrypted = aead.decrypt_with_refresh(output, associated_data).await?;
                Ok(decrypted.map_rewrapped(|newer| [prefix.as_bytes(), &newer].concat()))
            }
        }
    }
}

impl Prefixed for AnyAead {
    fn prefix(&self) -> OutputPrefix {
        match self {
            Self::Local(aead) => aead.prefix(),
            Self::Remote { prefix, .. } => *prefix,
        }
    }
}

impl RemoteAead for KeysetRemoteAead {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(self.0.primary().encrypt(plaintext, associated_data))
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            let decrypted = self.decrypt_with_any(ciphertext, associated_data).await?;
            Ok(decrypted.into_plaintext())
        })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        Box::pin(self.decrypt_with_any(ciphertext, associated_data))
    }
}

impl fmt::Debug for KeysetRemoteAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetRemoteAead")
            .field("keys", &self.0.len())
            .finish_non_exhaustive()
    }
}
