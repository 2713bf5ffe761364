//! `fake-kms://`: the test client of the other Tinks, whose URI contains the key.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{
    aead::KeysetAead,
    error::{KeysetError, KmsError, KmsErrorKind},
    keyset::{Format, KeysetHandle},
    kms::LocalAead,
    remote::{KmsClient, RemoteAead},
    secret::SecretAccess,
};

/// The scheme of this client's key URIs.
const SCHEME: &str = "fake-kms://";

/// Reads the key from the URI: `fake-kms://` and a serialized cleartext keyset of AEAD keys, in
/// base64 for URLs, without padding.
///
/// # Security
/// For tests only: anyone who sees the URI has the key.
///
/// # Source
/// The fake KMS clients in the test packages of Tink for Go, Python, Java and C++, which all read
/// the same URIs.
///
/// # Example
/// ```
/// use keyseal::kms::{KmsClients, testkit::FakeKmsClient};
///
/// let uri = FakeKmsClient::new_key_uri()?;
/// let key = KmsClients::new().with(FakeKmsClient::new()).find(&uri)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct FakeKmsClient(());

impl FakeKmsClient {
    /// Makes the client.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }

    /// Makes the URI of a new key, which is of the template `AES128_GCM`.
    ///
    /// # Errors
    /// [`KeysetError::Template`] or [`KeysetError::Random`] when there is no randomness.
    pub fn new_key_uri() -> Result<String, KeysetError> {
        let access = SecretAccess::insecure();
        let keyset = KeysetHandle::generate("AES128_GCM")?;
        Ok(Self::key_uri(&keyset, access))
    }

    /// Writes the URI of a key.
    #[must_use]
    pub fn key_uri(keyset: &KeysetHandle, access: SecretAccess) -> String {
        let serialized = keyset.write_cleartext(Format::Binary, access);
        format!("{SCHEME}{}", URL_SAFE_NO_PAD.encode(serialized.bytes()))
    }
}

impl KmsClient for FakeKmsClient {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        Some(open(key_uri.strip_prefix(SCHEME)?))
    }
}

fn open(encoded: &str) -> Result<Arc<dyn RemoteAead>, KmsError> {
    // Neither the URI nor what base64 says of it, which quotes it.
    let unusable = || KmsError::new(KmsErrorKind::InvalidUri).with_context(SCHEME);
    let keyset = URL_SAFE_NO_PAD
        .decode(encoded)
        .map(Zeroizing::new)
        .map_err(|_| unusable().with_message("it is not base64 for URLs without padding"))?;
    let access = SecretAccess::insecure();
    KeysetHandle::read_cleartext(&keyset, Format::Binary, access)
        .and_then(|keyset| keyset.primitive::<KeysetAead>())
        .map(|aead| Arc::new(LocalAead::new(aead)) as Arc<dyn RemoteAead>)
        .map_err(|error| {
            unusable()
                .with_message("it holds no keyset of AEAD keys")
                .with_source(error)
        })
}

impl fmt::Debug for FakeKmsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeKmsClient")
    }
}
