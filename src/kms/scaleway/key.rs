//! [`ScalewayKey`]: one key and its operations.

use std::{collections::HashSet, fmt, sync::Arc};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    api::{
        self,
        crypto::{
            self, CryptoReply, DataKeyPlaintext, Decrypted, ImportParameters, KeyMaterial,
            Unbelievable,
        },
        key::{UpdateKey, page_query},
    },
    client::{ScalewayClient, unbelievable},
    data_key::{DataKey, DataKeySecret, WrappedDataKey},
    info::{Algorithm, KeyInfo},
    rotation::{KeyRotation, RotationsReply},
    transport::{Operation, Request},
    uri::{KeyUri, Region},
    uuid::Uuid,
};
use crate::{
    error::{KmsError, KmsErrorKind},
    kms::KmsClient,
    remote::{BoxFuture, RemoteAead},
    secret::SecretBytes,
};

/// A key of Key Manager.
///
/// As a [`KmsClient`] it serves only its own URI, in both forms.
///
/// # Errors
/// Every method returns a [`KmsError`], whose kind says why the call failed.
///
/// # Security
/// A symmetric key takes 1 to 65,535 bytes of plaintext and uses random 96-bit nonces. Rotate it
/// before 2³² encryptions, or let the service do so every 30 to 90 days. Encrypting and decrypting
/// require those two permissions and no others.
#[derive(Clone)]
pub struct ScalewayKey {
    client: ScalewayClient,
    region: Region,
    key_id: Uuid,
}

impl ScalewayKey {
    pub(super) const fn new(client: ScalewayClient, region: Region, key_id: Uuid) -> Self {
        Self {
            client,
            region,
            key_id,
        }
    }

    /// Returns the canonical URI.
    #[must_use]
    pub fn uri(&self) -> KeyUri {
        KeyUri::new(self.region.clone(), self.key_id)
    }

    /// Decrypts `ciphertext` and, if the key was rotated, returns a newer one to store instead.
    ///
    /// # Errors
    /// [`KmsError`] of kind `InvalidInput` for a ciphertext that does not have 1 to 131,071 bytes,
    /// of kind `DecryptionFailed` for one that cannot be decrypted.
    pub async fn decrypt_with_refresh(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
    ) -> Result<Decrypted, KmsError> {
        let body = self.checked(
            Operation::Decrypt,
            crypto::decrypt(ciphertext, associated_data),
        )?;
        let request = self.request(Operation::Decrypt, "decrypt").body(body);
        self.crypto(&request, |reply, id| reply.decrypted(id)).await
    }

