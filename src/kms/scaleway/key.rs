//! [`ScalewayKey`]: one key and its operations.

use std::{fmt, sync::Arc};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    api::{
        self, Unbelievable,
        crypto::{self, CryptoReply, DataKeyPlaintext, ImportParameters, KeyMaterial},
        key::{UpdateKey, page_query},
    },
    call::Call,
    connection::Connection,
    data_key::{DataKey, DataKeySecret, WrappedDataKey},
    info::{Algorithm, KeyMetadata},
    operation::Operation,
    pages::Pages,
    rotation::{KeyRotation, RotationsReply},
    uri::{KeyUri, Region},
    uuid::Uuid,
};
use crate::{
    error::{KmsError, KmsErrorKind},
    kms::KmsClient,
    remote::{BoxFuture, Decrypted, RemoteAead},
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
    connection: Connection,
    region: Region,
    key_id: Uuid,
}

impl ScalewayKey {
    pub(super) const fn new(connection: Connection, region: Region, key_id: Uuid) -> Self {
        Self {
            connection,
            region,
            key_id,
        }
    }

    /// Returns the canonical URI.
    #[must_use]
    pub fn uri(&self) -> KeyUri {
        KeyUri::new(self.region.clone(), self.key_id)
    }

    /// Asks the service for a 32-byte AES key, and returns it both wrapped and in the clear.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn generate_data_key(&self) -> Result<DataKey, KmsError> {
        let body = crypto::generate_data_key(DataKeyPlaintext::Wanted);
        let call = self
            .call(Operation::GenerateDataKey, "generate-data-key")
            .body(body);
        self.crypto(call, |reply, id| reply.data_key(id)).await
    }

    /// Asks the service for a 32-byte AES key, and returns it only wrapped.
    ///
    /// Use this in a program that passes the key on without ever using it.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn generate_wrapped_data_key(&self) -> Result<WrappedDataKey, KmsError> {
        let body = crypto::generate_data_key(DataKeyPlaintext::Withheld);
        let call = self
            .call(Operation::GenerateDataKey, "generate-data-key")
            .body(body);
        self.crypto(call, |reply, id| reply.wrapped_data_key(id))
            .await
    }

    /// Unwraps a stored data key, with one call.
    ///
    /// # Errors
    /// [`KmsError`] of kind `DecryptionFailed` if it is not a data key wrapped by this key.
    pub async fn open_data_key(&self, wrapped: &[u8]) -> Result<DataKeySecret, KmsError> {
        let plaintext = self.decrypt_checked(wrapped, b"").await?.into_plaintext();
        DataKeySecret::new(Zeroizing::new(plaintext)).ok_or_else(|| {
            let error = KmsError::new(KmsErrorKind::DecryptionFailed);
            self.failed(
                Operation::Decrypt,
                error.with_message("it is not a data key"),
            )
        })
    }

    /// Reads the key's properties.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn get(&self) -> Result<KeyMetadata, KmsError> {
        self.connection
            .key_metadata(self.call(Operation::GetKey, ""))
            .await
    }

    /// Changes only the properties that `changes` names.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn update(&self, changes: &UpdateKey) -> Result<KeyMetadata, KmsError> {
        let call = self.call(Operation::UpdateKey, "").body(changes.body());
        self.connection.key_metadata(call).await
    }

    /// Makes a new version, which encrypts from now on. The older versions still decrypt.
    ///
    /// The request is never repeated once any part of it has been sent.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn rotate(&self) -> Result<KeyMetadata, KmsError> {
        self.act(Operation::RotateKey, "rotate").await
    }

    /// Enables the key again.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn enable(&self) -> Result<KeyMetadata, KmsError> {
        self.act(Operation::EnableKey, "enable").await
    }

    /// Disables the key.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn disable(&self) -> Result<KeyMetadata, KmsError> {
        self.act(Operation::DisableKey, "disable").await
    }

    /// Protects the key from deletion.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn protect(&self) -> Result<KeyMetadata, KmsError> {
        self.act(Operation::ProtectKey, "protect").await
    }

    /// Removes the key's protection from deletion.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn unprotect(&self) -> Result<KeyMetadata, KmsError> {
        self.act(Operation::UnprotectKey, "unprotect").await
    }

    /// Schedules the key for deletion: it is unusable from now on, and deleted in seven days.
    ///
    /// # Errors
    /// [`KmsError`] of kind `PreconditionFailed` while the key is protected, or another kind if the
    /// call fails.
    pub async fn delete(&self) -> Result<(), KmsError> {
        self.connection
            .send(self.call(Operation::DeleteKey, ""))
            .await
    }

    /// Cancels the scheduled deletion of the key. The service charges for it.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn restore(&self) -> Result<KeyMetadata, KmsError> {
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
    ) -> Result<KeyMetadata, KmsError> {
        let body = crypto::import_key_material(key_material.bytes(), salt);
        let call = self
            .call(Operation::ImportKeyMaterial, "import-key-material")
            .body(body);
        self.connection.key_metadata(call).await
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
        let call = self
            .call(Operation::GenerateImportParameters, "import-parameters")
            .body(crypto::import_parameters(wrapping));
        self.crypto(call, |reply, id| reply.import_parameters(id))
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
        let connection = self.connection.for_all_pages();
        let mut pages = Pages::new("versions", KeyRotation::index);
        while let Some(page) = pages.due() {
            let action = format!("rotations?{}", page_query("created_at_asc", page));
            let call = self.call(Operation::ListKeyRotations, &action);
            let read = |reply: RotationsReply| reply.page(self.key_id);
            let (found, total_count) = connection.answer(call, read).await?;
            pages
                .add(found, total_count)
                .map_err(|error| self.failed(Operation::ListKeyRotations, error))?;
        }
        Ok(pages.into_items())
    }

    /// Deletes imported key material. You lose all data that was encrypted with it.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn delete_key_material(&self, which: KeyMaterial) -> Result<(), KmsError> {
        let body = crypto::delete_key_material(which);
        let call = self
            .call(Operation::DeleteKeyMaterial, "delete-key-material")
            .body(body);
        self.connection.send(call).await
    }

    /// Signs `digest`, which must have the length of the key's hash: 32 or 48 bytes.
    ///
    /// # Errors
    /// [`KmsError`] if the call fails.
    pub async fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, KmsError> {
        let call = self
            .call(Operation::Sign, "sign")
            .body(crypto::sign(digest));
        self.crypto(call, |reply, id| reply.signature(id)).await
    }

    /// Checks that this key made `signature` over `digest`.
    ///
    /// # Errors
    /// [`KmsError`] of kind `InvalidSignature` if it did not, or another kind if the call fails.
    pub async fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), KmsError> {
        let body = crypto::verify(digest, signature);
        let call = self.call(Operation::Verify, "verify").body(body);
        if self.crypto(call, |reply, id| reply.valid(id)).await? {
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
        let call = self.call(Operation::PublicKey, "public-key");
        self.connection
            .answer(call, |reply: Reply| Ok(reply.pem))
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
        let call = self.call(Operation::WrapKey, "wrap").body(body);
        self.crypto(call, |reply, id| reply.encrypted(id)).await
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
        let call = self.call(Operation::UnwrapKey, "unwrap").body(body);
        self.crypto(call, |reply, id| reply.unwrapped(id)).await
    }

    async fn decrypt_checked(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
    ) -> Result<Decrypted, KmsError> {
        let body = self.checked(
            Operation::Decrypt,
            crypto::decrypt(ciphertext, associated_data),
        )?;
        let call = self.call(Operation::Decrypt, "decrypt").body(body);
        self.crypto(call, |reply, id| reply.decrypted(id)).await
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
        let call = self.call(Operation::Encrypt, "encrypt").body(body);
        self.crypto(call, |reply, id| reply.encrypted(id)).await
    }

    fn call(&self, operation: Operation, action: &str) -> Call {
        Call::of_key(operation, &self.region, self.key_id, action)
    }

    async fn act(&self, operation: Operation, action: &str) -> Result<KeyMetadata, KmsError> {
        let body = Zeroizing::new(b"{}".to_vec());
        let call = self.call(operation, action).body(body);
        self.connection.key_metadata(call).await
    }

    async fn crypto<T>(
        &self,
        call: Call,
        read: fn(&CryptoReply<'_>, Uuid) -> Result<T, Unbelievable>,
    ) -> Result<T, KmsError> {
        self.connection
            .borrowed_answer(call, |response| read(&api::parse(response)?, self.key_id))
            .await
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
            let decrypted = self.decrypt_checked(ciphertext, associated_data).await?;
            Ok(decrypted.into_plaintext())
        })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        Box::pin(self.decrypt_checked(ciphertext, associated_data))
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
