//! [`Operation`]: what Key Manager can be asked to do.

/// The operation of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Creates a key.
    CreateKey,
    /// Decrypts a ciphertext.
    Decrypt,
    /// Schedules a key for deletion.
    DeleteKey,
    /// Deletes imported key material.
    DeleteKeyMaterial,
    /// Disables a key.
    DisableKey,
    /// Enables a key again.
    EnableKey,
    /// Encrypts a plaintext.
    Encrypt,
    /// Generates a data key and wraps it.
    GenerateDataKey,
    /// Generates a public key that wraps key material before it is imported.
    GenerateImportParameters,
    /// Reads a key's properties.
    GetKey,
    /// Imports key material into a key.
    ImportKeyMaterial,
    /// Lists the algorithms on offer.
    ListAlgorithms,
    /// Lists the versions of a key.
    ListKeyRotations,
    /// Lists keys.
    ListKeys,
    /// Protects a key from deletion.
    ProtectKey,
    /// Reads the public half of an asymmetric key.
    PublicKey,
    /// Cancels the scheduled deletion of a key.
    RestoreKey,
    /// Makes a new version of a key.
    RotateKey,
    /// Signs a digest.
    Sign,
    /// Removes a key's protection from deletion.
    UnprotectKey,
    /// Unwraps a key that was wrapped with a public key.
    UnwrapKey,
    /// Changes a key's properties.
    UpdateKey,
    /// Checks a signature.
    Verify,
    /// Wraps a key with a public key.
    WrapKey,
}

impl Operation {
    /// Returns the name in words, such as `generate data key`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::CreateKey => "create key",
            Self::Decrypt => "decrypt",
            Self::DeleteKey => "delete key",
            Self::DeleteKeyMaterial => "delete key material",
            Self::DisableKey => "disable key",
            Self::EnableKey => "enable key",
            Self::Encrypt => "encrypt",
            Self::GenerateDataKey => "generate data key",
            Self::GenerateImportParameters => "generate import parameters",
            Self::GetKey => "get key",
            Self::ImportKeyMaterial => "import key material",
            Self::ListAlgorithms => "list algorithms",
            Self::ListKeyRotations => "list key rotations",
            Self::ListKeys => "list keys",
            Self::ProtectKey => "protect key",
            Self::PublicKey => "get public key",
            Self::RestoreKey => "restore key",
            Self::RotateKey => "rotate key",
            Self::Sign => "sign",
            Self::UnprotectKey => "unprotect key",
            Self::UnwrapKey => "unwrap key",
            Self::UpdateKey => "update key",
            Self::Verify => "verify",
            Self::WrapKey => "wrap key",
        }
    }

    /// Returns whether repeating it has the same effect as doing it once.
    ///
    /// If not, a lost answer may leave a key, a version or a deletion behind that nobody knows
    /// about, or make the second attempt fail. Such a request is never repeated once any part of it
    /// has been sent.
    pub(super) const fn is_repeatable(self) -> bool {
        !matches!(
            self,
            Self::CreateKey
                | Self::DeleteKey
                | Self::DeleteKeyMaterial
                | Self::ImportKeyMaterial
                | Self::RestoreKey
                | Self::RotateKey
        )
    }

    /// Returns whether it changes a key or makes one.
    pub(super) const fn changes_keys(self) -> bool {
        !self.is_repeatable()
            || matches!(
                self,
                Self::DisableKey
                    | Self::EnableKey
                    | Self::ProtectKey
                    | Self::UnprotectKey
                    | Self::UpdateKey
            )
    }

    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::GetKey
            | Self::ListAlgorithms
            | Self::ListKeyRotations
            | Self::ListKeys
            | Self::PublicKey => "GET",
            Self::UpdateKey => "PATCH",
            Self::DeleteKey => "DELETE",
            _ => "POST",
        }
    }
}