    /// Asks the service for a 32-byte AES key, and returns it both wrapped and in the clear.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn generate_data_key(&self) -> Result<DataKey, KmsError> {
        let body = crypto::generate_data_key(DataKeyPlaintext::Wanted);
        let request = self
            .request(Operation::GenerateDataKey, "generate-data-key")
            .body(body);
        self.crypto(&request, |reply, id| reply.data_key(id)).await
    }

    /// Asks the service for a 32-byte AES key, and returns it only wrapped.
    ///
    /// For a program that passes the key on without ever using it.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn generate_wrapped_data_key(&self) -> Result<WrappedDataKey, KmsError> {
        let body = crypto::generate_data_key(DataKeyPlaintext::Withheld);
        let request = self
            .request(Operation::GenerateDataKey, "generate-data-key")
            .body(body);
        self.crypto(&request, |reply, id| reply.wrapped_data_key(id))
            .await
    }

    /// Unwraps a stored data key, with one call.
    ///
    /// # Errors
    /// [`KmsError`] of kind `DecryptionFailed` if it is not a data key wrapped by this key.
    pub async fn open_data_key(&self, wrapped: &[u8]) -> Result<DataKeySecret, KmsError> {
        let plaintext = self
            .decrypt_with_refresh(wrapped, b"")
            .await?
            .into_plaintext();
        DataKeySecret::new(Zeroizing::new(plaintext)).ok_or_else(|| {
            let error = KmsError::new(KmsErrorKind::DecryptionFailed);
            self.failed(Operation::Decrypt, error.with_message("it is no data key"))
        })
    }

    /// Reads the key's properties.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn get(&self) -> Result<KeyInfo, KmsError> {
        self.client
            .key_info(&self.request(Operation::GetKey, ""))
            .await
    }

    /// Changes only the properties that `changes` names.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn update(&self, changes: &UpdateKey) -> Result<KeyInfo, KmsError> {
        let request = self.request(Operation::UpdateKey, "").body(changes.body());
        self.client.key_info(&request).await
    }

    /// Makes a new version, which encrypts from now on. The older versions still decrypt.
    ///
    /// The request is never repeated once any part of it has been sent.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn rotate(&self) -> Result<KeyInfo, KmsError> {
        self.act(Operation::RotateKey, "rotate").await
    }

    /// Enables the key again.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn enable(&self) -> Result<KeyInfo, KmsError> {
        self.act(Operation::EnableKey, "enable").await
    }

    /// Disables the key.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn disable(&self) -> Result<KeyInfo, KmsError> {
        self.act(Operation::DisableKey, "disable").await
    }

    /// Protects the key from deletion.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn protect(&self) -> Result<KeyInfo, KmsError> {
        self.act(Operation::ProtectKey, "protect").await
    }

    /// Removes the key's protection from deletion.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn unprotect(&self) -> Result<KeyInfo, KmsError> {
        self.act(Operation::UnprotectKey, "unprotect").await
    }

    /// Schedules the key for deletion: it is unusable from now on, and deleted in seven days.
    ///
    /// # Errors
    /// [`KmsError`] of kind `PreconditionFailed` while the key is protected, or another kind if the
    /// call fails.
    pub async fn delete(&self) -> Result<(), KmsError> {
        self.client
            .send(&self.request(Operation::DeleteKey, ""))
            .await
            .map(drop)
    }

    /// Cancels the scheduled deletion of the key. The service charges for it.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn restore(&self) -> Result<KeyInfo, KmsError> {
        self.act(Operation::RestoreKey, "restore").await
    }

    /// Imports key material into a key that was created as [external](super::CreateKey::external).
    /// Importing again rotates the key.
    ///
    /// The service derives the actual key from the material and `salt`. If `salt` is empty, the
    /// service generates one.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn import_key_material(
        &self,
        key_material: &SecretBytes,
        salt: &[u8],
    ) -> Result<KeyInfo, KmsError> {
        let body = crypto::import_key_material(key_material.bytes(), salt);
        let request = self
            .request(Operation::ImportKeyMaterial, "import-key-material")
            .body(body);
        self.client.key_info(&request).await
    }

    /// Asks for a public key and a token, so that key material leaves this machine wrapped.
    ///
    /// `wrapping` is one of `rsa_oaep_N_sha256` and `rsa_aes_key_wrap_N_sha256`, where N is 2048,
    /// 3072 or 4096.
    ///
    /// # Compatibility
    /// As of October 2026, how to send wrapped material back is not published:
    /// [`import_key_material`](Self::import_key_material) takes material in the clear.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn import_parameters(
        &self,
        wrapping: &Algorithm,
    ) -> Result<ImportParameters, KmsError> {
        let request = self
            .request(Operation::GenerateImportParameters, "import-parameters")
            .body(crypto::import_parameters(wrapping));
        self.crypto(&request, |reply, id| reply.import_parameters(id))
            .await
    }

    /// Lists the versions of the key, the oldest first: all pages, each version once.
    ///
    /// [`delete_key_material`](Self::delete_key_material) takes their indices. All pages together
    /// share the time limit of a single call.
    ///
    /// # Errors
    /// [`KmsError`] of kind `InvalidReply` if a page repeats only versions of earlier pages though
    /// more are due, or another kind if the call fails.
    ///
    /// # Example
    /// ```no_run
    /// use keyseal::kms::scaleway::{KeyMaterial, RotationStatus, ScalewayKey};
    ///
    /// # async fn example(key: &ScalewayKey) -> Result<(), keyseal::KmsError> {
    /// let versions = key.list_rotations().await?;
    /// let oldest = versions.iter().find(|one| one.status() == &RotationStatus::Enabled);
    /// if let Some(version) = oldest {
    ///     key.delete_key_material(KeyMaterial::Version(version.index())).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_rotations(&self) -> Result<Vec<KeyRotation>, KmsError> {
        let client = self.client.for_all_pages();
        let mut rotations: Vec<KeyRotation> = Vec::new();
        let mut seen = HashSet::new();
        let mut listed = 0;
        for page in 1.. {
            let action = format!("rotations?{}", page_query("created_at_asc", page));
            let request = client
                .request(Operation::ListKeyRotations, &self.region)
                .key(self.key_id, &action);
            let read = |reply: RotationsReply| reply.page(self.key_id);
            let (found, total_count) = client.call(&request, read).await?;
            listed += found.len() as u64;
            let found_none = found.is_empty();
            let at_end = found_none || listed >= total_count;
            let known = rotations.len();
            rotations.extend(found.into_iter().filter(|one| seen.insert(one.index())));
            if !found_none && rotations.len() == known && (known as u64) < total_count {
                let error = KmsError::new(KmsErrorKind::InvalidReply).with_message(format!(
                    "page {page} has only versions of earlier pages, and {known} of {total_count} \
                     are known"
                ));
                return Err(self.failed(Operation::ListKeyRotations, error));
            }
            if at_end {
                break;
            }
        }
        Ok(rotations)
    }

    /// Deletes imported key material. You lose all data that was encrypted with it.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn delete_key_material(&self, which: KeyMaterial) -> Result<(), KmsError> {
        let body = crypto::delete_key_material(which);
        let request = self
            .request(Operation::DeleteKeyMaterial, "delete-key-material")
            .body(body);
        self.client.send(&request).await.map(drop)
    }

    /// Signs `digest`, which must have the length of the key's hash: 32 or 48 bytes.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, KmsError> {
        let request = self
            .request(Operation::Sign, "sign")
            .body(crypto::sign(digest));
        self.crypto(&request, |reply, id| reply.signature(id)).await
    }

    /// Checks that this key made `signature` over `digest`.
    ///
    /// # Errors
    /// [`KmsError`] of kind `InvalidSignature` if it did not, or another kind if the call fails.
    pub async fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), KmsError> {
        let body = crypto::verify(digest, signature);
        let request = self.request(Operation::Verify, "verify").body(body);
        if self.crypto(&request, |reply, id| reply.valid(id)).await? {
            return Ok(());
        }
        Err(self.failed(Operation::Verify, KmsErrorKind::InvalidSignature.into()))
    }

    /// Reads the public key as the service's PEM text.
    ///
    /// # Compatibility
    /// Besides `PUBLIC KEY` the service is known to use the labels `EC PUBLIC KEY` for an ordinary
    /// SubjectPublicKeyInfo and `RSA PUBLIC KEY` for PKCS #1.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn public_key(&self) -> Result<String, KmsError> {
        #[derive(Deserialize)]
        struct Reply {
            pem: String,
        }
        let request = self.request(Operation::PublicKey, "public-key");
        self.client
            .call(&request, |reply: Reply| Ok(reply.pem))
            .await
    }

    /// Wraps another key with a key for [encapsulation](super::UsageKind::KeyEncapsulation).
    ///
    /// The service takes keys of up to 2 kB. Empty associated data is the same as none.
    ///
    /// # Errors
    /// [`KmsError`] of kind `InvalidInput` for an empty key, or another kind if the call fails.
    pub async fn wrap_key(
        &self,
        key: &SecretBytes,
        associated_data: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let body = crypto::wrap(key.bytes(), associated_data);
        let body = self.checked(Operation::WrapKey, body)?;
        let request = self.request(Operation::WrapKey, "wrap").body(body);
        self.crypto(&request, |reply, id| reply.encrypted(id)).await
    }

    /// Unwraps a key that [`wrap_key`](Self::wrap_key) wrapped.
    ///
    /// # Errors
    /// [`KmsError`] of kind `DecryptionFailed` if it cannot be unwrapped, of kind `InvalidInput`
    /// for a ciphertext that does not have 1 to 131,071 bytes, or another kind if the call fails.
    pub async fn unwrap_key(
        &self,
        wrapped: &[u8],
        associated_data: &[u8],
    ) -> Result<SecretBytes, KmsError> {
        let body = self.checked(
            Operation::UnwrapKey,
            crypto::decrypt(wrapped, associated_data),
        )?;
        let request = self.request(Operation::UnwrapKey, "unwrap").body(body);
        self.crypto(&request, |reply, id| reply.unwrapped(id)).await
    }

    async fn encrypt_checked(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let body = self.checked(
            Operation::Encrypt,
            crypto::encrypt(plaintext, associated_data),
        )?;
        let request = self.request(Operation::Encrypt, "encrypt").body(body);
        self.crypto(&request, |reply, id| reply.encrypted(id)).await
    }

    fn request(&self, operation: Operation, action: &str) -> Request {
        self.client
            .request(operation, &self.region)
            .key(self.key_id, action)
    }

    async fn act(&self, operation: Operation, action: &str) -> Result<KeyInfo, KmsError> {
        let body = Zeroizing::new(b"{}".to_vec());
        self.client
            .key_info(&self.request(operation, action).body(body))
            .await
    }

    /// Like [`ScalewayClient::call`], for an answer that borrows its secrets from the body.
    async fn crypto<T>(
        &self,
        request: &Request,
        read: fn(&CryptoReply<'_>, Uuid) -> Result<T, Unbelievable>,
    ) -> Result<T, KmsError> {
        let response = self.client.send(request).await?;
        api::parse(&response)
            .and_then(|reply| read(&reply, self.key_id))
            .map_err(|why| unbelievable(request, &response, why))
    }

    fn checked<T>(&self, operation: Operation, input: Result<T, KmsError>) -> Result<T, KmsError> {
        input.map_err(|error| self.failed(operation, error))
    }

    fn failed(&self, operation: Operation, error: KmsError) -> KmsError {
        error.with_context(format!("{}, {}", operation.name(), self.uri()))
    }
}

impl RemoteAead for ScalewayKey {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(self.encrypt_checked(plaintext, associated_data))
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            self.decrypt_with_refresh(ciphertext, associated_data)
                .await
                .map(Decrypted::into_plaintext)
        })
    }
}

impl KmsClient for ScalewayKey {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        let uri: KeyUri = key_uri.parse().ok()?;
        let same =
            uri.key_id() == self.key_id && uri.region().is_none_or(|region| *region == self.region);
        same.then(|| Ok(Arc::new(self.clone()) as Arc<dyn RemoteAead>))
    }
}

impl fmt::Debug for ScalewayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScalewayKey")
            .field(&self.uri().to_string())
            .finish()
    }
}
